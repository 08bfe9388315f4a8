#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/netflow.h"
#include "tests/support/field_text.h"
#include "tests/support/flow_build.h"

static struct flow_build b;
static struct codec_templates *templates;

static int make(void **state)
{
	(void)state;
	return templates_create(1 << 20, 9, &templates);
}

static int drop(void **state)
{
	(void)state;
	templates_free(templates);
	return 0;
}

static const char *decode(void)
{
	struct codec_record record = {.bytes = b.bytes, .length = b.length, .arrival_ns = 1, .templates = templates};

	return field_text_of_record(codec_by_id(CODEC_NETFLOW), &record);
}

/* Whatever it was given, what came out is a sequence of fields and everything opened is closed. */
static void check(const char *text)
{
	assert_memory_not_equal(text, "LEFT OPEN", 9);
	assert_null(strstr(text, "WRONG"));
}

/* Counts instead of writing: for datagrams that say much. */
struct counter {
	struct field_sink sink;
	uint64_t fields, end_after;
	int64_t depth;
};

static bool count(struct field_sink *sink, const struct field *field)
{
	struct counter *c = (struct counter *)sink;

	c->depth += field->type == FIELD_OBJECT || field->type == FIELD_ARRAY ? 1 : field->type == FIELD_END ? -1 : 0;
	return ++c->fields != c->end_after;
}

static enum codec_fault count_fields(struct counter *c)
{
	struct codec_record record = {.bytes = b.bytes, .length = b.length, .arrival_ns = 1, .templates = templates};

	c->sink.put = count;
	c->fields = 0;
	c->depth = 0;
	return netflow_decode(&record, &c->sink);
}

/* A datagram with all that there is: two templates, options, variable fields, padding, a withdrawal. */
static void build_everything(uint32_t version)
{
	static const uint32_t v9_fields[4][2] = {{8, 4}, {7, 2}, {22, 4}, {82, 7}};
	static const uint32_t ipfix_fields[4][2] = {{8, 4}, {7, 2}, {35632u << 16 | 5, 4}, {82, 65535}};
	static const uint32_t options[3][2] = {{1, 4}, {34, 4}, {35, 1}};
	bool v9 = version == 9;

	flow_build_header(&b, version, 5);
	flow_build_template(&b, 300, v9 ? v9_fields : ipfix_fields, 4, 0);
	flow_build_template(&b, 301, options, 3, 1);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\xc0\0\2\1\0\x50\0\0\1\0", 10);
	flow_build_bytes(&b, v9 ? "eth0\0\0\0" : "\6eth0.1", 7);
	flow_build_bytes(&b, "\0\0\0", 3);
	flow_build_set_end(&b);
	flow_build_set(&b, 301);
	flow_build_bytes(&b, "\0\0\0\1\0\0\0\x64\2\0\0\0", 12);
	flow_build_set_end(&b);
	flow_build_set(&b, 302);
	flow_build_bytes(&b, "unknown.", 8);
	flow_build_set_end(&b);
	if (!v9)
		flow_build_template(&b, 299, options, 0, 0);
}

static void a_datagram_cut_anywhere_is_decoded_up_to_there(void **state)
{
	(void)state;
	for (uint32_t version = 9; version <= 10; version++) {
		uint32_t whole;

		build_everything(version);
		for (whole = b.length, b.length = 0; b.length < whole; b.length++) {
			check(decode());
			assert_true(version == 9 || decode()[0] != '{');
		}
		assert_memory_equal(decode(), "no_template {", 13);
	}
	flow_build_v5(&b, 2);
	for (uint32_t whole = b.length - 1; whole; whole--) {
		b.length = whole;
		check(decode());
		assert_memory_equal(decode(), "truncated {", 11);
	}
	b.length = 0;
	assert_string_equal(decode(), "empty {}");
}

static void an_ipfix_message_cut_to_any_length_it_admits_is_decoded(void **state)
{
	uint32_t whole;

	(void)state;
	build_everything(10);
	whole = b.length;
	for (uint32_t length = 0; length <= whole + 1; length++) {
		build_everything(10);
		b.length = length < 16 ? 16 : length > whole ? whole : length;
		b.bytes[2] = (uint8_t)(length >> 8);
		b.bytes[3] = (uint8_t)length;
		check(decode());
		assert_int_equal(strncmp(decode(), "length {}", 9) == 0, length < 16 || length > whole);
	}
}

static void any_two_bytes_may_be_anything(void **state)
{
	static const uint16_t values[] = {0, 1, 2, 3, 4, 5, 7, 8, 16, 255, 256, 300, 301, 512, 513, 1023, 0x7fff, 0x8000, 0xfffc, 0xffff};

	(void)state;
	for (uint32_t version = 5; version <= 10; version += version == 5 ? 4 : 1) {
		for (uint32_t at = 0; at < 200; at++)
			for (uint32_t i = 0; i < sizeof values / sizeof *values; i++) {
				if (version == 5)
					flow_build_v5(&b, 2);
				else
					build_everything(version);
				if (at + 2 > b.length)
					break;
				b.bytes[at] = (uint8_t)(values[i] >> 8);
				b.bytes[at + 1] = (uint8_t)values[i];
				check(decode());
			}
	}
}

