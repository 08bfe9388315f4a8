#include "dataplane/rule/literal.h"

#include <string.h>

#include "dataplane/rule/pattern.h"

#define RARE_BYTES 8u

/* A pattern is walked atom by atom at its outermost level: a run is literal atoms without a repeat between two others.
 */
struct walk {
	const char *at;
	uint8_t run[CONFIG_PATTERN_MAX], best[CONFIG_PATTERN_MAX];
	uint32_t run_length, best_length;
	bool unknown; /* something whose meaning for its neighbours is not known here */
};

enum atom { ATOM_BYTE, ATOM_OTHER };

bool literal_pays(const char *pattern)
{
	static const char *const wide[] = {".*",   ".+",   ".{",   "]*",   "]+", "]{", "\\S*", "\\S+", "\\S{",
					   "\\W*", "\\W+", "\\D*", "\\D+", ")*", ")+", ")?",   "){"};

	for (uint32_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
		if (strstr(pattern, wide[i]))
			return true;
	return false;
}

// Keeps the last run that is long enough to be rare, else the longest: in a log's line what comes first names who
// speaks, which is in many lines, and what comes last says what happened.
static void end_run(struct walk *w)
{
	uint32_t enough = w->best_length < RARE_BYTES ? w->best_length : RARE_BYTES;

	if (w->run_length && w->run_length >= enough) {
		memcpy(w->best, w->run, w->run_length);
		w->best_length = w->run_length;
	}
	w->run_length = 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static enum atom take_escape(struct walk *w, uint8_t *byte)
{
	char c = *w->at;

	if (!c) {
		w->unknown = true;
		return ATOM_OTHER;
	}
	w->at++;
	if (c == 'x' && digit(w->at[0]) >= 0 && digit(w->at[1]) >= 0) {
		*byte = (uint8_t)(digit(w->at[0]) << 4 | digit(w->at[1]));
		w->at += 2;
		return ATOM_BYTE;
	}
	if (strchr("dDwWsShHvVnrtfeabB", c))
		return ATOM_OTHER;
	if (digit(c) >= 0 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
		w->unknown = true;
		return ATOM_OTHER;
	}
	*byte = (uint8_t)c;
	return ATOM_BYTE;
}

// Behind "[".
static void skip_class(struct walk *w)
{
	w->at += *w->at == '^';
	w->at += *w->at == ']';
	while (*w->at && *w->at != ']') {
		if (w->at[0] == '[' && w->at[1] == ':') { /* [:alpha:] */
			const char *end = strstr(w->at, ":]");

			w->at = end ? end + 2 : w->at + 1;
		} else if (w->at[0] == '\\' && w->at[1] && w->at[1] != 'Q') {
			w->at += 2;
		} else {
			w->unknown |= w->at[0] == '\\';
			w->at++;
		}
	}
	w->at += *w->at == ']';
}

// Behind "(": everything up to its end, which may or may not be in a match.
static void skip_group(struct walk *w)
{
	uint8_t byte;

	if (*w->at == '?' && w->at[1] != ':' && w->at[1] != '<' && w->at[1] != 'P')
		w->unknown = true; /* options, perhaps for what follows */
	for (uint32_t depth = 1; depth && *w->at && !w->unknown;) {
		char c = *w->at++;

		if (c == '\\')
			take_escape(w, &byte);
		else if (c == '[')
			skip_class(w);
		else if (c == ')')
			depth--;
		else if (c == '(') {
			depth++;
			w->unknown |= *w->at == '?' && w->at[1] != ':' && w->at[1] != '<' && w->at[1] != 'P';
		}
	}
}

// "*", "+", "?", "{2,3}" with a "?" or "+" behind. Its first character, or 0 when there is none.
static char take_repeat(struct walk *w)
{
	char first = *w->at;

	if (first == '{') {
		const char *end = w->at + 1 + strspn(w->at + 1, "0123456789,");

		if (*end != '}' || end == w->at + 1)
			return 0;
		w->at = end + 1;
	} else if (first == '*' || first == '+' || first == '?') {
		w->at++;
	} else {
		return 0;
	}
	w->at += *w->at == '?' || *w->at == '+';
	return first;
}

static enum atom take_atom(struct walk *w, uint8_t *byte)
{
	char c = *w->at++;

	switch (c) {
	case '\\':
		return take_escape(w, byte);
	case '[':
		skip_class(w);
		return ATOM_OTHER;
	case '(':
		skip_group(w);
		return ATOM_OTHER;
	case '|': /* of two branches neither need be there */
		w->unknown = true;
		return ATOM_OTHER;
	case '.':
	case '^':
	case '$':
	case ')':
	case '*':
	case '+':
	case '?':
		return ATOM_OTHER;
	default:
		*byte = (uint8_t)c;
		return ATOM_BYTE;
	}
}

uint8_t literal_find(const char *pattern, uint8_t *literal)
{
	struct walk w = {.at = pattern};
	uint32_t length;

	while (*w.at && !w.unknown) {
		uint8_t byte = 0;
		enum atom atom = take_atom(&w, &byte);
		char repeat = take_repeat(&w);

		if (atom == ATOM_BYTE && (!repeat || repeat == '+'))
			w.run[w.run_length++] = byte;
		if (atom != ATOM_BYTE || repeat)
			end_run(&w);
	}
	end_run(&w);
	if (w.unknown || w.best_length < PATTERN_LITERAL_MIN)
		return 0;
	length = w.best_length < PATTERN_LITERAL_MAX ? w.best_length : PATTERN_LITERAL_MAX;
	memcpy(literal, w.best + w.best_length - length, length);
	return (uint8_t)length;
}
