#include "dataplane/codec/json.h"

#include <string.h>

#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/utf8.h"

struct json { /* where the reading stands */
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	uint32_t scratch_bytes;
	uint32_t used;          /* of scratch, by the name of the value being read */
	uint32_t depth;         /* objects and arrays open, the outermost included */
	uint32_t silent;        /* 1: the outermost object is the record itself, which is not put */
	uint64_t arrays;        /* lowest bit: the innermost one open is an array; the next: the one around it ... */
	struct field_sink *sink;
	struct field field;     /* whose name has been read */
};

static inline bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

static inline void skip_space(struct json *j)
{
	while (j->at < j->length && is_space(j->bytes[j->at]))
		j->at++;
}

/* What a string cannot be copied past: its end, an escape, a control character, the first byte of a longer character. */
SCAN_INLINE __m128i is_special(__m128i bytes)
{
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);

	return _mm_or_si128(_mm_or_si128(scan_is(bytes, '"'), scan_is(bytes, '\\')), _mm_or_si128(control, bytes));
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

/* `at` stands behind the backslash. */
static inline enum codec_fault escape(struct json *j, uint8_t out[4], uint32_t *bytes)
{
	static const uint8_t plain[256] = {['"'] = '"',	 ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
					   ['f'] = '\f', ['n'] = '\n',	['r'] = '\r', ['t'] = '\t'};
	uint8_t byte;

	if (j->at == j->length)
		return CODEC_TRUNCATED;
	byte = j->bytes[j->at++];
	out[0] = plain[byte];
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
		uint8_t byte, character[4];
		uint32_t bytes = 1;

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

/* `at` stands behind the opening quote, and behind the closing one afterwards. */
static inline enum codec_fault string(struct json *j, const uint8_t **text, uint32_t *length)
{
	uint32_t start = j->at;

	for (;;) {
		uint8_t byte;

		j->at = scan_find(j->bytes, j->length, j->at, is_special);
		if (j->at == j->length)
			return CODEC_TRUNCATED;
		byte = j->bytes[j->at];
		if (byte == '"')
			break;
		if (byte == '\\')
			return unescape(j, start, text, length);
		if (byte < 0x20)
			return CODEC_SYNTAX;
		PUT_TRY(long_characters(j));
	}
	*text = j->bytes + start;
	*length = j->at++ - start;
	return CODEC_OK;
}

static enum codec_fault open(struct json *j, enum field_type type)
{
	if (j->depth - j->silent == FIELD_DEPTH_MAX)
		return CODEC_TOO_DEEP;
	j->at++;
	j->depth++;
	j->arrays = j->arrays << 1 | (type == FIELD_ARRAY);
	j->field.type = type;
	return put_field(j->sink, &j->field);
}

static enum codec_fault literal(struct json *j, const char *text, uint32_t length, enum field_type type, uint64_t value)
{
	uint32_t left = j->length - j->at;

	if (memcmp(j->bytes + j->at, text, left < length ? left : length) != 0)
		return CODEC_SYNTAX;
	if (left < length)
		return CODEC_TRUNCATED;
	j->at += length;
	j->field.type = type;
	j->field.value.u = value;
	return put_field(j->sink, &j->field);
}

/* Whether nothing but parts of a number follows: "-", "1." and "1e" may be the beginning of one. */
static bool is_beginning(const struct json *j)
{
	uint32_t at = j->at;

	while (at < j->length && (number_is_digit(j->bytes[at]) || (j->bytes[at] && strchr("-+.eE", j->bytes[at]))))
		at++;
	return at == j->length;
}

static inline enum codec_fault number(struct json *j)
{
	uint32_t start = j->at, end = number_end(j->bytes, j->length, start);

	if (end == 0)
		return is_beginning(j) ? CODEC_TRUNCATED : CODEC_NUMBER;
	if (end < j->length && number_is_digit(j->bytes[end]))
		return CODEC_NUMBER;
	j->at = end;
	j->field.type = FIELD_NUMBER;
	j->field.bytes = j->bytes + start;
	j->field.length = end - start;
	return put_field(j->sink, &j->field);
}

/* The value at `at` < length; of an object or array no more than the opening. */
static inline enum codec_fault value(struct json *j)
{
	uint8_t byte = j->bytes[j->at];

	switch (byte) {
	case '"':
		j->at++;
		PUT_TRY(string(j, &j->field.bytes, &j->field.length));
		j->field.type = FIELD_TEXT;
		return put_field(j->sink, &j->field);
	case '{':
		return open(j, FIELD_OBJECT);
	case '[':
		return open(j, FIELD_ARRAY);
	case 't':
		return literal(j, "true", 4, FIELD_BOOL, 1);
	case 'f':
		return literal(j, "false", 5, FIELD_BOOL, 0);
	case 'n':
		return literal(j, "null", 4, FIELD_NULL, 0);
	default:
		return byte == '-' || number_is_digit(byte) ? number(j) : CODEC_SYNTAX;
	}
}

static inline enum codec_fault name(struct json *j)
{
	const uint8_t *text;

	if (j->at == j->length)
		return CODEC_TRUNCATED;
	if (j->bytes[j->at++] != '"')
		return CODEC_SYNTAX;
	PUT_TRY(string(j, &text, &j->field.name_length));
	j->field.name = (const char *)text;
	if (text == j->scratch)
		j->used = j->field.name_length;
	skip_space(j);
	if (j->at == j->length)
		return CODEC_TRUNCATED;
	if (j->bytes[j->at++] != ':')
		return CODEC_SYNTAX;
	skip_space(j);
	return CODEC_OK;
}

/* Members and elements until nothing is open any more. `fresh`: the innermost has had none yet. */
static enum codec_fault contents(struct json *j)
{
	bool fresh = true;

	while (j->depth) {
		bool array = j->arrays & 1;
		uint32_t depth = j->depth;
		uint8_t byte;

		skip_space(j);
		if (j->at == j->length)
			return CODEC_TRUNCATED;
		byte = j->bytes[j->at];
		if (byte == (array ? ']' : '}')) {
			j->at++;
			j->arrays >>= 1;
			fresh = false;
			if (j->depth-- > j->silent)
				PUT_TRY(put_end(j->sink));
			continue;
		}
		if (!fresh) {
			if (byte != ',')
				return CODEC_SYNTAX;
			j->at++;
			skip_space(j);
		}
		j->field.name = NULL;
		j->field.name_length = 0;
		j->used = 0;
		if (!array)
			PUT_TRY(name(j));
		if (j->at == j->length)
			return CODEC_TRUNCATED;
		PUT_TRY(value(j));
		fresh = j->depth > depth;
	}
	return CODEC_OK;
}

static enum codec_fault text(struct json *j)
{
	skip_space(j);
	if (j->at == j->length)
		return CODEC_EMPTY;
	if (j->bytes[j->at] == '{') {
		j->at++;
		j->depth = j->silent = 1;
	} else {
		j->field.name = "value";
		j->field.name_length = 5;
		PUT_TRY(value(j));
	}
	PUT_TRY(contents(j));
	skip_space(j);
	return j->at == j->length ? CODEC_OK : CODEC_SYNTAX;
}

enum codec_fault json_fields(const uint8_t *bytes, uint32_t length, uint8_t *scratch, uint32_t scratch_bytes, struct field_sink *sink)
{
	struct json j = {.bytes = bytes, .length = length, .scratch = scratch, .scratch_bytes = scratch_bytes, .sink = sink};

	return put_result(text(&j));
}

enum codec_fault json_decode(const struct codec_record *record, struct field_sink *sink)
{
	return json_fields(record->bytes, record->length, record->scratch, CODEC_SCRATCH_BYTES, sink);
}