static void set_lengths_that_lie_end_the_datagram_and_keep_what_was_in_front(void **state)
{
	static const uint32_t fields[1][2] = {{4, 1}};
	uint32_t second;

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 1, 0);
	flow_build_set(&b, 300);
	flow_build8(&b, 6);
	flow_build_set_end(&b);
	flow_build_set(&b, 300);
	flow_build8(&b, 17);
	flow_build_set_end(&b);
	second = b.open;
	for (uint32_t length = 0; length < 12; length++) {
		b.bytes[second + 3] = (uint8_t)length;
		assert_non_null(strstr(decode(), "\"flows\":[{\"protocolIdentifier\":6}"));
		assert_int_equal(strncmp(decode(), "length {", 8) == 0, length < 4 || length > 5);
		assert_int_equal(strstr(decode(), "{\"protocolIdentifier\":17}") != NULL, length == 5);
	}
}

static void records_that_end_behind_their_set_are_not_put(void **state)
{
	static const uint32_t fields[2][2] = {{4, 1}, {371, 65535}};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, 2, 0);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\6\3bob\x11\7alice", 12); /* two bytes more than there are */
	flow_build_set_end(&b);
	flow_build_set(&b, 300);
	flow_build_bytes(&b, "\1\xff\1", 3); /* a length cut in the middle */
	flow_build_set_end(&b);
	assert_memory_equal(decode(), "length {", 8);
	assert_non_null(strstr(decode(), "\"flows\":[{\"protocolIdentifier\":6,\"userName\":\"bob\"}]}"));
}

static void bytes_that_are_no_padding_are_a_fault(void **state)
{
	static const uint32_t fields[1][2] = {{56, 6}};

	(void)state;
	for (uint32_t bytes = 0; bytes < 6; bytes++)
		for (uint32_t value = 0; value < 2; value++) {
			flow_build_header(&b, 10, 0);
			flow_build_template(&b, 300, fields, 1, 0);
			flow_build_set(&b, 300);
			for (uint32_t i = 0; i < bytes; i++)
				flow_build8(&b, value);
			flow_build_set_end(&b);
			assert_memory_equal(decode(), value && bytes > 3 ? "length {" : "{\"versio", 8);
		}
}

static void template_records_that_are_none_are_named(void **state)
{
	static const uint32_t fields[2][2] = {{4, 1}, {5, 1}}, empty[2][2] = {{4, 0}, {5, 0}};
	static uint32_t many[TEMPLATE_FIELDS_MAX + 1][2];

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 255, fields, 2, 0); /* an id of no data set */
	assert_memory_equal(decode(), "syntax {", 8);
	flow_build_header(&b, 9, 1);
	flow_build_template(&b, 256, fields, 0, 0); /* v9 withdraws nothing */
	assert_memory_equal(decode(), "syntax {", 8);
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 256, empty, 2, 0);
	assert_memory_equal(decode(), "length {", 8);
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 256, fields, 2, 1);
	b.bytes[25] = 3; /* more scopes than fields */
	assert_memory_equal(decode(), "syntax {", 8);
	b.bytes[25] = 0;
	assert_memory_equal(decode(), "syntax {", 8);
	flow_build_header(&b, 9, 1);
	flow_build_template(&b, 256, fields, 2, 1);
	b.bytes[27] = 3; /* scope bytes that are no whole fields */
	assert_memory_equal(decode(), "length {", 8);
	for (uint32_t i = 0; i < TEMPLATE_FIELDS_MAX + 1; i++) {
		many[i][0] = i + 1;
		many[i][1] = 1;
	}
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 256, many, TEMPLATE_FIELDS_MAX + 1, 0);
	flow_build_template(&b, 257, fields, 2, 0); /* is learned all the same */
	flow_build_set(&b, 257);
	flow_build16(&b, 0x1108);
	flow_build_set_end(&b);
	assert_memory_equal(decode(), "too_many {", 10);
	assert_non_null(strstr(decode(), "\"flows\":[{\"protocolIdentifier\":17,\"ipClassOfService\":8}]}"));
	assert_int_equal(templates_figures(templates)->templates, 1);
}

static void fields_of_no_length_take_no_time(void **state)
{
	static uint32_t fields[TEMPLATE_FIELDS_MAX][2];
	struct counter c = {0};

	(void)state;
	for (uint32_t i = 0; i < TEMPLATE_FIELDS_MAX; i++)
		fields[i][0] = i + 1;
	fields[3][1] = 1;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, TEMPLATE_FIELDS_MAX, 0);
	flow_build_set(&b, 300);
	while (b.length < FLOW_BUILD_MAX)
		flow_build8(&b, 6);
	flow_build_set_end(&b);
	assert_int_equal(count_fields(&c), CODEC_TOO_MANY);
	assert_in_range(c.fields, 3 * NETFLOW_FLOWS_MAX, 3 * NETFLOW_FLOWS_MAX + 30);
	assert_int_equal(c.depth, 0);
}

