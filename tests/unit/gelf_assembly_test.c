#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/gelf.h"

#define SECOND 1000000000ull
#define DROPS_MAX 4096u

struct drop {
	enum dead_letter_reason reason;
	uint32_t had, expected, length;
	uint64_t first_ns;
	struct gelf_chunk_source source;
	uint8_t bytes[64];
};

struct rig {
	struct gelf_taker taker;
	struct gelf_assembly *assembly;
	void *memory;
	struct drop drops[DROPS_MAX];
	uint32_t drops_count;
	uint64_t chunks_dropped;
};

static void note(struct gelf_taker *taker, const struct gelf_dropped *dropped)
{
	struct rig *r = (struct rig *)taker;
	struct drop *drop = &r->drops[r->drops_count % DROPS_MAX];

	*drop = (struct drop){dropped->reason,  dropped->had, dropped->expected, dropped->length, dropped->first_ns,
			      *dropped->source, {0}};
	memcpy(drop->bytes, dropped->bytes,
	       dropped->length < sizeof drop->bytes ? dropped->length : sizeof drop->bytes);
	r->drops_count++;
	r->chunks_dropped += dropped->had;
}

static const uint8_t secret[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};

static void rig_make(struct rig *r, uint32_t messages, uint32_t bytes)
{
	memset(r, 0, sizeof *r);
	r->taker.dropped = note;
	r->memory = aligned_alloc(64, (gelf_assembly_bytes(messages, bytes) + 63) & ~63ull);
	assert_non_null(r->memory);
	r->assembly = gelf_assembly_init(r->memory, messages, bytes, secret, &r->taker);
	assert_non_null(r->assembly);
}

static void rig_destroy(struct rig *r)
{
	gelf_end(r->assembly);
	assert_int_equal(gelf_pending(r->assembly), 0);
	free(r->memory);
}

static struct gelf_chunk_source source_of(uint32_t host)
{
	struct gelf_chunk_source source = {.input = 7, .origin_kind = RECORD_ORIGIN_IPV4};

	memcpy(source.origin.v4.source, &host, 4);
	source.origin.v4.source_port[0] = 0x30;
	return source;
}

struct arrived {
	enum gelf_outcome outcome;
	const uint8_t *bytes;
	uint32_t length;
};

/* A chunk, in exactly its bytes on the heap. */
static struct arrived chunk(struct rig *r, uint64_t now_ns, uint32_t host, uint64_t id, uint8_t index, uint8_t count,
			    const void *bytes, uint32_t length)
{
	static uint8_t *datagram;
	struct gelf_chunk_source source = source_of(host);
	struct arrived out;

	free(datagram); /* what came before may have pointed into it until now */
	datagram = malloc(GELF_CHUNK_HEADER + length);
	memcpy(datagram, "\x1e\x0f", 2);
	memcpy(datagram + 2, &id, 8);
	datagram[10] = index;
	datagram[11] = count;
	memcpy(datagram + GELF_CHUNK_HEADER, bytes, length);
	out.outcome = gelf_assemble(r->assembly, &source, now_ns, datagram, GELF_CHUNK_HEADER + length, &out.bytes,
				    &out.length);
	return out;
}

static void expect_whole(struct arrived arrived, const char *text)
{
	assert_int_equal(arrived.outcome, GELF_WHOLE);
	assert_int_equal(arrived.length, strlen(text));
	assert_memory_equal(arrived.bytes, text, arrived.length);
}

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

static int make(void **state)
{
	*state = malloc(sizeof(struct rig));
	rig_make(*state, 64, 1 << 20);
	return 0;
}

static int destroy(void **state)
{
	rig_destroy(*state);
	free(*state);
	return 0;
}

#define with_rig(test) cmocka_unit_test_setup_teardown(test, make, destroy)

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
		cmocka_unit_test(when_messages_run_out_the_oldest_goes),
		cmocka_unit_test(when_bytes_run_out_the_oldest_goes_but_not_the_one_that_grows),
		cmocka_unit_test(a_flood_of_chunks_does_not_keep_others_from_being_whole),
		cmocka_unit_test(who_holds_most_messages_displaces_his_own),
		cmocka_unit_test(who_holds_most_bytes_displaces_his_own),
		cmocka_unit_test(where_nobody_holds_much_the_oldest_goes),
		with_rig(messages_made_to_meet_in_the_table_displace_only_one_another),
		cmocka_unit_test(at_random_every_chunk_is_accounted_for),
		cmocka_unit_test(a_budget_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
