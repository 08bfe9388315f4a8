// What rules have to say, the plain way: each pattern compiled by itself with its rule's flags, each record scanned
// alone.
#pragma once

#include <hs/hs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "dataplane/rule/rule.h"

struct reference {
	const struct config *config;
	hs_database_t *whether[CONFIG_RULES_MAX], *where[CONFIG_RULES_MAX];
	hs_scratch_t *scratch;
	uint32_t seen[CONFIG_RULES_MAX]; /* sample rules: how often they decided */
};

static inline bool reference_same(const struct rule_verdict *a, const struct rule_verdict *b)
{
	return a->tags == b->tags && a->rule == b->rule && a->action == b->action && a->redacted == b->redacted;
}

static inline void reference_require(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "reference: %s\n", what);
		abort();
	}
}

static inline hs_database_t *reference_compile(const char *pattern, uint32_t flags)
{
	hs_compile_error_t *error = NULL;
	hs_database_t *database = NULL;

	if (hs_compile(pattern, flags, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
		reference_require(false, error->message);
	return database;
}

// All rules are taken to be of one input.
static inline struct reference *reference_new(const struct config *config)
{
	struct reference *r = calloc(1, sizeof *r);

	reference_require(r, "no memory");
	r->config = config;
	for (uint32_t i = 0; i < config->rules_count; i++) {
		const struct config_rule *rule = &config->rules[i];
		uint32_t flags = (rule->caseless ? HS_FLAG_CASELESS : 0) | (rule->dotall ? HS_FLAG_DOTALL : 0) |
				 (rule->multiline ? HS_FLAG_MULTILINE : 0) | (rule->utf8 ? HS_FLAG_UTF8 : 0);

		r->whether[i] = reference_compile(rule->pattern, flags);
		reference_require(hs_alloc_scratch(r->whether[i], &r->scratch) == HS_SUCCESS, "no scratch");
		if (rule->verdict != VERDICT_REDACT)
			continue;
		r->where[i] = reference_compile(rule->pattern, flags | HS_FLAG_SOM_LEFTMOST);
		reference_require(hs_alloc_scratch(r->where[i], &r->scratch) == HS_SUCCESS, "no scratch");
	}
	return r;
}

static inline void reference_free(struct reference *r)
{
	for (uint32_t i = 0; i < r->config->rules_count; i++) {
		hs_free_database(r->whether[i]);
		hs_free_database(r->where[i]);
	}
	hs_free_scratch(r->scratch);
	free(r);
}

static inline bool reference_utf8(const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length;) {
		uint32_t n = bytes[i] < 0x80 ? 1 : bytes[i] < 0xe0 ? 2 : bytes[i] < 0xf0 ? 3 : 4, point = bytes[i];

		if (n > 1)
			point &= 0xffu >> (n + 1);
		if ((bytes[i] >= 0x80 && bytes[i] < 0xc0) || bytes[i] > 0xf7 || n > length - i)
			return false;
		for (uint32_t k = 1; k < n; k++) {
			if (bytes[i + k] >> 6 != 2)
				return false;
			point = point << 6 | (bytes[i + k] & 63);
		}
		if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff) ||
		    point < (uint32_t[]){0, 0, 0x80, 0x800, 0x10000}[n])
			return false;
		i += n;
	}
	return true;
}

static int reference_count(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
			   void *arg)
{
	(void)id, (void)from, (void)to, (void)flags;
	++*(uint32_t *)arg;
	return 0;
}

static inline bool reference_matches(struct reference *r, uint32_t rule, const uint8_t *bytes, uint32_t length)
{
	uint32_t matches = 0;

	if (length && (!r->config->rules[rule].utf8 || reference_utf8(bytes, length)))
		reference_require(hs_scan(r->whether[rule], (const char *)bytes, length, 0, r->scratch, reference_count,
					  &matches) == HS_SUCCESS,
				  "scan");
	return (matches > 0) != r->config->rules[rule].invert;
}

static int reference_star(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
			  void *arg)
{
	(void)id, (void)flags;
	memset((uint8_t *)arg + from, '*', to - from);
	return 0;
}

// The verdict of one record. Redactions are written to `redacted`, a copy of it. Tags are told apart as rules do: by
// their order among the rules that tag, redact or are inverted.
static inline struct rule_verdict reference_decide(struct reference *r, const uint8_t *bytes, uint32_t length,
						   uint8_t *redacted)
{
	static const uint8_t actions[] = {RULE_KEEP, RULE_DROP, RULE_ROUTE, 0, RULE_KEEP, 0, RULE_DEAD_LETTER};
	struct rule_verdict v = {0, RULE_NONE, RULE_KEEP, 0};
	uint32_t mark = 0;

	for (uint32_t i = 0; i < r->config->rules_count; i++) {
		const struct config_rule *rule = &r->config->rules[i];
		bool passes = rule->verdict == VERDICT_TAG || rule->verdict == VERDICT_REDACT;
		uint32_t own = mark;

		mark += passes || rule->invert;
		if (!reference_matches(r, i, bytes, length))
			continue;
		if (rule->verdict == VERDICT_TAG) {
			v.tags |= 1ull << own;
		} else if (rule->verdict == VERDICT_REDACT) {
			v.redacted = 1;
			reference_require(hs_scan(r->where[i], (const char *)bytes, length, 0, r->scratch,
						  reference_star, redacted) == HS_SUCCESS,
					  "scan");
		} else {
			v.rule = (uint16_t)i;
			v.action = actions[rule->verdict];
			if (rule->verdict == VERDICT_SAMPLE && r->seen[i]++ % rule->every != 0)
				v.action = RULE_SAMPLED_OUT;
			break;
		}
	}
	return v;
}
