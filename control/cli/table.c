#include "control/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct table {
	unsigned columns, cells_count, cells_room;
	enum table_align align[TABLE_COLUMNS_MAX];
	unsigned width[TABLE_COLUMNS_MAX];
	char **cells;
	bool failed; /* out of memory: prints what there is, and says so */
};

unsigned table_width(const char *text)
{
	unsigned width = 0;

	for (; *text; text++)
		width += (unsigned char)*text >= 0x20 && ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

bool table_colours(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no && *no);
}

struct table *table_new(unsigned columns, const char *const *titles, const enum table_align *align)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	memcpy(t->align, align, columns * sizeof(*align));
	for (unsigned i = 0; i < columns; i++)
		table_add(t, "%s", titles[i]);
	return t;
}

void table_add(struct table *t, const char *format, ...)
{
	va_list list;
	char *text;
	unsigned width, column;

	if (!t || t->failed)
		return;
	if (t->cells_count == t->cells_room) {
		unsigned room = t->cells_room ? t->cells_room * 2 : 64;
		char **cells = realloc(t->cells, room * sizeof(*cells));

		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->cells_room = room;
	}
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	if (!text) {
		t->failed = true;
		return;
	}
	column = t->cells_count % t->columns;
	width = table_width(text);
	if (width > t->width[column])
		t->width[column] = width;
	t->cells[t->cells_count++] = text;
}

void table_print(const struct table *t, FILE *out, unsigned indent)
{
	for (unsigned i = 0; t && i < t->cells_count; i++) {
		unsigned column = i % t->columns, pad = t->width[column] - table_width(t->cells[i]);
		bool last = column + 1 == t->columns || i + 1 == t->cells_count;

		if (!column)
			fprintf(out, "%*s", (int)indent, "");
		if (t->align[column] == TABLE_RIGHT)
			fprintf(out, "%*s%s", (int)pad, "", t->cells[i]);
		else
			fprintf(out, "%s%*s", t->cells[i], last ? 0 : (int)pad, "");
		fputs(last ? "\n" : "  ", out);
	}
	if (!t || t->failed)
		fputs("(out of memory: the table is cut short)\n", out);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->cells_count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
