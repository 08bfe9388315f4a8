#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/kpl.h"
#include "dataplane/record/md5.h"
#include "tests/support/samples.h"

#define RECORDS_MAX 16384u

static struct kpl_record records[RECORDS_MAX];

/* Taken from exactly its bytes on the heap, `room` at a time. */
static uint32_t take(const void *bytes, uint32_t length, uint32_t room, enum codec_fault *fault)
{
	uint8_t *exact = malloc(length ? length : 1);
	struct kpl_record *out = malloc(room * sizeof *out);
	uint32_t at = 0, count = 0, some;

	memcpy(exact, bytes, length);
	do {
		some = kpl_records(exact, length, out, room, &at, fault);
		assert_true(some <= room && count + some <= RECORDS_MAX && at <= length);
		memcpy(records + count, out, some * sizeof *out);
		count += some;
		assert_true(some || at == length);
	} while (at < length);
	free(out);
	free(exact);
	return count;
}

static void expect_slice(const uint8_t *bytes, struct slice slice, const char *text)
{
	assert_int_equal(slice.length, strlen(text));
	assert_memory_equal(bytes + slice.offset, text, slice.length);
}

static void what_protobuf_made_is_taken_apart(void **state)
{
	struct sample s = sample_kpl_aggregate;
	enum codec_fault fault;

	(void)state;
	for (uint32_t room = 1; room <= 7; room++) {
		assert_int_equal(take(s.bytes, s.length, room, &fault), 6);
		assert_int_equal(fault, CODEC_OK);
		for (uint32_t i = 0; i < 6; i++) {
			char data[] = "{\"n\":0,\"temperature\":21.5}", key[] = "sensor-0";

			data[5] = (char)('0' + i);
			key[7] = (char)('0' + i % 3);
			expect_slice(s.bytes, records[i].data, data);
			expect_slice(s.bytes, records[i].key, key);
			expect_slice(s.bytes, records[i].explicit_hash,
				     i % 3 == 2 ? "170141183460469231731687303715884105728" : "");
		}
	}
}

static void a_datagram_without_the_magic_is_one_plain_record(void **state)
{
	static const uint8_t nearly[] = {0xf3, 0x89, 0x9a, 0xc3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8};
	enum codec_fault fault;

	(void)state;
	for (uint32_t length = 1; length <= sizeof nearly; length++) {
		assert_int_equal(take(nearly, length, 3, &fault), 1);
		assert_int_equal(fault, CODEC_OK);
		assert_int_equal(records[0].data.offset, 0);
		assert_int_equal(records[0].data.length, length);
		assert_int_equal(records[0].key.length, 0);
		assert_int_equal(records[0].explicit_hash.length, 0);
	}
	assert_int_equal(take("", 0, 3, &fault), 0);
	assert_int_equal(fault, CODEC_EMPTY);
}

/* An aggregate being made by hand: what protobuf would not write. */
struct made {
	uint8_t bytes[66000];
	uint32_t length;
};

static void begin(struct made *m)
{
	memcpy(m->bytes, "\xf3\x89\x9a\xc2", 4);
	m->length = 4;
}

static void put(struct made *m, const void *bytes, uint32_t length)
{
	memcpy(m->bytes + m->length, bytes, length);
	m->length += length;
}

static void seal(struct made *m)
{
	struct md5_key whole = {m->bytes + 4, m->length - 4};
	uint8_t digest[1][16];

	md5_batch(&whole, 1, digest);
	put(m, digest[0], 16);
}

#define PUT(m, literal) put(m, literal, sizeof(literal) - 1)

static struct made made;

static void expect_fault(const void *bytes, uint32_t length, enum codec_fault expected)
{
	enum codec_fault fault;

	begin(&made);
	put(&made, bytes, length);
	seal(&made);
	assert_int_equal(take(made.bytes, made.length, 4, &fault), 0);
	assert_int_equal(fault, expected);
}

#define EXPECT_FAULT(literal, fault) expect_fault(literal, sizeof(literal) - 1, fault)

