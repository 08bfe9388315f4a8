#include "dataplane/codec/json.h"

#include <string.h>

#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/utf8.h"

/* Where the reading stands. Steps that are rare are calls and get a copy of it, so that it can live in registers
 * otherwise. */
struct json {
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	uint32_t scratch_bytes;
	uint32_t used;   /* of scratch, by the name of the value being read */
	uint32_t depth;  /* objects and arrays open, the outermost included */
	uint32_t silent; /* 1: the outermost object is the record itself, which is not put */
	uint64_t arrays; /* lowest bit: the innermost one open is an array; the next: the one around it ... */
	struct field_sink *sink;
};

SCAN_INLINE bool is_space(uint8_t byte)
{
	return byte <= ' ' && (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t');
}

SCAN_INLINE void skip_space(struct json *j)
{
	while (j->at < j->length && is_space(j->bytes[j->at]))
		j->at++;
}

/* What a string cannot be copied past: its end, an escape, a control character, the first byte of a longer character.
 */
SCAN_INLINE __m128i is_special(__m128i bytes)
{
	__m128i control_or_high =
		_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)); /* as signed bytes those from 0x80 on are negative */

	return _mm_or_si128(_mm_or_si128(scan_is(bytes, '"'), scan_is(bytes, '\\')), control_or_high);
}

/* Characters of more than one byte, and the few plain ones between them, which a vector would not be worth. */
static enum codec_fault long_characters(struct json *j)
{
	uint32_t plain = 0;

	while (j->at < j->length && plain < 4) {
		uint8_t byte = j->bytes[j->at];
		uint32_t character;

		if (byte < 0x80) {
			if (byte == '"' || byte == '\\' || byte < 0x20)
				return CODEC_OK;
			plain++;
			j->at++;
			continue;
		}
		character = utf8_character(j->bytes + j->at, j->length - j->at);
		if (!character)
			return CODEC_ENCODING;
		plain = 0;
		j->at += character;
	}
	return CODEC_OK;
}

