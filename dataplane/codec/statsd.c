// Statsd lines as fields: etsy's metrics (statsd/docs/metric_types.md) with DogStatsD's multiple values, tags, events
// and service checks (docs.datadoghq.com/developers/dogstatsd/datagram_shell, protocol 1.0 to 1.3).
#include <string.h>

#include "dataplane/codec/instant.h"
#include "dataplane/codec/names.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/scan.h"

/* Where the reading stands. Events and service checks are calls and get a copy of it, so that a metric's lives in
 * registers. */
struct statsd {
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	struct field_sink *sink;
};

SCAN_INLINE __m128i is_bar(__m128i bytes)
{
	return scan_is(bytes, '|');
}

SCAN_INLINE __m128i is_colon(__m128i bytes)
{
	return scan_is(bytes, ':');
}

SCAN_INLINE __m128i is_bar_or_colon(__m128i bytes)
{
	return _mm_or_si128(is_bar(bytes), is_colon(bytes));
}

SCAN_INLINE __m128i is_comma(__m128i bytes)
{
	return scan_is(bytes, ',');
}

SCAN_INLINE __m128i is_comma_or_colon(__m128i bytes)
{
	return _mm_or_si128(is_comma(bytes), is_colon(bytes));
}

SCAN_INLINE __m128i is_backslash(__m128i bytes)
{
	return scan_is(bytes, '\\');
}

/* key:value,key:value or plain words, which are true. The value ends at a comma and may have colons; a key may be there
 * again with another value. */
SCAN_INLINE enum codec_fault put_tags(struct statsd *s, uint32_t at, uint32_t end)
{
	struct names names;

	PUT_TRY(put_bare(s->sink, FIELD_OBJECT, PUT_NAME("tags")));
	names_begin(&names);
	while (at < end) {
		const char *name = (const char *)s->bytes + at;
		uint32_t start = at, colon, length;
		bool valued;

		if (s->bytes[at] == ',') {
			at++;
			continue;
		}
		at = colon = scan_find(s->bytes, end, at, is_comma_or_colon);
		if (at < end && s->bytes[at] == ':')
			at = scan_find(s->bytes, end, at, is_comma);
		valued = colon > start && colon < at;
		length = valued ? colon - start : at - start;
		names_next(&names, &name, &length, s->scratch); /* half of a record at most, being there twice */
		if (valued)
			PUT_TRY(put_text(s->sink, name, length, s->bytes + colon + 1, at - colon - 1));
		else
			PUT_TRY(put_unsigned(s->sink, FIELD_BOOL, name, length, 1));
	}
	return put_end(s->sink);
}

SCAN_INLINE enum codec_fault put_seconds(struct statsd *s, uint32_t start, uint32_t end)
{
	uint64_t seconds;

	if (!number_unsigned(s->bytes + start, end - start, &seconds) || seconds >= INSTANT_SECONDS_MAX)
		return CODEC_TIME;
	return put_unsigned(s->sink, FIELD_TIME, PUT_NAME("timestamp"), seconds * INSTANT_SECOND);
}

SCAN_INLINE enum codec_fault put_number(struct statsd *s, const char *name, uint32_t name_length, uint32_t start,
					uint32_t end)
{
	struct number number;

	if (!number_take(s->bytes + start, end - start, s->scratch, &number))
		return CODEC_NUMBER;
	return put_slice(s->sink, FIELD_NUMBER, name, name_length, number.bytes, number.length);
}

SCAN_INLINE enum codec_fault put_part(struct statsd *s, const char *name, uint32_t name_length, uint32_t start,
				      uint32_t end)
{
	return put_text(s->sink, name, name_length, s->bytes + start, end - start);
}

