// Rules compiled for one input.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/seam/record.h"
#include "tests/support/rounds.h"
#include "tests/support/rule_patterns.h"
#include "tests/support/rule_reference.h"

struct fixture {
	struct config *config;
	struct ruleset *set;
	struct rule_scratch *scratch;
};

static inline void start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	f->config = calloc(1, sizeof *f->config);
	assert_non_null(f->config);
	f->config->inputs_count = 1;
	f->config->rule_seconds = 30;
	f->config->rule_memory = 512u << 20;
}

static inline struct config_rule *add(struct fixture *f, const char *pattern, enum config_verdict verdict)
{
	struct config_rule *rule = &f->config->rules[f->config->rules_count++];

	snprintf(rule->name, sizeof rule->name, "rule-%u", f->config->rules_count);
	snprintf(rule->pattern, sizeof rule->pattern, "%s", pattern);
	rule->verdict = verdict;
	rule->every = verdict == VERDICT_SAMPLE ? 3 : 0;
	return rule;
}

static inline void compile(struct fixture *f)
{
	assert_int_equal(ruleset_compile(f->config, 0, stderr, &f->set), 0);
	assert_non_null(f->set);
	assert_int_equal(rule_scratch_new((const struct ruleset *const[]){NULL, f->set}, 2, &f->scratch), 0);
}

static inline void end(struct fixture *f)
{
	rule_scratch_free(f->scratch);
	ruleset_free(f->set);
	free(f->config);
	memset(f, 0, sizeof *f);
}
