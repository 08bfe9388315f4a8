#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/path.h"
#include "tests/fuzz/codec.h"

/* The text found at `path` in a record, between brackets; with `room` bytes for it and not one more. */
static const char *found_in(uint8_t codec, const char *bytes, const char *path_text, uint32_t room)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	static char text[1024];
	struct codec_record record = {.bytes = (const uint8_t *)bytes,
				      .length = (uint32_t)strlen(bytes),
				      .arrival_ns = FIELDS_ARRIVAL,
				      .scratch = scratch};
	struct field_path path;
	char *value = malloc(room ? room : 1);
	uint32_t length;

	assert_int_equal(field_path_parse(path_text, &path), 0);
	length = field_path_find(&path, codec_by_id(codec), &record, value, room);
	assert_true(length <= room);
	snprintf(text, sizeof text, "[%.*s]", (int)length, value);
	free(value);
	return text;
}

static const char *found(const char *json, const char *path)
{
	return found_in(CODEC_JSON, json, path, 256);
}

static void a_plain_name_is_a_field_at_the_top(void **state)
{
	(void)state;
	assert_string_equal(found("{\"a\":1,\"host\":\"web\"}", "host"), "[web]");
	assert_string_equal(found("{\"a\":{\"host\":\"x\"},\"b\":[\"host\"],\"host\":\"web\"}", "host"), "[web]");
	assert_string_equal(found("{\"a\":{\"host\":\"x\"}}", "host"), "[]");
	assert_string_equal(found("{\"a/b~\":7}", "a/b~"), "[7]");
	assert_string_equal(found("{\"hos\":1,\"hosts\":2}", "host"), "[]");
	assert_string_equal(found("{\"0\":1}", "0"), "[1]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>Oct 11 22:14:15 mymachine su: x", "host", 64), "[mymachine]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>Oct 11 22:14:15 mymachine su: x", "severity", 64), "[2]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>Oct 11 22:14:15 mymachine su: x", "timestamp", 64),
			    "[2025-10-11T22:14:15.000000000Z]");
}

static void a_pointer_goes_into_objects_and_arrays(void **state)
{
	static const char text[] = "{\"tags\":{\"env\":\"prod\",\"0\":\"zero\"},\"values\":[10,[20,21],{\"x\":30}],\"a/"
				   "b\":{\"m~n\":1},\"\":{\"\":2}}";

	(void)state;
	assert_string_equal(found(text, "/tags/env"), "[prod]");
	assert_string_equal(found(text, "/tags/0"), "[zero]");
	assert_string_equal(found(text, "/values/0"), "[10]");
	assert_string_equal(found(text, "/values/1/1"), "[21]");
	assert_string_equal(found(text, "/values/2/x"), "[30]");
	assert_string_equal(found(text, "/values/00"), "[]");
	assert_string_equal(found(text, "/values/3"), "[]");
	assert_string_equal(found(text, "/values/x"), "[]");
	assert_string_equal(found(text, "/values/-"), "[]");
	assert_string_equal(found(text, "/a~1b/m~0n"), "[1]");
	assert_string_equal(found(text, "//"), "[2]");
	assert_string_equal(found(text, "/tags/env/x"), "[]");
	assert_string_equal(found("[1,[2,3]]", "/value/1/0"), "[2]");
	assert_string_equal(found("[1,[2,3]]", "/value/4294967295"), "[]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>1 - - - - - [ex@1 a=\"v\"]", "/structured_data/ex@1/a", 64),
			    "[v]");
	assert_string_equal(found_in(CODEC_STATSD, "a:1:2|d|#env:prod", "/tags/env", 64), "[prod]");
	assert_string_equal(found_in(CODEC_STATSD, "a:1:2|d|#env:prod", "/values/1", 64), "[2]");
}