/* Sections that every kind of line may have: false when bytes[start..end) is none of them. */
SCAN_INLINE bool common_section(struct statsd *s, uint32_t start, uint32_t end, enum codec_fault *fault)
{
	uint8_t first = s->bytes[start], second = end - start > 1 ? s->bytes[start + 1] : 0;

	if (first == '#')
		*fault = put_tags(s, start + 1, end);
	else if (first == 'c' && second == ':')
		*fault = put_part(s, PUT_NAME("container_id"), start + 2, end);
	else if (first == 'e' && second == ':')
		*fault = put_part(s, PUT_NAME("external_data"), start + 2, end);
	else if (end - start >= 5 && memcmp(s->bytes + start, "card:", 5) == 0)
		*fault = put_part(s, PUT_NAME("cardinality"), start + 5, end);
	else
		return false;
	return true;
}

SCAN_INLINE enum codec_fault metric_section(struct statsd *s, uint32_t start, uint32_t end)
{
	enum codec_fault fault;

	if (start == end)
		return CODEC_OK;
	if (common_section(s, start, end, &fault))
		return fault;
	if (s->bytes[start] == '@')
		return put_number(s, PUT_NAME("sample_rate"), start + 1, end);
	if (s->bytes[start] == 'T')
		return put_seconds(s, start + 1, end);
	return put_part(s, PUT_NAME("extension"), start, end); /* of a protocol to come */
}

/* Runs `section` on each part between bars from `at`, which stands at a bar or the end. */
SCAN_INLINE enum codec_fault sections(struct statsd *s,
				      enum codec_fault (*section)(struct statsd *s, uint32_t start, uint32_t end))
{
	while (s->at < s->length) {
		uint32_t start = s->at + 1, end;

		if (start < s->length && s->bytes[start] == '|') { /* nothing in it */
			s->at = start;
			continue;
		}
		end = s->at = scan_find(s->bytes, s->length, start, is_bar);
		PUT_TRY(section(s, start, end));
	}
	return CODEC_OK;
}

struct metric_type {
	const char *name; /* NULL: none */
	uint32_t name_length;
	bool text; /* values are members of a set, no numbers */
};

SCAN_INLINE struct metric_type metric_type(const uint8_t *bytes, uint32_t length)
{
	if (length == 2 && bytes[0] == 'm' && bytes[1] == 's')
		return (struct metric_type){PUT_NAME("timer"), false};
	switch (length == 1 ? bytes[0] : 0) {
	case 'c':
		return (struct metric_type){PUT_NAME("counter"), false};
	case 'g':
		return (struct metric_type){PUT_NAME("gauge"), false};
	case 'h':
		return (struct metric_type){PUT_NAME("histogram"), false};
	case 'd':
		return (struct metric_type){PUT_NAME("distribution"), false};
	case 's':
		return (struct metric_type){PUT_NAME("set"), true};
	case 'm':
		return (struct metric_type){PUT_NAME("meter"), false};
	}
	return (struct metric_type){NULL, 0, false};
}

/* bytes[start..end): one value, or several with colons between them. */
SCAN_INLINE enum codec_fault put_values(struct statsd *s, const struct metric_type *type, uint32_t start, uint32_t end,
					bool several)
{
	if (type->text)
		return put_part(s, PUT_NAME("value"), start, end);
	if (!several) {
		PUT_TRY(put_number(s, PUT_NAME("value"), start, end));
		if (type->name[0] == 'g' && (s->bytes[start] == '+' || s->bytes[start] == '-'))
			return put_unsigned(s->sink, FIELD_BOOL, PUT_NAME("delta"), 1);
		return CODEC_OK;
	}
	PUT_TRY(put_bare(s->sink, FIELD_ARRAY, PUT_NAME("values")));
	for (uint32_t at = start; at <= end; at++) {
		uint32_t value = at;

		at = scan_find(s->bytes, end, at, is_colon);
		PUT_TRY(put_number(s, NULL, 0, value, at));
	}
	return put_end(s->sink);
}

