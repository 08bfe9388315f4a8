// Rules: what they decide, and that a burst scanned as one block decides what records scanned alone do.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/seam/record.h"
#include "tests/support/rounds.h"
#include "tests/support/rule_patterns.h"
#include "tests/support/rule_reference.h"

#define RECORDS 48u
#define BLOCK (160u << 10)

struct fixture {
	struct config *config;
	struct ruleset *set;
	struct rule_scratch *scratch;
};

static void start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->config = calloc(1, sizeof *f->config);
	assert_non_null(f->config);
	f->config->inputs_count = 1;
	f->config->rule_seconds = 30;
	f->config->rule_memory = 512u << 20;
}

static struct config_rule *add(struct fixture *f, const char *pattern, enum config_verdict verdict)
{
	struct config_rule *rule = &f->config->rules[f->config->rules_count++];

	snprintf(rule->name, sizeof rule->name, "rule-%u", f->config->rules_count);
	snprintf(rule->pattern, sizeof rule->pattern, "%s", pattern);
	rule->verdict = verdict;
	rule->every = verdict == VERDICT_SAMPLE ? 3 : 0;
	return rule;
}

static void add_pattern(struct fixture *f, const struct rule_pattern *p, enum config_verdict verdict)
{
	struct config_rule *rule = add(f, p->text, verdict);

	rule->caseless = p->caseless;
	rule->dotall = p->dotall;
	rule->multiline = p->multiline;
	rule->utf8 = p->utf8;
}

static void compile(struct fixture *f)
{
	assert_int_equal(ruleset_compile(f->config, 0, stderr, &f->set), 0);
	assert_non_null(f->set);
	assert_int_equal(rule_scratch_new((const struct ruleset *const[]){NULL, f->set}, 2, &f->scratch), 0);
}

static void end(struct fixture *f)
{
	rule_scratch_free(f->scratch);
	ruleset_free(f->set);
	free(f->config);
	memset(f, 0, sizeof *f);
}

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

/* ---- the block and the records ---- */

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

enum layout { LAYOUT_LINES, LAYOUT_CRLF, LAYOUT_ADJACENT, LAYOUT_FRAMED, LAYOUT_EACH, LAYOUTS };

struct burst {
	uint8_t bytes[BLOCK], before[BLOCK];
	struct slice slices[RECORDS];
	struct rule_record each[RECORDS];
	struct rule_verdict out[RECORDS];
	uint32_t count, length;
};

static uint32_t put(struct burst *b, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	assert_true(b->length + n <= BLOCK);
	memcpy(b->bytes + b->length, text, n);
	b->length += n;
	return n;
}

static void fill(struct burst *b, enum layout layout, uint32_t records, uint32_t pieces)
{
	char frame[16];

	b->count = records;
	b->length = 0;
	for (uint32_t i = 0; i < records; i++) {
		uint32_t n = draw(pieces + 1);

		if (layout == LAYOUT_FRAMED) {
			snprintf(frame, sizeof frame, "%u ", draw(1000));
			put(b, frame);
		}
		b->slices[i].offset = b->length;
		while (n--) {
			const char *piece = rule_pieces[draw(RULE_PIECES)];

			/* Lines hold no line end; the other kinds of records may. */
			if (layout > LAYOUT_CRLF || !strpbrk(piece, "\r\n"))
				put(b, piece);
		}
		b->slices[i].length = b->length - b->slices[i].offset;
		b->each[i] = (struct rule_record){b->bytes + b->slices[i].offset, b->slices[i].length};
		if (layout == LAYOUT_LINES || layout == LAYOUT_CRLF)
			put(b, layout == LAYOUT_CRLF && draw(4) ? "\r\n" : draw(5) ? "\n" : "\n\n");
	}
	memcpy(b->before, b->bytes, b->length);
}

static void check(struct fixture *f, struct reference *r, struct burst *b, enum layout layout)
{
	static uint8_t expected[BLOCK];

	memcpy(expected, b->bytes, b->length);
	if (layout == LAYOUT_EACH)
		ruleset_scan_each(f->set, f->scratch, b->each, b->count, b->out);
	else
		ruleset_scan(f->set, f->scratch, b->bytes, b->length, b->slices, b->count, b->out);
	for (uint32_t i = 0; i < b->count; i++) {
		uint32_t at = b->slices[i].offset, length = b->slices[i].length;
		struct rule_verdict v = reference_decide(r, b->before + at, length, expected + at);

		if (!reference_same(&v, &b->out[i]))
			fail_msg("layout %u, record %u of %u '%.*s': rule %d action %u tags %llx redacted %u, expected "
				 "rule %d "
				 "action %u tags %llx redacted %u; first pattern '%s'",
				 layout, i, b->count, (int)length, (char *)b->before + at, (int16_t)b->out[i].rule,
				 b->out[i].action, (unsigned long long)b->out[i].tags, b->out[i].redacted,
				 (int16_t)v.rule, v.action, (unsigned long long)v.tags, v.redacted,
				 f->config->rules[0].pattern);
	}
	assert_memory_equal(b->bytes, expected, b->length);
}

static void compare(struct fixture *f, uint32_t bursts, uint32_t pieces)
{
	static struct burst b;
	struct reference *r = reference_new(f->config);

	for (uint32_t n = 0; n < bursts; n++) {
		enum layout layout = (enum layout)(n % LAYOUTS);

		fill(&b, layout, 1 + draw(RECORDS), pieces);
		check(f, r, &b, layout);
	}
	reference_free(r);
}

