// Any bytes as records of an input with rules: a burst's verdicts are those of each record alone.
#include "tests/fuzz/rule_burst.h"
#include "tests/support/rule_patterns.h"

#define SETS 8u

static struct {
	struct config *config;
	struct ruleset *set;
	struct rule_scratch *scratch;
	struct reference *reference;
} sets[SETS];

/* Together the sets have every pattern. */
static void make(uint32_t s)
{
	struct config *config = calloc(1, sizeof *config);

	fuzz_require(config);
	config->inputs_count = 1;
	config->rule_seconds = 60;
	config->rule_memory = 1u << 30;
	for (uint32_t i = 0; i < 11; i++) {
		const struct rule_pattern *p = &rule_patterns[(s * 11 + i) % RULE_PATTERNS];
		struct config_rule *rule = &config->rules[config->rules_count++];

		snprintf(rule->pattern, sizeof rule->pattern, "%s", p->text);
		rule->caseless = p->caseless;
		rule->dotall = p->dotall;
		rule->multiline = p->multiline;
		rule->utf8 = p->utf8;
		rule->verdict = (enum config_verdict)((i + s) % 3 == 0 ? VERDICT_TAG : (i * 5 + s) % 7);
		if (rule->utf8 && rule->verdict == VERDICT_REDACT)
			rule->verdict = VERDICT_TAG; /* a sanitizer makes Hyperscan compile it for a minute */
		rule->every = 2 + i % 3;
		rule->invert = rule->verdict != VERDICT_REDACT && (i + s) % 5 == 0;
	}
	fuzz_require(ruleset_compile(config, 0, stderr, &sets[s].set) == 0);
	fuzz_require(rule_scratch_new((const struct ruleset *const[]){sets[s].set}, 1, &sets[s].scratch) == 0);
	sets[s].reference = reference_new(config);
	sets[s].config = config;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	for (uint32_t s = 0; s < SETS; s++)
		make(s);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule_burst burst;
	uint32_t s, layout;

	if (size < 2)
		return -1;
	s = data[0] % SETS;
	layout = data[1] % 5;
	rule_burst_make(&burst, data + 2, size - 2, layout);
	rule_burst_check(&burst, sets[s].set, sets[s].scratch, sets[s].reference, layout);
	return 0;
}
