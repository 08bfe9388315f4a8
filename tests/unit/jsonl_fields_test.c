#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <cmocka.h>

#include "control/delivery/format_kinds.h"
#include "tests/support/delivery_fakes.h"

#define NOON 1767268800123456789ull /* 2026-01-01T12:00:00.123456789Z */

static char *out;
static size_t out_length, out_room;
static _Alignas(8) uint8_t bytes[RECORD_BYTES_MAX];

static int keep(void *handle, const void *from, size_t length)
{
	(void)handle;
	if (out_length + length + 1 > out_room) {
		out_room = (out_length + length + 1) * 2;
		out = realloc(out, out_room);
		assert_non_null(out);
	}
	memcpy(out + out_length, from, length);
	out_length += length;
	out[out_length] = '\0';
	return 0;
}

static int count_only(void *handle, const void *from, size_t length)
{
	(void)from;
	*(size_t *)handle += length;
	return 0;
}

/* ---- fields of a codec made up for the test ---- */

static const struct field *script;
static size_t script_length;
static enum codec_fault script_fault;
static bool script_ended;

static enum codec_fault play(const struct codec_record *record, struct field_sink *sink)
{
	assert_non_null(record->scratch);
	memset(record->scratch, 0xa5, CODEC_SCRATCH_BYTES);
	script_ended = false;
	for (size_t i = 0; i < script_length; i++) {
		if (!sink->put(sink, &script[i])) {
			script_ended = true;
			return CODEC_OK;
		}
	}
	return script_fault;
}

static const struct codec played = {"played", 200, false, NULL, play};

static const char *printed(const struct field *fields, size_t count, enum codec_fault fault)
{
	const struct format_options options = {.format = FORMAT_JSONL};
	struct fake_record r = fake_text(NOON, "x");
	struct sink sink = {keep, NULL};
	struct format *f;

	script = fields;
	script_length = count;
	script_fault = fault;
	out_length = 0;
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	fake_record_put(bytes, &r);
	format_fields_add(f, &played, (const struct record *)bytes);
	assert_int_equal(format_end(f), 0);
	format_close(f);
	return out;
}

#define NAMED(text) .name = (text), .name_length = sizeof(text) - 1
#define BYTES(text) .bytes = (const uint8_t *)(text), .length = sizeof(text) - 1
#define PRINTED(fields, fault) printed(fields, sizeof(fields) / sizeof *(fields), fault)

static void every_type_has_its_json(void **state)
{
	const struct field fields[] = {
		{.type = FIELD_TEXT, NAMED("text"), BYTES("a\"b\\\n\xc3\xa9")},
		{.type = FIELD_TEXT, NAMED("odd"), BYTES("\xff\xfe")},
		{.type = FIELD_TEXT, NAMED("empty")},
		{.type = FIELD_BYTES, NAMED("raw"), BYTES("plain")},
		{.type = FIELD_NUMBER, NAMED("number"), BYTES("-1.50e+3")},
		{.type = FIELD_INTEGER, NAMED("least"), .value.i = INT64_MIN},
		{.type = FIELD_UNSIGNED, NAMED("most"), .value.u = UINT64_MAX},
		{.type = FIELD_BOOL, NAMED("yes"), .value.u = 1},
		{.type = FIELD_BOOL, NAMED("no")},
		{.type = FIELD_NULL, NAMED("nothing")},
		{.type = FIELD_TIME, NAMED("time"), .value.u = NOON},
		{.type = FIELD_ADDRESS, NAMED("four"), BYTES("\xc0\x00\x02\x01")},
		{.type = FIELD_ADDRESS, NAMED("six"), BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")},
		{.type = FIELD_ADDRESS, NAMED("five"), BYTES("12345")},
		{.type = FIELD_MAC, NAMED("mac"), BYTES("\x00\x1b\x21\xaa\xbb\xcc")},
		{.type = FIELD_MAC, NAMED("short"), BYTES("\x00\x1b")},
	};

	(void)state;
	assert_string_equal(PRINTED(fields, CODEC_OK),
			    "\"fields\":{\"text\":\"a\\\"b\\\\\\n\xc3\xa9\",\"odd_base64\":\"//4=\",\"empty\":\"\","
			    "\"raw_base64\":\"cGxhaW4=\",\"number\":-1.50e+3,\"least\":-9223372036854775808,"
			    "\"most\":18446744073709551615,\"yes\":true,\"no\":false,\"nothing\":null,"
			    "\"time\":\"2026-01-01T12:00:00.123456789Z\",\"four\":\"192.0.2.1\",\"six\":\"2001:db8::1\","
			    "\"five_base64\":\"MTIzNDU=\",\"mac\":\"00:1b:21:aa:bb:cc\",\"short_base64\":\"ABs=\"},");
}

static void reals_are_the_fewest_digits_that_read_back(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {
		{0.1, "0.1"}, {5, "5"}, {-0.0, "-0"}, {1e300, "1e+300"}, {1.0 / 3, "0.3333333333333333"},
		{5e-324, "4.94065645841247e-324"}, {0.1 + 0.2, "0.30000000000000004"}, {NAN, "null"},
		{INFINITY, "null"}, {-INFINITY, "null"}, {123456789012345678.0, "123456789012345680"},
	};
	char wanted[80];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct field field = {.type = FIELD_REAL, NAMED("r"), .value.r = rows[i].value};

		printed(&field, 1, CODEC_OK);
		if (i == 10) { /* %g writes the exponent where the digits end before the point */
			assert_true(strtod(strchr(out + 10, ':') + 1, NULL) == rows[i].value);
			continue;
		}
		snprintf(wanted, sizeof wanted, "\"fields\":{\"r\":%s},", rows[i].text);
		assert_string_equal(out, wanted);
	}
}