static void every_pattern_decides_in_a_block_as_it_does_alone(void **state)
{
	(void)state;
	for (uint32_t p = 0; p < RULE_PATTERNS; p++) {
		struct fixture f;

		seed = p;
		start(&f);
		add_pattern(&f, &rule_patterns[p], VERDICT_DROP);
		compile(&f);
		compare(&f, ROUNDS(100), 6);
		compare(&f, ROUNDS(10), 60);
		end(&f);
	}
}

static void any_set_of_rules_decides_in_a_block_as_it_does_alone(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < ROUNDS(40); n++) {
		uint32_t rules = 1 + draw(40);
		struct fixture f;

		start(&f);
		seed = 1000 + n;
		for (uint32_t i = 0; i < rules; i++) {
			struct config_rule *rule = &f.config->rules[i];

			add_pattern(&f, &rule_patterns[draw(RULE_PATTERNS)], (enum config_verdict)draw(7));
			rule->every = 1 + draw(4);
			rule->invert = rule->verdict != VERDICT_REDACT && draw(4) == 0;
		}
		compile(&f);
		compare(&f, ROUNDS(60), 8);
		end(&f);
	}
}

static void a_flood_of_matches_changes_nothing(void **state)
{
	static struct burst b;
	struct reference *r;
	struct fixture f;

	(void)state;
	start(&f);
	add(&f, "[^\"]x", VERDICT_TAG);
	add(&f, "x+", VERDICT_TAG);
	add(&f, "x$", VERDICT_DROP);
	compile(&f);
	r = reference_new(f.config);
	for (uint32_t n = 0; n < 4; n++) {
		b.length = 0;
		b.count = RECORDS;
		for (uint32_t i = 0; i < RECORDS; i++) {
			b.slices[i] = (struct slice){b.length, 1 + draw(300)};
			memset(b.bytes + b.length, draw(8) ? 'x' : 'y', b.slices[i].length);
			b.each[i] = (struct rule_record){b.bytes + b.length, b.slices[i].length};
			b.length += b.slices[i].length;
			b.bytes[b.length++] = '\n';
		}
		memcpy(b.before, b.bytes, b.length);
		check(&f, r, &b, n % 2 ? LAYOUT_EACH : LAYOUT_LINES);
	}
	reference_free(r);
	end(&f);
}

static void records_too_long_or_too_many_for_one_block_are_decided_too(void **state)
{
	static uint8_t bytes[400 * 12], long_bytes[8][8000];
	static struct slice slices[400];
	static struct rule_verdict out[400];
	struct rule_record each[16];
	struct fixture f;
	uint32_t at = 0;

	(void)state;
	start(&f);
	add(&f, "^drop", VERDICT_DROP);
	add(&f, "[^a]end$", VERDICT_TAG);
	compile(&f);
	for (uint32_t i = 0; i < 400; i++) {
		uint32_t n = (uint32_t)sprintf((char *)bytes + at, i % 7 ? "k%u\n" : "drop%u\n", i);

		slices[i] = (struct slice){at, n - 1};
		at += n;
	}
	ruleset_scan(f.set, f.scratch, bytes, at, slices, 400, out);
	for (uint32_t i = 0; i < 400; i++)
		assert_int_equal(out[i].action, i % 7 ? RULE_KEEP : RULE_DROP);
	for (uint32_t i = 0; i < 16; i++) { /* short, long, and so many bytes that they take several blocks */
		each[i] = (struct rule_record){long_bytes[i / 2], i % 2 ? 7000 : 1900};
		memset(long_bytes[i / 2], '.', 8000);
		memcpy(long_bytes[i / 2] + 6997, "end", 3);
	}
	ruleset_scan_each(f.set, f.scratch, each, 16, out);
	for (uint32_t i = 0; i < 16; i++)
		assert_true(out[i].action == RULE_KEEP && out[i].tags == i % 2);
	ruleset_scan_each(f.set, f.scratch, each, 0, out);
	end(&f);
}

static void a_thousand_rules_find_each_its_own(void **state)
{
	static char texts[1000][32];
	static struct rule_record each[1000];
	static struct rule_verdict out[1000];
	struct fixture f;

	(void)state;
	start(&f);
	for (uint32_t i = 0; i < 1000; i++) {
		char pattern[64];

		snprintf(pattern, sizeof pattern, i % 3 ? "unit %u failed" : "job %u (took|lasted) \\d+", i);
		add(&f, pattern, VERDICT_DROP);
		each[i] = (struct rule_record){
			(uint8_t *)texts[i],
			(uint32_t)sprintf(texts[i], i % 3 ? "unit %u failed" : "job %u took 7", i)};
	}
	compile(&f);
	ruleset_scan_each(f.set, f.scratch, each, 1000, out);
	for (uint32_t i = 0; i < 1000; i++)
		assert_true(out[i].action == RULE_DROP && out[i].rule == i);
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
		cmocka_unit_test(every_pattern_decides_in_a_block_as_it_does_alone),
		cmocka_unit_test(any_set_of_rules_decides_in_a_block_as_it_does_alone),
		cmocka_unit_test(a_flood_of_matches_changes_nothing),
		cmocka_unit_test(records_too_long_or_too_many_for_one_block_are_decided_too),
		cmocka_unit_test(a_thousand_rules_find_each_its_own),
		cmocka_unit_test(one_scratch_fits_the_sets_of_several_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
