// Influx line protocol as fields: measurement[,tag=value...] field=value[,field=value...] [timestamp]
// (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol; what escapes mean as in influxdb's
// models/points.go).
#include <string.h>

#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/scan.h"

/* Where the reading stands. Unescaping is a call and gets a copy of it, so that it can live in registers otherwise. */
struct influx {
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	uint32_t used; /* of scratch, by the name of the value being read */
	struct field_sink *sink;
};

struct text {
	const uint8_t *bytes;
	uint32_t length;
};

struct unescaped {
	struct text text;
	uint32_t at; /* where the reading goes on */
};

SCAN_INLINE __m128i ends_value(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, ','), scan_is(bytes, ' '));
}

SCAN_INLINE __m128i ends_measurement(__m128i bytes)
{
	return _mm_or_si128(ends_value(bytes), scan_is(bytes, '\\'));
}

SCAN_INLINE __m128i ends_key(__m128i bytes)
{
	return _mm_or_si128(ends_measurement(bytes), scan_is(bytes, '='));
}

SCAN_INLINE __m128i ends_string(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, '"'), scan_is(bytes, '\\'));
}

enum mark { /* bytes that mean something, as a set */
	    COMMA = 1,
	    SPACE = 2,
	    EQUAL = 4,
	    QUOTE = 8,
	    BACKSLASH = 16,
};

static const uint8_t marks[256] = {[','] = COMMA, [' '] = SPACE, ['='] = EQUAL, ['"'] = QUOTE, ['\\'] = BACKSLASH};

/*
 * From the first backslash of a text on, copied to scratch up to one of the marks in `ends`. A backslash takes the byte
 * behind it along, and disappears itself in front of one of `escaped`.
 */
static __attribute__((noinline)) struct unescaped unescape(struct influx from, uint32_t start, uint32_t ends,
							   uint32_t escaped)
{
	struct influx *x = &from;
	uint8_t *to = x->scratch + x->used;
	uint32_t count = x->at - start;

	memcpy(to, x->bytes + start, count);
	while (x->at < x->length && !(marks[x->bytes[x->at]] & ends)) {
		uint8_t byte = x->bytes[x->at++];

		if (byte == '\\' && x->at < x->length) {
			if (!(marks[x->bytes[x->at]] & escaped))
				to[count++] = byte;
			byte = x->bytes[x->at++];
		}
		to[count++] = byte;
	}
	return (struct unescaped){{to, count}, x->at};
}

/* A measurement, key or tag value: stops at the first byte of the class that is not escaped, or the end. */
SCAN_INLINE struct text token(struct influx *x, scan_class *is, uint32_t ends)
{
	uint32_t start = x->at;
	struct text out;

	x->at = scan_find(x->bytes, x->length, start, is);
	out = (struct text){x->bytes + start, x->at - start};
	if (x->at < x->length && x->bytes[x->at] == '\\') {
		struct unescaped unescaped = unescape(*x, start, ends, ends);

		x->at = unescaped.at;
		return unescaped.text;
	}
	return out;
}

/* key= */
SCAN_INLINE enum codec_fault key(struct influx *x, struct text *out)
{
	x->used = 0;
	*out = token(x, ends_key, COMMA | SPACE | EQUAL);
	if (x->at == x->length)
		return CODEC_TRUNCATED;
	if (x->bytes[x->at] != '=' || out->length == 0)
		return CODEC_SYNTAX;
	x->at++;
	if (out->bytes == x->scratch)
		x->used = out->length;
	return CODEC_OK;
}

/* ,key=value as long as there are any; `at` stands at the first comma. */
SCAN_INLINE enum codec_fault put_tags(struct influx *x)
{
	PUT_TRY(put_bare(x->sink, FIELD_OBJECT, PUT_NAME("tags")));
	while (x->at < x->length && x->bytes[x->at] == ',') {
		struct text name, value;

		x->at++;
		PUT_TRY(key(x, &name));
		value = token(x, ends_key, COMMA | SPACE | EQUAL);
		if (value.length == 0)
			return x->at == x->length ? CODEC_TRUNCATED : CODEC_SYNTAX;
		PUT_TRY(put_text(x->sink, (const char *)name.bytes, name.length, value.bytes, value.length));
	}
	return put_end(x->sink);
}

/* `at` stands behind the opening quote. */
SCAN_INLINE enum codec_fault put_string(struct influx *x, struct text name)
{
	uint32_t start = x->at;
	struct text value;

	x->at = scan_find(x->bytes, x->length, start, ends_string);
	value = (struct text){x->bytes + start, x->at - start};
	if (x->at < x->length && x->bytes[x->at] == '\\') {
		struct unescaped unescaped = unescape(*x, start, QUOTE, QUOTE | BACKSLASH);

		x->at = unescaped.at;
		value = unescaped.text;
	}
	if (x->at == x->length)
		return CODEC_TRUNCATED;
	x->at++;
	return put_text(x->sink, (const char *)name.bytes, name.length, value.bytes, value.length);
}

