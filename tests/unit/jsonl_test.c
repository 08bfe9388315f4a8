#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <cmocka.h>

#include "control/delivery/format.h"
#include "control/store/store.h"
#include "dataplane/codec/dead_letter.h"
#include "tests/support/delivery_fakes.h"

#define NOON 1767268800123456789ull /* 2026-01-01T12:00:00.123456789Z */

struct text {
	char bytes[1 << 20];
	size_t length;
};

static struct text out;
static _Alignas(8) uint8_t bytes[RECORD_BYTES_MAX];

static int keep(void *handle, const void *from, size_t length)
{
	struct text *t = handle;

	assert_true(t->length + length < sizeof t->bytes);
	memcpy(t->bytes + t->length, from, length);
	t->length += length;
	t->bytes[t->length] = '\0';
	return 0;
}

static const char *name_of(void *context, uint32_t input)
{
	(void)context;
	return input == 7 ? "sys\"log" : input == 0x99 ? "alarm" : NULL;
}

static const char *formatted(struct format_options options, const struct fake_record *records, size_t count)
{
	struct sink sink = {keep, &out};
	struct format *f;

	out.length = 0;
	out.bytes[0] = '\0';
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_not_equal(fake_record_put(bytes, &records[i]), 0);
		assert_int_equal(format_add(f, 2, 100 + i, (const struct record *)bytes), 0);
	}
	assert_int_equal(format_end(f), 0);
	format_close(f);
	return out.bytes;
}

static const struct format_options lines = {.format = FORMAT_JSONL, .payload = PAYLOAD_TEXT, .input_name = name_of};

static void a_record_is_one_line_byte_for_byte(void **state)
{
	const struct origin4 origin = {{192, 0, 2, 1}, {192, 0, 2, 9}, {2, 2}, {2, 3}};
	struct fake_record r = fake_text(NOON, "<14>hello \"world\"\\\t\x01\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x88");

	(void)state;
	r.origin = RECORD_ORIGIN_IPV4;
	r.origin_bytes = &origin;
	r.key_kind = RECORD_KEY_STORED;
	r.vlan = 0x6007;
	assert_string_equal(
		formatted(lines, &r, 1),
		"{\"sequence\":\"429496729602\",\"arrival\":\"2026-01-01T12:00:00.123456789Z\",\"partition_key\":\"k\","
		"\"source\":\"192.0.2.1\",\"source_port\":514,\"vlan\":7,\"input\":\"sys\\\"log\",\"codec\":\"lines\","
		"\"data\":\"<14>hello \\\"world\\\"\\\\\\t\\u0001\x7f \xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x88\"}\n");
}

static void what_a_record_has_not_is_absent_and_an_unknown_input_is_its_id(void **state)
{
	struct fake_record r = fake_text(1, "");

	(void)state;
	r.input = 0xbeef;
	r.codec = CODEC_DATAGRAM;
	assert_string_equal(
		formatted(lines, &r, 1),
		"{\"sequence\":\"429496729602\",\"arrival\":\"1970-01-01T00:00:00.000000001Z\",\"partition_key\":\"k\","
		"\"input\":\"0000beef\",\"codec\":\"datagram\",\"data\":\"\"}\n");
}

static void tags_are_named_or_their_ids(void **state)
{
	static const uint8_t key[] = {'k', 'e', 'y', 0x99, 0, 0, 0, 0xef, 0xbe, 0, 0};
	struct fake_record r = fake_text(NOON, "x");

	(void)state;
	r.kind = RECORD_TAGGED;
	r.key = key;
	r.key_length = sizeof key;
	r.key_kind = record_tagged_kind(RECORD_KEY_STORED, 2);
	assert_non_null(strstr(formatted(lines, &r, 1), "\"partition_key\":\"key\",\"input\":\"sys\\\"log\",\"codec\":\"lines\","
							"\"tags\":[\"alarm\",\"0000beef\"],\"data\":\"x\"}"));
	r.key = key + 3;
	r.key_length = 4;
	r.key_kind = record_tagged_kind(RECORD_KEY_HASH, 1);
	assert_non_null(strstr(formatted(lines, &r, 1), "\"partition_key\":\"0000000000000000\","));
	assert_non_null(strstr(out.bytes, "\"tags\":[\"alarm\"],"));
	/* The payload, and no more, in the other formats. */
	assert_string_equal(formatted((struct format_options){.format = FORMAT_RAW, .delimiter = "\n"}, &r, 1), "x\n");
}

