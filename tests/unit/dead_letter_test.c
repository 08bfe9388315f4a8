#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/dead_letter.h"
#include "tests/support/field_text.h"

static const struct dead_letter_header sample = {.stage = DEAD_LETTER_AT_DECODE,
						 .codec = CODEC_SYSLOG,
						 .reason = CODEC_SYNTAX,
						 .input = 0x0123abcd,
						 .arrival_ns = 1385053862307200000};

static uint8_t payload[RECORD_PAYLOAD_MAX];

/* Byte by byte: what version 1 is for ever. */
static void the_layout_is_the_one_that_was_written_down(void **state)
{
	static const uint8_t expected[] = {1,    2,    4,    0,    3,    0,    CODEC_PARSER_VERSION,
					   0,    0xcd, 0xab, 0x23, 0x01, 7,    0,
					   3,    0,    0x00, 0x7c, 0x9a, 0x41, 0x26,
					   0xb3, 0x38, 0x13, 'h',  'i'};
	struct dead_letter_header header = sample;

	(void)state;
	header.detail = 7 | 3 << 16;
	header.version = header.reserved = 99; /* not the caller's to choose */
	header.parser_version = 99;
	assert_int_equal(dead_letter_write(&header, (const uint8_t *)"hi", 2, payload, sizeof payload),
			 sizeof expected);
	assert_memory_equal(payload, expected, sizeof expected);
}

static void what_is_written_is_read_back_byte_for_byte(void **state)
{
	struct dead_letter_header header = sample;
	struct dead_letter letter;
	uint8_t original[300];

	(void)state;
	for (uint32_t i = 0; i < sizeof original; i++)
		original[i] = (uint8_t)i;
	for (uint32_t length = 0; length <= sizeof original; length++) {
		uint32_t total = dead_letter_write(&header, original, length, payload + length % 8, 1000);

		assert_int_equal(total, 24 + length);
		assert_int_equal(dead_letter_read(payload + length % 8, total, &letter), CODEC_OK);
		assert_int_equal(letter.header.version, DEAD_LETTER_VERSION);
		assert_int_equal(letter.header.parser_version, CODEC_PARSER_VERSION);
		assert_int_equal(letter.header.stage, header.stage);
		assert_int_equal(letter.header.reason, header.reason);
		assert_int_equal(letter.header.input, header.input);
		assert_true(letter.header.arrival_ns == header.arrival_ns);
		assert_int_equal(letter.length, length);
		assert_memory_equal(letter.bytes, original, length);
	}
}

static void what_has_no_room_is_not_written(void **state)
{
	static uint8_t original[RECORD_PAYLOAD_MAX];
	uint8_t small[27];

	(void)state;
	memset(small, 0xee, sizeof small);
	assert_int_equal(dead_letter_write(&sample, original, 3, small, 26), 0);
	assert_int_equal(dead_letter_write(&sample, original, 0, small, 23), 0);
	assert_int_equal(small[0], 0xee);
	assert_int_equal(dead_letter_write(&sample, original, 3, small, 27), 27);
	assert_int_equal(dead_letter_write(&sample, original, DEAD_LETTER_BYTES_MAX, payload, sizeof payload),
			 RECORD_PAYLOAD_MAX);
	assert_int_equal(dead_letter_write(&sample, original, DEAD_LETTER_BYTES_MAX + 1, payload, sizeof payload), 0);
	/* No UDP payload is too long. */
	assert_true(DEAD_LETTER_BYTES_MAX >= 65507);
}

static enum codec_fault read_changed(uint32_t at, uint8_t value)
{
	struct dead_letter letter = {.length = 12345};
	enum codec_fault fault;

	dead_letter_write(&sample, (const uint8_t *)"hi", 2, payload, sizeof payload);
	payload[at] = value;
	fault = dead_letter_read(payload, 26, &letter);
	assert_true(fault == CODEC_OK || letter.length == 12345);
	return fault;
}

