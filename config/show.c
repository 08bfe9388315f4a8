// What a knob's member holds, made into text again: the other way than value.c.
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

static const void *member(const struct knob *knob, const void *base)
{
	return (const uint8_t *)base + knob->offset;
}

static const void *second(const struct knob *knob, const void *base)
{
	return (const uint8_t *)base + knob->extra;
}

static int64_t integer(const struct knob *knob, const void *base)
{
	switch (knob->size) {
	case 1:
		return *(const uint8_t *)member(knob, base);
	case 4:
		return *(const int32_t *)member(knob, base);
	case 8:
		return *(const int64_t *)member(knob, base);
	default:
		fprintf(stderr, "config: %s has no integer member\n", knob->path);
		abort();
	}
}

// The word that stands for `value`. False when it is none.
static bool show_word(const char *words, int64_t first, int64_t value, FILE *out)
{
	for (int64_t n = first; words && *words; n++) {
		size_t length = strcspn(words, "=|");
		int64_t means = words[length] == '=' ? strtoll(words + length + 1, NULL, 10) : n;

		if (means == value) {
			fprintf(out, "%.*s", (int)length, words);
			return true;
		}
		words += strcspn(words, "|");
		words += *words == '|';
	}
	return false;
}

static void show_number(const struct knob *knob, const void *base, FILE *out)
{
	int64_t n = integer(knob, base);
	char text[32] = "";

	if (show_word(knob->words, 0, n, out))
		return;
	if (knob->type == KNOB_SIZE || knob->type == KNOB_POWER)
		knob_format_bytes((uint64_t)n, text, sizeof text);
	else if (knob->type == KNOB_DURATION)
		knob_format_seconds((uint64_t)n, text, sizeof text);
	else
		snprintf(text, sizeof text, "%" PRId64 "%s", n, knob->type == KNOB_MS ? "ms" : "");
	fputs(text, out);
}

static void show_quoted(const char *text, size_t length, FILE *out)
{
	fputc('"', out);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < ' ' || c == 127)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void show_addresses(const struct config_address *list, uint32_t count, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	fputc('[', out);
	for (uint32_t i = 0; i < count; i++) {
		value_format_address(&list[i], text);
		fprintf(out, "%s%s/%u", i ? ", " : "", text, list[i].prefix_length);
	}
	fputc(']', out);
}

// How many there are is another knob's business: as many as are not 0 at the end.
static void show_numbers(const uint32_t *list, uint32_t room, FILE *out)
{
	uint32_t count = room;

	while (count > 1 && list[count - 1] == 0)
		count--;
	fputc('[', out);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "%s%" PRIu32, i ? ", " : "", list[i]);
	fputc(']', out);
}

static void show_arguments(char *const *list, uint32_t count, FILE *out)
{
	fputc('[', out);
	for (uint32_t i = 0; list && i < count; i++) {
		fputs(i ? ", " : "", out);
		show_quoted(list[i], strlen(list[i]), out);
	}
	fputc(']', out);
}

void value_show(const struct knob *knob, const void *base, FILE *out)
{
	const char *text = member(knob, base);

	switch (knob->type) {
	case KNOB_SECTION:
	case KNOB_ITEMS:
		break;
	case KNOB_TEXT:
	case KNOB_BYTES:
	case KNOB_NAME:
	case KNOB_PATH:
		show_quoted(text, strnlen(text, knob->size), out);
		break;
	case KNOB_BYTE:
		show_quoted(text, 1, out);
		break;
	case KNOB_BOOL:
		fputs(*(const bool *)member(knob, base) ? "true" : "false", out);
		break;
	case KNOB_CHOICE:
		if (knob->size != 1 && knob->size != 4)
			fputs(text, out);
		else if (!show_word(knob->words, knob->least, integer(knob, base), out))
			fprintf(out, "%" PRId64, integer(knob, base));
		break;
	case KNOB_ADDRESS:
		if (*(const bool *)second(knob, base)) {
			fputs("any", out);
		} else {
			char address[INET6_ADDRSTRLEN];

			value_format_address(member(knob, base), address);
			fputs(address, out);
		}
		break;
	case KNOB_ARGUMENTS:
		show_arguments(*(char *const *const *)member(knob, base), *(const uint32_t *)second(knob, base), out);
		break;
	case KNOB_NUMBERS:
		show_numbers(member(knob, base), knob->size / (uint32_t)sizeof(uint32_t), out);
		break;
	case KNOB_ADDRESSES:
		show_addresses(member(knob, base), *(const uint32_t *)second(knob, base), out);
		break;
	default:
		show_number(knob, base, out);
	}
}