/* name:value|type, with more values and sections. */
SCAN_INLINE enum codec_fault metric(struct statsd *s)
{
	uint32_t colon = scan_find(s->bytes, s->length, 0, is_bar_or_colon), bar, type_end;
	struct metric_type type;
	bool several;

	if (colon == s->length)
		return CODEC_TRUNCATED;
	if (colon == 0 || s->bytes[colon] == '|')
		return CODEC_SYNTAX;
	bar = scan_find(s->bytes, s->length, colon + 1, is_bar_or_colon);
	several = bar < s->length && s->bytes[bar] == ':';
	if (several)
		bar = scan_find(s->bytes, s->length, bar, is_bar);
	if (bar == s->length)
		return CODEC_TRUNCATED;
	/* A type is followed by another bar or ends the line: no more than two letters, so not worth a search. */
	for (type_end = bar + 1; type_end < s->length && type_end < bar + 3 && s->bytes[type_end] != '|';)
		type_end++;
	type = metric_type(s->bytes + bar + 1, type_end - bar - 1);
	if (type_end == bar + 1 && type_end == s->length)
		return CODEC_TRUNCATED;
	if (!type.name || (type_end < s->length && s->bytes[type_end] != '|'))
		return CODEC_SYNTAX;
	s->at = type_end;
	PUT_TRY(put_part(s, PUT_NAME("name"), 0, colon));
	PUT_TRY(put_text(s->sink, PUT_NAME("type"), (const uint8_t *)type.name, type.name_length));
	PUT_TRY(put_values(s, &type, colon + 1, bar, several));
	return sections(s, metric_section);
}

/* Text in which a newline is written as \n, and in a service check "m:" as "m\:". */
static enum codec_fault put_escaped(struct statsd *s, const char *name, uint32_t name_length, uint32_t start,
				    uint32_t end)
{
	uint32_t at = scan_find(s->bytes, end, start, is_backslash), count = at - start;

	if (at == end)
		return put_part(s, name, name_length, start, end);
	memcpy(s->scratch, s->bytes + start, count);
	for (; at < end; at++) {
		uint8_t byte = s->bytes[at];

		if (byte == '\\' && at + 1 < end && (s->bytes[at + 1] == 'n' || s->bytes[at + 1] == ':'))
			byte = s->bytes[++at] == 'n' ? '\n' : ':';
		s->scratch[count++] = byte;
	}
	return put_text(s->sink, name, name_length, s->scratch, count);
}

/* d: and h:, which events and service checks share. */
static bool dated_section(struct statsd *s, uint32_t start, uint32_t end, enum codec_fault *fault)
{
	if (end - start < 2 || s->bytes[start + 1] != ':')
		return false;
	if (s->bytes[start] == 'd')
		*fault = put_seconds(s, start + 2, end);
	else if (s->bytes[start] == 'h')
		*fault = put_part(s, PUT_NAME("host"), start + 2, end);
	else
		return false;
	return true;
}

static enum codec_fault event_section(struct statsd *s, uint32_t start, uint32_t end)
{
	enum codec_fault fault;

	if (start == end)
		return CODEC_OK;
	if (common_section(s, start, end, &fault) || dated_section(s, start, end, &fault))
		return fault;
	if (end - start >= 2 && s->bytes[start + 1] == ':')
		switch (s->bytes[start]) {
		case 'k':
			return put_part(s, PUT_NAME("aggregation_key"), start + 2, end);
		case 'p':
			return put_part(s, PUT_NAME("priority"), start + 2, end);
		case 's':
			return put_part(s, PUT_NAME("source_type"), start + 2, end);
		case 't':
			return put_part(s, PUT_NAME("alert_type"), start + 2, end);
		}
	return put_part(s, PUT_NAME("extension"), start, end);
}

/* Digits up to `stop`, behind which `at` stands afterwards. */
static enum codec_fault event_length(struct statsd *s, uint8_t stop, uint64_t *length)
{
	uint32_t start = s->at, end = number_digits_end(s->bytes, s->length, start);

	if (end == s->length)
		return CODEC_TRUNCATED;
	if (s->bytes[end] != stop)
		return CODEC_SYNTAX;
	s->at = end + 1;
	return number_unsigned(s->bytes + start, end - start, length) ? CODEC_OK : CODEC_NUMBER;
}

