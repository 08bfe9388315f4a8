// Tables of text on a terminal: columns as wide as their widest cell.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table; /* opaque */

// A table with these column titles. NULL when there is no memory.
struct table *table_new(unsigned columns, const char *const *titles, const enum table_align *align);

// Adds the next cell, row by row; the text is copied.
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Prints titles and rows, two blanks between columns, `indent` blanks before.
void table_print(const struct table *table, FILE *out, unsigned indent);

void table_free(struct table *table);

// Columns a UTF-8 text takes on a terminal (of the characters penstock prints itself: one each; control characters none).
unsigned table_width(const char *text);

// True when `out` is a terminal and nobody set NO_COLOR: colours may be used.
bool table_colours(FILE *out);