static void an_ipv6_source_is_written_short(void **state)
{
	const struct origin6 origin = {.source = {0x20, 1, 0xd, 0xb8, [15] = 1}, .source_port = {0, 53}};
	struct fake_record r = fake_text(NOON, "x");

	(void)state;
	r.origin = RECORD_ORIGIN_IPV6;
	r.origin_bytes = &origin;
	assert_non_null(strstr(formatted(lines, &r, 1), "\"source\":\"2001:db8::1\",\"source_port\":53,\"input\""));
}

static void what_is_no_utf8_becomes_base64(void **state)
{
	static const char *const invalid[] = {"\xff",
					      "a\x80",
					      "\xc0\xaf",
					      "\xc3",
					      "\xe2\x82",
					      "\xed\xa0\x80",
					      "\xe0\x80\x80",
					      "\xf4\x90\x80\x80",
					      "\xf0\x80\x80\x80",
					      "12345678\xf5",
					      "\xf0\x9f\x90"};
	struct format_options base64 = lines;
	struct fake_record r;

	(void)state;
	for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
		r = fake_text(NOON, invalid[i]);
		formatted(lines, &r, 1);
		assert_non_null(strstr(out.bytes, "\"data_base64\":\""));
		assert_null(strstr(out.bytes, "\"data\":"));
	}
	r = fake_text(NOON, "\xff\xfe");
	assert_non_null(strstr(formatted(lines, &r, 1), "\"data_base64\":\"//4=\"}\n"));
	base64.payload = PAYLOAD_BASE64;
	r = fake_text(NOON, "plain");
	assert_non_null(strstr(formatted(base64, &r, 1), "\"data_base64\":\"cGxhaW4=\"}\n"));
	r.key = "\xff";
	assert_non_null(strstr(formatted(base64, &r, 1), "\"partition_key_base64\":\"/w==\","));
}