static int hex_digit(uint8_t byte)
{
	if (number_is_digit(byte))
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits of a \u escape. */
static enum codec_fault hex_unit(struct json *j, uint32_t *unit)
{
	*unit = 0;
	for (uint32_t i = 0; i < 4; i++, j->at++) {
		int digit;

		if (j->at == j->length)
			return CODEC_TRUNCATED;
		digit = hex_digit(j->bytes[j->at]);
		if (digit < 0)
			return CODEC_SYNTAX;
		*unit = *unit << 4 | (uint32_t)digit;
	}
	return CODEC_OK;
}

static enum codec_fault unicode_escape(struct json *j, uint8_t out[4], uint32_t *bytes)
{
	uint32_t code, low;

	PUT_TRY(hex_unit(j, &code));
	if (code >= 0xd800 && code < 0xe000) {
		if (code >= 0xdc00)
			return CODEC_ENCODING;
		if (j->length - j->at < 2)
			return j->at < j->length && j->bytes[j->at] != '\\' ? CODEC_ENCODING : CODEC_TRUNCATED;
		if (j->bytes[j->at] != '\\' || j->bytes[j->at + 1] != 'u')
			return CODEC_ENCODING;
		j->at += 2;
		PUT_TRY(hex_unit(j, &low));
		if (low < 0xdc00 || low >= 0xe000)
			return CODEC_ENCODING;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*bytes = utf8_put(out, code);
	return CODEC_OK;
}

/* What a byte behind a backslash stands for; 0: nothing, or it is u. */
static const uint8_t escapes[256] = {
	['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

/* `at` stands behind the backslash. */
static inline enum codec_fault escape(struct json *j, uint8_t out[4], uint32_t *bytes)
{
	uint8_t byte;

	if (j->at == j->length)
		return CODEC_TRUNCATED;
	byte = j->bytes[j->at++];
	out[0] = escapes[byte];
	*bytes = 1;
	if (out[0])
		return CODEC_OK;
	return byte == 'u' ? unicode_escape(j, out, bytes) : CODEC_SYNTAX;
}

/* The rest of a string from its first escape on: copied to scratch, which `text` has gone to already. */
static enum codec_fault unescape(struct json *j, uint32_t start, const uint8_t **text, uint32_t *length)
{
	uint8_t *out = j->scratch + j->used;
	uint32_t room = j->scratch_bytes - j->used, count = j->at - start;

	if (count > room)
		return CODEC_TOO_LARGE;
	memcpy(out, j->bytes + start, count);
	while (j->at < j->length) {
		uint8_t byte = j->bytes[j->at], character[4];
		uint32_t bytes = 1;

		if (byte == '\\' && j->length - j->at > 1 && escapes[j->bytes[j->at + 1]] && count < room) {
			out[count++] = escapes[j->bytes[j->at + 1]];
			j->at += 2;
			continue;
		}
		if (j->length - j->at >= 16 && room - count >= 16) {
			__m128i some = _mm_loadu_si128((const __m128i *)(j->bytes + j->at));
			uint32_t special = (uint32_t)_mm_movemask_epi8(is_special(some));
			uint32_t run = special ? (uint32_t)__builtin_ctz(special) : 16;

			_mm_storeu_si128((__m128i *)(out + count), some);
			count += run;
			j->at += run;
			if (!special)
				continue;
		}
		byte = j->bytes[j->at];
		if (byte == '"') {
			j->at++;
			*text = out;
			*length = count;
			return CODEC_OK;
		}
		if (byte < 0x20)
			return CODEC_SYNTAX;
		if (byte == '\\') {
			j->at++;
			PUT_TRY(escape(j, character, &bytes));
		} else {
			bytes = utf8_character(j->bytes + j->at, j->length - j->at);
			if (!bytes)
				return CODEC_ENCODING;
			memcpy(character, j->bytes + j->at, bytes);
			j->at += bytes;
		}
		if (room - count < bytes)
			return CODEC_TOO_LARGE;
		memcpy(out + count, character, bytes);
		count += bytes;
	}
	return CODEC_TRUNCATED;
}

/* What a vector cannot do of a string: `from` is the state of the reading, which goes on at `at`. */
static __attribute__((noinline)) enum codec_fault string_with_care(struct json from, uint32_t start,
								   const uint8_t **text, uint32_t *length, uint32_t *at)
{
	struct json *j = &from;

	while (j->at < j->length) {
		uint8_t byte = j->bytes[j->at];

		if (byte == '"') {
			*text = j->bytes + start;
			*length = j->at - start;
			*at = j->at + 1;
			return CODEC_OK;
		}
		if (byte == '\\') {
			PUT_TRY(unescape(j, start, text, length));
			*at = j->at;
			return CODEC_OK;
		}
		if (byte < 0x20)
			return CODEC_SYNTAX;
		PUT_TRY(long_characters(j));
		j->at = scan_find(j->bytes, j->length, j->at, is_special);
	}
	return CODEC_TRUNCATED;
}

/* `at` stands behind the opening quote, and behind the closing one afterwards. */
SCAN_INLINE enum codec_fault string(struct json *j, const uint8_t **text, uint32_t *length)
{
	uint32_t start = j->at, at;

	j->at = scan_find(j->bytes, j->length, start, is_special);
	if (__builtin_expect(j->at < j->length && j->bytes[j->at] == '"', 1)) {
		*text = j->bytes + start;
		*length = j->at++ - start;
		return CODEC_OK;
	}
	PUT_TRY(string_with_care(*j, start, text, length, &at));
	j->at = at;
	return CODEC_OK;
}

SCAN_INLINE enum codec_fault open(struct json *j, struct field *field, enum field_type type)
{
	if (j->depth - j->silent == FIELD_DEPTH_MAX)
		return CODEC_TOO_DEEP;
	j->at++;
	j->depth++;
	j->arrays = j->arrays << 1 | (type == FIELD_ARRAY);
	field->type = type;
	return put_field(j->sink, field);
}

SCAN_INLINE enum codec_fault literal(struct json *j, struct field *field, const char *text, uint32_t length,
				     enum field_type type, uint64_t value)
{
	uint32_t left = j->length - j->at;

	if (left < length)
		return memcmp(j->bytes + j->at, text, left) == 0 ? CODEC_TRUNCATED : CODEC_SYNTAX;
	if (memcmp(j->bytes + j->at, text, length) != 0)
		return CODEC_SYNTAX;
	j->at += length;
	field->type = type;
	field->value.u = value;
	return put_field(j->sink, field);
}

/* What is wrong with a number. "-", "1." and "1e" may be the beginning of one. */
static __attribute__((noinline)) enum codec_fault number_fault(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	while (at < length && (number_is_digit(bytes[at]) || (bytes[at] && strchr("-+.eE", bytes[at]))))
		at++;
	return at == length ? CODEC_TRUNCATED : CODEC_NUMBER;
}

SCAN_INLINE enum codec_fault number(struct json *j, struct field *field)
{
	uint32_t start = j->at, end = number_end(j->bytes, j->length, start);

	if (end == 0)
		return number_fault(j->bytes, j->length, start);
	if (end < j->length && number_is_digit(j->bytes[end]))
		return CODEC_NUMBER;
	j->at = end;
	field->type = FIELD_NUMBER;
	field->bytes = j->bytes + start;
	field->length = end - start;
	return put_field(j->sink, field);
}

/* The value at `at` < length; of an object or array no more than the opening. */
SCAN_INLINE enum codec_fault value(struct json *j, struct field *field)
{
	uint8_t byte = j->bytes[j->at];

	if (byte == '"') {
		j->at++;
		PUT_TRY(string(j, &field->bytes, &field->length));
		field->type = FIELD_TEXT;
		return put_field(j->sink, field);
	}
	if (byte == '-' || number_is_digit(byte))
		return number(j, field);
	switch (byte) {
	case '{':
		return open(j, field, FIELD_OBJECT);
	case '[':
		return open(j, field, FIELD_ARRAY);
	case 't':
		return literal(j, field, "true", 4, FIELD_BOOL, 1);
	case 'f':
		return literal(j, field, "false", 5, FIELD_BOOL, 0);
	case 'n':
		return literal(j, field, "null", 4, FIELD_NULL, 0);
	}
	return CODEC_SYNTAX;
}

SCAN_INLINE enum codec_fault name(struct json *j, struct field *field)
{
	const uint8_t *text;

	if (j->at == j->length)
		return CODEC_TRUNCATED;
	if (j->bytes[j->at++] != '"')
		return CODEC_SYNTAX;
	j->used = 0;
	PUT_TRY(string(j, &text, &field->name_length));
	field->name = (const char *)text;
	j->used = text == j->scratch ? field->name_length : 0;
	skip_space(j);
	if (j->at == j->length)
		return CODEC_TRUNCATED;
	if (j->bytes[j->at++] != ':')
		return CODEC_SYNTAX;
	skip_space(j);
	return CODEC_OK;
}

SCAN_INLINE enum codec_fault close(struct json *j)
{
	j->at++;
	j->arrays >>= 1;
	return j->depth-- > j->silent ? put_end(j->sink) : CODEC_OK;
}

/* Members and elements until nothing is open any more; `field` has no name yet. */
SCAN_INLINE enum codec_fault contents(struct json *j, struct field *field)
{
	bool fresh = true; /* the innermost has had none yet */

	while (j->depth) {
		bool array = j->arrays & 1;
		uint32_t depth = j->depth;
		uint8_t byte;

		skip_space(j);
		if (j->at == j->length)
			return CODEC_TRUNCATED;
		byte = j->bytes[j->at];
		if (byte == (array ? ']' : '}')) {
			fresh = false;
			PUT_TRY(close(j));
			continue;
		}
		if (!fresh) {
			if (byte != ',')
				return CODEC_SYNTAX;
			j->at++;
			skip_space(j);
		}
		if (array) {
			field->name = NULL;
			field->name_length = 0;
			j->used = 0;
		} else {
			PUT_TRY(name(j, field));
		}
		if (j->at == j->length)
			return CODEC_TRUNCATED;
		PUT_TRY(value(j, field));
		fresh = j->depth > depth;
		/* Numbers in a row: what long arrays mostly hold. */
		while (array && !fresh && j->length - j->at > 1 && j->bytes[j->at] == ',' && number_is_digit(j->bytes[j->at + 1])) {
			j->at++;
			PUT_TRY(number(j, field));
		}
	}
	return CODEC_OK;
}

SCAN_INLINE enum codec_fault text(struct json *j, struct field *field)
{
	skip_space(j);
	if (j->at == j->length)
		return CODEC_EMPTY;
	if (j->bytes[j->at] == '{') {
		j->at++;
		j->depth = j->silent = 1;
	} else {
		field->name = "value";
		field->name_length = 5;
		PUT_TRY(value(j, field));
	}
	PUT_TRY(contents(j, field));
	skip_space(j);
	return j->at == j->length ? CODEC_OK : CODEC_SYNTAX;
}

enum codec_fault json_fields(const uint8_t *bytes, uint32_t length, uint8_t *scratch, uint32_t scratch_bytes,
			     struct field_sink *sink)
{
	struct json j = {
		.bytes = bytes, .length = length, .scratch = scratch, .scratch_bytes = scratch_bytes, .sink = sink};
	struct field field = {.type = FIELD_NULL};

	return put_result(text(&j, &field));
}

enum codec_fault json_decode(const struct codec_record *record, struct field_sink *sink)
{
	return json_fields(record->bytes, record->length, record->scratch, CODEC_SCRATCH_BYTES, sink);
}
