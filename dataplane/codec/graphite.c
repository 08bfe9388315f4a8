// Graphite's plaintext protocol as fields: "path[;tag=value...] value timestamp"
// (graphite.readthedocs.io: feeding-carbon, tags; carbon/protocols.py MetricLineReceiver).
#include "dataplane/codec/instant.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/scan.h"

struct graphite { /* where the reading stands */
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	struct field_sink *sink;
};

struct word { /* bytes[start..end) */
	uint32_t start, end;
};

static inline bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

SCAN_INLINE __m128i ends_word(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, ' '), scan_is(bytes, '\t'));
}

static inline void skip_blanks(struct graphite *g)
{
	while (g->at < g->length && is_blank(g->bytes[g->at]))
		g->at++;
}

/* The next word; empty at the end. */
static inline struct word next_word(struct graphite *g)
{
	struct word word;

	skip_blanks(g);
	word.start = g->at;
	word.end = g->at = scan_find(g->bytes, g->length, g->at, ends_word);
	return word;
}

SCAN_INLINE __m128i is_semicolon(__m128i bytes)
{
	return scan_is(bytes, ';');
}

SCAN_INLINE __m128i ends_tag_name(__m128i bytes)
{
	return _mm_or_si128(is_semicolon(bytes), scan_is(bytes, '='));
}

/* name[;tag=value...] */
static enum codec_fault put_series(struct graphite *g, struct word series)
{
	uint32_t at = scan_find(g->bytes, series.end, series.start, is_semicolon);

	if (at == series.start)
		return CODEC_SYNTAX;
	PUT_TRY(put_text(g->sink, PUT_NAME("name"), g->bytes + series.start, at - series.start));
	if (at == series.end)
		return CODEC_OK;
	PUT_TRY(put_bare(g->sink, FIELD_OBJECT, PUT_NAME("tags")));
	while (at < series.end) {
		uint32_t name = at + 1, equal = scan_find(g->bytes, series.end, name, ends_tag_name);

		if (equal == series.end || equal == name || g->bytes[equal] != '=')
			return CODEC_SYNTAX;
		at = scan_find(g->bytes, series.end, equal + 1, is_semicolon);
		if (at == equal + 1)
			return CODEC_SYNTAX; /* both are at least a character long */
		PUT_TRY(put_text(g->sink, (const char *)g->bytes + name, equal - name, g->bytes + equal + 1,
				 at - equal - 1));
	}
	return put_end(g->sink);
}

/* "nan", "inf" and "infinity", which Python's float() takes in any case. */
static bool is_no_number(const uint8_t *bytes, uint32_t length, double *value)
{
	static const struct {
		const char *text;
		uint32_t length;
		double value;
	} words[] = {{"nan", 3, __builtin_nan("")}, {"inf", 3, __builtin_inf()}, {"infinity", 8, __builtin_inf()}};
	bool minus = bytes[0] == '-';

	if (minus || bytes[0] == '+') {
		bytes++;
		length--;
	}
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t same = 0;

		while (same < length && same < words[i].length && (bytes[same] | 0x20) == words[i].text[same])
			same++;
		if (same == length && same == words[i].length) {
			*value = minus ? -words[i].value : words[i].value;
			return true;
		}
	}
	return false;
}

static enum codec_fault put_value(struct graphite *g, struct word value)
{
	const uint8_t *bytes = g->bytes + value.start;
	uint32_t length = value.end - value.start;
	struct field field = {.type = FIELD_REAL, .name = "value", .name_length = 5};
	struct number number;

	if (number_take(bytes, length, g->scratch, &number))
		return put_slice(g->sink, FIELD_NUMBER, PUT_NAME("value"), number.bytes, number.length);
	if (!is_no_number(bytes, length, &field.value.r))
		return CODEC_NUMBER;
	return put_field(g->sink, &field);
}

/* Seconds with or without a fraction; -1 and N are the time of arrival. */
static enum codec_fault put_timestamp(struct graphite *g, struct word time, uint64_t arrival_ns)
{
	const uint8_t *bytes = g->bytes + time.start;
	uint32_t length = time.end - time.start, whole, nanoseconds = 0;
	uint64_t seconds;

	if ((length == 2 && bytes[0] == '-' && bytes[1] == '1') || (length == 1 && bytes[0] == 'N'))
		return put_unsigned(g->sink, FIELD_TIME, PUT_NAME("timestamp"), arrival_ns);
	whole = number_digits_end(bytes, length, 0);
	if (!number_unsigned(bytes, whole, &seconds) || seconds >= INSTANT_SECONDS_MAX)
		return CODEC_TIME;
	if (whole < length &&
	    (bytes[whole] != '.' || instant_fraction(bytes, length, whole + 1, &nanoseconds) != length))
		return CODEC_TIME;
	return put_unsigned(g->sink, FIELD_TIME, PUT_NAME("timestamp"), seconds * INSTANT_SECOND + nanoseconds);
}

static enum codec_fault line(struct graphite *g, uint64_t arrival_ns)
{
	struct word series = next_word(g), value, time;

	if (series.start == series.end)
		return CODEC_EMPTY;
	value = next_word(g);
	time = next_word(g);
	if (time.start == time.end)
		return CODEC_TRUNCATED;
	skip_blanks(g);
	if (g->at != g->length)
		return CODEC_SYNTAX;
	PUT_TRY(put_series(g, series));
	PUT_TRY(put_value(g, value));
	return put_timestamp(g, time, arrival_ns);
}

enum codec_fault graphite_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct graphite g = {
		.bytes = record->bytes, .length = record->length, .scratch = record->scratch, .sink = sink};

	if (g.length > CODEC_SCRATCH_BYTES - 2)
		return CODEC_TOO_LARGE;
	return put_result(line(&g, record->arrival_ns));
}