static bool is_word(const uint8_t *bytes, uint32_t length, const char *word)
{
	return strlen(word) == length && memcmp(bytes, word, length) == 0;
}

/* t, T, true, True, TRUE and the same of false. */
SCAN_INLINE bool is_boolean(const uint8_t *bytes, uint32_t length, bool *value)
{
	*value = (bytes[0] | 0x20) == 't';
	if (length == 1)
		return *value || (bytes[0] | 0x20) == 'f';
	return *value ? is_word(bytes, length, "true") || is_word(bytes, length, "True") ||
				is_word(bytes, length, "TRUE")
		      : is_word(bytes, length, "false") || is_word(bytes, length, "False") ||
				is_word(bytes, length, "FALSE");
}

/* The digits in front of an i or u, within 64 bits. */
SCAN_INLINE bool fits_integer(const uint8_t *bytes, uint32_t length, uint8_t suffix)
{
	bool minus = suffix == 'i' && length && bytes[0] == '-';
	uint64_t value;

	if (!number_unsigned(bytes + minus, length - minus, &value))
		return false;
	return suffix == 'u' || value <= (uint64_t)INT64_MAX + minus;
}

/* What is no string: a number, an integer with its suffix, or a boolean. */
SCAN_INLINE enum codec_fault put_bare_value(struct influx *x, struct text name)
{
	const uint8_t *bytes = x->bytes + x->at;
	uint32_t start = x->at, length;
	struct number number;
	uint8_t last;
	bool value;

	x->at = scan_find(x->bytes, x->length, start, ends_value);
	length = x->at - start;
	if (length == 0)
		return x->at == x->length ? CODEC_TRUNCATED : CODEC_SYNTAX;
	last = bytes[length - 1];
	if (last == 'i' || last == 'u') {
		if (!fits_integer(bytes, length - 1, last))
			return CODEC_NUMBER;
		length--;
	} else if ((bytes[0] | 0x20) == 't' || (bytes[0] | 0x20) == 'f') {
		if (!is_boolean(bytes, length, &value))
			return CODEC_SYNTAX;
		return put_unsigned(x->sink, FIELD_BOOL, (const char *)name.bytes, name.length, value);
	}
	if (!number_take(bytes, length, x->scratch + x->used, &number))
		return CODEC_NUMBER;
	return put_slice(x->sink, FIELD_NUMBER, (const char *)name.bytes, name.length, number.bytes, number.length);
}

SCAN_INLINE enum codec_fault put_fields(struct influx *x)
{
	PUT_TRY(put_bare(x->sink, FIELD_OBJECT, PUT_NAME("fields")));
	for (;;) {
		struct text name;

		PUT_TRY(key(x, &name));
		if (x->at < x->length && x->bytes[x->at] == '"') {
			x->at++;
			PUT_TRY(put_string(x, name));
		} else {
			PUT_TRY(put_bare_value(x, name));
		}
		if (x->at == x->length || x->bytes[x->at] == ' ')
			return put_end(x->sink);
		if (x->bytes[x->at++] != ',')
			return CODEC_SYNTAX;
	}
}

SCAN_INLINE void skip_spaces(struct influx *x)
{
	while (x->at < x->length && x->bytes[x->at] == ' ')
		x->at++;
}

/* Nanoseconds since 1970, the default precision; a negative one is before what a FIELD_TIME can say. */
SCAN_INLINE enum codec_fault put_timestamp(struct influx *x)
{
	uint32_t start = x->at;
	uint64_t ns;

	x->at = scan_find(x->bytes, x->length, start, ends_value);
	if (!number_unsigned(x->bytes + start, x->at - start, &ns))
		return CODEC_TIME;
	skip_spaces(x);
	if (x->at != x->length)
		return CODEC_SYNTAX;
	return put_unsigned(x->sink, FIELD_TIME, PUT_NAME("timestamp"), ns);
}

SCAN_INLINE enum codec_fault line(struct influx *x)
{
	struct text measurement;

	skip_spaces(x);
	if (x->at == x->length || x->bytes[x->at] == '#')
		return CODEC_EMPTY;
	measurement = token(x, ends_measurement, COMMA | SPACE);
	if (measurement.length == 0)
		return CODEC_SYNTAX;
	PUT_TRY(put_text(x->sink, PUT_NAME("measurement"), measurement.bytes, measurement.length));
	if (x->at < x->length && x->bytes[x->at] == ',')
		PUT_TRY(put_tags(x));
	if (x->at == x->length)
		return CODEC_TRUNCATED;
	if (x->bytes[x->at] != ' ')
		return CODEC_SYNTAX;
	skip_spaces(x);
	PUT_TRY(put_fields(x));
	skip_spaces(x);
	return x->at == x->length ? CODEC_OK : put_timestamp(x);
}

enum codec_fault influx_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct influx x = {.bytes = record->bytes, .length = record->length, .scratch = record->scratch, .sink = sink};

	if (x.length > CODEC_SCRATCH_BYTES - 2)
		return CODEC_TOO_LARGE;
	return put_result(line(&x));
}
