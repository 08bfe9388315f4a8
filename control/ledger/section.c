#include "control/ledger/section.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct balance_section nowhere; /* takes what is written after memory ran out */

struct balance_section *section_open(struct builder *b, const char *equation, const char *format, ...)
{
	struct balance_section *grown = NULL, *s;
	va_list arguments;

	if (!b->failed)
		grown = reallocarray(b->table.sections, b->table.sections_count + 1, sizeof *grown);
	if (!grown) {
		b->failed = true;
		return &nowhere;
	}
	b->table.sections = grown;
	s = &grown[b->table.sections_count++];
	memset(s, 0, sizeof *s);
	s->equation = equation;
	va_start(arguments, format);
	vsnprintf(s->title, sizeof s->title, format, arguments);
	va_end(arguments);
	return s;
}

static void add_row(struct builder *b, struct balance_section *s, const char *label, uint64_t value, const char *text)
{
	uint32_t count = s->left_count + s->right_count;
	struct balance_row *grown = b->failed ? NULL : reallocarray(s->rows, count + 1, sizeof *grown);

	if (!grown) {
		b->failed = true;
		return;
	}
	s->rows = grown;
	snprintf(grown[count].label, sizeof grown[count].label, "%s", label);
	grown[count].value = value;
	grown[count].text = text;
}

void section_left(struct builder *b, struct balance_section *s, const char *label, uint64_t value, const char *text)
{
	add_row(b, s, label, value, text);
	if (b->failed)
		return;
	s->left_count++;
	s->left += value;
}

void section_right(struct builder *b, struct balance_section *s, const char *label, uint64_t value, const char *text)
{
	add_row(b, s, label, value, text);
	if (b->failed)
		return;
	s->right_count++;
	s->right += value;
}

void section_fault(struct balance_section *s, int64_t amount)
{
	s->unaccounted += amount < 0 ? -(uint64_t)amount : (uint64_t)amount;
}

void section_pair(struct balance_section *s, uint64_t left, uint64_t right)
{
	section_fault(s, (int64_t)(left - right));
}

void section_close(struct builder *b, struct balance_section *s)
{
	if (b->failed)
		return;
	/* Rows that do not add up are a fault even where no pair was found to be: a table must balance as it is read. */
	if (s->unaccounted == 0)
		section_pair(s, s->left, s->right);
	s->difference = (int64_t)(s->left - s->right);
	if (s->difference == 0)
		s->difference = (int64_t)s->unaccounted;
	b->table.unaccounted += s->unaccounted;
}
