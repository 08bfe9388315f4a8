// GELF messages put together from their chunks.
#include "tests/unit/gelf_assembly_fixture.h"

static void a_datagram_that_is_no_chunk_is_the_message(void **state)
{
	struct gelf_chunk_source source = source_of(1);
	const uint8_t text[] = "{}", nearly[] = {0x1e};
	const uint8_t *message;
	struct rig *r = *state;
	uint32_t length;

	assert_int_equal(gelf_assemble(r->assembly, &source, 0, text, 2, &message, &length), GELF_WHOLE);
	assert_true(message == text && length == 2);
	assert_int_equal(gelf_assemble(r->assembly, &source, 0, nearly, 1, &message, &length), GELF_WHOLE);
	assert_true(message == nearly && length == 1);
	assert_int_equal(gelf_assemble(r->assembly, &source, 0, text, 0, &message, &length), GELF_WHOLE);
	assert_int_equal(length, 0);
}

static void chunks_in_any_order_make_the_message(void **state)
{
	static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const char *const parts[3] = {"{\"version\"", ":", "\"1.1\"}"};
	struct rig *r = *state;

	for (uint64_t i = 0; i < 6; i++)
		for (int n = 0; n < 3; n++) {
			uint8_t index = orders[i][n];
			struct arrived a = chunk(r, i, 1, 77, index, 3, parts[index], (uint32_t)strlen(parts[index]));

			if (n < 2)
				assert_int_equal(a.outcome, GELF_PENDING);
			else
				expect_whole(a, "{\"version\":\"1.1\"}");
			assert_int_equal(gelf_pending(r->assembly), n < 2);
		}
	expect_whole(chunk(r, 0, 1, 5, 0, 1, "alone", 5), "alone");
	assert_int_equal(r->drops_count, 0);
}

/* Same id, and either another sender, another input, or IPv6: never mixed. Another port of the sender: the same
 * message. */
static void messages_are_told_apart_by_sender_and_input(void **state)
{
	uint8_t datagram[] = {0x1e, 0x0f, 9, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'a'};
	struct gelf_chunk_source sources[4] = {source_of(1), source_of(2), source_of(1), source_of(1)};
	const uint8_t *message;
	struct rig *r = *state;
	uint32_t length;

	sources[2].input = 8;
	sources[3].origin_kind = RECORD_ORIGIN_IPV6;
	for (uint8_t part = 0; part < 2; part++)
		for (uint8_t i = 0; i < 4; i++) {
			datagram[10] = part;
			datagram[12] = (uint8_t)('a' + 4 * part + i);
			sources[i].origin.v4.source_port[0] = part;
			sources[i].origin.v6.source_port[0] = part;
			if (i == 3)
				memset(sources[i].origin.v6.source, 0x11, 16);
			assert_int_equal(gelf_assemble(r->assembly, &sources[i], 1, datagram, 13, &message, &length),
					 part ? GELF_WHOLE : GELF_PENDING);
			if (part) {
				assert_int_equal(length, 2);
				assert_memory_equal(message, ((uint8_t[]){'a' + i, 'e' + i}), 2);
			}
		}
	assert_int_equal(gelf_pending(r->assembly), 0);
}

