// Where GELF chunks are more than there is room for: whose messages go.
#include "tests/unit/gelf_assembly_fixture.h"

static void when_messages_run_out_the_oldest_goes(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, 3, GELF_BYTES_MIN);
	for (uint64_t id = 0; id < 5; id++)
		assert_int_equal(chunk(&r, id, 1, id, 0, 2, "x", 1).outcome, GELF_PENDING);
	assert_int_equal(r.drops_count, 2);
	assert_int_equal(r.drops[0].reason, DEAD_LETTER_REASSEMBLY_DISPLACED);
	assert_int_equal(r.drops[0].first_ns, 0);
	assert_int_equal(r.drops[1].first_ns, 1);
	expect_whole(chunk(&r, 9, 1, 2, 1, 2, "y", 1), "xy");
	expect_whole(chunk(&r, 9, 1, 4, 1, 2, "y", 1), "xy");
	rig_destroy(&r);
	assert_int_equal(r.drops_count, 3);
	assert_int_equal(r.drops[2].reason, DEAD_LETTER_REASSEMBLY_ENDED);
}

static void when_bytes_run_out_the_oldest_goes_but_not_the_one_that_grows(void **state)
{
	static uint8_t bytes[40000];
	struct rig r;

	(void)state;
	rig_make(&r, 100, GELF_BYTES_MIN);
	assert_int_equal(chunk(&r, 0, 1, 0, 0, 3, "x", 1).outcome, GELF_PENDING);
	for (uint64_t id = 1; id <= 4; id++)
		assert_int_equal(chunk(&r, id, 1, id, 0, 2, bytes, sizeof bytes).outcome, GELF_PENDING);
	assert_int_equal(r.drops_count, 0);
	/* The oldest of all wants more than is left. */
	assert_int_equal(chunk(&r, 9, 1, 0, 1, 3, bytes, sizeof bytes).outcome, GELF_PENDING);
	assert_int_equal(r.drops_count, 1);
	assert_int_equal(r.drops[0].reason, DEAD_LETTER_REASSEMBLY_DISPLACED);
	assert_int_equal(r.drops[0].first_ns, 1);
	assert_int_equal(r.drops[0].length, sizeof bytes);
	assert_int_equal(chunk(&r, 9, 1, 0, 2, 3, "z", 1).length, sizeof bytes + 2);
	assert_int_equal(gelf_pending(r.assembly), 3);
	rig_destroy(&r);
}

static void a_flood_of_chunks_does_not_keep_others_from_being_whole(void **state)
{
	struct rig r;
	uint64_t whole = 0, pending = 0;

	(void)state;
	rig_make(&r, 64, GELF_BYTES_MIN);
	for (uint64_t i = 0; i < 200000; i++) {
		/* Ten chunks of messages that never end between any two of one that does. */
		if (i % 10 == 0) {
			struct arrived a = chunk(&r, i, 2, i / 20, i / 10 % 2, 2, i / 10 % 2 ? "b" : "a", 1);

			if (i / 10 % 2) {
				expect_whole(a, "ab");
				whole++;
			} else {
				assert_int_equal(a.outcome, GELF_PENDING);
			}
		}
		assert_int_equal(chunk(&r, i, 1, i, 5, 128, "flood", 5).outcome, GELF_PENDING);
		pending++;
	}
	assert_int_equal(whole, 10000);
	assert_int_equal(gelf_pending(r.assembly), 64);
	assert_int_equal(r.drops_count, pending - 64);
	rig_destroy(&r);
	assert_int_equal(r.drops_count, pending);
}

/* Faster than the sound one's chunks come, and older than the flood: it was the first to go when only age decided. */
static void who_holds_most_messages_displaces_his_own(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, 64, GELF_BYTES_MIN);
	for (uint32_t host = 2; host < 6; host++)
		assert_int_equal(chunk(&r, 0, host, host, 0, 2, "a", 1).outcome, GELF_PENDING);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(chunk(&r, i, 1, i, 5, 128, "flood", 5).outcome, GELF_PENDING);
	for (uint32_t host = 2; host < 6; host++)
		expect_whole(chunk(&r, 1000, host, host, 1, 2, "b", 1), "ab");
	for (uint32_t i = 0; i < r.drops_count; i++)
		assert_int_equal(r.drops[i].first_ns, i);
	assert_int_equal(r.drops_count, 1000 - 60);
	rig_destroy(&r);
}

