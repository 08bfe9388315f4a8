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

SCAN_INLINE __m128i is_quote_or_backslash(__m128i bytes)
{
	return _mm_or_si128(is_quote(bytes), scan_is(bytes, '\\'));
}

SCAN_INLINE __m128i is_equal(__m128i bytes)
{
	return scan_is(bytes, '=');
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

/* The quote that closes the string that begins at bytes[at], or `length`. */
static inline uint32_t string_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	for (;;) {
		/* Escapes, and the end of a short string, one by one: no worth in a vector for each. */
		for (uint32_t near = at; at < length && at - near < 8; at++) {
			if (bytes[at] == '"')
				return at;
			if (bytes[at] == '\\')
				near = ++at;
		}
		at = at < length ? scan_find(bytes, length, at, is_quote_or_backslash) : length;
		if (at == length)
			return length;
	}
}

/* The next newline, or quote directly behind an equals sign, in bytes[at..length), at > 0; or `length`. */
static inline uint32_t end_or_opening(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	uint32_t found = 0;

	for (; length - at >= 16; at += 16) {
		__m128i here = _mm_loadu_si128((const __m128i *)(bytes + at)),
			before = _mm_loadu_si128((const __m128i *)(bytes + at - 1));

		found = (uint32_t)_mm_movemask_epi8(
			_mm_or_si128(is_newline(here), _mm_and_si128(is_quote(here), is_equal(before))));
		if (found)
			return at + (uint32_t)__builtin_ctz(found);
	}
	if (at < length)
		found = scan_mask(bytes, length, at, is_newline) |
			(scan_mask(bytes, length, at, is_quote) & scan_mask(bytes, length, at - 1, is_equal));
	return found ? at + (uint32_t)__builtin_ctz(found) : length;
}

/* Where bytes[from..to) has a space that is not escaped, or `to`; nothing from `line` up to `from` has one. */
static inline uint32_t bare_space(const uint8_t *bytes, uint32_t line, uint32_t from, uint32_t to)
{
	while ((from = scan_find(bytes, to, from, is_space)) < to && is_escaped(bytes, line, from))
		from++;
	return from;
}

/*
 * Where the line that starts at `line` ends: its newline, or `length`. A quote begins a string directly behind an
 * equals sign in the fields, which a bare space divides from measurement and tags. A string that nothing closes ends
 * with its line: behind it are no more bare quotes, so that this happens once a datagram.
 */
static uint32_t line_end(const uint8_t *bytes, uint32_t length, uint32_t line)
{
	uint32_t at, space;

	while (line < length && bytes[line] == ' ')
		line++;
	if (line == length || bytes[line] == '\n' || bytes[line] == '#')
		return scan_find(bytes, length, line, is_newline);
	for (at = space = line + 1;; at++) {
		uint32_t close;

		at = end_or_opening(bytes, length, at);
		if (at == length || bytes[at] == '\n')
			return at;
		if (is_escaped(bytes, line, at - 1))
			continue;
		if (space == line + 1 || bytes[space] != ' ')
			space = bare_space(bytes, line, space, at);
		if (space == at) /* still in the tags */
			continue;
		close = string_end(bytes, length, at + 1);
		if (close == length)
			return scan_find(bytes, length, at, is_newline);
		at = close;
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
static uint32_t cut_plain(const uint8_t *bytes, uint32_t at, uint32_t end, struct slice *out, uint32_t room,
			  uint32_t *count)
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

/* The end of the whole lines from `at` on that have no quote, within a window; `at` when the first has one or is
 * longer. */
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
