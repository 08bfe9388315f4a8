// Which row of the ledger counts for which input, over changing configurations.
#pragma once

#include "config/config.h"
#include "dataplane/seam/region.h"

#define ROW_NONE UINT8_MAX

struct rows {
	uint8_t of[INPUTS_MAX]; /* by the input's index in the configuration; ROW_NONE: it is left out (no port) */
	uint64_t fresh;         /* bitmap of rows that counted for another input: to be zeroed before this one is counted */
	uint32_t count;         /* rows in use, from 0 */
};

// Gives every input a row: the one that `described` (`count` rows, the region's) has for its name, else one that none ever
// had, else one of an input that is no longer there. There are as many rows as inputs may be, so each finds one.
void rows_assign(struct rows *rows, const struct region_input *described, uint32_t count, const struct config *config);

// What the region's description is to say: `rows` (INPUTS_MAX) as they are now, brought up to date. Those in `hidden` get
// no name: they are between two inputs. Those whose input is no longer there are marked as removed.
void rows_describe(struct region_input *described, const struct rows *rows, const struct config *config, uint64_t hidden);
