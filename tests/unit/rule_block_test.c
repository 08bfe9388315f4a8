// Rules: a burst scanned as one block decides what records scanned alone do.
#include "tests/unit/rule_fixture.h"

#define RECORDS 48u
#define BLOCK (160u << 10)

static void add_pattern(struct fixture *f, const struct rule_pattern *p, enum config_verdict verdict)
{
	struct config_rule *rule = add(f, p->text, verdict);

	rule->caseless = p->caseless;
	rule->dotall = p->dotall;
	rule->multiline = p->multiline;
	rule->utf8 = p->utf8;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pattern_decides_in_a_block_as_it_does_alone),
		cmocka_unit_test(any_set_of_rules_decides_in_a_block_as_it_does_alone),
		cmocka_unit_test(a_flood_of_matches_changes_nothing),
		cmocka_unit_test(records_too_long_or_too_many_for_one_block_are_decided_too),
		cmocka_unit_test(a_thousand_rules_find_each_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
