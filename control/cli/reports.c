#include "control/cli/reports.h"

#include <ctype.h>
#include <string.h>

struct severity {
	const char *mark, *name;
};

static const struct severity severities[] = {{": error: ", "error"}, {": warning: ", "warning"}};

// Takes ":digits" off the end of the `*length` bytes of `place`. 0 when they end otherwise.
static unsigned take_number(const char *place, size_t *length)
{
	size_t at = *length;
	unsigned number = 0, factor = 1;

	while (at && isdigit((unsigned char)place[at - 1]) && *length - at < 9) {
		number += factor * (unsigned)(place[--at] - '0');
		factor *= 10;
	}
	if (!at || at == *length || place[at - 1] != ':')
		return 0;
	*length = at - 1;
	return number;
}

// The severity whose mark comes first in the line: what follows is the message's own.
static const struct severity *find_severity(const char *line, size_t length, const char **mark)
{
	const struct severity *found = NULL;

	for (size_t i = 0; i < sizeof(severities) / sizeof(*severities); i++) {
		const char *at = memmem(line, length, severities[i].mark, strlen(severities[i].mark));

		if (at && (!found || at < *mark)) {
			*mark = at;
			found = &severities[i];
		}
	}
	return found;
}

static json_t *parse_line(const char *line, size_t length)
{
	const char *mark, *message;
	const struct severity *severity = isspace((unsigned char)*line) ? NULL : find_severity(line, length, &mark);
	unsigned first, second;
	size_t place;

	if (!severity)
		return NULL;
	place = (size_t)(mark - line);
	message = mark + strlen(severity->mark);
	first = take_number(line, &place);
	second = take_number(line, &place);
	return json_pack("{s:s%, s:i, s:i, s:s, s:s%}", "file", line, place, "line", (int)(second ? second : first), "column",
			 (int)(second ? first : 0), "severity", severity->name, "message", message,
			 (size_t)(line + length - message));
}

json_t *reports_parse(const char *text)
{
	json_t *array = json_array();

	while (*text) {
		size_t length = strcspn(text, "\n");
		json_t *report = parse_line(text, length);

		if (report)
			json_array_append_new(array, report);
		text += length + (text[length] == '\n');
	}
	return array;
}