static void a_chunk_that_lies_is_refused_by_name(void **state)
{
	static const uint8_t bare[12] = {0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2};
	struct gelf_chunk_source source = source_of(1);
	const uint8_t *message;
	struct rig *r = *state;
	uint32_t length;

	for (uint32_t i = 2; i <= 12; i++) {
		uint8_t *exact = malloc(i);

		memcpy(exact, bare, i);
		assert_int_equal(gelf_assemble(r->assembly, &source, 1, exact, i, &message, &length), GELF_SHORT);
		free(exact);
	}
	assert_int_equal(chunk(r, 1, 1, 1, 0, 0, "x", 1).outcome, GELF_COUNT);
	assert_int_equal(chunk(r, 1, 1, 1, 0, 129, "x", 1).outcome, GELF_COUNT);
	assert_int_equal(chunk(r, 1, 1, 1, 0, 255, "x", 1).outcome, GELF_COUNT);
	assert_int_equal(chunk(r, 1, 1, 1, 2, 2, "x", 1).outcome, GELF_INDEX);
	assert_int_equal(chunk(r, 1, 1, 1, 1, 1, "x", 1).outcome, GELF_INDEX);
	assert_int_equal(gelf_pending(r->assembly), 0);

	assert_int_equal(chunk(r, 1, 1, 1, 0, 3, "a", 1).outcome, GELF_PENDING);
	assert_int_equal(chunk(r, 1, 1, 1, 1, 4, "x", 1).outcome, GELF_CONTRADICTION);
	assert_int_equal(chunk(r, 1, 1, 1, 0, 3, "x", 1).outcome, GELF_DUPLICATE);
	assert_int_equal(chunk(r, 1, 1, 1, 2, 3, "c", 1).outcome, GELF_PENDING);
	/* What was there before stands. */
	expect_whole(chunk(r, 1, 1, 1, 1, 3, "b", 1), "abc");
	assert_int_equal(r->drops_count, 0);
	for (int i = 0; i < GELF_OUTCOME_END; i++)
		assert_int_equal(gelf_refusal((enum gelf_outcome)i) != DEAD_LETTER_NONE, i > GELF_PENDING);
}

static void after_five_seconds_what_came_is_handed_out(void **state)
{
	struct rig *r = *state;

	assert_int_equal(chunk(r, 10 * SECOND, 1, 1, 3, 4, "dd", 2).outcome, GELF_PENDING);
	assert_int_equal(chunk(r, 11 * SECOND, 1, 2, 0, 2, "later", 5).outcome, GELF_PENDING);
	assert_int_equal(chunk(r, 12 * SECOND, 1, 1, 1, 4, "bb", 2).outcome, GELF_PENDING);
	assert_int_equal(gelf_expire(r->assembly, 15 * SECOND, 100), 0);
	assert_int_equal(gelf_expire(r->assembly, 15 * SECOND + 1, 0), 0);
	assert_int_equal(gelf_expire(r->assembly, 15 * SECOND + 1, 100), 1);
	assert_int_equal(r->drops_count, 1);
	assert_int_equal(r->drops[0].reason, DEAD_LETTER_REASSEMBLY_TIMEOUT);
	assert_int_equal(r->drops[0].had, 2);
	assert_int_equal(r->drops[0].expected, 4);
	assert_int_equal(r->drops[0].first_ns, 10 * SECOND);
	assert_int_equal(r->drops[0].length, 4);
	assert_memory_equal(r->drops[0].bytes, "bbdd", 4);
	assert_int_equal(r->drops[0].source.input, 7);
	assert_int_equal(gelf_pending(r->assembly), 1);
}

static void a_chunk_that_comes_too_late_begins_anew(void **state)
{
	struct rig *r = *state;

	assert_int_equal(chunk(r, 1, 1, 1, 0, 2, "old", 3).outcome, GELF_PENDING);
	assert_int_equal(chunk(r, 1 + 5 * SECOND + 1, 1, 1, 1, 2, "new", 3).outcome, GELF_PENDING);
	assert_int_equal(r->drops_count, 1);
	assert_memory_equal(r->drops[0].bytes, "old", 3);
	expect_whole(chunk(r, 1 + 6 * SECOND, 1, 1, 0, 2, "re", 2), "renew");
	/* A clock that is set back makes nothing too old. */
	assert_int_equal(chunk(r, 100 * SECOND, 1, 1, 0, 2, "a", 1).outcome, GELF_PENDING);
	assert_int_equal(gelf_expire(r->assembly, 0, 100), 0);
	expect_whole(chunk(r, 0, 1, 1, 1, 2, "b", 1), "ab");
}

