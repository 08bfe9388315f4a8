// Rules: named patterns that decide what becomes of an input's records, matched by Hyperscan once for a burst of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "dataplane/record/split.h"

/*
 * An input's rules are tried in the order of the configuration. A rule matches a record when its pattern matches
 * anywhere in it (with `invert`, nowhere in it). The first that matches and has a final verdict (keep, drop, route,
 * sample, dead_letter) decides, and those behind it do not count. tag and redact are not final: they apply when they
 * stand in front of the rule that decides. A record that nothing decides is kept. Every rule sees the record as it
 * came: what is redacted is overwritten when all is known.
 *
 *             compile (main thread, a child process, a cache on disk)
 *   config ----> struct ruleset, immutable ----> rule_scratch_new() ----> adopted by a worker between two bursts
 *
 * A verdict is always what one hs_scan() of the record alone would have said. See README.md for how that is kept while
 * the burst is scanned as one block.
 */

#define RULE_NONE UINT16_MAX
#define RULE_MARKS_MAX 64u /* of one input's rules, those that tag, redact or are inverted */

enum rule_action {
	RULE_KEEP,
	RULE_DROP,
	RULE_ROUTE,       /* to the stream config->rules[rule].stream */
	RULE_SAMPLED_OUT, /* a sample rule decided, and this record is none of its 1 in N: dropped */
	RULE_DEAD_LETTER,
};

struct rule_verdict {     /* of one record */
	uint64_t tags;    /* bit b: the tag of ruleset_tag(set, b) */
	uint16_t rule;    /* the rule that decided, as index of config->rules; RULE_NONE: none did, and the action is
			     RULE_KEEP */
	uint8_t action;   /* enum rule_action */
	uint8_t redacted; /* 1: some of its bytes have been overwritten with '*' */
};

struct rule_record { /* one record wherever it lies; `bytes` are written only by redact rules */
	uint8_t *bytes;
	uint32_t length; /* at most RECORD_PAYLOAD_MAX; 0 is a record, too: no pattern matches it, inverted rules do */
};

struct rule_wait { /* whoever compiles may have to go on with something else meanwhile */
	bool (*turn)(void *arg); /* called each 16 ms or more often; false: give up, -ECANCELED */
	void *arg;
};

struct ruleset;      /* one input's rules, compiled. Immutable; any number of workers may use it at once */
struct rule_scratch; /* one worker's memory for scanning, and the counters of its sample rules */

// Compiles the rules of config->inputs[input], or takes them from the cache at config->rule_cache. Takes up to
// config->rule_seconds: not for a worker. What a pattern's fault is goes to `errors` with its place, as config_load()
// reports. 0 with *out; 0 with *out NULL when the input has no rules: then nothing else here needs to be called for it.
// -EINVAL after such a report; -errno when this machine cannot (said, too). *out does not point into `config`, but its
// numbers of rules are indices there.
int ruleset_compile(const struct config *config, uint32_t input, FILE *errors, struct ruleset **out);
// The same with turns of `wait` (NULL: none) as long as it takes.
int ruleset_compile_while(const struct config *config, uint32_t input, const struct rule_wait *wait, FILE *errors,
			  struct ruleset **out);
void ruleset_free(struct ruleset *set);

// Compiles every input's rules as ruleset_compile() does and throws them away: for `penstock check`, and for penstockd
// before it works by a configuration. 0, -EINVAL, or -ECANCELED by `wait`, which may be NULL.
int rules_check(const struct config *config, const struct rule_wait *wait, FILE *errors);

// The bytes that the set's databases take.
uint64_t ruleset_bytes(const struct ruleset *set);

// The tag behind bit `bit` of rule_verdict.tags is the name of config->rules[ruleset_tag(set, bit)].
// RULE_NONE: that bit is never set.
uint16_t ruleset_tag(const struct ruleset *set, uint32_t bit);

// Whether one of the rules overwrites what it matches.
bool ruleset_redacts(const struct ruleset *set);

// Scratch that fits every one of the `count` sets (NULL among them: skipped). Allocates: the main thread makes it when
// the sets are new, hands it to the worker together with them, and frees the old one once the worker has acknowledged.
// Sample counters start anew in it. 0, or -ENOMEM.
int rule_scratch_new(const struct ruleset *const *sets, uint32_t count, struct rule_scratch **out);
void rule_scratch_free(struct rule_scratch *scratch);

// Gives `count` records their verdicts. records[] are slices of bytes[0..length), in ascending order, none overlapping
// another, with anything between them; `bytes` outside the slices is never written. out[i] belongs to records[i].
// Scanned where they lie when lines or ends of the block part them ("\n" or "\r\n"), else copied together first.
// No allocation, no system call; does not fail.
void ruleset_scan(const struct ruleset *set, struct rule_scratch *scratch, uint8_t *bytes, uint32_t length,
		  const struct slice *records, uint32_t count, struct rule_verdict *out);

// The same for records that do not lie in one block, such as the datagrams of a burst.
void ruleset_scan_each(const struct ruleset *set, struct rule_scratch *scratch, const struct rule_record *records,
		       uint32_t count, struct rule_verdict *out);

// What ruleset_scan() has to agree with: every record scanned alone. Slow; for tests and measurements.
void ruleset_scan_alone(const struct ruleset *set, struct rule_scratch *scratch, const struct rule_record *records,
			uint32_t count, struct rule_verdict *out);
