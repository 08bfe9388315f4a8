// Capture groups of rules' patterns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <cmocka.h>

#include "dataplane/rule/capture.h"

static struct config config;

static struct rule_capture *compile(const char *pattern, const char *group)
{
	struct rule_capture *capture;
	char reason[200] = "";

	snprintf(config.rules[0].pattern, sizeof config.rules[0].pattern, "%s", pattern);
	if (rule_capture_compile(&config, 0, group, reason, sizeof reason, &capture) != 0)
		fail_msg("%s: %s", pattern, reason);
	return capture;
}

/* The group in `text`, or NULL. */
static const char *find(const char *pattern, const char *group, const char *text)
{
	static char found[256];
	struct rule_capture_scratch *scratch = rule_capture_scratch_new();
	struct rule_capture *capture = compile(pattern, group);
	uint32_t length = (uint32_t)strlen(text);
	uint8_t *exact = malloc(length + !length); /* a sanitizer sees a read behind it */
	struct slice slice = {0, 0};
	bool there;

	assert_true(scratch && exact);
	memcpy(exact, text, length);
	there = rule_capture_find(capture, scratch, exact, length, &slice);
	assert_true(!there || (slice.length > 0 && slice.offset + slice.length <= length));
	snprintf(found, sizeof found, "%.*s", (int)slice.length, text + slice.offset);
	free(exact);
	rule_capture_free(capture);
	rule_capture_scratch_free(scratch);
	return there ? found : NULL;
}

static void a_group_is_found_by_number_and_by_name(void **state)
{
	(void)state;
	assert_string_equal(find("user=(\\w+) from ([0-9.]+)", "1", "login user=root from 10.1.2.3 ok"), "root");
	assert_string_equal(find("user=(\\w+) from ([0-9.]+)", "2", "login user=root from 10.1.2.3 ok"), "10.1.2.3");
	assert_string_equal(find("user=(\\w+)", "0", "login user=root"), "user=root");
	assert_string_equal(find("host=(?<host>[^ ]+)", "host", "host=web-1 x"), "web-1");
	assert_string_equal(find("a(b+)", "1", "ab abb"), "b");
	config.rules[0].caseless = true;
	assert_string_equal(find("user=(\\w+)", "1", "USER=Root"), "Root");
	config.rules[0].caseless = false;
}

static void what_is_not_there_is_no_key(void **state)
{
	(void)state;
	assert_null(find("user=(\\w+)", "1", "nobody"));
	assert_null(find("user=(\\w+)", "1", ""));
	assert_null(find("user=(\\w*)", "1", "user= "));
	assert_null(find("a(b)?c|d(e)", "1", "de"));
	assert_null(find("a(b)?c|d(e)", "2", "abc"));
}

static void a_group_that_is_not_there_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *pattern, *group, *reason;
	} cases[] = {
		{"a(b)", "2", "there is no group 2: the pattern has 1"},
		{"a(b)", "99999999999999999999", "there is no group 99999999999999999999: the pattern has 1"},
		{"a(?<x>b)", "y", "the pattern has no group called 'y'"},
		{"a(b", "1", "PCRE2 does not take the pattern: missing closing parenthesis (byte 4 of it)"},
		{"(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)(a)",
		 "1", "the pattern has 33 groups, 32 are the most for a key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rule_capture *capture;
		char reason[200] = "";

		strcpy(config.rules[0].pattern, cases[i].pattern);
		assert_int_equal(rule_capture_compile(&config, 0, cases[i].group, reason, sizeof reason, &capture),
				 -EINVAL);
		assert_string_equal(reason, cases[i].reason);
		assert_null(capture);
	}
}

static void a_pattern_that_would_search_for_ever_ends_without_a_key(void **state)
{
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_null(find("(a+)+b", "1", text));
	assert_null(find("((a|aa)+)+c", "1", text));
	assert_null(find("(.*)*x(y)", "2", text));
}

#define LONG 65000u

