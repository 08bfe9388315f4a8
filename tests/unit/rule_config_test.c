// Patterns that cannot be used: refused with the reason and the place, before anything starts.
#include "tests/unit/config_fixture.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "dataplane/rule/rule.h"
#include "tests/support/rounds.h"

#define HEAD WITHIN("1s")
#define WITHIN(time)                                                                                  \
	"ports: [{name: a, device: d, cores: [1], addresses: [10.0.0.1/8]}]\n"                        \
	"streams: [{name: s}]\n"                                                                      \
	"inputs: [{name: i, port: a, codec: lines, stream: s}]\n"                                     \
	"matching: {cache: cache, time: " time "}\n"                                                  \
	"rules:\n"
#define RULE(pattern) "  - {name: r, input: i, verdict: drop, pattern: " pattern "}\n"

/* What rules_check() says of main.yaml, which loads. */
static int check(struct fixture *f, const char *text)
{
	size_t length = strlen(f->directory) + 1;
	FILE *errors;
	int error;

	if (fixture_load_text(f, text) != 0)
		fail_msg("does not load: %s", f->said);
	f->config->rule_cache[0] = '\0';
	free(f->said);
	errors = open_memstream(&f->said, &(size_t){0});
	assert_non_null(errors);
	error = rules_check(f->config, NULL, errors);
	fclose(errors);
	for (char *at = f->said; (at = strstr(at, f->directory));)
		memmove(at, at + length, strlen(at + length) + 1);
	return error;
}

