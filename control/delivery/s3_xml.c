// The little of XML that S3's answers need: the text of an element, found by name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/delivery/s3_request.h"

// One entity at `s`: its character, and its length in *used. 0 when it is none of those that answers use.
static char entity(const char *s, size_t *used)
{
	static const struct {
		const char *text;
		char character;
	} known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
	char *end;
	long value;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		*used = strlen(known[i].text);
		if (strncmp(s, known[i].text, *used) == 0)
			return known[i].character;
	}
	if (s[1] != '#')
		return 0;
	value = s[2] == 'x' ? strtol(s + 3, &end, 16) : strtol(s + 2, &end, 10);
	*used = (size_t)(end - s) + 1;
	return *end == ';' && value > 0 && value < 128 ? (char)value : 0;
}

bool s3_element(const char **at, const char *name, char *out, size_t room)
{
	char open[64], close[64];
	const char *from, *to;
	size_t n = 0;

	out[0] = '\0';
	snprintf(open, sizeof open, "<%s>", name);
	snprintf(close, sizeof close, "</%s>", name);
	from = strstr(*at, open);
	to = from != NULL ? strstr(from, close) : NULL;
	if (to == NULL)
		return false;
	for (from += strlen(open); from < to && n + 1 < room; n++) {
		size_t used = 1;
		char c = *from == '&' ? entity(from, &used) : 0;

		out[n] = c != 0 ? c : *from;
		from += c != 0 ? used : 1;
	}
	out[n] = '\0';
	*at = to + strlen(close);
	return from >= to;
}
