#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/codec.h"
#include "tests/support/field_text.h"
#include "tests/support/json_tree.h"
#include "tests/support/rounds.h"

static const char *decoded(const char *text)
{
	return field_text_of(codec_by_id(CODEC_JSON), text, strlen(text));
}

static void members_of_the_outermost_object_are_the_fields(void **state)
{
	(void)state;
	assert_string_equal(decoded("{}"), "{}");
	assert_string_equal(decoded(" { } \r\n"), "{}");
	assert_string_equal(decoded("{\"a\":1,\"b\" : [ true,false , null,\"x\"] ,\"c\":{\"d\":{},\"e\":[]}}"),
			    "{\"a\":1,\"b\":[true,false,null,\"x\"],\"c\":{\"d\":{},\"e\":[]}}");
	assert_string_equal(
		decoded("{\"a\":-0,\"b\":1.50,\"c\":1E+5,\"d\":123456789012345678901234567890,\"e\":1e999}"),
		"{\"a\":-0,\"b\":1.50,\"c\":1E+5,\"d\":123456789012345678901234567890,\"e\":1e999}");
	assert_string_equal(decoded("{\"\":1,\"a\":2,\"a\":3}"), "{\"\":1,\"a\":2,\"a\":3}");
	assert_string_equal(decoded("17"), "{\"value\":17}");
	assert_string_equal(decoded("\"x\""), "{\"value\":\"x\"}");
	assert_string_equal(decoded("[1,[2],{\"a\":3}]"), "{\"value\":[1,[2],{\"a\":3}]}");
	assert_string_equal(decoded("[1,2,\"x\",3,-4,5e1 ,6,[7,8.5],9,{\"a\":[0,0]},10]"),
			    "{\"value\":[1,2,\"x\",3,-4,5e1,6,[7,8.5],9,{\"a\":[0,0]},10]}");
}

