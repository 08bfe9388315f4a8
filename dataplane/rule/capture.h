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

// The group in the leftmost match of the pattern in the record, whether or not its rule decided anything. False when
// the pattern does not match, the group took no part in the match or is empty, or the search ended at its limits
// (RULE_CAPTURE_STEPS, RULE_CAPTURE_HEAP). No allocation but from the scratch, no system call. Offsets count from
// `bytes`.
bool rule_capture_find(const struct rule_capture *capture, struct rule_capture_scratch *scratch, const uint8_t *bytes,
		       uint32_t length, struct slice *out);

#define RULE_CAPTURE_STEPS 20000u      /* of backtracking in one record */
#define RULE_CAPTURE_HEAP (128u << 10) /* bytes */