static void the_longest_message_fits_and_one_byte_more_does_not(void **state)
{
	static uint8_t bytes[GELF_MESSAGE_MAX + 1];
	struct rig *r = *state;
	struct arrived a;

	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	for (uint32_t extra = 0; extra < 2; extra++) {
		uint32_t last = GELF_MESSAGE_MAX - 32768 + extra;

		/* 126 of one byte, then the bulk: the worst way to cut it. */
		for (uint8_t i = 0; i < 126; i++)
			assert_int_equal(chunk(r, 1, 1, extra, i, 128, bytes + i, 1).outcome, GELF_PENDING);
		assert_int_equal(chunk(r, 1, 1, extra, 126, 128, bytes + 126, 32768 - 126).outcome, GELF_PENDING);
		a = chunk(r, 1, 1, extra, 127, 128, bytes + 32768, last);
		if (!extra) {
			assert_int_equal(a.outcome, GELF_WHOLE);
			assert_int_equal(a.length, GELF_MESSAGE_MAX);
			assert_memory_equal(a.bytes, bytes, a.length);
		}
	}
	assert_int_equal(a.outcome, GELF_OVERSIZE);
	assert_int_equal(r->drops_count, 1);
	assert_int_equal(r->drops[0].reason, DEAD_LETTER_REASSEMBLY_OVERSIZE);
	assert_int_equal(r->drops[0].had, 127);
	assert_int_equal(r->drops[0].length, 32768);
	assert_int_equal(gelf_pending(r->assembly), 0);
	assert_int_equal(chunk(r, 1, 1, 9, 0, 1, bytes, GELF_MESSAGE_MAX + 1).outcome, GELF_OVERSIZE);
}

/* Every chunk ends once: in a message that is whole, in one that is dropped, or refused. */
static void at_random_every_chunk_is_accounted_for(void **state)
{
	static uint8_t bytes[3000];
	uint64_t state64 = 88172645463325252ull, kept = 0, finished = 0;
	struct rig r;

	(void)state;
	rig_make(&r, 20, GELF_BYTES_MIN);
	for (uint64_t i = 0; i < 100000; i++) {
		uint32_t id, count, index, length;
		struct arrived a;

		state64 ^= state64 << 13;
		state64 ^= state64 >> 7;
		state64 ^= state64 << 17;
		id = state64 >> 8 & 15;
		count = (state64 >> 16 & 3) ? id % 7 + 1 : (uint32_t)(state64 >> 20 & 7);
		index = state64 >> 24 & 7;
		length = (uint32_t)(state64 >> 32) % sizeof bytes;
		memset(bytes, (int)index, length);
		a = chunk(&r, i * SECOND / 50, state64 >> 62 & 1, id, (uint8_t)index, (uint8_t)count, bytes, length);
		if (a.outcome == GELF_PENDING)
			kept++;
		if (a.outcome != GELF_WHOLE)
			continue;
		finished += count - 1;
		for (uint32_t at = 1; at < a.length; at++)
			assert_true(a.bytes[at] >= a.bytes[at - 1]);
		gelf_expire(r.assembly, i * SECOND / 50, 1);
	}
	rig_destroy(&r);
	assert_in_range(finished, 1000, kept);
	assert_in_range(r.drops_count, 1000, kept);
	assert_int_equal(kept, finished + r.chunks_dropped);
}

static void a_budget_out_of_range_is_refused(void **state)
{
	struct gelf_taker taker = {note};
	uint8_t memory[64];

	(void)state;
	assert_int_equal(gelf_assembly_bytes(0, GELF_BYTES_MIN), 0);
	assert_int_equal(gelf_assembly_bytes(GELF_MESSAGES_MAX + 1, GELF_BYTES_MIN), 0);
	assert_int_equal(gelf_assembly_bytes(1, GELF_BYTES_MIN - 1), 0);
	assert_int_equal(gelf_assembly_bytes(1, GELF_BYTES_MAX + 1), 0);
	assert_true(gelf_assembly_bytes(GELF_MESSAGES_MAX, GELF_BYTES_MAX) > GELF_BYTES_MAX);
	assert_null(gelf_assembly_init(memory, 0, GELF_BYTES_MIN, secret, &taker));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_rig(a_datagram_that_is_no_chunk_is_the_message),
		with_rig(chunks_in_any_order_make_the_message),
		with_rig(messages_are_told_apart_by_sender_and_input),
		with_rig(a_chunk_that_lies_is_refused_by_name),
		with_rig(after_five_seconds_what_came_is_handed_out),
		with_rig(a_chunk_that_comes_too_late_begins_anew),
		with_rig(the_longest_message_fits_and_one_byte_more_does_not),
		cmocka_unit_test(at_random_every_chunk_is_accounted_for),
		cmocka_unit_test(a_budget_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