static void strings_are_unescaped(void **state)
{
	(void)state;
	assert_string_equal(decoded("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
			    "{\"value\":[\"\\\"\\\\/\\x08\\x0c\\x0a\\x0d\\x09\"]}");
	assert_string_equal(decoded("[\"\\u0041\\u00e4\\u20AC\\ud83d\\ude00\\u0000\"]"),
			    "{\"value\":[\"A\\xc3\\xa4\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80\\x00\"]}");
	assert_string_equal(decoded("{\"n\\u0061me\":\"v\\u0061lue\",\"plain\":\"v\\n\",\"\\n\":\"plain\"}"),
			    "{\"name\":\"value\",\"plain\":\"v\\x0a\",\"\\x0a\":\"plain\"}");
	assert_string_equal(decoded("{\"a long name without escapes\":\"a long value in front of an escape\\tand a "
				    "long one behind it, \xc3\xa4\"}"),
			    "{\"a long name without escapes\":\"a long value in front of an escape\\x09and a long one "
			    "behind it, \\xc3\\xa4\"}");
	assert_string_equal(decoded("[\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 plain \x7f\"]"),
			    "{\"value\":[\"\\xc3\\xa4\\xe2\\x82\\xac\\xf0\\x9f\\x98\\x80 plain \\x7f\"]}");
}

static const struct {
	enum codec_fault fault;
	const char *text;
} wrong_texts[] = {
	{CODEC_EMPTY, ""},
	{CODEC_EMPTY, " \t\r\n"},
	{CODEC_TRUNCATED, "{"},
	{CODEC_TRUNCATED, "[1,"},
	{CODEC_TRUNCATED, "[1,2"},
	{CODEC_TRUNCATED, "[1,2,"},
	{CODEC_TRUNCATED, "[1,2,3."},
	{CODEC_TRUNCATED, "\"a"},
	{CODEC_TRUNCATED, "{\"a\""},
	{CODEC_TRUNCATED, "{\"a\":"},
	{CODEC_TRUNCATED, "tru"},
	{CODEC_TRUNCATED, "-"},
	{CODEC_TRUNCATED, "1e"},
	{CODEC_TRUNCATED, "[1."},
	{CODEC_TRUNCATED, "\"\\u12"},
	{CODEC_TRUNCATED, "\"\\ud83d\\ude"},
	{CODEC_TRUNCATED, "\"\\"},
	{CODEC_SYNTAX, "{}x"},
	{CODEC_SYNTAX, "1 2"},
	{CODEC_SYNTAX, "[1 2]"},
	{CODEC_SYNTAX, "[1,]"},
	{CODEC_SYNTAX, "[1,2,]"},
	{CODEC_SYNTAX, "[1,2}"},
	{CODEC_SYNTAX, "[1,2 3]"},
	{CODEC_SYNTAX, "{\"a\":1,}"},
	{CODEC_SYNTAX, "[,1]"},
	{CODEC_SYNTAX, "{a:1}"},
	{CODEC_SYNTAX, "{\"a\" 1}"},
	{CODEC_SYNTAX, "[1}"},
	{CODEC_SYNTAX, "{\"a\":1]"},
	{CODEC_SYNTAX, "'a'"},
	{CODEC_SYNTAX, "NaN"},
	{CODEC_SYNTAX, "+1"},
	{CODEC_SYNTAX, ".5"},
	{CODEC_SYNTAX, "True"},
	{CODEC_SYNTAX, "truE"},
	{CODEC_SYNTAX, "\"\\x\""},
	{CODEC_SYNTAX, "\"\\u12g4\""},
	{CODEC_SYNTAX, "\"a\nb\""},
	{CODEC_SYNTAX, "\"\\ta\nb\""},
	{CODEC_SYNTAX, "[1]/**/"},
	{CODEC_SYNTAX, "\xef\xbb\xbf{}"},
	{CODEC_SYNTAX, "]"},
	{CODEC_SYNTAX, "1\f"},
	{CODEC_NUMBER, "01"},
	{CODEC_NUMBER, "-x"},
	{CODEC_NUMBER, "[1.]"},
	{CODEC_NUMBER, "[1,2,03]"},
	{CODEC_NUMBER, "[1,2e]"},
	{CODEC_NUMBER, "[1e+]"},
	{CODEC_NUMBER, "[00]"},
	{CODEC_ENCODING, "\"\xff\""},
	{CODEC_ENCODING, "\"\xc0\x80\""},
	{CODEC_ENCODING, "\"\xed\xa0\x80\""},
	{CODEC_ENCODING, "\"\xf4\x90\x80\x80\""},
	{CODEC_ENCODING, "\"\xe0\x9f\xbf\""},
	{CODEC_ENCODING, "\"\xf0\x8f\xbf\xbf\""},
	{CODEC_ENCODING, "\"\xc3\""},
	{CODEC_ENCODING, "\"\\n\xc3\""},
	{CODEC_ENCODING, "\"\\ud83d\""},
	{CODEC_ENCODING, "\"\\ude00\""},
	{CODEC_ENCODING, "\"\\ud83d\\u0041\""},
	{CODEC_ENCODING, "\"\\ud83dx\""},
	{CODEC_ENCODING, "{\"\xff\":1}"},
};

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong_texts / sizeof *wrong_texts; i++) {
		const char *text = wrong_texts[i].text;
		enum codec_fault fault = json_tree_compare((const uint8_t *)text, (uint32_t)strlen(text));

		if (fault != wrong_texts[i].fault)
			fail_msg("%s: %s instead of %s", text, codec_fault_label(fault), codec_fault_label(wrong_texts[i].fault));
	}
	assert_int_equal(json_tree_compare((const uint8_t *)"\0", 1), CODEC_SYNTAX);
	assert_int_equal(json_tree_compare((const uint8_t *)"1\0", 2), CODEC_SYNTAX);
	assert_int_equal(json_tree_compare((const uint8_t *)"-\0", 2), CODEC_NUMBER);
}

