#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/codec.h"
#include "tests/support/field_text.h"

static const char *decoded(const char *text)
{
	return field_text_of(codec_by_id(CODEC_GRAPHITE), text, strlen(text));
}

static void a_line_is_path_value_and_time(void **state)
{
	(void)state;
	assert_string_equal(
		decoded("local.random.diceroll 4 1656581400"),
		"{\"name\":\"local.random.diceroll\",\"value\":4,\"timestamp\":2022-06-30T09:30:00.000000000Z}");
	assert_string_equal(decoded(" a\t-1.5e3  1656581400.25 "),
			    "{\"name\":\"a\",\"value\":-1.5e3,\"timestamp\":2022-06-30T09:30:00.250000000Z}");
	assert_string_equal(decoded("a .5 0"),
			    "{\"name\":\"a\",\"value\":0.5,\"timestamp\":1970-01-01T00:00:00.000000000Z}");
	assert_string_equal(decoded("a 1 1656581400."),
			    "{\"name\":\"a\",\"value\":1,\"timestamp\":2022-06-30T09:30:00.000000000Z}");
}

static void now_is_the_time_of_arrival(void **state)
{
	(void)state;
	assert_string_equal(decoded("a 1 -1"),
			    "{\"name\":\"a\",\"value\":1,\"timestamp\":2026-01-02T03:04:05.000000006Z}");
	assert_string_equal(decoded("a 1 N"),
			    "{\"name\":\"a\",\"value\":1,\"timestamp\":2026-01-02T03:04:05.000000006Z}");
}

static void tags_follow_the_path(void **state)
{
	(void)state;
	assert_string_equal(decoded("disk.used;datacenter=dc1;rack=a=1 5 0"),
			    "{\"name\":\"disk.used\",\"tags\":{\"datacenter\":\"dc1\",\"rack\":\"a=1\"},\"value\":5,"
			    "\"timestamp\":1970-01-01T00:00:00.000000000Z}");
	assert_string_equal(decoded("a; 5 0"), "syntax {\"name\":\"a\",\"tags\":{}}");
	assert_string_equal(decoded("a;b 5 0"), "syntax {\"name\":\"a\",\"tags\":{}}");
	assert_string_equal(decoded("a;b= 5 0"), "syntax {\"name\":\"a\",\"tags\":{}}");
	assert_string_equal(decoded("a;=b 5 0"), "syntax {\"name\":\"a\",\"tags\":{}}");
	assert_string_equal(decoded("a;b;c=d 5 0"), "syntax {\"name\":\"a\",\"tags\":{}}");
	assert_string_equal(decoded(";a=b 5 0"), "syntax {}");
}

static void what_is_no_number_in_json_is_a_real(void **state)
{
	(void)state;
	assert_string_equal(decoded("a nan 0"),
			    "{\"name\":\"a\",\"value\":nan,\"timestamp\":1970-01-01T00:00:00.000000000Z}");
	assert_string_equal(decoded("a -Infinity 0"),
			    "{\"name\":\"a\",\"value\":-inf,\"timestamp\":1970-01-01T00:00:00.000000000Z}");
	assert_string_equal(decoded("a +INF 0"),
			    "{\"name\":\"a\",\"value\":inf,\"timestamp\":1970-01-01T00:00:00.000000000Z}");
	assert_string_equal(decoded("a infin 0"), "number {\"name\":\"a\"}");
	assert_string_equal(decoded("a - 0"), "number {\"name\":\"a\"}");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_string_equal(decoded(""), "empty {}");
	assert_string_equal(decoded(" \t"), "empty {}");
	assert_string_equal(decoded("a"), "truncated {}");
	assert_string_equal(decoded("a 1"), "truncated {}");
	assert_string_equal(decoded("a 1 "), "truncated {}");
	assert_string_equal(decoded("a 1 2 3"), "syntax {}");
	assert_string_equal(decoded("a 1x 2"), "number {\"name\":\"a\"}");
	assert_string_equal(decoded("a 1 x"), "time {\"name\":\"a\",\"value\":1}");
	assert_string_equal(decoded("a 1 -2"), "time {\"name\":\"a\",\"value\":1}");
	assert_string_equal(decoded("a 1 1e9"), "time {\"name\":\"a\",\"value\":1}");
	assert_string_equal(decoded("a 1 18446744074"), "time {\"name\":\"a\",\"value\":1}");
	assert_string_equal(decoded("a 1 18446744073709551616"), "time {\"name\":\"a\",\"value\":1}");
	assert_string_equal(decoded("a 1 18446744072"),
			    "{\"name\":\"a\",\"value\":1,\"timestamp\":2554-07-21T23:34:32.000000000Z}");
}

static void nothing_is_read_outside_a_record(void **state)
{
	static const char *const records[] = {"disk.used;datacenter=dc1;rack=a1 +05.25 1656581400.5\na 1 N\n",
					      "a infinity -1", "a.b -1.5e-3 18446744072"};

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		codec_check_between_guards(codec_by_id(CODEC_GRAPHITE), records[i], (uint32_t)strlen(records[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_path_value_and_time), cmocka_unit_test(now_is_the_time_of_arrival),
		cmocka_unit_test(tags_follow_the_path),          cmocka_unit_test(what_is_no_number_in_json_is_a_real),
		cmocka_unit_test(what_is_wrong_is_named),        cmocka_unit_test(nothing_is_read_outside_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
