#include "control/cli/ledger_view.h"

#include <langinfo.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/table.h"
#include "control/cli/units.h"

struct layout { /* the same for all sections, so that the eye finds the columns */
	int label[2], value[2];
	bool text;
	bool utf8;
	const char *bold, *dim, *red, *green, *off;
	unsigned columns;
	bool every_row;
};

static const char *const sides[2] = {"left", "right"};

static bool shown(const struct layout *l, const json_t *row)
{
	return l->every_row || client_number(row, "value");
}

static int value_width(uint64_t value)
{
	char text[UNITS_TEXT_MAX];

	return (int)strlen(units_count(text, value));
}

static void measure(struct layout *l, const json_t *sections)
{
	const json_t *section, *row;
	size_t i, j;

	l->label[0] = l->label[1] = 12;
	l->value[0] = l->value[1] = 7;
	json_array_foreach(sections, i, section) {
		for (int side = 0; side < 2; side++) {
			uint64_t sum = 0;

			json_array_foreach(json_object_get(section, sides[side]), j, row) {
				int width = (int)table_width(client_text(row, "label"));

				sum += client_number(row, "value");
				if (shown(l, row) && width > l->label[side])
					l->label[side] = width;
			}
			if (value_width(sum) > l->value[side])
				l->value[side] = value_width(sum);
		}
	}
	l->text = l->columns >= (unsigned)(l->label[0] + l->label[1] + l->value[0] + l->value[1]) + 50;
}

static void print_rule(FILE *out, const struct layout *l, const char *title)
{
	unsigned width = (unsigned)(l->label[0] + l->value[0] + l->label[1] + l->value[1]) + 11, used = table_width(title) + 4;
	const char *line = l->utf8 ? "─" : "-";

	fprintf(out, "%s%s %s%s%s %s", l->dim, line, l->off, l->bold, title, l->off);
	fputs(l->dim, out);
	for (; used < width; used++)
		fputs(line, out);
	fprintf(out, "%s\n", l->off);
}

// The next row of `rows` from *at on that is to be seen, or NULL.
static const json_t *next_row(const struct layout *l, const json_t *rows, size_t *at)
{
	while (*at < json_array_size(rows)) {
		const json_t *row = json_array_get(rows, (*at)++);

		if (shown(l, row))
			return row;
	}
	return NULL;
}

static void print_half(FILE *out, const struct layout *l, int side, const json_t *row)
{
	char value[UNITS_TEXT_MAX];
	const char *label = row ? client_text(row, "label") : "";
	int pad = l->label[side] - (int)table_width(label);

	fprintf(out, "  %s%*s  %*s", label, pad > 0 ? pad : 0, "", l->value[side],
		row ? units_count(value, client_number(row, "value")) : "");
}

static void print_section(FILE *out, const struct layout *l, const json_t *section)
{
	const json_t *rows[2], *row[2];
	int64_t difference = (int64_t)json_integer_value(json_object_get(section, "difference"));
	char value[2][UNITS_TEXT_MAX], text[UNITS_TEXT_MAX];
	uint64_t sum[2] = {0};
	size_t at[2] = {0}, i;
	const json_t *each;

	print_rule(out, l, client_text(section, "title"));
	for (int side = 0; side < 2; side++) {
		rows[side] = json_object_get(section, sides[side]);
		json_array_foreach(rows[side], i, each)
			sum[side] += client_number(each, "value");
	}
	for (;;) {
		row[0] = next_row(l, rows[0], &at[0]);
		row[1] = next_row(l, rows[1], &at[1]);
		if (!row[0] && !row[1])
			break;
		print_half(out, l, 0, row[0]);
		fprintf(out, " %s%s%s", l->dim, l->utf8 ? "│" : "|", l->off);
		print_half(out, l, 1, row[1]);
		if (l->text && row[1])
			fprintf(out, "  %s%s%s", l->dim, client_text(row[1], "text"), l->off);
		fputc('\n', out);
	}
	fprintf(out, "  %*s  %s%*s %s", l->label[0], "", difference ? l->red : l->green, l->value[0],
		units_count(value[0], sum[0]), !difference ? "=" : l->utf8 ? "≠" : "#");
	fprintf(out, "  %*s  %*s", l->label[1], "", l->value[1], units_count(value[1], sum[1]));
	if (difference)
		fprintf(out, "  %s unaccounted", units_signed(text, difference));
	fprintf(out, "%s\n", l->off);
}

// Nothing came in, nothing went anywhere, nothing is missing: the title is enough.
static bool is_empty(const struct layout *l, const json_t *section)
{
	const json_t *row;
	size_t i;

	for (int side = 0; side < 2; side++) {
		json_array_foreach(json_object_get(section, sides[side]), i, row) {
			if (shown(l, row))
				return false;
		}
	}
	return !l->every_row && !json_integer_value(json_object_get(section, "difference"));
}

static void print_empty(FILE *out, const struct layout *l, const json_t *sections)
{
	const json_t *section;
	unsigned used = 0;
	size_t i;

	json_array_foreach(sections, i, section) {
		const char *title = client_text(section, "title");

		if (!is_empty(l, section))
			continue;
		if (used && used + table_width(title) + 2 > l->columns)
			used = 0;
		fprintf(out, "%s%s%s", used ? "; " : "\n  ", !used ? l->dim : "", title);
		used += table_width(title) + 2;
	}
	fprintf(out, "%s\n", l->off);
}

void ledger_print(FILE *out, const json_t *answer, const struct ledger_view *view)
{
	struct layout l = {.columns = view->columns, .every_row = view->every_row};
	const json_t *sections = json_object_get(answer, "sections"), *section;
	int64_t unaccounted = (int64_t)json_integer_value(json_object_get(answer, "unaccounted"));
	bool balanced = client_true(answer, "balanced");
	char text[UNITS_TEXT_MAX];
	size_t i, empty = 0;

	l.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	l.bold = view->colours ? "\033[1m" : "";
	l.dim = view->colours ? "\033[2m" : "";
	l.red = view->colours ? "\033[1;31m" : "";
	l.green = view->colours ? "\033[32m" : "";
	l.off = view->colours ? "\033[0m" : "";
	measure(&l, sections);
	fprintf(out, "%sledger%s  ", l.bold, l.off);
	if (balanced)
		fprintf(out, "%sbalanced%s, 0 unaccounted\n", l.green, l.off);
	else
		fprintf(out, "%sNOT BALANCED, %s unaccounted%s\n", l.red, units_signed(text, unaccounted), l.off);
	json_array_foreach(sections, i, section) {
		if (is_empty(&l, section)) {
			empty++;
			continue;
		}
		fputc('\n', out);
		print_section(out, &l, section);
	}
	if (empty) {
		fprintf(out, "\n%s%zu sections of nothing but 0 (--all shows them):%s", l.dim, empty, l.off);
		print_empty(out, &l, sections);
	}
}
