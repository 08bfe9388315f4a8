// The pages of `penstock top` as lines of text; their colours are single bytes in it, see enum top_mark.
#pragma once

#include <stdio.h>

#include "control/cli/top_rates.h"

enum top_mark { /* stands in the text, takes no column, holds until the next */
	MARK_PLAIN = '\1',
	MARK_BOLD = '\2',
	MARK_DIM = '\3',
	MARK_GOOD = '\4',
	MARK_WARN = '\5',
	MARK_BAD = '\6',
	MARK_TITLE = '\7',
};

enum top_page { PAGE_OVERVIEW, PAGE_PORTS, PAGE_STREAMS, PAGE_DELIVERIES, PAGE_LEDGER, PAGES_END };

#define TOP_HISTORY 256

struct top_history { /* the last values of the overview's curves, a ring */
	double frames[TOP_HISTORY], records[TOP_HISTORY];
	unsigned count; /* ever added */
};

struct top_view {
	const struct state *then, *now;
	const json_t *ledger;         /* for PAGE_LEDGER; may be NULL */
	const struct top_history *history;
	unsigned columns;
	bool utf8;
};

void top_add_history(struct top_history *history, const struct rates *rates);

// The two or three lines above every page.
void top_print_head(FILE *out, const struct top_view *view);
void top_print_page(FILE *out, const struct top_view *view, enum top_page page);

// One line without marks, for where no terminal is.
void top_print_line(FILE *out, const struct top_view *view);

// The same and more as an object; the caller's.
json_t *top_json(const struct state *then, const struct state *now);

const char *top_page_name(enum top_page page);