static void every_byte_and_the_longest_payload_come_back_through_a_parser(void **state)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX], back[RECORD_PAYLOAD_MAX + 8];
	struct fake_record r = fake_text(NOON, "");
	json_t *line;

	(void)state;
	for (uint32_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i % 127 + 1);
	for (uint32_t length = 0; length <= sizeof payload; length = length * 3 + 1) {
		r.payload = payload;
		r.payload_length = length > 40000 ? RECORD_PAYLOAD_MAX : length;
		formatted(lines, &r, 1);
		line = json_loadb(out.bytes, out.length, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(line);
		assert_int_equal(json_string_length(json_object_get(line, "data")), r.payload_length);
		assert_memory_equal(json_string_value(json_object_get(line, "data")), payload, r.payload_length);
		json_decref(line);
	}
	for (uint32_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	r.payload_length = sizeof payload;
	formatted(lines, &r, 1);
	line = json_loadb(out.bytes, out.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	assert_true(EVP_DecodeBlock(back, (const uint8_t *)json_string_value(json_object_get(line, "data_base64")),
				    (int)json_string_length(json_object_get(line, "data_base64"))) >=
		    (int)RECORD_PAYLOAD_MAX);
	assert_memory_equal(back, payload, sizeof payload);
	json_decref(line);
	/* A zero byte is text too. */
	r.payload = "a\0b";
	r.payload_length = 3;
	assert_non_null(strstr(formatted(lines, &r, 1), "\"data\":\"a\\u0000b\"}"));
}

static void a_dead_letter_has_its_input_s_name_and_what_could_not_be_taken(void **state)
{
	const struct dead_letter_header header = {.stage = DEAD_LETTER_AT_KEY, .codec = CODEC_LINES, .reason = DEAD_LETTER_KEY_MISSING,
						  .input = 7, .detail = 3, .arrival_ns = NOON};
	uint8_t payload[100];
	struct fake_record r = fake_text(NOON, "");

	(void)state;
	r.codec = CODEC_DEAD_LETTER;
	r.payload = payload;
	r.payload_length = dead_letter_write(&header, (const uint8_t *)"a line", 6, payload, sizeof payload);
	assert_string_equal(formatted(lines, &r, 1),
			    "{\"sequence\":\"429496729602\",\"arrival\":\"2026-01-01T12:00:00.123456789Z\",\"partition_key\":\"k\","
			    "\"input\":\"sys\\\"log\",\"codec\":\"dead_letter\",\"fields\":{\"stage\":\"key\",\"reason\":\"key_missing\","
			    "\"codec\":\"lines\",\"parser_version\":3,\"input\":\"sys\\\"log\",\"detail\":3,"
			    "\"time\":\"2026-01-01T12:00:00.123456789Z\",\"length\":6},\"data\":\"a line\"}\n");
	assert_string_equal(formatted((struct format_options){.format = FORMAT_RAW, .delimiter = "\n"}, &r, 1), "a line\n");
}

static struct fake_record gap_record(const struct gap *gap)
{
	return (struct fake_record){.kind = RECORD_GAP,
				    .vlan = RECORD_VLAN_NONE,
				    .arrival_ns = NOON,
				    .payload = gap,
				    .payload_length = sizeof *gap};
}

static void a_gap_is_a_line_of_its_own(void **state)
{
	struct gap gap = {3, 291, NOON, NOON + 5, GAP_LANE_FULL, GAP_SCOPE_SHARD, 1};
	struct fake_record r = gap_record(&gap);

	(void)state;
	assert_string_equal(
		formatted(lines, &r, 1),
		"{\"gap\":{\"sequence\":\"429496729602\",\"arrival\":\"2026-01-01T12:00:00.123456789Z\",\"reason\":"
		"\"lane_full\","
		"\"scope\":\"shard\",\"count\":3,\"bytes\":291,\"first\":\"2026-01-01T12:00:00.123456789Z\","
		"\"last\":\"2026-01-01T12:00:00.123456794Z\",\"worker\":1}}\n");
	gap = (struct gap){GAP_COUNT_UNKNOWN, 0, 0, 0, 77, GAP_SCOPE_PORT, UINT16_MAX};
	assert_string_equal(
		formatted(lines, &r, 1),
		"{\"gap\":{\"sequence\":\"429496729602\",\"arrival\":\"2026-01-01T12:00:00.123456789Z\",\"reason\":"
		"\"unknown\","
		"\"scope\":\"port\",\"count\":null,\"bytes\":0,\"first\":\"1970-01-01T00:00:00.000000000Z\","
		"\"last\":\"1970-01-01T00:00:00.000000000Z\"}}\n");
}

static void raw_is_payloads_and_delimiters_and_nothing_for_a_gap(void **state)
{
	struct gap gap = {.count = 3, .reason = GAP_LANE_FULL};
	struct fake_record records[] = {fake_text(NOON, "one"), gap_record(&gap), fake_text(NOON, ""),
					fake_text(NOON, "two")};

	(void)state;
	assert_string_equal(formatted((struct format_options){.format = FORMAT_RAW, .delimiter = "\r\n"}, records, 4),
			    "one\r\n\r\ntwo\r\n");
	assert_string_equal(formatted((struct format_options){.format = FORMAT_RAW}, records, 4), "onetwo");
}

static int refuse(void *handle, const void *from, size_t length)
{
	(void)handle;
	(void)from;
	(void)length;
	return -EPIPE;
}

static void a_broken_sink_is_told_at_once_or_at_the_end(void **state)
{
	struct sink sink = {refuse, NULL};
	struct fake_record r = fake_text(NOON, "x");
	struct format *f;
	int error = 0;

	(void)state;
	assert_int_equal(format_open(&lines, &f), 0);
	fake_record_put(bytes, &r);
	assert_int_equal(format_add(f, 0, 1, (const struct record *)bytes), -EBADF);
	assert_int_equal(format_begin(f, &sink), 0);
	for (int i = 0; i < 10000 && error == 0; i++)
		error = format_add(f, 0, 1, (const struct record *)bytes);
	assert_int_equal(error, -EPIPE);
	assert_int_equal(format_end(f), -EPIPE);
	assert_int_equal(format_begin(f, &sink), 0);
	assert_int_equal(format_add(f, 0, 1, (const struct record *)bytes), 0);
	assert_int_equal(format_flush(f), -EPIPE);
	format_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_one_line_byte_for_byte),
		cmocka_unit_test(what_a_record_has_not_is_absent_and_an_unknown_input_is_its_id),
		cmocka_unit_test(tags_are_named_or_their_ids),
		cmocka_unit_test(an_ipv6_source_is_written_short),
		cmocka_unit_test(what_is_no_utf8_becomes_base64),
		cmocka_unit_test(every_byte_and_the_longest_payload_come_back_through_a_parser),
		cmocka_unit_test(a_dead_letter_has_its_input_s_name_and_what_could_not_be_taken),
		cmocka_unit_test(a_gap_is_a_line_of_its_own),
		cmocka_unit_test(raw_is_payloads_and_delimiters_and_nothing_for_a_gap),
		cmocka_unit_test(a_broken_sink_is_told_at_once_or_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
