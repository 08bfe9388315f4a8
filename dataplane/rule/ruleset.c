// A set of rules from the configuration: which pattern goes into which database, compiled or taken from the cache.
#include "dataplane/rule/ruleset.h"

#include <errno.h>
#include <string.h>

#include "dataplane/rule/cache.h"
#include "dataplane/rule/compiler.h"

#define LITERAL_TEXT (4 * PATTERN_LITERAL_MAX + 1) /* "\\x41" for each byte */

struct plan { /* groups of patterns on their way to databases */
	struct image_group groups[IMAGE_GROUPS_MAX];
	uint16_t *rows[IMAGE_GROUPS_MAX]; /* of each group: row by id */
	uint16_t redact_rows[RULE_MARKS_MAX];
	char (*literals)[LITERAL_TEXT]; /* patterns of the block that are literals of others */
	hs_database_t **into[IMAGE_GROUPS_MAX];
	uint32_t count;
	bool failed; /* no memory */
};

static uint32_t flags_of(const struct config_rule *rule)
{
	return (rule->caseless ? HS_FLAG_CASELESS : 0) | (rule->dotall ? HS_FLAG_DOTALL : 0) |
	       (rule->multiline ? HS_FLAG_MULTILINE : 0) | (rule->utf8 ? HS_FLAG_UTF8 : 0);
}

static enum database home_of(const struct config_rule *rule)
{
	if (rule->utf8)
		return DATABASE_UTF8;
	return pattern_read(rule).together ? DATABASE_RECORDS : DATABASE_ALONE;
}

static void fill_rows(struct ruleset *set, const struct config *config, uint32_t input)
{
	uint32_t marks = 0;
	uint64_t before = 0;

	for (uint32_t i = 0; i < config->rules_count; i++) {
		const struct config_rule *rule = &config->rules[i];
		struct pattern_traits traits = pattern_read(rule);
		struct row *row = &set->rows[set->rows_count];
		bool passes = rule->verdict == VERDICT_TAG || rule->verdict == VERDICT_REDACT;

		if (rule->input_index != input)
			continue;
		*row = (struct row){.rule = (uint16_t)i,
				    .verdict = (uint8_t)rule->verdict,
				    .mark = MARK_NONE,
				    .proof = (uint8_t)traits.proof,
				    .invert = rule->invert,
				    .every = rule->every,
				    .before = before};
		if (passes || rule->invert) {
			uint64_t bit = 1ull << marks;

			row->mark = (uint8_t)marks;
			set->mark_row[marks++] = (uint16_t)set->rows_count;
			before |= bit;
			set->marks_inverted |= rule->invert ? bit : 0;
			set->marks_tag |= rule->verdict == VERDICT_TAG ? bit : 0;
			set->marks_redact |= rule->verdict == VERDICT_REDACT ? bit : 0;
			set->marks_final |= passes ? 0 : bit;
		}
		set->line_ends |= traits.together && traits.ends && !traits.literal_length;
		set->rows_count++;
	}
}

// A group for `room` patterns, whose rows go to `rows`.
static struct image_group *add_group(struct plan *plan, uint32_t room, uint16_t *rows, hs_database_t **into)
{
	struct image_group *group = &plan->groups[plan->count];

	group->patterns = calloc(room, sizeof *group->patterns);
	plan->failed |= !group->patterns || !rows;
	plan->rows[plan->count] = rows;
	plan->into[plan->count] = into;
	plan->count++;
	return group;
}

static void add_pattern(struct plan *plan, struct image_group *group, const struct config_rule *rule, uint32_t flags,
			uint32_t row)
{
	plan->rows[group - plan->groups][group->count] = (uint16_t)row;
	group->patterns[group->count++] = (struct image_pattern){rule->pattern, flags_of(rule) | flags};
}

static bool has_pattern(const struct image_group *group, const char *text, uint32_t flags)
{
	for (uint32_t i = 0; i < group->count; i++)
		if (group->patterns[i].flags == flags && strcmp(group->patterns[i].text, text) == 0)
			return true;
	return false;
}

