#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "config/prefix.h"

#define OLDEST 1767225599000000001ull /* 2025-12-31T23:59:59.000000001Z */
#define EARLY 1772508309000000000ull  /* 2026-03-03T03:25:09Z */

static void every_pattern_expands_as_the_table_says(void **state)
{
	static const struct {
		const char *prefix, *text;
		uint64_t ns;
	} table[] = {
		{"", "", OLDEST},
		{"logs/", "logs/", OLDEST},
		{"!{timestamp:yyyy/MM/dd/HH}/", "2025/12/31/23/", OLDEST},
		{"!{timestamp:yyyy/MM/dd/HH}/", "2026/03/03/03/", EARLY},
		{"!{timestamp:y-M-d-H-m-s}", "2026-3-3-3-25-9", EARLY},
		{"!{timestamp:yy.MM.dd_HH:mm:ss}", "26.03.03_03:25:09", EARLY},
		{"!{timestamp:yyy}", "2026", EARLY},
		{"!{timestamp:'year='yyyy'/month='MM}/x-", "year=2026/month=03/x-", EARLY},
		{"!{timestamp:HH''mm}", "03'25", EARLY},
		{"!{timestamp:'it''s '''ss}", "it's '09", EARLY},
		{"!{timestamp:'}'yyyy}", "}2026", EARLY},
		{"a/!{stream}/!{shard}/!{timestamp:yyyy}/b", "a/events/000000000012/2026/b", EARLY},
		{"!x{y}!", "!x{y}!", EARLY},
		{"!{timestamp:yyyy}!{timestamp:MM}", "202603", EARLY},
		{"!{timestamp:yyyy/MM/dd/HH}/", "1970/01/01/00/", 0},
	};
	char text[256], reason[200];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_int_equal(prefix_check(table[i].prefix, "events", reason, sizeof reason), 0);
		assert_int_equal(prefix_expand(table[i].prefix, "events", 12, table[i].ns, text, sizeof text), 0);
		assert_string_equal(text, table[i].text);
	}
}

static void what_is_wrong_is_said_with_the_remedy(void **state)
{
	static const struct {
		const char *prefix, *reason;
	} table[] = {
		{"/abs/", "relative"},
		{"a//b", "empty"},
		{"../up/", ".."},
		{"a/./b/", "component"},
		{"a/!{timestamp:yyyy/'..'/MM}/", ".."},
		{"!{timestamp:yyyy", "not closed"},
		{"!{timestamp:'yyyy}", "not closed"},
		{"!{timestamp:}", "empty timestamp"},
		{"!{timestamp:MMM}", "months"},
		{"!{timestamp:yyyyy}", "at most 4"},
		{"!{timestamp:ddd}", "at most 2"},
		{"!{timestamp:yyyyTHH}", "single quotes"},
		{"!{timestamp:SSS}", "'S'"},
		{"!{timestamp:[yyyy]}", "single quotes"},
		{"!{firehose:random-string}", "unknown expression"},
		{"!{Stream}", "unknown expression"},
		{"!{}", "unknown expression"},
		{"a\nb/", "control character"},
	};
	char reason[200], longest[1100];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		reason[0] = '\0';
		assert_int_equal(prefix_check(table[i].prefix, "events", reason, sizeof reason), -EINVAL);
		if (strstr(reason, table[i].reason) == NULL)
			fail_msg("%s: \"%s\" does not hold \"%s\"", table[i].prefix, reason, table[i].reason);
	}
	memset(longest, 'a', sizeof longest);
	for (size_t i = 99; i < sizeof longest; i += 100)
		longest[i] = '/';
	longest[sizeof longest - 1] = '\0';
	assert_int_equal(prefix_check(longest, "events", reason, sizeof reason), -EINVAL);
	assert_non_null(strstr(reason, "too long"));
}

static void a_stream_cannot_lead_out_of_the_destination(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(prefix_expand("!{stream}/", "..", 0, 0, text, sizeof text), -EINVAL);
	assert_int_equal(prefix_expand("!{stream}/", "...", 0, 0, text, sizeof text), 0);
	assert_int_equal(prefix_expand("!{stream}/", "abcdefghij", 0, 0, text, 11), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pattern_expands_as_the_table_says),
		cmocka_unit_test(what_is_wrong_is_said_with_the_remedy),
		cmocka_unit_test(a_stream_cannot_lead_out_of_the_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
