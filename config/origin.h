// Where every value of a configuration stands, kept for what is found wrong after loading. Private to config/.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/report.h"
#include "config/tree.h"

#define ITEMS_MAX CONFIG_RULES_MAX /* the longest of the lists */

struct place {
	const struct node *node; /* the value, NULL when nobody gave one */
	bool bad;                /* it was given wrongly, or is missing: reported, and no reason for further reports */
};

struct config_origin {
	char *directory;    /* of the main file, absolute: where relative paths start */
	struct tree *trees; /* the main file and conf.d */
	uint32_t trees_count;
	struct place *places; /* knobs_count x ITEMS_MAX; knobs outside lists use item 0 */
};

struct loading { /* a configuration on its way in */
	struct config *config;
	struct config_origin *origin;
	struct reports reports;
	bool incomplete; /* a file could not be parsed: what seems to be missing may stand there */
};

struct place *origin_place(struct config_origin *origin, uint32_t knob, uint32_t item);

// True when the knob at `path` of list item `item` (0 outside lists) was given wrongly or is missing.
bool origin_bad(const struct config *config, const char *path, uint32_t item);

// True when somebody gave it rightly.
bool origin_given(const struct config *config, const char *path, uint32_t item);

// The node to point at for that knob: its value, else the nearest mapping around it, else NULL when there is none at
// all.
const struct node *origin_node(const struct config *config, const char *path, uint32_t item);

// Reports about that knob of that item, or about the main file as a whole when it stands nowhere.
void origin_report(const struct config *config, struct reports *reports, enum severity severity, const char *path,
		   uint32_t item, const char *format, ...) __attribute__((format(printf, 6, 7)));

void origin_free(struct config_origin *origin);