// Has the block look for the rule's literal, once for all rules that have the same.
static void add_literal(struct plan *plan, struct image_group *group, const struct config_rule *rule,
			const struct pattern_traits *traits)
{
	uint32_t flags = rule->caseless ? HS_FLAG_CASELESS : 0;
	char *text = plan->literals[group->count];

	for (uint32_t i = 0; i < traits->literal_length; i++)
		sprintf(text + 4 * (size_t)i, "\\x%02x", traits->literal[i]);
	if (has_pattern(group, text, flags))
		return;
	plan->rows[group - plan->groups][group->count] = ROW_LITERAL;
	group->patterns[group->count++] = (struct image_pattern){text, flags};
}

// One of the four databases that hold many patterns.
static void plan_part(struct plan *plan, struct ruleset *set, const struct config *config, enum database which)
{
	enum database home = which == DATABASE_BLOCK ? DATABASE_RECORDS : which;
	/* One match is enough in a record alone; in a block there are many records. */
	uint32_t flags = which == DATABASE_BLOCK ? HS_FLAG_MULTILINE : HS_FLAG_SINGLEMATCH;
	struct part *part = &set->parts[which];
	struct image_group *group;

	part->rows = calloc(set->rows_count, sizeof *part->rows);
	group = add_group(plan, set->rows_count, part->rows, &part->database);
	for (uint32_t r = 0; r < set->rows_count && !plan->failed; r++) {
		const struct config_rule *rule = &config->rules[set->rows[r].rule];

		struct pattern_traits traits = pattern_read(rule);

		if (home_of(rule) != home)
			continue;
		if (which == DATABASE_BLOCK && traits.literal_length)
			add_literal(plan, group, rule, &traits);
		else
			add_pattern(plan, group, rule, flags, r);
	}
	if (group->count == 0) { /* Hyperscan makes no database of nothing */
		free(group->patterns);
		group->patterns = NULL;
		plan->count--;
	}
}

static void plan_all(struct plan *plan, struct ruleset *set, const struct config *config)
{
	plan->literals = calloc(set->rows_count, sizeof *plan->literals);
	plan->failed |= !plan->literals;
	for (uint32_t which = 0; which < DATABASE_REDACT; which++)
		plan_part(plan, set, config, (enum database)which);
	for (uint32_t r = 0; r < set->rows_count && !plan->failed; r++) {
		const struct config_rule *rule = &config->rules[set->rows[r].rule];
		struct image_group *group;

		if (rule->verdict != VERDICT_REDACT)
			continue;
		group = add_group(plan, 1, &plan->redact_rows[set->rows[r].mark], &set->redact[set->rows[r].mark]);
		if (!plan->failed)
			add_pattern(plan, group, rule, HS_FLAG_SOM_LEFTMOST, r);
	}
}

static void plan_free(struct plan *plan)
{
	for (uint32_t g = 0; g < plan->count; g++)
		free(plan->groups[g].patterns);
	free(plan->literals);
}

static uint32_t characters(const char *text, uint32_t bytes)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < bytes && text[i]; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static void tell_fault(const struct config *config, uint32_t input, const struct ruleset *set, const struct plan *plan,
		       const struct compile_fault *fault, FILE *errors)
{
	const struct config_input *in = &config->inputs[input];
	const struct config_rule *rule;
	uint32_t column;

	if (fault->pattern == COMPILE_NO_PATTERN || fault->group >= plan->count ||
	    fault->pattern >= plan->groups[fault->group].count ||
	    plan->rows[fault->group][fault->pattern] == ROW_LITERAL) {
		config_complain(config, errors, "error", in->file, in->line, in->column, "rules of input '%s': %s",
				in->name, fault->text);
		return;
	}
	rule = &config->rules[set->rows[plan->rows[fault->group][fault->pattern]].rule];
	column = rule->pattern_column;
	if (fault->byte != COMPILE_NO_PATTERN && rule->pattern_as_written)
		column += characters(rule->pattern, fault->byte);
	if (fault->byte != COMPILE_NO_PATTERN)
		config_complain(config, errors, "error", rule->file, rule->pattern_line, column,
				"rule '%s': the pattern cannot be used: %s (byte %u of it)", rule->name, fault->text,
				fault->byte + 1);
	else
		config_complain(config, errors, "error", rule->file, rule->pattern_line, column,
				"rule '%s': the pattern cannot be used: %s", rule->name, fault->text);
}

