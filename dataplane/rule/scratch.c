// One worker's memory for scanning: made by the main thread, used by the worker, freed by the main thread.
#include <errno.h>

#include "dataplane/rule/ruleset.h"

static hs_error_t fit(const struct ruleset *set, hs_scratch_t **scratch)
{
	hs_error_t error = HS_SUCCESS;

	for (uint32_t i = 0; i < DATABASE_REDACT && error == HS_SUCCESS; i++)
		if (set->parts[i].database)
			error = hs_alloc_scratch(set->parts[i].database, scratch);
	for (uint32_t i = 0; i < RULE_MARKS_MAX && error == HS_SUCCESS; i++)
		if (set->redact[i])
			error = hs_alloc_scratch(set->redact[i], scratch);
	return error;
}

int rule_scratch_new(const struct ruleset *const *sets, uint32_t count, struct rule_scratch **out)
{
	struct rule_scratch *scratch = calloc(1, sizeof *scratch);
	bool failed = !scratch, redacts = false;

	*out = NULL;
	for (uint32_t i = 0; i < count && !failed; i++) {
		failed = sets[i] && fit(sets[i], &scratch->hyperscan) != HS_SUCCESS;
		redacts |= sets[i] && sets[i]->marks_redact;
	}
	if (!failed) {
		scratch->samples = calloc(CONFIG_RULES_MAX, sizeof *scratch->samples);
		failed = !scratch->samples;
	}
	if (!failed && redacts) {
		scratch->mask = calloc(RECORD_PAYLOAD_MAX / 64 + 1, sizeof *scratch->mask);
		scratch->ranges = calloc(REDACT_RANGES, sizeof *scratch->ranges);
		failed = !scratch->mask || !scratch->ranges;
	}
	if (failed) {
		rule_scratch_free(scratch);
		return -ENOMEM;
	}
	*out = scratch;
	return 0;
}

void rule_scratch_free(struct rule_scratch *scratch)
{
	if (!scratch)
		return;
	hs_free_scratch(scratch->hyperscan);
	free(scratch->samples);
	free(scratch->mask);
	free(scratch->ranges);
	free(scratch);
}
