// A set of rules as scan.c and redact.c see it. Private to this folder.
#pragma once

#include <hs/hs.h>
#include <stdlib.h>

#include "dataplane/rule/image.h"
#include "dataplane/rule/pattern.h"
#include "dataplane/rule/rule.h"

#define ROW_NONE UINT32_MAX
#define MARK_NONE UINT8_MAX
#define ROW_LITERAL UINT16_MAX /* in the block: a literal of one or more rules */

struct row {             /* one rule of the set; rows stand in the order of the configuration */
	uint16_t rule;   /* index of config->rules */
	uint8_t verdict; /* enum config_verdict */
	uint8_t mark;    /* its bit among the marked rules, or MARK_NONE: a final rule that is not inverted */
	uint8_t proof;   /* enum pattern_proof of a match in the block */
	bool invert;
	uint32_t every;
	uint64_t before; /* the marks of rows in front of it */
};

/*
 * The set's databases. Each pattern is in exactly one of the first three, with the flags its rule asks for: what they
 * find in a record alone is the truth. `block` holds those of `records` once more, made to find at least as much in a
 * block.
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
	hs_database_t *redact[RULE_MARKS_MAX]; /* by mark: where the match begins, too */
	bool line_ends;                        /* some pattern of the block minds what follows a record */
	uint32_t input;
	struct rule_verdict quiet; /* of a record in which nothing is found */
	bool quiet_varies;         /* unless an inverted sample rule decides it */
	uint64_t bytes;
	struct row rows[];
};

/* What is known of a record while its block is scanned. */
struct finding {
	uint32_t first; /* the first row with a final verdict that matches, of those not inverted; ROW_NONE */
	bool again;     /* what was found is no proof: scan the record alone */
	uint64_t marks; /* marked rules whose pattern was found */
};

#define BURST_RECORDS 256u       /* scanned as one block, at most */
#define GATHER_BYTES (32u << 10) /* copied together, at most */
#define GATHER_RECORD_MAX 2048u  /* longer ones gain nothing by it */

/*
 * When most records have to be scanned again, as when a literal of the block is in every one of them, scanning the
 * block first is a waste. It is left out for a while then.
 */
#define HABIT_RECORDS 1024u /* looked at before it is judged */
#define HABIT_PAUSE 16384u  /* records scanned alone after that */

struct habit {
	uint32_t seen, again; /* records of blocks, and those scanned once more */
	uint32_t pause;       /* records to come without a block */
};

struct rule_scratch {
	hs_scratch_t *hyperscan;
	uint32_t *samples; /* by rule: matches until the next that is kept */
	uint64_t *mask;    /* redact: a bit for each byte of a record; NULL when no set redacts */
	struct slice *ranges;
	struct habit habits[INPUTS_MAX];
	uint64_t touched[BURST_RECORDS / 64]; /* a bit for each record whose finding says anything */
	struct finding findings[BURST_RECORDS];
	struct slice places[BURST_RECORDS]; /* of the records that are copied together */
	uint8_t gathered[GATHER_BYTES];
};

#define REDACT_RANGES (RECORD_PAYLOAD_MAX / 2 + 1) /* more of them cannot lie apart in a record */

// The verdict of a record in which nothing is found; sets quiet_varies.
struct rule_verdict ruleset_quiet(struct ruleset *set);

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
