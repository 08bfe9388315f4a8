// The ledger as one balanced table: what came in on the left, what became of it on the right.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ledger_view {
	unsigned columns; /* of the terminal; rows' explanations appear when they fit */
	bool colours;
	bool every_row;   /* those of 0, too */
};

// Prints the answer to "ledger". Nothing is computed here that the answer does not say but the sums below the columns.
void ledger_print(FILE *out, const json_t *answer, const struct ledger_view *view);