static void what_is_not_the_message_is_refused_by_name(void **state)
{
	(void)state;
	EXPECT_FAULT("", CODEC_EMPTY);
	EXPECT_FAULT("\x0a\x01k", CODEC_EMPTY);
	/* The record comes before its key, which protocol buffers allow: it is the index that is wrong. */
	EXPECT_FAULT("\x1a\x04\x08\x01\x1a\x00\x0a\x01k", CODEC_NUMBER);
	EXPECT_FAULT("\x1a\x04\x08\x00\x1a\x00", CODEC_NUMBER);
	EXPECT_FAULT("\x0a\x01k\x1a\x06\x08\x00\x10\x00\x1a\x00", CODEC_NUMBER);
	EXPECT_FAULT("\x0a\x01k\x1a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a\x00", CODEC_NUMBER);
	EXPECT_FAULT("\x0a\x01k\x1a\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x1a\x00", CODEC_NUMBER);
	EXPECT_FAULT("\x0a\x01k\x1a\x02\x08\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x01k\x1a\x02\x1a\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x01k\x1a\x04\x08\x00\x1a\x01", CODEC_LENGTH);
	EXPECT_FAULT("\x0a\x01k\x1a\x05\x08\x00\x1a\x00", CODEC_LENGTH);
	EXPECT_FAULT("\x0a\x01k\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x08\x00\x1a\x00", CODEC_LENGTH);
	EXPECT_FAULT("\x0a\x01k\x1a\x80", CODEC_LENGTH);
	EXPECT_FAULT("\x0a\x01k\x1b\x1c", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x01k\x18\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x02\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x01k\x1a\x05\x0d\x00\x00\x00\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x00\x1a\x04\x08\x00\x1a\x00", CODEC_SYNTAX);
	EXPECT_FAULT("\x0a\x01\xff\x1a\x04\x08\x00\x1a\x00", CODEC_ENCODING);
	EXPECT_FAULT("\x0a\x01k\x12\x01x\x1a\x04\x08\x00\x1a\x00", CODEC_NUMBER);
	EXPECT_FAULT("\x0a\x01k\x12\x02\x30\x31\x1a\x04\x08\x00\x1a\x00", CODEC_NUMBER);
}

static void what_protocol_buffers_allow_is_taken(void **state)
{
	enum codec_fault fault;

	(void)state;
	begin(&made);
	PUT(&made, "\x1a\x0a\x08\x01\x08\x80\x00\x1a\x01x\x1a\x00"); /* the last of each counts, overlong 0 */
	PUT(&made, "\x20\x05\x29"
		   "12345678\x32\x02zz\x3d"
		   "1234");                                       /* fields nobody knows, of every type */
	PUT(&made, "\x0a\x01k\x12\x01\x30");                      /* tables behind */
	PUT(&made, "\x1a\x0a\x10\x00\x1a\x02hi\x08\x00\x28\x07"); /* any order, one unknown */
	seal(&made);
	assert_int_equal(take(made.bytes, made.length, 1, &fault), 2);
	assert_int_equal(fault, CODEC_OK);
	expect_slice(made.bytes, records[0].data, "");
	expect_slice(made.bytes, records[0].key, "k");
	expect_slice(made.bytes, records[0].explicit_hash, "");
	expect_slice(made.bytes, records[1].data, "hi");
	expect_slice(made.bytes, records[1].explicit_hash, "0");
}

static void the_bounds_of_keys_hold(void **state)
{
	static uint8_t key[RECORD_KEY_MAX + 1];
	enum codec_fault fault;

	(void)state;
	memset(key, 'k', sizeof key);
	for (uint32_t extra = 0; extra < 2; extra++) {
		begin(&made);
		put(&made, (uint8_t[]){0x0a, (uint8_t)(0x80 | ((1024 + extra) & 0x7f)), (1024 + extra) >> 7}, 3);
		put(&made, key, 1024 + extra);
		PUT(&made, "\x1a\x04\x08\x00\x1a\x00");
		seal(&made);
		assert_int_equal(take(made.bytes, made.length, 1, &fault), 1 - extra);
		assert_int_equal(fault, extra ? CODEC_TOO_LARGE : CODEC_OK);
	}
	for (uint32_t extra = 0; extra < 2; extra++) {
		begin(&made);
		for (uint32_t i = 0; i < KPL_TABLE_MAX + extra; i++)
			PUT(&made, "\x0a\x01k");
		PUT(&made, "\x1a\x05\x08\xff\x1f\x1a\x00");
		seal(&made);
		assert_int_equal(take(made.bytes, made.length, 1, &fault), 1 - extra);
		assert_int_equal(fault, extra ? CODEC_TOO_MANY : CODEC_OK);
	}
}

static void a_full_datagram_is_given_out_in_any_room(void **state)
{
	static const uint32_t rooms[] = {1000, 511, 512, 20000};
	uint32_t made_count = 0;
	enum codec_fault fault;

	(void)state;
	begin(&made);
	PUT(&made, "\x0a\x01k");
	while (made.length + 6 + 16 <= 65507) {
		PUT(&made, "\x1a\x04\x08\x00\x1a\x00");
		made_count++;
	}
	seal(&made);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(take(made.bytes, made.length, rooms[i], &fault), made_count);
		assert_int_equal(fault, CODEC_OK);
		assert_int_equal(records[made_count - 1].key.length, 1);
	}
	assert_true(made_count > 10000);
}

