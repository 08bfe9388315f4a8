// Influx line protocol cut into lines: a newline inside a string value does not end one, and a comment is none.
#include <string.h>

#include "dataplane/codec/codec.h"
#include "dataplane/codec/scan.h"

#define WINDOW 4096u /* looked through for quotes before any of its lines is cut: work lost when room runs out */

SCAN_INLINE __m128i is_quote(__m128i bytes)
{
	return scan_is(bytes, '"');
}

SCAN_INLINE __m128i is_newline(__m128i bytes)
{
	return scan_is(bytes, '\n');
}

SCAN_INLINE __m128i is_newline_or_quote(__m128i bytes)
{
	return _mm_or_si128(is_newline(bytes), is_quote(bytes));
}

SCAN_INLINE __m128i is_space(__m128i bytes)
{
	return scan_is(bytes, ' ');
}

/* Whether an odd number of backslashes stands in front of bytes[at], none before bytes[floor]. */
static bool is_escaped(const uint8_t *bytes, uint32_t floor, uint32_t at)
{
	uint32_t start = at;

	while (start > floor && bytes[start - 1] == '\\')
		start--;
	return (at - start) & 1;
}

/* The first byte of the class that is not escaped, in bytes[at..length), or `length`. */
SCAN_INLINE uint32_t find_bare(const uint8_t *bytes, uint32_t length, uint32_t at, scan_class *is)
{
	uint32_t floor = at;

	while ((at = scan_find(bytes, length, at, is)) < length && is_escaped(bytes, floor, at))
		at++;
	return at;
}

/*
 * Where the line that starts at `start` ends: its newline, or `length`. A quote begins a string directly behind an equals sign
 * in the fields, which a bare space divides from measurement and tags. A string that nothing closes ends with its line:
 * behind it are no more bare quotes, so that this happens once a datagram.
 */
static uint32_t line_end(const uint8_t *bytes, uint32_t length, uint32_t start)
{
	uint32_t at = start, space = start;

	while (space < length && bytes[space] == ' ')
		space++;
	if (space < length && bytes[space] == '#')
		return scan_find(bytes, length, space, is_newline);
	for (;;) {
		uint32_t close;

		at = scan_find(bytes, length, at, is_newline_or_quote);
		if (at == length || bytes[at] == '\n')
			return at;
		if (at == start || bytes[at - 1] != '=' || is_escaped(bytes, start, at - 1)) {
			at++;
			continue;
		}
		while (space < at && (bytes[space] != ' ' || is_escaped(bytes, start, space)))
			space = scan_find(bytes, at, space + 1, is_space);
		if (space >= at) { /* still in the tags */
			at++;
			continue;
		}
		close = find_bare(bytes, length, at + 1, is_quote);
		if (close == length)
			return scan_find(bytes, length, at, is_newline);
		at = close + 1;
	}
}

static bool is_comment(const uint8_t *bytes, struct slice line)
{
	uint32_t at = line.offset, end = at + line.length;

	while (at < end && bytes[at] == ' ')
		at++;
	return at < end && bytes[at] == '#';
}

/* Lines of bytes[at..end), where no quote is. Returns how far it came. */
static uint32_t cut_plain(const uint8_t *bytes, uint32_t at, uint32_t end, struct slice *out, uint32_t room, uint32_t *count)
{
	while (at < end && *count < room) {
		uint32_t consumed, lines = split_lines(bytes + at, end - at, out + *count, room - *count, &consumed);

		for (struct slice *line = out + *count, *last = line + lines; line < last; line++) {
			line->offset += at;
			out[*count] = *line;
			*count += !is_comment(bytes, *line);
		}
		at += consumed;
	}
	return at;
}

/* The end of the whole lines from `at` on that have no quote, within a window; `at` when the first has one or is longer. */
static uint32_t plain_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	uint32_t window = length - at < WINDOW ? length : at + WINDOW, quote = scan_find(bytes, window, at, is_quote);
	const uint8_t *newline;

	if (quote == length)
		return length;
	newline = memrchr(bytes + at, '\n', quote - at);
	return newline ? (uint32_t)(newline - bytes) + 1 : at;
}

uint32_t influx_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	uint32_t at = 0, count = 0;

	while (at < length && count < room) {
		uint32_t plain = plain_end(bytes, length, at), end;
		struct slice line;

		if (plain > at) {
			at = cut_plain(bytes, at, plain, out, room, &count);
			continue;
		}
		end = line_end(bytes, length, at);
		line = (struct slice){at, end - at};
		line.length -= line.length && bytes[end - 1] == '\r';
		at = end + (end < length);
		if (line.length && !is_comment(bytes, line))
			out[count++] = line;
	}
	*consumed = at;
	return count;
}
