// A capture group of a rule's pattern, found by PCRE2: what `key: {from: capture}` hashes.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "dataplane/record/split.h"

struct rule_capture; /* a pattern compiled by PCRE2, and the group. Immutable; any number of workers may use it */
struct rule_capture_scratch; /* one worker's memory for it */

// Compiles the pattern of config->rules[rule] with PCRE2 for its group `group`: a number ("1"), or a name
// ("host" of (?<host>...)). 0; -EINVAL with why in `reason` (no such group, PCRE2 does not take the pattern); -ENOMEM.
int rule_capture_compile(const struct config *config, uint32_t rule, const char *group, char *reason, size_t room,
			 struct rule_capture **out);
void rule_capture_free(struct rule_capture *capture);

// One for each worker; it fits every capture. NULL: no memory.
struct rule_capture_scratch *rule_capture_scratch_new(void);
void rule_capture_scratch_free(struct rule_capture_scratch *scratch);

/*
 * Limits. PCRE2 counts the steps of backtracking anew from each byte that a match may begin at, and does not count the
 * bytes that `.*` runs over: with `user=(\w+).*session=` a record of nothing but `user=a ` takes time squared. So only
 * the first RULE_CAPTURE_BYTES of a record are looked at.
 */
#define RULE_CAPTURE_BYTES 2048u
#define RULE_CAPTURE_STEPS 20000u      /* of backtracking, from one place of the record */
#define RULE_CAPTURE_HEAP (128u << 10) /* bytes */

// The group in the leftmost match of the pattern in the record's first RULE_CAPTURE_BYTES, whether or not its rule
// decided anything. False when the pattern does not match there, the group took no part in the match, is empty or ends
// where the record's rest is cut off (it may go on), or the search ended at its limits. No allocation but from the
// scratch, no system call. Offsets count from `bytes`.
bool rule_capture_find(const struct rule_capture *capture, struct rule_capture_scratch *scratch, const uint8_t *bytes,
		       uint32_t length, struct slice *out);
