#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/knobs.h"

uint32_t knob_find(const char *path)
{
	for (uint32_t i = 0; i < knobs_count; i++)
		if (strcmp(knobs[i].path, path) == 0)
			return i;
	fprintf(stderr, "config: no knob %s\n", path);
	abort();
}

enum knob_live knob_live(uint32_t index)
{
	const char *path = knobs[index].path;
	enum knob_live live = KNOB_AS_ABOVE;
	size_t longest = 0;

	/* The nearest of those it stands in that says anything, itself included. */
	for (uint32_t i = 0; i < knobs_count; i++) {
		size_t length = strlen(knobs[i].path);

		if (knobs[i].live == KNOB_AS_ABOVE || length < longest || strncmp(path, knobs[i].path, length) != 0 ||
		    !strchr(".[", path[length]))
			continue;
		live = knobs[i].live;
		longest = length;
	}
	return live;
}

bool knob_in(uint32_t parent, uint32_t child, const char **name)
{
	const char *path = knobs[child].path;

	if (parent != KNOB_NONE) {
		size_t length = strlen(knobs[parent].path);

		if (strncmp(path, knobs[parent].path, length) != 0)
			return false;
		path += length;
		if (knobs[parent].type == KNOB_ITEMS) {
			if (strncmp(path, "[]", 2) != 0)
				return false;
			path += 2;
		}
		if (*path++ != '.')
			return false;
	}
	*name = path;
	return !strchr(path, '.') && !strchr(path, '[');
}

uint32_t knob_child(uint32_t parent, const char *name)
{
	const char *word;

	for (uint32_t i = 0; i < knobs_count; i++)
		if (knob_in(parent, i, &word) && strcmp(word, name) == 0)
			return i;
	return KNOB_NONE;
}

#define SUGGEST_BYTES_MAX 32u

// Edit distance where a swap of neighbours costs one, as typing errors are (optimal string alignment).
static uint32_t distance(const char *a, const char *b)
{
	uint32_t rows[SUGGEST_BYTES_MAX + 1][SUGGEST_BYTES_MAX + 1];
	uint32_t n = (uint32_t)strlen(a), m = (uint32_t)strlen(b);

	if (n > SUGGEST_BYTES_MAX || m > SUGGEST_BYTES_MAX)
		return UINT32_MAX;
	for (uint32_t i = 0; i <= n; i++) {
		for (uint32_t j = 0; j <= m; j++) {
			uint32_t least;

			if (i == 0 || j == 0) {
				rows[i][j] = i + j;
				continue;
			}
			least = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (rows[i - 1][j] + 1 < least)
				least = rows[i - 1][j] + 1;
			if (rows[i][j - 1] + 1 < least)
				least = rows[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[i - 2][j - 2] + 1 < least)
				least = rows[i - 2][j - 2] + 1;
			rows[i][j] = least;
		}
	}
	return rows[n][m];
}

const char *knob_suggest(uint32_t parent, const char *name)
{
	const char *word, *best = NULL;
	uint32_t least = (uint32_t)strlen(name) / 3 + 2;

	for (uint32_t i = 0; i < knobs_count; i++) {
		uint32_t far = knob_in(parent, i, &word) ? distance(word, name) : UINT32_MAX;

		if (far < least) {
			least = far;
			best = word;
		}
	}
	return best;
}

bool knob_word(const char *words, int64_t first, const char *word, int64_t *value)
{
	size_t length = strlen(word);

	for (; words && *words; first++) {
		size_t n = strcspn(words, "=|");

		*value = words[n] == '=' ? strtoll(words + n + 1, NULL, 10) : first;
		if (n == length && memcmp(words, word, n) == 0)
			return true;
		words += strcspn(words, "|");
		words += *words == '|';
	}
	return false;
}

static void format_in_units(uint64_t n, const char *const *units, const uint64_t *sizes, size_t count, char *text,
			    size_t room)
{
	size_t best = 0;

	for (size_t i = 1; i < count && n; i++)
		if (n % sizes[i] == 0 && n >= sizes[i])
			best = i;
	snprintf(text, room, "%" PRIu64 "%s", n / sizes[best], units[best]);
}