static int compile_plan(const struct config *config, uint32_t input, const struct ruleset *set, const struct plan *plan,
			const struct image_key *key, const struct rule_wait *wait, hs_database_t **databases,
			FILE *errors)
{
	const struct compile_budget budget = {config->rule_seconds, config->rule_memory};
	struct compile_report *report = calloc(1, sizeof *report);
	uint8_t *image = NULL;
	size_t length = 0;
	int error = -ENOMEM;

	if (report)
		error = compiler_run(plan->groups, plan->count, &budget, key, wait, &image, &length, report);

	if (error == 0) {
		error = image_open(image, length, key, databases, plan->count);
		if (error == 0 && config->rule_cache[0])
			cache_put(config->rule_cache, key, image, length); /* without it the next start takes longer */
	}
	for (uint32_t i = 0; error == -EINVAL && i < report->faults_count; i++)
		tell_fault(config, input, set, plan, &report->faults[i], errors);
	if (error && error != -EINVAL && error != -ECANCELED)
		config_complain(config, errors, "error", config->inputs[input].file, config->inputs[input].line,
				config->inputs[input].column, "the rules of input '%s' cannot be compiled here: %s",
				config->inputs[input].name, strerror(-error));
	free(image);
	free(report);
	return error;
}

static void take_databases(struct ruleset *set, const struct plan *plan, hs_database_t *const *databases)
{
	for (uint32_t g = 0; g < plan->count; g++) {
		size_t bytes = 0;

		*plan->into[g] = databases[g];
		hs_database_size(databases[g], &bytes);
		set->bytes += bytes;
	}
}

int ruleset_compile(const struct config *config, uint32_t input, FILE *errors, struct ruleset **out)
{
	return ruleset_compile_while(config, input, NULL, errors, out);
}

int ruleset_compile_while(const struct config *config, uint32_t input, const struct rule_wait *wait, FILE *errors,
			  struct ruleset **out)
{
	hs_database_t *databases[IMAGE_GROUPS_MAX] = {NULL};
	struct plan plan = {.count = 0};
	struct ruleset *set;
	struct image_key key;
	uint32_t count = 0;
	int error = 0;

	*out = NULL;
	for (uint32_t i = 0; i < config->rules_count; i++)
		count += config->rules[i].input_index == input;
	if (count == 0)
		return 0;
	set = calloc(1, sizeof *set + count * sizeof set->rows[0]);
	if (!set)
		return -ENOMEM;
	set->input = input;
	fill_rows(set, config, input);
	plan_all(&plan, set, config);
	if (plan.failed)
		error = -ENOMEM;
	if (error == 0) {
		key = image_key(plan.groups, plan.count);
		error = config->rule_cache[0] ? cache_open(config->rule_cache, &key, databases, plan.count) : -ENOENT;
		if (error)
			error = compile_plan(config, input, set, &plan, &key, wait, databases, errors);
	}
	if (error == 0) {
		take_databases(set, &plan, databases);
		set->quiet = ruleset_quiet(set);
		*out = set;
	}
	plan_free(&plan);
	if (error)
		ruleset_free(set);
	return error;
}

void ruleset_free(struct ruleset *set)
{
	if (!set)
		return;
	for (uint32_t i = 0; i < DATABASE_REDACT; i++) {
		hs_free_database(set->parts[i].database);
		free(set->parts[i].rows);
	}
	for (uint32_t i = 0; i < RULE_MARKS_MAX; i++)
		hs_free_database(set->redact[i]);
	free(set);
}

int rules_check(const struct config *config, const struct rule_wait *wait, FILE *errors)
{
	int found = 0;

	for (uint32_t i = 0; i < config->inputs_count; i++) {
		struct ruleset *set;
		int error = ruleset_compile_while(config, i, wait, errors, &set);

		if (error == -ECANCELED)
			return error;
		if (error)
			found = -EINVAL;
		else
			ruleset_free(set);
	}
	return found;
}

uint64_t ruleset_bytes(const struct ruleset *set)
{
	return set->bytes;
}

uint16_t ruleset_tag(const struct ruleset *set, uint32_t bit)
{
	return bit < RULE_MARKS_MAX && (set->marks_tag >> bit & 1) ? set->rows[set->mark_row[bit]].rule : RULE_NONE;
}

bool ruleset_redacts(const struct ruleset *set)
{
	return set->marks_redact != 0;
}