static void who_holds_most_bytes_displaces_his_own(void **state)
{
	static uint8_t bytes[40000];
	struct rig r;

	(void)state;
	rig_make(&r, 1000, GELF_BYTES_MIN);
	for (uint32_t host = 2; host < 6; host++)
		assert_int_equal(chunk(&r, 0, host, host, 0, 2, bytes, 2000).outcome, GELF_PENDING);
	for (uint64_t i = 0; i < 100; i++)
		assert_int_equal(chunk(&r, i, 1, i, 5, 128, bytes, sizeof bytes).outcome, GELF_PENDING);
	for (uint32_t host = 2; host < 6; host++)
		assert_int_equal(chunk(&r, 1000, host, host, 1, 2, "b", 1).length, 2001);
	assert_int_equal(r.drops_count, 100 - 4);
	rig_destroy(&r);
}

static void where_nobody_holds_much_the_oldest_goes(void **state)
{
	static uint8_t bytes[1000];
	struct rig r;

	(void)state;
	rig_make(&r, 64, GELF_BYTES_MIN);
	for (uint8_t index = 0; index < 10; index++)
		assert_int_equal(chunk(&r, 100, 1000, 1, index, 128, bytes, sizeof bytes).outcome, GELF_PENDING);
	for (uint32_t host = 0; host < 500; host++)
		assert_int_equal(chunk(&r, 101 + host, host, 1, 0, 2, "x", 1).outcome, GELF_PENDING);
	for (uint32_t i = 0; i < r.drops_count; i++)
		assert_int_equal(r.drops[i].first_ns, 100 + i);
	assert_int_equal(r.drops_count, 501 - 64);
	rig_destroy(&r);
}

static uint64_t rotated(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

/* SipHash-1-3 as its paper has it, so that the test can do what a sender who knew the secret would. */
static uint64_t siphash(const uint64_t *words, int count)
{
	uint64_t k[2], v0, v1, v2, v3;

	memcpy(k, secret, 16);
	v0 = k[0] ^ 0x736f6d6570736575, v1 = k[1] ^ 0x646f72616e646f6d;
	v2 = k[0] ^ 0x6c7967656e657261, v3 = k[1] ^ 0x7465646279746573;
	for (int i = 0; i < count + 3; i++) {
		if (i < count)
			v3 ^= words[i];
		else if (i == count)
			v2 ^= 0xff;
		v0 += v1, v1 = rotated(v1, 13) ^ v0, v0 = rotated(v0, 32);
		v2 += v3, v3 = rotated(v3, 16) ^ v2;
		v0 += v3, v3 = rotated(v3, 21) ^ v0;
		v2 += v1, v1 = rotated(v1, 17) ^ v2, v2 = rotated(v2, 32);
		if (i < count)
			v0 ^= words[i];
	}
	return v0 ^ v1 ^ v2 ^ v3;
}

static void messages_made_to_meet_in_the_table_displace_only_one_another(void **state)
{
	uint64_t words[4] = {1, 0, 0, 7 | (uint64_t)RECORD_ORIGIN_IPV4 << 32}, ids[40];
	struct rig *r = *state;

	assert_int_equal(chunk(r, 0, 2, 1, 0, 2, "a", 1).outcome, GELF_PENDING);
	for (uint32_t n = 0; n < 40; words[2]++)
		if ((siphash(words, 4) & 63) == 0)
			ids[n++] = words[2];
	for (uint64_t n = 0; n < 40; n++) {
		assert_int_equal(chunk(r, n + 1, 1, ids[n], 0, 2, "x", 1).outcome, GELF_PENDING);
		assert_int_equal(r->drops_count, n < 16 ? 0 : n - 15);
	}
	for (uint32_t n = 0; n < 24; n++) {
		assert_int_equal(r->drops[n].reason, DEAD_LETTER_REASSEMBLY_DISPLACED);
		assert_int_equal(r->drops[n].first_ns, n + 1);
	}
	expect_whole(chunk(r, 50, 2, 1, 1, 2, "b", 1), "ab");
	expect_whole(chunk(r, 50, 1, ids[39], 1, 2, "y", 1), "xy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_messages_run_out_the_oldest_goes),
		cmocka_unit_test(when_bytes_run_out_the_oldest_goes_but_not_the_one_that_grows),
		cmocka_unit_test(a_flood_of_chunks_does_not_keep_others_from_being_whole),
		cmocka_unit_test(who_holds_most_messages_displaces_his_own),
		cmocka_unit_test(who_holds_most_bytes_displaces_his_own),
		cmocka_unit_test(where_nobody_holds_much_the_oldest_goes),
		with_rig(messages_made_to_meet_in_the_table_displace_only_one_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