static void every_field_is_checked_when_read(void **state)
{
	struct dead_letter letter;

	(void)state;
	for (uint32_t length = 0; length < 24; length++) {
		uint8_t *exact = malloc(length ? length : 1);

		memcpy(exact, payload, length);
		assert_int_equal(dead_letter_read(exact, length, &letter), CODEC_TRUNCATED);
		free(exact);
	}
	assert_int_equal(read_changed(0, 0), CODEC_VERSION);
	assert_int_equal(read_changed(0, 2), CODEC_VERSION);
	assert_int_equal(read_changed(1, 0), CODEC_NUMBER);
	assert_int_equal(read_changed(1, 7), CODEC_NUMBER);
	assert_int_equal(read_changed(2, 0), CODEC_NUMBER);
	assert_int_equal(read_changed(2, 200), CODEC_NUMBER);
	assert_int_equal(read_changed(3, 1), CODEC_SYNTAX);
	assert_int_equal(read_changed(4, CODEC_OK), CODEC_NUMBER);
	assert_int_equal(read_changed(4, CODEC_FAULT_END), CODEC_NUMBER);
	assert_int_equal(read_changed(5, 9), CODEC_NUMBER);
	/* A rule's reason at another stage than a rule's. */
	assert_int_equal(read_changed(5, DEAD_LETTER_RULE >> 8), CODEC_NUMBER);
	assert_int_equal(dead_letter_read(payload, RECORD_PAYLOAD_MAX + 1, &letter), CODEC_TOO_LARGE);
}

static void every_reason_has_a_stage_a_label_and_a_text(void **state)
{
	static const struct {
		uint16_t reason;
		uint8_t stage;
	} all[] = {
#define ROW(name, number, stage, label, text) {number, stage},
		DEAD_LETTER_REASONS(ROW)
#undef ROW
	};
	struct dead_letter_header header = sample;
	struct dead_letter letter;

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		header.reason = all[i].reason;
		for (uint8_t stage = DEAD_LETTER_AT_CUT; stage <= DEAD_LETTER_AT_DELIVERY; stage++) {
			header.stage = stage;
			dead_letter_write(&header, NULL, 0, payload, sizeof payload);
			assert_int_equal(dead_letter_read(payload, 24, &letter),
					 stage == all[i].stage ? CODEC_OK : CODEC_NUMBER);
			assert_string_not_equal(dead_letter_stage_label(stage), "unknown");
		}
		assert_string_not_equal(dead_letter_reason_label(all[i].reason), "unknown");
		assert_string_not_equal(dead_letter_reason_text(all[i].reason), "unknown");
		for (size_t other = 0; other < i; other++)
			assert_int_not_equal(all[i].reason, all[other].reason);
	}
	/* Written down, as stored numbers are. */
	assert_int_equal(DEAD_LETTER_KEY_MISSING, 0x200);
	assert_int_equal(DEAD_LETTER_RULE, 0x300);
	assert_int_equal(DEAD_LETTER_REASSEMBLY_TIMEOUT, 0x400);
	assert_int_equal(DEAD_LETTER_DELIVERY_REFUSED, 0x500);
	assert_string_equal(dead_letter_reason_label(CODEC_TRUNCATED), "truncated");
	assert_string_equal(dead_letter_reason_label(0x1ff), "unknown");
	assert_string_equal(dead_letter_reason_text(0xff), "unknown");
	assert_string_equal(dead_letter_stage_label(0), "unknown");
}

static const char *decoded(const struct dead_letter_header *header, const void *original, uint32_t length)
{
	uint32_t total = dead_letter_write(header, original, length, payload, sizeof payload);

	return field_text_of(codec_by_id(CODEC_DEAD_LETTER), payload, total);
}

static void a_dead_letter_is_decoded_like_any_record(void **state)
{
	struct dead_letter_header header = sample;

	(void)state;
	assert_string_equal(decoded(&header, "<34>k\xc3\xa4se", 9),
			    "{\"stage\":\"decode\",\"reason\":\"syntax\",\"codec\":\"syslog\",\"parser_version\":3,"
			    "\"input\":\"0123abcd\",\"detail\":0,\"time\":2013-11-21T17:11:02.307200000Z,\"length\":9,"
			    "\"data\":\"<34>k\\xc3\\xa4se\"}");
	header.stage = DEAD_LETTER_AT_RULE;
	header.reason = DEAD_LETTER_RULE;
	header.codec = CODEC_COLLECTD;
	header.detail = 17;
	assert_string_equal(decoded(&header, "\xff\x00\x01", 3),
			    "{\"stage\":\"rule\",\"reason\":\"rule\",\"codec\":\"collectd\",\"parser_version\":3,"
			    "\"input\":\"0123abcd\",\"detail\":17,\"time\":2013-11-21T17:11:02.307200000Z,\"length\":3,"
			    "\"data\":0xff0001}");
	assert_string_equal(field_text_of(codec_by_id(CODEC_DEAD_LETTER), "\1", 1), "truncated {}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_layout_is_the_one_that_was_written_down),
		cmocka_unit_test(what_is_written_is_read_back_byte_for_byte),
		cmocka_unit_test(what_has_no_room_is_not_written),
		cmocka_unit_test(every_field_is_checked_when_read),
		cmocka_unit_test(every_reason_has_a_stage_a_label_and_a_text),
		cmocka_unit_test(a_dead_letter_is_decoded_like_any_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