void knob_format_bytes(uint64_t bytes, char *text, size_t room)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	static const uint64_t sizes[] = {1, 1ull << 10, 1ull << 20, 1ull << 30, 1ull << 40};

	format_in_units(bytes, units, sizes, 5, text, room);
}

void knob_format_seconds(uint64_t seconds, char *text, size_t room)
{
	static const char *const units[] = {"s", "m", "h", "d"};
	static const uint64_t sizes[] = {1, 60, 3600, 86400};

	format_in_units(seconds, units, sizes, 4, text, room);
}

// "any, untagged" of "any=-1|untagged=0".
static void list_words(const char *words, char *text, size_t room)
{
	size_t used = 0;

	text[0] = '\0';
	while (words && *words && used + 2 < room) {
		int n = (int)strcspn(words, "=|");

		used += (size_t)snprintf(text + used, room - used, "%s%.*s", used ? ", " : "", n, words);
		words += strcspn(words, "|");
		words += *words == '|';
	}
}

static void expect_range(const struct knob *k, char *text, size_t room)
{
	char least[32], most[32], words[64];
	const char *what = "a number";

	list_words(k->words, words, sizeof words);
	snprintf(least, sizeof least, "%" PRId64, k->least);
	snprintf(most, sizeof most, "%" PRId64, k->most);
	if (k->type == KNOB_SIZE || k->type == KNOB_POWER) {
		what = k->type == KNOB_POWER ? "a power of two" : "a size";
		knob_format_bytes((uint64_t)k->least, least, sizeof least);
		knob_format_bytes((uint64_t)k->most, most, sizeof most);
	} else if (k->type == KNOB_DURATION) {
		what = "a duration with its unit";
		knob_format_seconds((uint64_t)k->least, least, sizeof least);
		knob_format_seconds((uint64_t)k->most, most, sizeof most);
	} else if (k->type == KNOB_MS) {
		what = "milliseconds";
	}
	if (k->most == INT64_MAX)
		snprintf(text, room, "%s%s%s of at least %s", words, words[0] ? " or " : "", what, least);
	else
		snprintf(text, room, "%s%s%s from %s to %s", words, words[0] ? " or " : "", what, least, most);
}

void knob_expect(const struct knob *k, char *text, size_t room)
{
	char words[224];

	switch (k->type) {
	case KNOB_SECTION:
		snprintf(text, room, k->brief ? "a mapping, or a word for its '%s'" : "a mapping", k->brief);
		break;
	case KNOB_ITEMS:
		snprintf(text, room, "a list of at most %" PRId64 " mappings", k->most);
		break;
	case KNOB_TEXT:
	case KNOB_BYTES:
		snprintf(text, room, "text of %s%u bytes", k->least ? "1 to " : "at most ", k->size - 1);
		break;
	case KNOB_BYTE:
		snprintf(text, room, "one ASCII character other than a line end");
		break;
	case KNOB_NAME:
		snprintf(text, room, "a name of 1 to %u letters, digits, '_', '.' and '-'", k->size - 1);
		break;
	case KNOB_PATH:
		snprintf(text, room, "a path of at most %" PRId64 " bytes", k->most);
		break;
	case KNOB_BOOL:
		snprintf(text, room, "true or false");
		break;
	case KNOB_CHOICE:
		list_words(k->words, words, sizeof words);
		snprintf(text, room, "one of %s", words);
		break;
	case KNOB_ADDRESS:
		snprintf(text, room, "any, or an IPv4 or IPv6 address");
		break;
	case KNOB_ARGUMENTS:
		snprintf(text, room, "a list of at most %" PRId64 " texts", k->most);
		break;
	case KNOB_CHOICES:
		list_words(k->words, words, sizeof words);
		snprintf(text, room, "a list of %s", words);
		break;
	case KNOB_NUMBERS:
		snprintf(text, room, "a list of 1 to %zu numbers from %" PRId64 " to %" PRId64,
			 k->size / sizeof(uint32_t), k->least, k->most);
		break;
	case KNOB_ADDRESSES:
		snprintf(text, room, "a list of at most %" PRId64 " addresses, each with its prefix length", k->most);
		break;
	default:
		expect_range(k, text, room);
	}
}
