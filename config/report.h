// Errors and warnings about places in files, kept until all are known, then printed as compilers print them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/tree.h"

#define REPORTS_MAX 100u /* printed; the rest is counted */

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct report {
	enum severity severity;
	const struct source *source;
	uint32_t line, column, width; /* line 0: about the file as a whole */
	uint32_t order;
	char *message;
};

struct reports {
	struct report *list;
	uint32_t count, room;
	uint32_t errors; /* of them, and those that found no memory */
};

// Adds a report about `node`, or about what stands at line and column of `source`.
void report_node(struct reports *reports, enum severity severity, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void report_at(struct reports *reports, enum severity severity, const struct source *source, uint32_t line,
	       uint32_t column, const char *format, ...) __attribute__((format(printf, 6, 7)));

// Writes all of them, sorted by file, line and column.
void report_print(struct reports *reports, FILE *out);

// Writes one: "file:line:column: severity: message", the line, and a caret below the column. `source` may be NULL when
// only the name of the file is known.
void report_print_one(FILE *out, const char *name, const struct source *source, uint32_t line, uint32_t column,
		      uint32_t width, const char *severity, const char *message);

void report_free(struct reports *reports);