static void objects_and_arrays_nest(void **state)
{
	const struct field fields[] = {
		{.type = FIELD_OBJECT, NAMED("tags")}, {.type = FIELD_TEXT, NAMED("env"), BYTES("prod")}, {.type = FIELD_END},
		{.type = FIELD_ARRAY, NAMED("values")}, {.type = FIELD_INTEGER, .value.i = 1}, {.type = FIELD_ARRAY}, {.type = FIELD_END},
		{.type = FIELD_OBJECT}, {.type = FIELD_BOOL, NAMED("x"), .value.u = 1}, {.type = FIELD_BOOL, NAMED("y")}, {.type = FIELD_END},
		{.type = FIELD_BYTES, BYTES("\x01")}, {.type = FIELD_NULL}, {.type = FIELD_END},
		{.type = FIELD_OBJECT, NAMED("none")}, {.type = FIELD_END},
	};

	(void)state;
	assert_string_equal(PRINTED(fields, CODEC_OK),
			    "\"fields\":{\"tags\":{\"env\":\"prod\"},\"values\":[1,[],{\"x\":true,\"y\":false},"
			    "{\"base64\":\"AQ==\"},null],\"none\":{}},");
}

static void what_a_fault_left_open_is_closed_and_the_fault_said(void **state)
{
	const struct field fields[] = {
		{.type = FIELD_ARRAY, NAMED("flows")}, {.type = FIELD_OBJECT}, {.type = FIELD_UNSIGNED, NAMED("octets"), .value.u = 7},
	};

	(void)state;
	assert_string_equal(PRINTED(fields, CODEC_TRUNCATED), "\"fields\":{\"flows\":[{\"octets\":7}]},\"fault\":\"truncated\",");
	assert_string_equal(printed(NULL, 0, CODEC_SYNTAX), "\"fields\":{},\"fault\":\"syntax\",");
	assert_string_equal(printed(NULL, 0, CODEC_OK), "\"fields\":{},");
}

static void a_name_that_is_no_utf8_is_repaired_and_a_missing_one_given(void **state)
{
	const struct field fields[] = {
		{.type = FIELD_NULL, NAMED("a\xff\xc3\xa9\xc3\"")}, {.type = FIELD_NULL}, {.type = FIELD_NULL, NAMED("")}, {.type = FIELD_BYTES, NAMED("\x80"), BYTES("")},
	};

	(void)state;
	assert_string_equal(PRINTED(fields, CODEC_OK), "\"fields\":{\"a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\\\"\":null,\"value\":null,"
						       "\"\":null,\"\xef\xbf\xbd_base64\":\"\"},");
}

static void nesting_and_size_have_a_bound(void **state)
{
	static struct field fields[1024];
	static uint8_t large[16384];
	size_t length = 0;
	struct sink sink = {count_only, &length};
	const struct format_options options = {.format = FORMAT_JSONL};
	struct format *f;

	(void)state;
	for (size_t i = 0; i < 40; i++)
		fields[i] = (struct field){.type = i % 2 ? FIELD_ARRAY : FIELD_OBJECT, NAMED("d")};
	printed(fields, FIELD_DEPTH_MAX, CODEC_OK);
	assert_null(strstr(out, "fault"));
	printed(fields, FIELD_DEPTH_MAX + 1, CODEC_OK);
	assert_true(script_ended);
	assert_non_null(strstr(out, ",\"fault\":\"too_deep\","));
	memset(large, '\x01', sizeof large);
	for (size_t i = 0; i < 1024; i++)
		fields[i] = (struct field){.type = FIELD_TEXT, NAMED("l"), .bytes = large, .length = sizeof large};
	script = fields;
	script_length = 1024;
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	format_fields_add(f, &played, (const struct record *)bytes);
	assert_int_equal(format_end(f), 0);
	format_close(f);
	assert_true(script_ended);
	assert_in_range(length, 8u << 20, (8u << 20) * 6 + 65536);
}

/* ---- the codecs there are ---- */