static void tiny_flows_are_taken_in_proportion_to_the_datagram(void **state)
{
	static const uint32_t one[1][2] = {{4, 1}};
	struct counter c = {0};

	(void)state;
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, one, 1, 0);
	flow_build_set(&b, 300);
	while (b.length < 6000)
		flow_build8(&b, 6);
	flow_build_set_end(&b);
	assert_int_equal(count_fields(&c), CODEC_TOO_MANY);
	assert_in_range(c.fields, 3 * 2000, 3 * 2000 + 30);
	/* As many as fit behind their template are all there. */
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, one, 1, 0);
	flow_build_set(&b, 300);
	for (uint32_t i = 0; i < 16; i++)
		flow_build8(&b, 6);
	flow_build_set_end(&b);
	c = (struct counter){0};
	assert_int_equal(count_fields(&c), CODEC_OK);
	assert_in_range(c.fields, 3 * 16, 3 * 16 + 30);
}

/* The most that 64 KiB can make the decoder do, in fields put: at most a few a byte. */
static void work_grows_with_the_datagram_alone(void **state)
{
	static uint32_t fields[TEMPLATE_FIELDS_MAX][2];
	struct counter c = {0};

	(void)state;
	for (uint32_t i = 0; i < TEMPLATE_FIELDS_MAX; i++) {
		fields[i][0] = 600 + i % 3;
		fields[i][1] = i % 2 ? TEMPLATE_VARIABLE : 1;
	}
	flow_build_header(&b, 10, 0);
	flow_build_template(&b, 300, fields, TEMPLATE_FIELDS_MAX, 0);
	while (b.length + 4 + 2 * TEMPLATE_FIELDS_MAX < FLOW_BUILD_MAX) {
		flow_build_set(&b, 300);
		for (uint32_t i = 0; i < TEMPLATE_FIELDS_MAX; i++)
			flow_build8(&b, 0);
		flow_build_set_end(&b);
	}
	assert_int_equal(count_fields(&c), CODEC_OK);
	assert_true(c.fields < 2 * b.length);
	/* Empty sets, of templates that are known and that are not, and withdrawals of all. */
	flow_build_header(&b, 10, 0);
	while (b.length + 16 < FLOW_BUILD_MAX) {
		flow_build_set(&b, b.length % 8 ? 300 : 301); /* 12 bytes a turn */
		flow_build_set_end(&b);
		flow_build_set(&b, 2);
		flow_build32(&b, 2u << 16);
		flow_build_set_end(&b);
	}
	assert_int_equal(count_fields(&c), CODEC_NO_TEMPLATE);
	assert_true(c.fields < 2 * b.length);
	assert_int_equal(c.depth, 0);
}

static void a_sink_that_has_enough_is_not_asked_again(void **state)
{
	struct counter all = {0};

	(void)state;
	for (uint32_t version = 5; version <= 10; version += version == 5 ? 4 : 1) {
		if (version == 5)
			flow_build_v5(&b, 3);
		else
			build_everything(version);
		assert_int_equal(count_fields(&all), version == 5 ? CODEC_OK : CODEC_NO_TEMPLATE);
		for (uint64_t n = 1; n <= all.fields; n++) {
			struct counter c = {.end_after = n};

			assert_int_equal(count_fields(&c), CODEC_OK);
			assert_int_equal(c.fields, n);
		}
	}
}

static void other_versions_are_refused(void **state)
{
	(void)state;
	for (uint32_t version = 0; version < 300; version++) {
		struct codec_record record = {.bytes = b.bytes, .templates = templates};

		flow_build_header(&b, 9, 0);
		b.bytes[0] = (uint8_t)(version >> 8);
		b.bytes[1] = (uint8_t)version;
		if (version == 5 || version == 9 || version == 10)
			continue;
		assert_string_equal(decode(), "version {}");
		record.length = b.length;
		assert_int_equal(netflow_learn(&record), CODEC_VERSION);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_datagram_cut_anywhere_is_decoded_up_to_there),
		TEST(an_ipfix_message_cut_to_any_length_it_admits_is_decoded),
		TEST(any_two_bytes_may_be_anything),
		TEST(set_lengths_that_lie_end_the_datagram_and_keep_what_was_in_front),
		TEST(records_that_end_behind_their_set_are_not_put),
		TEST(bytes_that_are_no_padding_are_a_fault),
		TEST(template_records_that_are_none_are_named),
		TEST(fields_of_no_length_take_no_time),
		TEST(tiny_flows_are_taken_in_proportion_to_the_datagram),
		TEST(work_grows_with_the_datagram_alone),
		TEST(a_sink_that_has_enough_is_not_asked_again),
		TEST(other_versions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
