// The rules of a configuration, compiled once for all plans that are made of it.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/refiner.h"

struct refine_set {
	uint32_t users; /* whoever has it: the one who compiled it, and plans */
	uint32_t inputs_count, rules_count;
	struct ruleset *rules[INPUTS_MAX]; /* by the input's place in the configuration */
	struct rule_capture *captures[INPUTS_MAX];
	uint32_t rule_ids[]; /* by the rule's place */
};

static int compile_capture(const struct config *config, const struct config_input *input, FILE *errors,
			   struct rule_capture **out)
{
	char reason[256] = "there is no such rule";
	int error = -EINVAL;

	for (uint32_t i = 0; i < config->rules_count; i++)
		if (strcmp(config->rules[i].name, input->key_rule) == 0)
			error = rule_capture_compile(config, i, input->key_group, reason, sizeof reason, out);
	if (error)
		config_complain(config, errors, "error", input->file, input->line, input->column,
				"the key of input '%s': %s", input->name, error == -EINVAL ? reason : strerror(-error));
	return error;
}

static int compile(struct refine_set *set, const struct config *config, const struct rule_wait *wait, FILE *errors)
{
	for (uint32_t i = 0; i < config->rules_count; i++)
		set->rule_ids[i] = input_id(config->rules[i].name);
	for (uint32_t i = 0; i < config->inputs_count; i++) {
		int error = ruleset_compile_while(config, i, wait, errors, &set->rules[i]);

		if (!error && config->inputs[i].key == KEY_CAPTURE)
			error = compile_capture(config, &config->inputs[i], errors, &set->captures[i]);
		if (error)
			return error;
	}
	return 0;
}

int refine_set_compile(const struct config *config, const struct rule_wait *wait, FILE *errors, struct refine_set **out)
{
	struct refine_set *set;
	int error;

	*out = NULL;
	if (config->rules_count == 0)
		return 0;
	set = calloc(1, sizeof *set + config->rules_count * sizeof set->rule_ids[0]);
	if (!set)
		return -ENOMEM;
	set->users = 1;
	set->inputs_count = config->inputs_count;
	set->rules_count = config->rules_count;
	error = compile(set, config, wait, errors);
	if (error)
		refine_set_release(set);
	else
		*out = set;
	return error;
}

void refine_set_release(struct refine_set *set)
{
	if (!set || --set->users > 0)
		return;
	for (uint32_t i = 0; i < set->inputs_count; i++) {
		ruleset_free(set->rules[i]);
		rule_capture_free(set->captures[i]);
	}
	free(set);
}

static void bind_routes(struct refine_set *set, struct plan *plan, const struct config *config,
			const struct shard_map *map)
{
	for (uint32_t i = 0; i < set->rules_count; i++) {
		const struct config_rule *rule = &config->rules[i];

		plan->routes[i] = (struct refine_target){NULL, PLAN_NO_SLOT};
		if (rule->verdict != VERDICT_ROUTE || !plan->inputs[rule->input_index].refine)
			continue;
		plan_feed(plan, config->inputs[rule->input_index].port_index, map, rule->stream);
		plan->routes[i] = refine_target_find(plan, map, rule->stream);
	}
}

int refine_set_attach(struct refine_set *set, struct plan *plan, const struct config *config,
		      const struct shard_map *map, uint32_t workers)
{
	int error = 0;

	if (!set)
		return 0;
	set->users++;
	plan->set = set;
	plan->routes = calloc(set->rules_count, sizeof *plan->routes);
	if (!plan->routes)
		return -ENOMEM;
	bind_routes(set, plan, config, map);
	for (uint32_t i = 0; plan->refines && i < set->inputs_count; i++) {
		plan->refines[i].rules = set->rules[i];
		plan->refines[i].capture = set->captures[i];
		plan->refines[i].routes = plan->routes;
		plan->refines[i].rule_ids = set->rule_ids;
	}
	for (uint32_t i = 0; i < workers && !error; i++)
		error = rule_scratch_new((const struct ruleset *const *)set->rules, set->inputs_count,
					 &plan->scratch[i]);
	return error;
}

void refine_set_detach(struct plan *plan)
{
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		rule_scratch_free(plan->scratch[i]);
	free(plan->routes);
	refine_set_release(plan->set);
}