static void only_the_first_bytes_of_a_record_are_looked_at(void **state)
{
	static char text[LONG + 1];

	(void)state;
	memset(text, '.', LONG);
	memcpy(text + RULE_CAPTURE_BYTES - 9, "user=root", 9);
	assert_null(find("user=(\\w+)", "1", text)); /* who knows how it goes on */
	memcpy(text + RULE_CAPTURE_BYTES - 10, "user=root.", 10);
	assert_string_equal(find("user=(\\w+)", "1", text), "root");
	assert_null(find("user=(\\w+)\\.$", "1", text));
	text[RULE_CAPTURE_BYTES] = '\0';
	assert_string_equal(find("user=(\\w+)\\.$", "1", text), "root");
	memcpy(text + RULE_CAPTURE_BYTES - 9, "user=root", 9);
	assert_string_equal(find("user=(\\w+)", "1", text), "root"); /* there is no more of it */
	memset(text, '.', LONG);
	memcpy(text + RULE_CAPTURE_BYTES, "user=root ", 10);
	assert_null(find("user=(\\w+)", "1", text));
}

/* Processor time of some looks for a group that is not there, ns. */
static uint64_t cost(const struct rule_capture *capture, struct rule_capture_scratch *scratch, const uint8_t *bytes,
		     uint32_t length)
{
	struct timespec from, to;
	struct slice slice;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (uint32_t i = 0; i < 20; i++)
		assert_false(rule_capture_find(capture, scratch, bytes, length, &slice));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec - (uint64_t)from.tv_nsec;
}

/* 32 times the bytes would take 1,000 times the time. */
static void a_long_record_made_to_be_slow_costs_what_a_short_one_does(void **state)
{
	struct rule_capture_scratch *scratch = rule_capture_scratch_new();
	struct rule_capture *capture = compile("user=(\\w+).*session=", "1");
	static uint8_t text[LONG];
	uint64_t brief;

	(void)state;
	assert_non_null(scratch);
	for (uint32_t i = 0; i < LONG; i++)
		text[i] = (uint8_t)"user=a "[i % 7];
	cost(capture, scratch, text, RULE_CAPTURE_BYTES);
	brief = cost(capture, scratch, text, RULE_CAPTURE_BYTES);
	assert_true(cost(capture, scratch, text, LONG) < 50 * brief);
	rule_capture_free(capture);
	rule_capture_scratch_free(scratch);
}

static void bytes_that_are_no_utf8_are_no_reason_to_fail(void **state)
{
	(void)state;
	config.rules[0].utf8 = true;
	assert_string_equal(find("n=(.)", "1", "\xff n=\xc3\xa4"), "\xc3\xa4");
	assert_null(find("n=(.)", "1", "n=\xc3"));
	config.rules[0].utf8 = false;
}

/* As under MemoryDenyWriteExecute. Cannot be taken back: the last test. */
static void where_code_cannot_be_compiled_groups_are_found_all_the_same(void **state)
{
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
	(void)state;
	if (prctl(PR_SET_MDWE, 1ul, 0ul, 0ul, 0ul) != 0)
		skip(); /* Linux 6.3 */
	a_group_is_found_by_number_and_by_name(NULL);
	what_is_not_there_is_no_key(NULL);
	a_pattern_that_would_search_for_ever_ends_without_a_key(NULL);
	only_the_first_bytes_of_a_record_are_looked_at(NULL);
	a_long_record_made_to_be_slow_costs_what_a_short_one_does(NULL);
	bytes_that_are_no_utf8_are_no_reason_to_fail(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_found_by_number_and_by_name),
		cmocka_unit_test(what_is_not_there_is_no_key),
		cmocka_unit_test(a_group_that_is_not_there_is_refused_with_its_reason),
		cmocka_unit_test(a_pattern_that_would_search_for_ever_ends_without_a_key),
		cmocka_unit_test(only_the_first_bytes_of_a_record_are_looked_at),
		cmocka_unit_test(a_long_record_made_to_be_slow_costs_what_a_short_one_does),
		cmocka_unit_test(bytes_that_are_no_utf8_are_no_reason_to_fail),
		cmocka_unit_test(where_code_cannot_be_compiled_groups_are_found_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