/* `levels` of arrays, or of objects. */
static uint32_t nest(char *text, uint32_t levels, bool objects)
{
	char *at = text;

	for (uint32_t i = 0; i < levels; i++)
		at += sprintf(at, objects ? "{\"a\":" : "[");
	*at++ = '0';
	for (uint32_t i = 0; i < levels; i++)
		*at++ = objects ? '}' : ']';
	return (uint32_t)(at - text);
}

static void deeper_than_allowed_is_refused_at_any_depth(void **state)
{
	static char text[1 << 17];

	(void)state;
	for (uint32_t levels = 1; levels < 100; levels++) {
		assert_int_equal(json_tree_compare((uint8_t *)text, nest(text, levels, false)),
				 levels > FIELD_DEPTH_MAX ? CODEC_TOO_DEEP : CODEC_OK);
		/* The outermost object is the record itself. */
		assert_int_equal(json_tree_compare((uint8_t *)text, nest(text, levels, true)),
				 levels > FIELD_DEPTH_MAX + 1 ? CODEC_TOO_DEEP : CODEC_OK);
	}
	memset(text, '[', sizeof text);
	assert_int_equal(json_tree_compare((uint8_t *)text, sizeof text), CODEC_TOO_DEEP);
}

static void scratch_that_is_too_small_is_said(void **state)
{
	static const char text[] = "{\"n\\u0061me\":\"twelve bytes\\n\"}";
	struct field_text fields = {.stop_after = 0};
	uint8_t *scratch;

	(void)state;
	for (uint32_t bytes = 0; bytes < 40; bytes++) {
		enum codec_fault fault;

		scratch = malloc(bytes ? bytes : 1);
		field_text_begin(&fields);
		fault = json_fields((const uint8_t *)text, sizeof text - 1, scratch, bytes, &fields.sink);
		free(scratch);
		assert_int_equal(fault, bytes < 17 ? CODEC_TOO_LARGE : CODEC_OK);
		assert_string_equal(field_text_end(&fields), bytes < 17 ? "{}" : "{\"name\":\"twelve bytes\\x0a\"}");
	}
}

static const char *const pieces[] = {
	"{",
	"}",
	"[",
	"]",
	",",
	":",
	"\"",
	"\"a\"",
	"\"a\":",
	"\"\\u0041\"",
	"\\",
	"\\\"",
	"\\u",
	"d83d",
	"\\udc00",
	"1",
	"-",
	"0",
	".5",
	"e5",
	"1e400",
	"true",
	"false",
	"null",
	" ",
	"\n",
	"\t",
	"\xc3",
	"\xa4",
	"\xf0\x9f\x98\x80",
	"\"",
	"{\"a\":",
	"\"b\",",
	"[1,2]",
	"\"a long string without anything special\"",
	"\x01",
	"\x7f",
	"0",
	"\xed\xa0\x80",
	"\\ud83d\\ude00",
};

static void texts_made_of_pieces_are_judged_as_jansson_does(void **state)
{
	uint8_t text[512];
	uint32_t valid = 0;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS(200000); round++) {
		uint32_t length = 0;

		for (uint32_t n = (uint32_t)rand() % 12; n > 0; n--) {
			const char *piece = pieces[(uint32_t)rand() % (sizeof pieces / sizeof *pieces)];

			memcpy(text + length, piece, strlen(piece));
			length += (uint32_t)strlen(piece);
		}
		valid += json_tree_compare(text, length) == CODEC_OK;
	}
	assert_true(valid > ROUNDS(4000));
}