static const struct {
	const char *text, *expected;
} bad_patterns[] = {
	{HEAD RULE("'a*'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: it matches the empty text\n"},
	{HEAD RULE("x?|y"), "main.yaml:6:49: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("^$"), "main.yaml:6:49: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("^"), "main.yaml:6:49: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("x|\\Z"), "main.yaml:6:49: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("'^\\s*$'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("'\\B'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: it matches the empty text"},
	{HEAD RULE("'abc[de'"), "main.yaml:6:53: error: rule 'r': the pattern cannot be used: Unterminated character class "
				"starting (byte 4 of it)\n"},
	{HEAD RULE("(abc"), "main.yaml:6:49: error: rule 'r': the pattern cannot be used: Missing close parenthesis for group "
			    "started (byte 1 of it)\n"},
	{HEAD RULE("'\xc3\xa4(a)[b'"), "main.yaml:6:54: error: rule 'r': the pattern cannot be used: Unterminated"},
	{HEAD RULE("'(a)\\1'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: Back-references are unsupported\n"},
	{HEAD RULE("\"\\x61(b\""), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: Missing close parenthesis"},
	{HEAD RULE("'a(?=b)'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used: Zero-width assertions are not "
				"supported\n"},
	{HEAD RULE("'(?<=b)a'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used:"},
	{HEAD RULE("'a{1,100000}'"), "main.yaml:6:50: error: rule 'r': the pattern cannot be used:"},
	{HEAD "  - name: r\n    input: i\n    verdict: redact\n    pattern: 'x(a|bc){200,400}.*[a-z]{40}(d|ef){300}'\n", NULL},
};

static void a_pattern_that_cannot_be_used_is_refused_with_reason_and_place(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof bad_patterns / sizeof bad_patterns[0]; i++) {
		const char *expected = bad_patterns[i].expected;
		int error = check(f, bad_patterns[i].text);

		if (!expected)
			continue; /* whatever Hyperscan makes of it: an answer within the budget */
		assert_int_equal(error, -EINVAL);
		for (const char *at = f->said; strncmp(at, expected, strlen(expected)) != 0; at++) {
			at = strchr(at, '\n');
			if (!at)
				fail_msg("expected:\n%s\ngot:\n%s", expected, f->said);
		}
	}
}

static void every_bad_pattern_is_told_at_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check(f, HEAD "  - {name: one, input: i, verdict: drop, pattern: 'a*'}\n"
				       "  - {name: two, input: i, verdict: drop, pattern: 'good'}\n"
				       "  - {name: three, input: i, verdict: redact, pattern: '(x'}\n"
				       "  - {name: four, input: i, verdict: tag, pattern: 'x\\z(', utf8: true}\n"
				       "  - {name: five, input: i, verdict: tag, pattern: '[z-a]'}\n"),
			 -EINVAL);
	assert_non_null(strstr(f->said, "main.yaml:6:52: error: rule 'one'"));
	assert_null(strstr(f->said, "'two'"));
	assert_non_null(strstr(f->said, "main.yaml:8:56: error: rule 'three'"));
	assert_null(strstr(strstr(f->said, "'three'") + 1, "'three':"));
	assert_non_null(strstr(f->said, "rule 'four'"));
	assert_non_null(strstr(f->said, "rule 'five'"));
	assert_non_null(strstr(f->said, "    - {name: three, input: i, verdict: redact, pattern: '(x'}\n"));
}

static void a_pattern_over_the_budget_is_named_in_time(void **state)
{
	struct fixture *f = *state;
	time_t start = time(NULL);

	assert_int_equal(check(f, HEAD "  - {name: quick, input: i, verdict: drop, pattern: 'abc'}\n" RULE("'(.{1,900}a){40}'")),
			 -EINVAL);
	assert_non_null(strstr(f->said, "main.yaml:7:50: error: rule 'r': the pattern cannot be used: compiling it takes more "
					"than 1 s or 512 MiB\n"));
	assert_true(time(NULL) - start < 10); /* two tries of two seconds at most, on a machine with other things to do */
}

static bool count_turn(void *arg)
{
	uint32_t *turns = arg;

	return ++*turns < 20;
}

static void whoever_waits_for_the_compiler_has_turns_and_may_end_it(void **state)
{
	struct fixture *f = *state;
	uint32_t turns = 0;
	const struct rule_wait wait = {count_turn, &turns};
	time_t start = time(NULL);

	assert_int_equal(fixture_load_text(f, WITHIN("100s") RULE("'(.{1,900}a){40}'")), 0);
	f->config->rule_cache[0] = '\0';
	free(f->said);
	FILE *errors = open_memstream(&f->said, &(size_t){0});
	assert_int_equal(rules_check(f->config, &wait, errors), -ECANCELED);
	fclose(errors);
	assert_string_equal(f->said, ""); /* no fault of the rules */
	assert_int_equal(turns, 20);
	assert_true(time(NULL) - start < 20);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void memory_beyond_the_budget_is_not_given(void **state)
{
	struct fixture *f = *state;

#ifdef SANITIZED
	skip(); /* a sanitizer maps terabytes: there is no limit */
#endif
	assert_int_equal(fixture_load_text(f, HEAD RULE("'(.{1,200}a){9}'")), 0);
	f->config->rule_cache[0] = '\0';
	f->config->rule_seconds = 30;
	f->config->rule_memory = 1 << 20;
	free(f->said);
	FILE *errors = open_memstream(&f->said, &(size_t){0});
	assert_int_equal(rules_check(f->config, NULL, errors), -EINVAL);
	fclose(errors);
	assert_non_null(strstr(f->said, "compiling it takes more than 30 s or 1 MiB\n"));
}

static void good_rules_are_accepted_and_cost_a_set_no_more_than_they_are(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(check(f, WITHIN("30s") "  - {name: one, input: i, verdict: keep, pattern: '^<\\d+>.*error', caseless: true}\n"
				       "  - {name: two, input: i, verdict: sample, every: 10, pattern: \"\\\\bping\\\\b\"}\n"
				       "  - {name: three, input: i, verdict: redact, pattern: '\\d{4}-\\d{4}'}\n"),
			 0);
	assert_string_equal(f->said, "");
	assert_true(f->config->rules[0].pattern_as_written && !f->config->rules[1].pattern_as_written);
	assert_int_equal(f->config->rules[2].pattern_line, 8);
	assert_int_equal(f->config->rules[2].pattern_column, 56);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pattern_that_cannot_be_used_is_refused_with_reason_and_place, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(every_bad_pattern_is_told_at_once, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_pattern_over_the_budget_is_named_in_time, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(whoever_waits_for_the_compiler_has_turns_and_may_end_it, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(memory_beyond_the_budget_is_not_given, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(good_rules_are_accepted_and_cost_a_set_no_more_than_they_are, fixture_setup,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