/* _e{title bytes,text bytes}:title|text|sections */
static __attribute__((noinline)) enum codec_fault event(struct statsd from)
{
	struct statsd *s = &from;
	uint64_t title_bytes, text_bytes, left;
	uint32_t title, text;

	s->at = 3;
	PUT_TRY(event_length(s, ',', &title_bytes));
	PUT_TRY(event_length(s, '}', &text_bytes));
	if (s->at == s->length)
		return CODEC_TRUNCATED;
	if (s->bytes[s->at++] != ':')
		return CODEC_SYNTAX;
	title = s->at;
	left = s->length - title;
	if (title_bytes >= left || text_bytes > left - title_bytes - 1)
		return CODEC_LENGTH;
	text = title + (uint32_t)title_bytes + 1;
	s->at = text + (uint32_t)text_bytes;
	if (s->bytes[text - 1] != '|' || (s->at < s->length && s->bytes[s->at] != '|'))
		return CODEC_LENGTH;
	PUT_TRY(put_text(s->sink, PUT_NAME("type"), (const uint8_t *)"event", 5));
	PUT_TRY(put_escaped(s, PUT_NAME("title"), title, text - 1));
	PUT_TRY(put_escaped(s, PUT_NAME("text"), text, s->at));
	return sections(s, event_section);
}

static enum codec_fault check_section(struct statsd *s, uint32_t start, uint32_t end)
{
	enum codec_fault fault;

	if (start == end)
		return CODEC_OK;
	if (common_section(s, start, end, &fault) || dated_section(s, start, end, &fault))
		return fault;
	if (end - start >= 2 && s->bytes[start] == 'm' && s->bytes[start + 1] == ':') {
		s->at = s->length; /* the message comes last and may have bars */
		return put_escaped(s, PUT_NAME("message"), start + 2, s->length);
	}
	return put_part(s, PUT_NAME("extension"), start, end);
}

/* _sc|name|status|sections */
static __attribute__((noinline)) enum codec_fault service_check(struct statsd from)
{
	struct statsd *s = &from;
	static const struct {
		const char *name;
		uint32_t length;
	} statuses[4] = {{PUT_NAME("ok")}, {PUT_NAME("warning")}, {PUT_NAME("critical")}, {PUT_NAME("unknown")}};
	uint32_t bar = scan_find(s->bytes, s->length, 4, is_bar), status = bar + 1;

	if (s->length - bar < 2)
		return CODEC_TRUNCATED;
	if (bar == 4)
		return CODEC_SYNTAX;
	s->at = status + 1;
	if (s->bytes[status] < '0' || s->bytes[status] > '3' || (s->at < s->length && s->bytes[s->at] != '|'))
		return CODEC_NUMBER;
	PUT_TRY(put_text(s->sink, PUT_NAME("type"), (const uint8_t *)"service_check", 13));
	PUT_TRY(put_part(s, PUT_NAME("name"), 4, bar));
	PUT_TRY(put_unsigned(s->sink, FIELD_UNSIGNED, PUT_NAME("status"), s->bytes[status] - (uint64_t)'0'));
	PUT_TRY(put_text(s->sink, PUT_NAME("status_name"), (const uint8_t *)statuses[s->bytes[status] - '0'].name,
			 statuses[s->bytes[status] - '0'].length));
	return sections(s, check_section);
}

enum codec_fault statsd_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct statsd s = {.bytes = record->bytes, .length = record->length, .scratch = record->scratch, .sink = sink};

	if (s.length == 0)
		return CODEC_EMPTY;
	if (s.length > CODEC_SCRATCH_BYTES - 2)
		return CODEC_TOO_LARGE;
	if (s.bytes[0] == '_') {
		if (s.length >= 3 && memcmp(s.bytes, "_e{", 3) == 0)
			return put_result(event(s));
		if (s.length >= 4 && memcmp(s.bytes, "_sc|", 4) == 0)
			return put_result(service_check(s));
	}
	return put_result(metric(&s));
}