static void the_first_of_a_name_counts(void **state)
{
	(void)state;
	assert_string_equal(found("{\"a\":1,\"a\":2}", "a"), "[1]");
	assert_string_equal(found("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "/a/c"), "[]");
	assert_string_equal(found("{\"a\":7,\"a\":{\"c\":2}}", "/a/c"), "[]");
}

static void what_has_no_text_is_none(void **state)
{
	(void)state;
	assert_string_equal(found("{\"a\":\"\"}", "a"), "[]");
	assert_string_equal(found("{\"a\":null}", "a"), "[]");
	assert_string_equal(found("{\"a\":{\"b\":1}}", "a"), "[]");
	assert_string_equal(found("{\"a\":[1]}", "a"), "[]");
	assert_string_equal(found("{\"a\":true}", "a"), "[true]");
	assert_string_equal(found("{\"a\":-1.50e3}", "a"), "[-1.50e3]");
	assert_string_equal(found_in(CODEC_LINES, "a", "a", 64), "[]");
	assert_string_equal(found_in(CODEC_GRAPHITE, "a nan 1", "value", 64), "[]");
}

static void a_record_is_decoded_no_further_than_to_the_field(void **state)
{
	(void)state;
	assert_string_equal(found("{\"a\":1,}", "a"), "[1]");
	assert_string_equal(found("{\"a\":1,}", "b"), "[]");
	assert_string_equal(found("{\"b\":01,\"a\":1}", "a"), "[]");
}

static void a_value_is_cut_in_front_of_a_character_that_does_not_fit(void **state)
{
	static const char text[] = "{\"a\":\"x\xc3\xa4\xf0\x9f\x98\x80y\"}";
	static const uint32_t kept[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

	(void)state;
	for (uint32_t room = 0; room < 10; room++)
		assert_int_equal(strlen(found_in(CODEC_JSON, text, "a", room)) - 2, kept[room]);
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>\x80\x80\x80\x80\x80", "message", 3), "[\x80\x80\x80]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>Oct 11 22:14:15 h", "timestamp", 10), "[2025-10-11]");
	assert_string_equal(found_in(CODEC_SYSLOG, "<34>Oct 11 22:14:15 h", "severity", 0), "[]");
}

static void paths_that_are_none_are_refused(void **state)
{
	static const char *const none[] = {"", "/~", "/a~", "/~2", "/a/~a/b"};
	struct field_path path;
	char text[400];

	(void)state;
	assert_int_equal(field_path_parse(NULL, &path), -EINVAL);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		assert_int_equal(field_path_parse(none[i], &path), -EINVAL);
	memset(text, 'a', sizeof text);
	text[FIELD_PATH_BYTES_MAX + 1] = '\0';
	assert_int_equal(field_path_parse(text, &path), -EINVAL);
	text[FIELD_PATH_BYTES_MAX] = '\0';
	assert_int_equal(field_path_parse(text, &path), 0);
	text[0] = '/';
	assert_int_equal(field_path_parse(text, &path), 0);
	memset(text, '/', FIELD_DEPTH_MAX + 2);
	text[FIELD_DEPTH_MAX + 2] = '\0';
	assert_int_equal(field_path_parse(text, &path), -EINVAL);
	text[FIELD_DEPTH_MAX + 1] = '\0';
	assert_int_equal(field_path_parse(text, &path), 0);
	assert_int_equal(path.steps, FIELD_DEPTH_MAX + 1);
}

/* A codec that puts one field of every type, for the texts of those that none of the text formats has. */
static enum codec_fault put_all(const struct codec_record *record, struct field_sink *sink)
{
	static const uint8_t bytes[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
	const struct field fields[] = {
		{.type = FIELD_INTEGER, .name = "integer", .name_length = 7, .value.i = INT64_MIN},
		{.type = FIELD_UNSIGNED, .name = "unsigned", .name_length = 8, .value.u = UINT64_MAX},
		{.type = FIELD_REAL, .name = "real", .name_length = 4, .value.r = 0.1},
		{.type = FIELD_REAL, .name = "third", .name_length = 5, .value.r = 1.0 / 3},
		{.type = FIELD_REAL, .name = "nan", .name_length = 3, .value.r = NAN},
		{.type = FIELD_TIME, .name = "time", .name_length = 4, .value.u = FIELDS_ARRIVAL},
		{.type = FIELD_ADDRESS, .name = "four", .name_length = 4, .bytes = bytes, .length = 4},
		{.type = FIELD_ADDRESS, .name = "six", .name_length = 3, .bytes = bytes, .length = 16},
		{.type = FIELD_MAC, .name = "mac", .name_length = 3, .bytes = bytes, .length = 6},
		{.type = FIELD_BYTES, .name = "none", .name_length = 4, .bytes = bytes, .length = 0},
		{.type = FIELD_BYTES, .name = "one", .name_length = 3, .bytes = bytes, .length = 1},
		{.type = FIELD_BYTES, .name = "two", .name_length = 3, .bytes = bytes, .length = 2},
		{.type = FIELD_BYTES, .name = "three", .name_length = 5, .bytes = bytes, .length = 3},
	};

	(void)record;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (!sink->put(sink, &fields[i]))
			break;
	return CODEC_OK;
}

static void every_type_has_the_text_that_json_output_shows(void **state)
{
	static const struct codec all = {"all", 255, true, NULL, put_all};
	static const struct {
		const char *name, *text;
	} cases[] = {
		{"integer", "-9223372036854775808"},
		{"unsigned", "18446744073709551615"},
		{"real", "0.1"},
		{"third", "0.3333333333333333"},
		{"nan", ""},
		{"time", "2026-01-02T03:04:05.000000006Z"},
		{"four", "32.1.13.184"},
		{"six", "2001:db8::1"},
		{"mac", "20:01:0d:b8:00:00"},
		{"none", ""},
		{"one", "IA=="},
		{"two", "IAE="},
		{"three", "IAEN"},
	};
	struct codec_record record = {.length = 0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct field_path path;
		char text[64];
		uint32_t length;

		assert_int_equal(field_path_parse(cases[i].name, &path), 0);
		length = field_path_find(&path, &all, &record, text, sizeof text);
		assert_int_equal(length, strlen(cases[i].text));
		assert_memory_equal(text, cases[i].text, length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_name_is_a_field_at_the_top),
		cmocka_unit_test(a_pointer_goes_into_objects_and_arrays),
		cmocka_unit_test(the_first_of_a_name_counts),
		cmocka_unit_test(what_has_no_text_is_none),
		cmocka_unit_test(a_record_is_decoded_no_further_than_to_the_field),
		cmocka_unit_test(a_value_is_cut_in_front_of_a_character_that_does_not_fit),
		cmocka_unit_test(paths_that_are_none_are_refused),
		cmocka_unit_test(every_type_has_the_text_that_json_output_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
