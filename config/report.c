#include "config/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BYTES 160u /* of a source line */

static void add(struct reports *reports, struct report report, const char *format, va_list arguments)
{
	if (report.severity == SEVERITY_ERROR)
		reports->errors++;
	if (reports->count == reports->room) {
		uint32_t room = reports->room ? 2 * reports->room : 16;
		struct report *list = realloc(reports->list, room * sizeof *list);

		if (!list)
			return;
		reports->list = list;
		reports->room = room;
	}
	if (vasprintf(&report.message, format, arguments) < 0)
		return;
	for (char *c = report.message; *c; c++) /* texts in it may be anything: the terminal must not obey them */
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '.';
	report.order = reports->count;
	reports->list[reports->count++] = report;
}

void report_node(struct reports *reports, enum severity severity, const struct node *node, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(reports,
	    (struct report){.severity = severity,
			    .source = node->source,
			    .line = node->line,
			    .column = node->column,
			    .width = node->width},
	    format, arguments);
	va_end(arguments);
}

void report_at(struct reports *reports, enum severity severity, const struct source *source, uint32_t line,
	       uint32_t column, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add(reports,
	    (struct report){.severity = severity, .source = source, .line = line, .column = column, .width = 1}, format,
	    arguments);
	va_end(arguments);
}

// The line's first byte and its length without the line end; length 0 when the source has no such line.
static const char *find_line(const struct source *source, uint32_t line, size_t *length)
{
	const char *at = source->text, *end = source->text + source->length, *stop;

	*length = 0;
	for (; line > 1; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return NULL;
		at++;
	}
	if (at == end)
		return NULL;
	stop = memchr(at, '\n', (size_t)(end - at));
	*length = (size_t)((stop ? stop : end) - at);
	if (*length > 0 && at[*length - 1] == '\r')
		--*length;
	return at;
}

// A terminal must not obey what stands in a file: control characters become dots, tabs stay for the caret's sake.
static void print_line(FILE *out, const char *text, size_t length, uint32_t column, uint32_t width)
{
	size_t shown = length < SHOWN_BYTES ? length : SHOWN_BYTES;
	uint32_t at = 1;

	while (shown < length && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
		shown--;
	fputs("  ", out);
	for (size_t i = 0; i < shown; i++)
		fputc(((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 127 ? '.' : text[i], out);
	fputs(shown < length ? "...\n" : "\n", out);
	if (column > SHOWN_BYTES)
		return;
	fputs("  ", out);
	for (size_t i = 0; i < shown && at < column; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue;
		fputc(text[i] == '\t' ? '\t' : ' ', out);
		at++;
	}
	fputc('^', out);
	for (uint32_t i = 1; i < width && at + i <= SHOWN_BYTES; i++)
		fputc('~', out);
	fputc('\n', out);
}

void report_print_one(FILE *out, const char *name, const struct source *source, uint32_t line, uint32_t column,
		      uint32_t width, const char *severity, const char *message)
{
	const char *text;
	size_t length;

	if (line == 0) {
		fprintf(out, "%s: %s: %s\n", name, severity, message);
		return;
	}
	fprintf(out, "%s:%u:%u: %s: %s\n", name, line, column, severity, message);
	text = source && source->text ? find_line(source, line, &length) : NULL;
	if (text)
		print_line(out, text, length, column, width);
}

static int by_place(const void *left, const void *right)
{
	const struct report *a = left, *b = right;

	if (a->source->order != b->source->order)
		return a->source->order < b->source->order ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

void report_print(struct reports *reports, FILE *out)
{
	uint32_t left = reports->count > REPORTS_MAX ? reports->count - REPORTS_MAX : 0;

	if (reports->count > 1)
		qsort(reports->list, reports->count, sizeof *reports->list, by_place);
	for (uint32_t i = 0; i < reports->count - left; i++) {
		const struct report *r = &reports->list[i];

		report_print_one(out, r->source->name, r->source, r->line, r->column, r->width,
				 r->severity == SEVERITY_ERROR ? "error" : "warning", r->message);
	}
	if (left)
		fprintf(out, "%s: and %u more\n", reports->list[0].source->name, left);
}

void report_free(struct reports *reports)
{
	for (uint32_t i = 0; i < reports->count; i++)
		free(reports->list[i].message);
	free(reports->list);
	*reports = (struct reports){0};
}
