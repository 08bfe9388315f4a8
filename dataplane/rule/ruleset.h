// A set of rules as scan.c and redact.c see it. Private to this folder.
#pragma once

#include <hs/hs.h>
#include <stdlib.h>

#include "dataplane/rule/image.h"
#include "dataplane/rule/pattern.h"
#include "dataplane/rule/rule.h"

#define ROW_NONE UINT32_MAX
#define MARK_NONE UINT8_MAX

struct row { /* one rule of the set; rows stand in the order of the configuration */
	uint16_t rule;    /* index of config->rules */
	uint8_t verdict;  /* enum config_verdict */
	uint8_t mark;     /* its bit among the marked rules, or MARK_NONE: a final rule that is not inverted */
	uint8_t proof;    /* enum pattern_proof of a match in the block */
	bool invert;
	uint32_t every;
	uint64_t before;  /* the marks of rows in front of it */
};

/*
 * The set's databases. Each pattern is in exactly one of the first three, with the flags its rule asks for: what they find
 * in a record alone is the truth. `block` holds those of `records` once more, made to find at least as much in a block.
 */
enum database { DATABASE_RECORDS, DATABASE_ALONE, DATABASE_UTF8, DATABASE_BLOCK, DATABASE_REDACT };

struct part {                    /* a database and what its match ids mean */
	hs_database_t *database; /* NULL: no pattern of this kind */
	uint16_t *rows;          /* by id */
};

struct ruleset {
	uint32_t rows_count;
	struct part parts[DATABASE_REDACT];
	uint64_t marks_inverted, marks_tag, marks_redact; /* bits by mark */
	uint64_t marks_final;                             /* inverted rules with a final verdict */
	uint16_t mark_row[RULE_MARKS_MAX];
	hs_database_t *redact[RULE_MARKS_MAX];            /* by mark: where the match begins, too */
	bool line_ends; /* some pattern of the block minds what follows a record */
	uint64_t bytes;
	struct row rows[];
};

/* What is known of a record while its block is scanned. */
struct finding {
	uint32_t first; /* the first row with a final verdict that matches, of those not inverted; ROW_NONE */
	bool again;     /* what was found is no proof: scan the record alone */
	uint64_t marks; /* marked rules whose pattern was found */
};

#define BURST_RECORDS 256u        /* scanned as one block, at most */
#define GATHER_BYTES (32u << 10)  /* copied together, at most */
#define GATHER_RECORD_MAX 2048u   /* longer ones gain nothing by it */

struct rule_scratch {
	hs_scratch_t *hyperscan;
	uint32_t *samples; /* by rule: matches until the next that is kept */
	uint64_t *mask;    /* redact: a bit for each byte of a record; NULL when no set redacts */
	struct slice *ranges;
	struct finding findings[BURST_RECORDS];
	uint32_t starts[BURST_RECORDS + 1]; /* of the records in the block that is scanned */
	uint32_t ends[BURST_RECORDS];
	uint8_t gathered[GATHER_BYTES];
};

#define REDACT_RANGES (RECORD_PAYLOAD_MAX / 2 + 1) /* more of them cannot lie apart in a record */

// Overwrites what the redact rules with these marks match in the record with '*'.
void redact_record(const struct ruleset *set, struct rule_scratch *scratch, uint64_t marks, uint8_t *bytes,
		   uint32_t length);

// Scans, which cannot fail: the arguments are ours, and the scratch fits.
static inline hs_error_t scan_bytes(const hs_database_t *database, const uint8_t *bytes, uint32_t length,
				    struct rule_scratch *scratch, match_event_handler found, void *context)
{
	hs_error_t error = hs_scan(database, (const char *)bytes, length, 0, scratch->hyperscan, found, context);

	if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
		abort();
	return error;
}