/* A random valid text; returns its end. */
static char *make_text(char *at, uint32_t depth)
{
	static const char *const values[] = {"0",
					     "-1.5e3",
					     "true",
					     "null",
					     "\"\"",
					     "\"plain\"",
					     "\"\\n\xc3\xa4\\u20ac\"",
					     "\"longer than a vector is wide\""};
	uint32_t kind = (uint32_t)rand() % (depth ? 5 : 1), count = (uint32_t)rand() % 4;

	if (kind < 2)
		return at + sprintf(at, "%s", values[(uint32_t)rand() % 8]);
	*at++ = kind == 2 ? '[' : '{';
	for (uint32_t i = 0; i < count; i++) {
		at += sprintf(at, "%s%s", i ? "," : "", (uint32_t)rand() % 3 ? "" : " ");
		if (kind != 2)
			at += sprintf(at, "\"k%s%u\":", (uint32_t)rand() % 2 ? "" : "\\t", (uint32_t)rand() % 3);
		at = make_text(at, depth - 1);
	}
	*at++ = kind == 2 ? ']' : '}';
	return at;
}

static void valid_texts_changed_and_cut_are_judged_as_jansson_does(void **state)
{
	static char text[1 << 16];
	uint32_t valid = 0;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS(20000); round++) {
		uint32_t length = (uint32_t)(make_text(text, 4) - text);

		assert_int_equal(json_tree_compare((uint8_t *)text, length), CODEC_OK);
		if (length < 200)
			for (uint32_t cut = 0; cut < length; cut++)
				json_tree_compare((uint8_t *)text, cut);
		for (uint32_t change = 0; change < 4; change++) {
			text[(uint32_t)rand() % length] =
				(char)(rand() % 2 ? rand() : "\\\"[]{}:, 0e.\xc3"[rand() % 13]);
			valid += json_tree_compare((uint8_t *)text, length) == CODEC_OK;
		}
	}
	assert_true(valid > ROUNDS(4000));
}

static void nothing_is_read_outside_a_record(void **state)
{
	static const char *const records[] = {
		"{\"time\":7,\"m\\u0065ssage\":\"order \\\"ok\\\" \xc3\xa4\",\"n\":[1,-2.5e3,true],\"o\":{\"p\":null}}",
		"[\"\\ud83d\\ude00\",\"\xf0\x9f\x98\x80\",false]",
		"0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		codec_check_between_guards(codec_by_id(CODEC_JSON), records[i], (uint32_t)strlen(records[i]));
		codec_check_between_guards(codec_by_id(CODEC_JSON_LINES), records[i], (uint32_t)strlen(records[i]));
	}
}

static void json_lines_are_one_text_a_line(void **state)
{
	static const char datagram[] = "{\"a\":1}\r\n\n{\"b\":2}\n[3]";
	const struct codec *codec = codec_by_id(CODEC_JSON_LINES);
	struct slice slices[8];
	uint32_t consumed, left_out;

	(void)state;
	assert_int_equal(codec->cut((const uint8_t *)datagram, sizeof datagram - 1, slices, 8, &consumed), 3);
	assert_string_equal(field_text_of(codec, datagram + slices[0].offset, slices[0].length), "{\"a\":1}");
	assert_string_equal(field_text_of(codec, datagram + slices[1].offset, slices[1].length), "{\"b\":2}");
	assert_string_equal(field_text_of(codec, datagram + slices[2].offset, slices[2].length), "{\"value\":[3]}");
	assert_int_equal(codec_check_datagram(codec, (const uint8_t *)datagram, sizeof datagram - 1, 2, &left_out), 3);
	assert_int_equal(left_out, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_the_outermost_object_are_the_fields),
		cmocka_unit_test(strings_are_unescaped),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(deeper_than_allowed_is_refused_at_any_depth),
		cmocka_unit_test(scratch_that_is_too_small_is_said),
		cmocka_unit_test(texts_made_of_pieces_are_judged_as_jansson_does),
		cmocka_unit_test(valid_texts_changed_and_cut_are_judged_as_jansson_does),
		cmocka_unit_test(nothing_is_read_outside_a_record),
		cmocka_unit_test(json_lines_are_one_text_a_line),
	};

	json_object_seed(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