static json_t *line_of(struct format *f, const struct fake_record *r)
{
	json_error_t error;
	json_t *line;

	out_length = 0;
	fake_record_put(bytes, r);
	assert_int_equal(format_add(f, 1, 5, (const struct record *)bytes), 0);
	assert_int_equal(format_flush(f), 0);
	assert_true(out_length > 2 && out[out_length - 1] == '\n');
	assert_ptr_equal(memchr(out, '\n', out_length), out + out_length - 1);
	line = json_loadb(out, out_length, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
	if (line == NULL && strstr(error.text, "overflow") == NULL)
		fail_msg("%s in %s", error.text, out);
	return line;
}

static const char *const samples[] = {
	[CODEC_DATAGRAM] = "anything",
	[CODEC_LINES] = "anything",
	[CODEC_SYSLOG] = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
			 "[exampleSDID@32473 iut=\"3\" eventSource=\"Application\"] an event",
	[CODEC_STATSD] = "page.views:1:2.5|c|@0.1|#env:prod,region:eu",
	[CODEC_INFLUX] = "weather,location=us-midwest temperature=82.5,humid=71i,ok=t,text=\"a \\\"b\" 1465839830100400200",
	[CODEC_GRAPHITE] = "servers.web1.load;dc=eu 0.75 1465839830",
	[CODEC_JSON] = "{\"a\":[1,2.5e3,{\"b\":\"\\u00e9\\n\"}],\"c\":null,\"d\":true}",
	[CODEC_JSON_LINES] = "{\"a\":-0,\"b\":{}}",
	[CODEC_GELF] = "{\"version\":\"1.1\",\"host\":\"example.org\",\"short_message\":\"m\",\"_n\":5}",
};

static void a_record_of_a_codec_shows_its_fields_beside_its_data(void **state)
{
	const struct format_options options = {.format = FORMAT_JSONL};
	struct sink sink = {keep, NULL};
	struct format *f;

	(void)state;
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	for (uint8_t id = 1; id < sizeof samples / sizeof *samples; id++) {
		const struct codec *codec = codec_by_id(id);
		struct fake_record r = fake_text(NOON, samples[id] != NULL ? samples[id] : "");
		json_t *line;

		if (codec == NULL || samples[id] == NULL)
			continue;
		r.codec = id;
		line = line_of(f, &r);
		assert_non_null(line);
		assert_string_equal(json_string_value(json_object_get(line, "codec")), codec->name);
		assert_int_equal(json_object_get(line, "fields") != NULL, codec->decode != NULL);
		assert_null(json_object_get(line, "fault"));
		if (codec->decode != NULL)
			assert_int_not_equal(json_object_size(json_object_get(line, "fields")), 0);
		if (!codec->binary)
			assert_string_equal(json_string_value(json_object_get(line, "data")), samples[id]);
		json_decref(line);
	}
	assert_int_equal(format_end(f), 0);
	format_close(f);
}

static void whatever_the_bytes_a_line_is_json_and_the_same_again(void **state)
{
	const struct format_options options = {.format = FORMAT_JSONL};
	struct sink sink = {keep, NULL};
	const struct origin4 origin = {{192, 0, 2, 1}, {192, 0, 2, 9}, {2, 2}, {2, 3}};
	static uint8_t payload[2048];
	unsigned seed = 7;
	struct format *f;

	(void)state;
	assert_int_equal(format_open(&options, &f), 0);
	assert_int_equal(format_begin(f, &sink), 0);
	for (unsigned round = 0; round < 20000; round++) {
		uint8_t id = (uint8_t)(1 + round % 16);
		struct fake_record r = fake_text(NOON, "");
		const char *sample = id < sizeof samples / sizeof *samples ? samples[id] : NULL;
		size_t length = (size_t)rand_r(&seed) % 300, first_length;
		char *first;

		for (size_t i = 0; i < length; i++)
			payload[i] = (uint8_t)rand_r(&seed);
		if (sample != NULL && round / 16 % 4 != 0) { /* a sample with a few bytes changed, perhaps cut */
			length = strlen(sample);
			memcpy(payload, sample, length);
			for (int i = rand_r(&seed) % 4; i > 0; i--)
				payload[(size_t)rand_r(&seed) % length] = (uint8_t)rand_r(&seed);
			if (round % 3 == 0)
				length = (size_t)rand_r(&seed) % length;
		}
		r.codec = id;
		r.payload = payload;
		r.payload_length = (uint32_t)length;
		r.origin = round % 2 ? RECORD_ORIGIN_IPV4 : RECORD_ORIGIN_NONE;
		r.origin_bytes = &origin;
		json_decref(line_of(f, &r));
		first = strdup(out);
		first_length = out_length;
		json_decref(line_of(f, &r));
		assert_int_equal(out_length, first_length);
		assert_memory_equal(out, first, first_length);
		free(first);
	}
	assert_int_equal(format_end(f), 0);
	format_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_its_json),
		cmocka_unit_test(reals_are_the_fewest_digits_that_read_back),
		cmocka_unit_test(objects_and_arrays_nest),
		cmocka_unit_test(what_a_fault_left_open_is_closed_and_the_fault_said),
		cmocka_unit_test(a_name_that_is_no_utf8_is_repaired_and_a_missing_one_given),
		cmocka_unit_test(nesting_and_size_have_a_bound),
		cmocka_unit_test(a_record_of_a_codec_shows_its_fields_beside_its_data),
		cmocka_unit_test(whatever_the_bytes_a_line_is_json_and_the_same_again),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(out);
	return failed;
}
