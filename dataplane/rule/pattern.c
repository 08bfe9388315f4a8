#include "dataplane/rule/pattern.h"

#include <string.h>

#include "dataplane/rule/literal.h"

/*
 * The block is scanned for the same patterns with ^ and $ made to match at lines (HS_FLAG_MULTILINE), and every record
 * has '\n' or an end of the block on either side. Then a match of the pattern in a record alone is one in the block:
 *
 *   characters, classes, repeats   see the same bytes
 *   ^ $                            match at the ends of a record, as they match at a line's
 *   \b \B                          see '\n', no word character, where alone they see the end: the same to them
 *   \A \z \Z (?-m)                 see ends of the block only: such a pattern is scanned record by record,
 *   \R                             and so is this, for it may take the '\n' behind a record's '\r' along
 *
 * Not the other way round: a class that takes '\n' may run on into the next record, and ^ and $ match at a '\n' inside
 * a record. A pattern that cannot take '\n' cannot leave its line, and so its match lies in the record.
 */

struct text { /* what is left of a pattern */
	const char *at;
	bool dotall;
	bool anchors; /* ^ or $ was seen */
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Behind a backslash. False when it might be a newline or something this does not know. *byte is what a class's range
// may begin or end with; 0 when it is no single character.
static bool escape_is_safe(struct text *t, bool in_class, unsigned char *byte)
{
	char c = *t->at++;

	*byte = 0;
	switch (c) {
	case 'd':
	case 'w':
	case 'S':
	case 'h':
		return true;
	case 'b': /* in a class: backspace */
		*byte = in_class ? '\b' : 0;
		return true;
	case 'B':
		return !in_class;
	case 't':
		*byte = '\t';
		return true;
	case 'r':
		*byte = '\r';
		return true;
	case 'x':
		if (!is_hex(t->at[0]) || !is_hex(t->at[1]))
			return false;
		*byte = (unsigned char)(((t->at[0] <= '9' ? t->at[0] : t->at[0] + 9) & 15) << 4 |
					((t->at[1] <= '9' ? t->at[1] : t->at[1] + 9) & 15));
		t->at += 2;
		return *byte != '\n' && *byte != 0;
	default:
		/* An escaped character that is neither letter nor digit stands for itself. */
		*byte = (unsigned char)c;
		return c > ' ' && c < 127 && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
		       !(c >= 'A' && c <= 'Z');
	}
}

// Behind "[". True when it takes no newline.
static bool class_is_safe(struct text *t)
{
	bool negated = *t->at == '^', first = true, newline = false;
	unsigned char last = 0;

	t->at += negated;
	for (; *t->at && (*t->at != ']' || first); first = false) {
		unsigned char byte = (unsigned char)*t->at++;

		if (byte == '[' || byte < ' ') /* [:space:] and its like */
			return false;
		if (byte == '-' && last && *t->at && *t->at != ']') {
			byte = (unsigned char)*t->at++;
			if (byte == '\\' && !escape_is_safe(t, true, &byte))
				return false;
			if (last < '\n' && byte >= '\n')
				return false;
			last = 0;
			continue;
		}
		if (byte == '\\' && negated && (*t->at == 'n' || *t->at == 's')) {
			newline = true;
			t->at++;
			last = 0;
		} else if (byte == '\\' && !escape_is_safe(t, true, &byte)) {
			return false;
		} else {
			last = byte;
		}
	}
	if (*t->at != ']')
		return false;
	t->at++;
	return negated == newline;
}

// True when nothing in the pattern can take a newline.
static bool stays_in_line(struct text *t)
{
	unsigned char byte;

	while (*t->at) {
		char c = *t->at++;

		switch (c) {
		case '\\':
			if (!*t->at || !escape_is_safe(t, false, &byte))
				return false;
			break;
		case '[':
			if (!class_is_safe(t))
				return false;
			break;
		case '.':
			if (t->dotall)
				return false;
			break;
		case '(':
			if (*t->at == '*' || (*t->at == '?' && t->at[1] != ':'))
				return false;
			t->at += *t->at == '?' ? 2 : 0;
			break;
		case '^':
		case '$':
			t->anchors = true;
			break;
		default:
			if ((unsigned char)c < ' ')
				return false;
		}
	}
	return true;
}

// "(?" with letters after a '-' switches something off, "(?^" everything: perhaps lines. "(*" may be any verb.
static bool switches_lines_off(const char *at)
{
	for (; (at = strchr(at, '(')); at++) {
		if (at[1] == '*')
			return true;
		if (at[1] == '?' && at[2 + strspn(at + 2, "imsxJU")] && strchr("-^", at[2 + strspn(at + 2, "imsxJU")]))
			return true;
	}
	return false;
}

// Anchors inside a pattern are refused by Hyperscan, some of them ("^^a") only when they match at lines.
static bool anchors_inside(const char *pattern)
{
	for (const char *at = pattern; *at; at++) {
		char before = at > pattern ? at[-1] : '|', after = at[1];

		if (*at == '^' && before != '\\' && !strchr("(|:[", before))
			return true;
		if (*at == '$' && before != '\\' && after && !strchr(")|]", after))
			return true;
	}
	return false;
}

struct pattern_traits pattern_read(const struct config_rule *rule)
{
	const char *p = rule->pattern;
	struct text text = {.at = p, .dotall = rule->dotall};
	struct pattern_traits traits = {.ends = strchr(p, '$') != NULL};

	traits.together = !rule->utf8 && !strstr(p, "\\A") && !strstr(p, "\\Z") && !strstr(p, "\\z") &&
			  !strstr(p, "\\R") && !switches_lines_off(p) && !anchors_inside(p);
	if (traits.together && stays_in_line(&text))
		traits.proof = text.anchors && !rule->multiline ? PATTERN_IN_LINE : PATTERN_CERTAIN;
	if (traits.together && literal_pays(p))
		traits.literal_length = literal_find(p, traits.literal);
	if (traits.literal_length)
		traits.proof = PATTERN_MAYBE;
	return traits;
}
