// Influx line protocol as fields: measurement[,tag=value...] field=value[,field=value...] [timestamp]
// (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol; what escapes mean as in influxdb's models/points.go).
#include <string.h>

#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/scan.h"

struct influx { /* where the reading stands */
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

static inline bool is_one_of(uint8_t byte, const char *set)
{
	for (; *set; set++)
		if (byte == (uint8_t)*set)
			return true;
	return false;
}

/*
 * From the first backslash of a text on, copied to scratch up to one of `ends`. A backslash takes the byte behind it along,
 * and disappears itself in front of one of `escaped`.
 */
static void unescape(struct influx *x, uint32_t start, const char *ends, const char *escaped, struct text *out)
{
	uint8_t *to = x->scratch + x->used;
	uint32_t count = x->at - start;

	memcpy(to, x->bytes + start, count);
	while (x->at < x->length && !is_one_of(x->bytes[x->at], ends)) {
		uint8_t byte = x->bytes[x->at++];

		if (byte == '\\' && x->at < x->length) {
			if (!is_one_of(x->bytes[x->at], escaped))
				to[count++] = byte;
			byte = x->bytes[x->at++];
		}
		to[count++] = byte;
	}
	*out = (struct text){to, count};
}

/* A measurement, key or tag value: stops at the first byte of the class that is not escaped, or the end. */
SCAN_INLINE struct text token(struct influx *x, scan_class *is, const char *ends, const char *escaped)
{
	uint32_t start = x->at;
	struct text out;

	x->at = scan_find(x->bytes, x->length, start, is);
	out = (struct text){x->bytes + start, x->at - start};
	if (x->at < x->length && x->bytes[x->at] == '\\')
		unescape(x, start, ends, escaped, &out);
	return out;
}

/* key= */
static inline enum codec_fault key(struct influx *x, struct text *out)
{
	x->used = 0;
	*out = token(x, ends_key, ", =", ", =");
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
static enum codec_fault put_tags(struct influx *x)
{
	PUT_TRY(put_bare(x->sink, FIELD_OBJECT, PUT_NAME("tags")));
	while (x->at < x->length && x->bytes[x->at] == ',') {
		struct text name, value;

		x->at++;
		PUT_TRY(key(x, &name));
		value = token(x, ends_key, ", =", ", =");
		if (value.length == 0)
			return x->at == x->length ? CODEC_TRUNCATED : CODEC_SYNTAX;
		PUT_TRY(put_text(x->sink, (const char *)name.bytes, name.length, value.bytes, value.length));
	}
	return put_end(x->sink);
}

/* `at` stands behind the opening quote. */
static enum codec_fault put_string(struct influx *x, struct text name)
{
	uint32_t start = x->at;
	struct text value;

	x->at = scan_find(x->bytes, x->length, start, ends_string);
	value = (struct text){x->bytes + start, x->at - start};
	if (x->at < x->length && x->bytes[x->at] == '\\')
		unescape(x, start, "\"", "\"\\", &value);
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
static bool is_boolean(const uint8_t *bytes, uint32_t length, bool *value)
{
	*value = (bytes[0] | 0x20) == 't';
	if (length == 1)
		return is_one_of(bytes[0], "tTfF");
	return *value ? is_word(bytes, length, "true") || is_word(bytes, length, "True") || is_word(bytes, length, "TRUE") :
			is_word(bytes, length, "false") || is_word(bytes, length, "False") || is_word(bytes, length, "FALSE");
}

/* The digits in front of an i or u, within 64 bits. */
static bool fits_integer(const uint8_t *bytes, uint32_t length, uint8_t suffix)
{
	bool minus = suffix == 'i' && bytes[0] == '-';
	uint64_t value;

	if (!number_unsigned(bytes + minus, length - minus, &value))
		return false;
	return suffix == 'u' || value <= (uint64_t)INT64_MAX + minus;
}

/* What is no string: a number, an integer with its suffix, or a boolean. */
static enum codec_fault put_bare_value(struct influx *x, struct text name)
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
		length--;
		if (length == 0 || !fits_integer(bytes, length, last))
			return CODEC_NUMBER;
	} else if (is_one_of(bytes[0], "tTfF")) {
		if (!is_boolean(bytes, length, &value))
			return CODEC_SYNTAX;
		return put_unsigned(x->sink, FIELD_BOOL, (const char *)name.bytes, name.length, value);
	}
	if (!number_take(bytes, length, x->scratch + x->used, &number))
		return CODEC_NUMBER;
	return put_slice(x->sink, FIELD_NUMBER, (const char *)name.bytes, name.length, number.bytes, number.length);
}

static enum codec_fault put_fields(struct influx *x)
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

static void skip_spaces(struct influx *x)
{
	while (x->at < x->length && x->bytes[x->at] == ' ')
		x->at++;
}

/* Nanoseconds since 1970, the default precision; a negative one is before what a FIELD_TIME can say. */
static enum codec_fault put_timestamp(struct influx *x)
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

static enum codec_fault line(struct influx *x)
{
	struct text measurement;

	skip_spaces(x);
	if (x->at == x->length || x->bytes[x->at] == '#')
		return CODEC_EMPTY;
	measurement = token(x, ends_measurement, ", ", ", ");
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
