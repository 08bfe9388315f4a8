// Rules: what they decide of a record.
#include "tests/unit/rule_fixture.h"

/* One record, as a datagram and in a block behind another; both say the same. */
static struct rule_verdict decide(struct fixture *f, const char *text, char *after)
{
	uint32_t length = (uint32_t)strlen(text);
	char *bytes = strdup(text), *block = calloc(1, length + 8);
	struct rule_record record = {(uint8_t *)bytes, length};
	struct slice slices[2] = {{0, 5}, {6, length}};
	struct rule_verdict alone, both[2];

	assert_true(bytes && block);
	sprintf(block, "other\n%s", text);
	ruleset_scan(f->set, f->scratch, (uint8_t *)block, length + 6, slices, 2, both);
	ruleset_scan_each(f->set, f->scratch, &record, 1, &alone);
	assert_memory_equal(block + 6, bytes, length);
	assert_true(reference_same(&alone, &both[1]));
	if (after)
		strcpy(after, bytes);
	free(bytes);
	free(block);
	return alone;
}

static void an_input_without_rules_has_no_set(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(ruleset_compile(f.config, 0, stderr, &f.set), 0);
	assert_null(f.set);
	add(&f, "x", VERDICT_DROP)->input_index = 1;
	assert_int_equal(ruleset_compile(f.config, 0, stderr, &f.set), 0);
	assert_null(f.set);
	end(&f);
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct fixture f;
	struct rule_verdict v;

	(void)state;
	start(&f);
	add(&f, "never", VERDICT_DROP)->input_index = 1; /* numbers are the configuration's */
	add(&f, "keep me", VERDICT_KEEP);
	add(&f, "debug", VERDICT_DROP);
	add(&f, "login", VERDICT_ROUTE);
	add(&f, "broken", VERDICT_DEAD_LETTER);
	compile(&f);
	v = decide(&f, "nothing of it", NULL);
	assert_true(v.action == RULE_KEEP && v.rule == RULE_NONE && v.tags == 0 && !v.redacted);
	v = decide(&f, "broken login debug keep me", NULL);
	assert_true(v.action == RULE_KEEP && v.rule == 1);
	v = decide(&f, "broken login debug", NULL);
	assert_true(v.action == RULE_DROP && v.rule == 2);
	v = decide(&f, "broken login", NULL);
	assert_true(v.action == RULE_ROUTE && v.rule == 3);
	v = decide(&f, "never broken", NULL);
	assert_true(v.action == RULE_DEAD_LETTER && v.rule == 4);
	assert_true(ruleset_bytes(f.set) > 0);
	end(&f);
}

static void tags_and_redactions_in_front_of_the_decision_apply(void **state)
{
	struct fixture f;
	struct rule_verdict v;
	char after[128];

	(void)state;
	start(&f);
	add(&f, "auth", VERDICT_TAG);
	add(&f, "pin=\\d+", VERDICT_REDACT);
	add(&f, "drop", VERDICT_DROP);
	add(&f, "late", VERDICT_TAG);
	add(&f, "word=\\w+", VERDICT_REDACT);
	compile(&f);
	assert_int_equal(ruleset_tag(f.set, 0), 0);
	assert_int_equal(ruleset_tag(f.set, 1), RULE_NONE);
	assert_int_equal(ruleset_tag(f.set, 2), 3);
	assert_int_equal(ruleset_tag(f.set, 63), RULE_NONE);
	assert_int_equal(ruleset_tag(f.set, 64), RULE_NONE);
	v = decide(&f, "auth late pin=1234 word=secret", after);
	assert_true(v.action == RULE_KEEP && v.rule == RULE_NONE && v.tags == 5 && v.redacted);
	assert_string_equal(after, "auth late ******** ***********");
	v = decide(&f, "auth late pin=1234 word=secret drop", after);
	assert_true(v.action == RULE_DROP && v.rule == 2 && v.tags == 1 && v.redacted);
	assert_string_equal(after, "auth late ******** word=secret drop");
	v = decide(&f, "pin=none", after);
	assert_true(v.tags == 0 && !v.redacted);
	assert_string_equal(after, "pin=none");
	end(&f);
}

static void an_inverted_rule_matches_what_its_pattern_does_not(void **state)
{
	struct fixture f;
	struct rule_verdict v;

	(void)state;
	start(&f);
	add(&f, "tls", VERDICT_TAG)->invert = true;
	add(&f, "important", VERDICT_KEEP);
	add(&f, "^<\\d+>", VERDICT_DROP)->invert = true;
	add(&f, "rest", VERDICT_ROUTE);
	compile(&f);
	v = decide(&f, "important", NULL);
	assert_true(v.action == RULE_KEEP && v.rule == 1 && v.tags == 1);
	v = decide(&f, "tls rest", NULL);
	assert_true(v.action == RULE_DROP && v.rule == 2 && v.tags == 0);
	v = decide(&f, "<13>tls rest", NULL);
	assert_true(v.action == RULE_ROUTE && v.rule == 3 && v.tags == 0);
	v = decide(&f, "", NULL); /* nothing is found in nothing */
	assert_true(v.action == RULE_DROP && v.rule == 2 && v.tags == 1);
	end(&f);
}

