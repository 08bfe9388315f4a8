#include <errno.h>
#include <string.h>

#include "config/check.h"
#include "config/knobs.h"
#include "dataplane/rule/capture.h"

#define MARKS_MAX 64u /* RULE_MARKS_MAX of dataplane/rule/rule.h, which says what for */

// Finds the rule's input; input_index is UINT32_MAX when it is not there or nobody can tell.
static void find_input(struct loading *l, uint32_t i)
{
	struct config *c = l->config;
	struct config_rule *rule = &c->rules[i];

	rule->input_index = UINT32_MAX;
	if (origin_bad(c, "rules[].input", i))
		return;
	for (uint32_t n = 0; n < c->inputs_count; n++) {
		if (origin_bad(c, "inputs[].name", n))
			return; /* it may be this one */
		if (strcmp(c->inputs[n].name, rule->input) == 0) {
			rule->input_index = n;
			return;
		}
	}
	if (!l->incomplete)
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].input", i, "there is no input '%s'",
			      rule->input);
}

static void check_stream(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_rule *rule = &c->rules[i];

	if (origin_bad(c, "rules[].stream", i) || l->incomplete)
		return;
	for (uint32_t s = 0; s < c->streams_count; s++)
		if (origin_bad(c, "streams[].name", s) || strcmp(c->streams[s].name, rule->stream) == 0)
			return;
	origin_report(c, &l->reports, SEVERITY_WARNING, "rules[].stream", i,
		      "stream '%s' is not declared: its records are dropped until it is made", rule->stream);
}

static void check_verdict(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_rule *rule = &c->rules[i];
	bool stream = origin_given(c, "rules[].stream", i), every = origin_given(c, "rules[].every", i);

	if (origin_bad(c, "rules[].verdict", i))
		return;
	if (rule->verdict == VERDICT_ROUTE && !stream && !origin_bad(c, "rules[].stream", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].verdict", i,
			      "route needs its stream: {stream: NAME}");
	if (rule->verdict == VERDICT_ROUTE && stream)
		check_stream(l, i);
	if (rule->verdict != VERDICT_ROUTE && stream)
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].stream", i, "only for verdict: route");
	if (rule->verdict == VERDICT_SAMPLE && rule->every == 0 && !origin_bad(c, "rules[].every", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].verdict", i,
			      "sample needs how many records one is kept of: {every: 100}");
	if (rule->verdict != VERDICT_SAMPLE && every)
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].every", i, "only for verdict: sample");
	if (rule->verdict == VERDICT_DEAD_LETTER && rule->input_index != UINT32_MAX &&
	    !c->inputs[rule->input_index].dead_letter[0] && !origin_bad(c, "inputs[].dead_letter", rule->input_index))
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].verdict", i,
			      "input '%s' names no stream for dead letters: dead_letter: NAME", rule->input);
	if (rule->verdict == VERDICT_REDACT && rule->invert && !origin_bad(c, "rules[].invert", i))
		origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].invert", i,
			      "redact overwrites what the pattern matches: inverted, there is nothing to overwrite");
	if (rule->verdict == VERDICT_REDACT && rule->input_index != UINT32_MAX && c->inputs[rule->input_index].codec == CODEC_GELF &&
	    c->inputs[rule->input_index].invalid == INVALID_KEEP)
		origin_report(c, &l->reports, SEVERITY_WARNING, "rules[].verdict", i,
			      "redact cannot look into packed messages that cannot be unpacked, nor into refused chunks: of input '%s' "
			      "they are dropped, and counted; invalid: dead_letter stores them as they came in a stream of their own",
			      rule->input);
}

static void check_characters(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_rule *rule = &c->rules[i];

	if (rule->utf8 || origin_bad(c, "rules[].pattern", i) || origin_bad(c, "rules[].utf8", i))
		return;
	for (const char *at = rule->pattern; *at; at++) {
		if ((unsigned char)*at < 128)
			continue;
		origin_report(
			c, &l->reports, SEVERITY_WARNING, "rules[].pattern", i,
			"characters beyond ASCII are several bytes each, and classes and quantifiers take the bytes "
			"apart: utf8: true takes them as characters");
		return;
	}
}

// What all rules of one input share.
static void check_budget(struct loading *l, uint32_t input)
{
	const struct config *c = l->config;
	uint32_t marks = 0;
	size_t bytes = 0;

	for (uint32_t i = 0; i < c->rules_count; i++) {
		const struct config_rule *rule = &c->rules[i];
		size_t before = bytes;

		if (rule->input_index != input)
			continue;
		bytes += strlen(rule->pattern);
		if (bytes > CONFIG_PATTERNS_BYTES_MAX && before <= CONFIG_PATTERNS_BYTES_MAX)
			origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].pattern", i,
				      "with this rule the patterns of input '%s' have %zu bytes, %u are the most",
				      rule->input, bytes, CONFIG_PATTERNS_BYTES_MAX);
		if (rule->invert || rule->verdict == VERDICT_TAG || rule->verdict == VERDICT_REDACT)
			marks++;
		else
			continue;
		if (marks == MARKS_MAX + 1)
			origin_report(c, &l->reports, SEVERITY_ERROR, "rules", i,
				      "of the rules of input '%s' more than %u tag, redact or are inverted",
				      rule->input, MARKS_MAX);
	}
}

// A key that is a group of a rule's pattern.
static void check_capture(struct loading *l, uint32_t input)
{
	const struct config *c = l->config;
	const struct config_input *in = &c->inputs[input];
	struct rule_capture *capture = NULL;
	char reason[256];

	if (in->key != KEY_CAPTURE || !in->key_rule[0] || origin_bad(c, "inputs[].name", input) || l->incomplete)
		return;
	for (uint32_t i = 0; i < c->rules_count; i++) {
		if (origin_bad(c, "rules[].name", i) || origin_bad(c, "rules[].input", i))
			return; /* it may be this one */
		if (strcmp(c->rules[i].name, in->key_rule) != 0 || c->rules[i].input_index != input)
			continue;
		if (!origin_bad(c, "rules[].pattern", i) && !origin_bad(c, "inputs[].key.group", input) &&
		    rule_capture_compile(c, i, in->key_group, reason, sizeof reason, &capture) == -EINVAL)
			origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.group", input, "rule '%s': %s", in->key_rule,
				      reason);
		rule_capture_free(capture);
		return;
	}
	origin_report(c, &l->reports, SEVERITY_ERROR, "inputs[].key.rule", input, "input '%s' has no rule '%s'", in->name,
		      in->key_rule);
}

// Records carry a tag as its name's id.
static void check_tag(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;

	for (uint32_t j = 0; j < i && c->rules[i].verdict == VERDICT_TAG; j++)
		if (c->rules[j].verdict == VERDICT_TAG && strcmp(c->rules[i].name, c->rules[j].name) != 0 &&
		    input_id(c->rules[i].name) == input_id(c->rules[j].name) && !origin_bad(c, "rules[].name", i))
			origin_report(c, &l->reports, SEVERITY_ERROR, "rules[].name", i,
				      "the tags '%s' and '%s' have the same 32-bit id in records: rename one", c->rules[i].name,
				      c->rules[j].name);
}

void check_rules(struct loading *l)
{
	check_names(l, "rules[].name", l->config->rules_count);
	for (uint32_t i = 0; i < l->config->rules_count; i++) {
		find_input(l, i);
		check_verdict(l, i);
		check_characters(l, i);
		check_tag(l, i);
	}
	for (uint32_t i = 0; i < l->config->inputs_count; i++) {
		check_budget(l, i);
		check_capture(l, i);
	}
}
