// Building a section of the table row by row. Private to control/ledger/.
#pragma once

#include "control/ledger/balance.h"

struct builder {
	struct balance_table table;
	bool failed; /* out of memory: everything after it does nothing, the caller looks once at the end */
};

// Starts a section; the pointer holds until the next one is started.
struct balance_section *section_open(struct builder *b, const char *equation, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// Rows of the left side come first. `text` is static.
void section_left(struct builder *b, struct balance_section *s, const char *label, uint64_t value, const char *text);
void section_right(struct builder *b, struct balance_section *s, const char *label, uint64_t value, const char *text);

// Counts one pair that should be equal: what differs is unaccounted, even when another pair errs the other way.
void section_pair(struct balance_section *s, uint64_t left, uint64_t right);

// Counts `amount` (signed, left minus right) as unaccounted.
void section_fault(struct balance_section *s, int64_t amount);

void section_close(struct builder *b, struct balance_section *s);

// The sections of the streams (lanes, gaps, shards) and of the deliveries.
void balance_add_streams(struct builder *b, const struct balance_figures *f);
void balance_add_deliveries(struct builder *b, const struct balance_figures *f);