static void a_sample_keeps_the_first_of_so_many(void **state)
{
	struct fixture f;
	struct rule_scratch *second;

	(void)state;
	start(&f);
	add(&f, "ping", VERDICT_SAMPLE)->every = 4;
	compile(&f);
	assert_int_equal(rule_scratch_new((const struct ruleset *const[]){f.set}, 1, &second), 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct rule_record records[2] = {{(uint8_t[]){"ping"}, 4}, {(uint8_t[]){"pong"}, 4}};
		struct rule_verdict out[2];

		ruleset_scan_each(f.set, f.scratch, records, 2, out);
		assert_int_equal(out[0].action, i % 4 == 0 ? RULE_KEEP : RULE_SAMPLED_OUT);
		assert_int_equal(out[0].rule, 0);
		assert_true(out[1].action == RULE_KEEP && out[1].rule == RULE_NONE);
		if (i == 5) { /* another worker counts for itself */
			ruleset_scan_each(f.set, second, records, 1, out);
			assert_int_equal(out[0].action, RULE_KEEP);
		}
	}
	rule_scratch_free(second);
	end(&f);
}

static void what_is_redacted_is_exactly_what_matched(void **state)
{
	struct fixture f;
	char after[128];

	(void)state;
	start(&f);
	add(&f, "\\d{4}-\\d{4}", VERDICT_REDACT);
	add(&f, "[0-9]+", VERDICT_REDACT);
	add(&f, "key=[^ ]*", VERDICT_REDACT);
	add(&f, "b.*d", VERDICT_REDACT);
	compile(&f);
	decide(&f, "card 1234-5678 key=ab12 x", after);
	assert_string_equal(after, "card ********* ******** x");
	decide(&f, "ab c d e d f", after);
	assert_string_equal(after, "a********* f");
	decide(&f, "1", after);
	assert_string_equal(after, "*");
	end(&f);
}

static void a_record_full_of_matches_is_redacted_in_reasonable_time(void **state)
{
	static uint8_t bytes[RECORD_PAYLOAD_MAX];
	struct rule_record record = {bytes, sizeof bytes};
	struct rule_verdict v;
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, "\\d+", VERDICT_REDACT);
	add(&f, "x", VERDICT_REDACT);
	compile(&f);
	memset(bytes, '7', sizeof bytes);
	ruleset_scan_each(f.set, f.scratch, &record, 1, &v);
	for (uint32_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], '*');
	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i % 2 ? '-' : 'x'; /* as many ranges as there can be */
	ruleset_scan_each(f.set, f.scratch, &record, 1, &v);
	for (uint32_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], i % 2 ? '-' : '*');
	end(&f);
}

static void bytes_that_are_no_utf8_do_not_match_a_pattern_of_characters(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, "^k.se$", VERDICT_DROP)->utf8 = true;
	compile(&f);
	assert_int_equal(decide(&f, "k\xc3\xa4se", NULL).action, RULE_DROP);
	assert_int_equal(decide(&f, "k\xf0\x9f\xa7\x80se", NULL).action, RULE_DROP);
	assert_int_equal(decide(&f, "k\xe4se", NULL).action, RULE_KEEP);
	assert_int_equal(decide(&f, "k\xc0\xaese", NULL).action, RULE_KEEP);
	assert_int_equal(decide(&f, "k\xed\xa0\x80se", NULL).action, RULE_KEEP);
	end(&f);
}

static void one_scratch_fits_the_sets_of_several_inputs(void **state)
{
	struct fixture a, b;
	struct rule_scratch *scratch;
	struct rule_record record = {(uint8_t[]){"some text"}, 9};
	struct rule_verdict out;

	(void)state;
	start(&a);
	add(&a, "text", VERDICT_DROP);
	compile(&a);
	start(&b);
	add(&b, "so[^z]+t", VERDICT_REDACT);
	add(&b, "\\bte.{2,200}x", VERDICT_TAG);
	compile(&b);
	assert_int_equal(rule_scratch_new((const struct ruleset *const[]){a.set, NULL, b.set}, 3, &scratch), 0);
	ruleset_scan_each(a.set, scratch, &record, 1, &out);
	assert_int_equal(out.action, RULE_DROP);
	ruleset_scan_each(b.set, scratch, &record, 1, &out);
	assert_true(out.action == RULE_KEEP && out.redacted);
	rule_scratch_free(scratch);
	end(&a);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_input_without_rules_has_no_set),
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(tags_and_redactions_in_front_of_the_decision_apply),
		cmocka_unit_test(an_inverted_rule_matches_what_its_pattern_does_not),
		cmocka_unit_test(a_sample_keeps_the_first_of_so_many),
		cmocka_unit_test(what_is_redacted_is_exactly_what_matched),
		cmocka_unit_test(a_record_full_of_matches_is_redacted_in_reasonable_time),
		cmocka_unit_test(bytes_that_are_no_utf8_do_not_match_a_pattern_of_characters),
		cmocka_unit_test(one_scratch_fits_the_sets_of_several_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