static void cut_or_changed_anywhere_it_is_refused(void **state)
{
	struct sample s = sample_kpl_aggregate;
	uint8_t changed[512];
	enum codec_fault fault;

	(void)state;
	for (uint32_t length = 4; length < s.length; length++) {
		assert_int_equal(take(s.bytes, length, 4, &fault), 0);
		assert_int_equal(fault, length < 20 ? CODEC_TRUNCATED : CODEC_CHECKSUM);
	}
	for (uint32_t bit = 32; bit < 8 * s.length; bit++) {
		memcpy(changed, s.bytes, s.length);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(take(changed, s.length, 4, &fault), 0);
		assert_int_equal(fault, CODEC_CHECKSUM);
	}
	/* The same with an MD5 made right: whatever comes of it, no byte outside is read. */
	for (uint32_t bit = 32; bit < 8 * (s.length - 16); bit++) {
		begin(&made);
		put(&made, s.bytes + 4, s.length - 20);
		made.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		seal(&made);
		take(made.bytes, made.length, 4, &fault);
	}
	for (uint32_t length = 0; length < s.length - 20; length++) {
		begin(&made);
		put(&made, s.bytes + 4, length);
		seal(&made);
		take(made.bytes, made.length, 4, &fault);
	}
}

static void going_on_where_nothing_begins_stays_inside(void **state)
{
	struct sample s = sample_kpl_aggregate;
	struct kpl_record out[8];
	enum codec_fault fault;

	(void)state;
	for (uint32_t start = 4; start < s.length + 4; start++) {
		uint8_t *exact = malloc(s.length);
		uint32_t at = start, count;

		memcpy(exact, s.bytes, s.length);
		count = kpl_records(exact, s.length, out, 8, &at, &fault);
		assert_true(at >= s.length && count <= 6);
		for (uint32_t i = 0; i < count; i++)
			assert_true(out[i].data.offset + out[i].data.length <= s.length &&
				    out[i].key.offset + out[i].key.length <= s.length);
		free(exact);
	}
}

static void cut_gives_the_data_or_the_whole(void **state)
{
	struct sample s = sample_kpl_aggregate;
	struct slice out[6];
	uint32_t consumed;
	uint8_t changed[512];

	(void)state;
	assert_int_equal(kpl_cut(s.bytes, s.length, out, 6, &consumed), 6);
	assert_int_equal(consumed, s.length);
	expect_slice(s.bytes, out[5], "{\"n\":5,\"temperature\":21.5}");
	/* Too many for the room, damaged, plain: one record that has it all. */
	assert_int_equal(kpl_cut(s.bytes, s.length, out, 5, &consumed), 1);
	assert_int_equal(out[0].length, s.length);
	assert_int_equal(consumed, s.length);
	memcpy(changed, s.bytes, s.length);
	changed[50] ^= 1;
	assert_int_equal(kpl_cut(changed, s.length, out, 6, &consumed), 1);
	assert_int_equal(out[0].length, s.length);
	assert_int_equal(kpl_cut((const uint8_t *)"plain", 5, out, 6, &consumed), 1);
	assert_int_equal(out[0].length, 5);
	assert_int_equal(kpl_cut(s.bytes, 0, out, 6, &consumed), 0);
	assert_int_equal(consumed, 0);
}

static void expect_hash(const char *text, uint64_t upper, uint64_t lower)
{
	struct hash_key hash;

	assert_true(kpl_hash_of((const uint8_t *)text, (uint32_t)strlen(text), &hash));
	assert_true(hash.upper == upper && hash.lower == lower);
}

static void explicit_hashes_are_128_bit_decimals(void **state)
{
	static const char *const wrong[] = {"",
					    "00",
					    "01",
					    "-1",
					    "+1",
					    "1.0",
					    " 1",
					    "1 ",
					    "0x1",
					    "a",
					    "340282366920938463463374607431768211456",
					    "999999999999999999999999999999999999999",
					    "1000000000000000000000000000000000000000"};
	struct hash_key hash;

	(void)state;
	expect_hash("0", 0, 0);
	expect_hash("7", 0, 7);
	expect_hash("18446744073709551616", 1, 0);
	expect_hash("170141183460469231731687303715884105728", 1ull << 63, 0);
	expect_hash("340282366920938463463374607431768211455", UINT64_MAX, UINT64_MAX);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(kpl_hash_of((const uint8_t *)wrong[i], (uint32_t)strlen(wrong[i]), &hash));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_protobuf_made_is_taken_apart),
		cmocka_unit_test(a_datagram_without_the_magic_is_one_plain_record),
		cmocka_unit_test(what_is_not_the_message_is_refused_by_name),
		cmocka_unit_test(what_protocol_buffers_allow_is_taken),
		cmocka_unit_test(the_bounds_of_keys_hold),
		cmocka_unit_test(a_full_datagram_is_given_out_in_any_room),
		cmocka_unit_test(cut_or_changed_anywhere_it_is_refused),
		cmocka_unit_test(going_on_where_nothing_begins_stays_inside),
		cmocka_unit_test(cut_gives_the_data_or_the_whole),
		cmocka_unit_test(explicit_hashes_are_128_bit_decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
