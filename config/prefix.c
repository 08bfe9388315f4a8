#include "config/prefix.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Behind prefix and stream: identity, shard, two sequences, ".pcapng.zst", and ".json", ".tmp" and '.' of files. */
#define NAME_END (9 + 13 + 21 + 21 + 11 + 10)
#define PREFIX_MAX 800 /* once expanded: with 128 bytes of a stream's name and that end an object's name is below 1024 */

struct expansion {
	const char *stream;
	uint32_t shard;
	struct tm time;
	char *text;
	size_t used, room;
	int error; /* -ENAMETOOLONG */
	char *reason;
	size_t reason_room;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct expansion *e, const char *what, ...)
{
	va_list list;

	va_start(list, what);
	if (e->reason != NULL)
		vsnprintf(e->reason, e->reason_room, what, list);
	va_end(list);
	return -EINVAL;
}

static void append(struct expansion *e, const char *text, size_t length)
{
	if (length >= e->room - e->used) {
		e->error = -ENAMETOOLONG;
		return;
	}
	memcpy(e->text + e->used, text, length);
	e->used += length;
	e->text[e->used] = '\0';
}

static int append_field(struct expansion *e, char letter, size_t count)
{
	static const char letters[] = "yMdHms";
	const struct tm *t = &e->time;
	const int values[] = {t->tm_year + 1900, t->tm_mon + 1, t->tm_mday, t->tm_hour, t->tm_min, t->tm_sec};
	const char *at = strchr(letters, letter);
	char text[32];
	int value;

	if (at == NULL)
		return refuse(
			e,
			"'%c' is not a field of a timestamp; use y M d H m s, and put other letters in single quotes",
			letter);
	if (count > (letter == 'y' ? 4u : 2u))
		return refuse(e, "'%c' stands %zu times in a row; at most %u (names of months are not written)", letter,
			      count, letter == 'y' ? 4u : 2u);
	value = values[at - letters];
	if (letter == 'y' && count == 2)
		value %= 100;
	append(e, text, (size_t)snprintf(text, sizeof text, "%0*d", (int)count, value));
	return 0;
}

// A quoted literal from behind its opening quote; returns where it ends (behind the closing quote) or NULL.
static const char *append_quoted(struct expansion *e, const char *p, const char *end)
{
	if (p < end && *p == '\'') {
		append(e, "'", 1);
		return p + 1;
	}
	for (; p < end; p++) {
		if (*p == '\'' && p + 1 < end && p[1] == '\'')
			p++;
		else if (*p == '\'')
			return p + 1;
		append(e, p, 1);
	}
	return NULL;
}

static int append_time(struct expansion *e, const char *p, const char *end)
{
	if (p == end)
		return refuse(e, "an empty timestamp; write for example !{timestamp:yyyy/MM/dd/HH}");
	while (p < end) {
		size_t count = 1;
		int error;

		if (*p == '\'') {
			p = append_quoted(e, p + 1, end);
			if (p == NULL)
				return refuse(e, "a quote in the timestamp is not closed");
			continue;
		}
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')) {
			while (p + count < end && p[count] == *p)
				count++;
			error = append_field(e, *p, count);
			if (error)
				return error;
		} else if (strchr("{}[]#", *p) != NULL) {
			return refuse(e, "'%c' in a timestamp stands in single quotes", *p);
		} else {
			append(e, p, 1);
		}
		p += count;
	}
	return 0;
}

// Where the closing brace of an expression stands: not inside quotes.
static const char *find_end(const char *p)
{
	bool quoted = false;

	for (; *p != '\0'; p++) {
		if (*p == '\'')
			quoted = !quoted;
		else if (*p == '}' && !quoted)
			return p;
	}
	return NULL;
}

static int append_expression(struct expansion *e, const char *p, const char *end)
{
	static const char time_name[] = "timestamp:";
	size_t length = (size_t)(end - p);
	char text[32];

	if (length >= sizeof time_name - 1 && memcmp(p, time_name, sizeof time_name - 1) == 0)
		return append_time(e, p + sizeof time_name - 1, end);
	if (length == 6 && memcmp(p, "stream", 6) == 0) {
		append(e, e->stream, strlen(e->stream));
		return 0;
	}
	if (length == 5 && memcmp(p, "shard", 5) == 0) {
		append(e, text, (size_t)snprintf(text, sizeof text, "%012u", e->shard));
		return 0;
	}
	return refuse(e, "unknown expression !{%.*s}; known are !{timestamp:...}, !{stream} and !{shard}",
		      (int)(length > 40 ? 40 : length), p);
}

static int expand(struct expansion *e, const char *prefix)
{
	for (const char *p = prefix; *p != '\0'; p++) {
		const char *end;
		int error;

		if (p[0] != '!' || p[1] != '{') {
			append(e, p, 1);
			continue;
		}
		end = find_end(p + 2);
		if (end == NULL)
			return refuse(e, "an expression !{ is not closed by }");
		error = append_expression(e, p + 2, end);
		if (error)
			return error;
		p = end;
	}
	return e->error;
}

int prefix_path_check(const char *path)
{
	const char *component = path;

	for (const char *p = path;; p++) {
		size_t length = (size_t)(p - component);

		if (*p != '\0' && (unsigned char)*p < 0x20)
			return -EINVAL;
		if (*p != '/' && *p != '\0')
			continue;
		if (*p == '/' && length == 0)
			return -EINVAL;
		if ((length == 1 && component[0] == '.') || (length == 2 && component[0] == '.' && component[1] == '.'))
			return -EINVAL;
		if (length > 255)
			return -EINVAL;
		if (*p == '\0')
			return 0;
		component = p + 1;
	}
}

int prefix_check(const char *prefix, const char *stream, char *reason, size_t room)
{
	char text[PREFIX_MAX + 1];
	struct expansion e = {
		.stream = stream, .text = text, .room = sizeof text, .reason = reason, .reason_room = room};
	const char *last;
	int error;

	text[0] = '\0';
	e.time.tm_mday = 28; /* two digits for all of them */
	e.time.tm_mon = 11;
	e.time.tm_hour = e.time.tm_min = e.time.tm_sec = 59;
	e.time.tm_year = 126;
	error = expand(&e, prefix);
	if (error == -ENAMETOOLONG)
		return refuse(&e, "it is too long: at most %d bytes once expanded", PREFIX_MAX);
	if (error)
		return error;
	if (text[0] == '/')
		return refuse(&e, "it starts with /, and is relative to the destination");
	if (prefix_path_check(text) != 0)
		return refuse(&e,
			      "it has an empty, '.' or '..' component, one over 255 bytes, or a control character");
	last = strrchr(text, '/');
	last = last != NULL ? last + 1 : text;
	if (strlen(last) + strlen(stream) + NAME_END > NAME_MAX)
		return refuse(&e, "what stands behind its last / is too long: at most %d bytes with this stream's name",
			      (int)(NAME_MAX - NAME_END - strlen(stream)));
	return 0;
}

int prefix_expand(const char *prefix, const char *stream, uint32_t shard, uint64_t oldest_ns, char *text, size_t room)
{
	struct expansion e = {.stream = stream, .shard = shard, .text = text, .room = room};
	time_t seconds = (time_t)(oldest_ns / 1000000000u);
	int error;

	if (room == 0)
		return -ENAMETOOLONG;
	text[0] = '\0';
	gmtime_r(&seconds, &e.time);
	error = expand(&e, prefix);
	return error ? error : prefix_path_check(text);
}
