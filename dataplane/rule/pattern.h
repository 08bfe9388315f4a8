// What can be said of a pattern by looking at its text: how it may be scanned together with other records.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum pattern_proof { /* what a match in a block of records, parted by '\n', says of the record that it ends in */
		     PATTERN_MAYBE,   /* it may be one that no record alone has: the record must be scanned again */
		     PATTERN_IN_LINE, /* the record matches if no '\n' is in it */
		     PATTERN_CERTAIN, /* the record matches */
};

#define PATTERN_LITERAL_MIN 4u /* shorter ones are in too many records */
#define PATTERN_LITERAL_MAX 24u

struct pattern_traits {
	bool together;            /* a scan of the block finds every record that matches, and perhaps more */
	bool ends;                /* it may hold '$': what follows a record must be '\n' or the block's end */
	enum pattern_proof proof; /* when `together` */
	/* Bytes that every match holds, to be searched in the block in the pattern's place where that costs far less;
	 * 0: none. */
	uint8_t literal_length;
	uint8_t literal[PATTERN_LITERAL_MAX];
};

// Reads the pattern of `rule`. Errs on the slow side: what it does not know is scanned alone or again.
struct pattern_traits pattern_read(const struct config_rule *rule);
