// Syslog messages as fields: RFC 5424, and what RFC 3164 observed.
#include "dataplane/codec/syslog.h"

#include "dataplane/codec/instant.h"
#include "dataplane/codec/names.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"
#include "dataplane/codec/syslog_time.h"
#include "dataplane/codec/utf8.h"

#define PRIORITY_NONE 13u /* user.notice: RFC 3164, 4.3.3 */

/* Where the reading stands. Unescaping is a call and gets a copy of it, so that it can live in registers otherwise. */
struct syslog {
	const uint8_t *bytes;
	uint32_t length, at;
	uint8_t *scratch;
	uint64_t arrival_ns;
	struct field_sink *sink;
};

struct label {
	const char *text;
	uint32_t length;
};

#define LABEL(text)                                                                                                    \
	{                                                                                                              \
		text, sizeof(text) - 1                                                                                 \
	}

SCAN_INLINE enum codec_fault put_priority(struct syslog *s, uint32_t priority)
{
	/* RFC 5424, tables 1 and 2, by syslog.conf's names; 12 to 15 by what the table calls them. */
	static const struct label facilities[24] = {
		LABEL("kern"),   LABEL("user"),   LABEL("mail"),   LABEL("daemon"), LABEL("auth"),     LABEL("syslog"),
		LABEL("lpr"),    LABEL("news"),   LABEL("uucp"),   LABEL("cron"),   LABEL("authpriv"), LABEL("ftp"),
		LABEL("ntp"),    LABEL("audit"),  LABEL("alert"),  LABEL("clock"),  LABEL("local0"),   LABEL("local1"),
		LABEL("local2"), LABEL("local3"), LABEL("local4"), LABEL("local5"), LABEL("local6"),   LABEL("local7"),
	};
	static const struct label severities[8] = {
		LABEL("emerg"),   LABEL("alert"),  LABEL("crit"), LABEL("err"),
		LABEL("warning"), LABEL("notice"), LABEL("info"), LABEL("debug"),
	};
	const struct label *facility = &facilities[priority >> 3], *severity = &severities[priority & 7];

	PUT_TRY(put_unsigned(s->sink, FIELD_UNSIGNED, PUT_NAME("facility"), priority >> 3));
	PUT_TRY(put_text(s->sink, PUT_NAME("facility_name"), (const uint8_t *)facility->text, facility->length));
	PUT_TRY(put_unsigned(s->sink, FIELD_UNSIGNED, PUT_NAME("severity"), priority & 7));
	return put_text(s->sink, PUT_NAME("severity_name"), (const uint8_t *)severity->text, severity->length);
}

SCAN_INLINE __m128i is_space(__m128i bytes)
{
	return scan_is(bytes, ' ');
}

/* A header field of RFC 5424 and the space behind it; "-" is none. */
SCAN_INLINE enum codec_fault header_field(struct syslog *s, const char *name, uint32_t name_length)
{
	uint32_t start = s->at, end = scan_find(s->bytes, s->length, start, is_space);

	if (end == s->length)
		return CODEC_TRUNCATED;
	if (end == start)
		return CODEC_SYNTAX;
	s->at = end + 1;
	if (end - start == 1 && s->bytes[start] == '-')
		return CODEC_OK;
	return put_text(s->sink, name, name_length, s->bytes + start, end - start);
}

SCAN_INLINE enum codec_fault put_timestamp(struct syslog *s)
{
	uint32_t end;
	bool exists;
	uint64_t ns;

	if (s->bytes[s->at] == '-') {
		s->at += 2;
		return CODEC_OK;
	}
	end = instant_rfc3339(s->bytes, s->length, s->at, &ns, &exists);
	if (end == 0) /* the longest is "2003-08-24T05:14:15.000000003-07:00" */
		return s->length - s->at < 36 && scan_find(s->bytes, s->length, s->at, is_space) == s->length
			       ? CODEC_TRUNCATED
			       : CODEC_TIME;
	if (!exists)
		return CODEC_TIME;
	if (end == s->length)
		return CODEC_TRUNCATED;
	if (s->bytes[end] != ' ')
		return CODEC_TIME;
	s->at = end + 1;
	return put_unsigned(s->sink, FIELD_TIME, PUT_NAME("timestamp"), ns);
}

/* PARAM-VALUE behind its opening quote, from the first backslash on: only \" \\ and \] are escapes (RFC 5424, 6.3.3).
 */
static __attribute__((noinline)) enum codec_fault unescape_value(struct syslog from, uint32_t start,
								 const uint8_t **text, uint32_t *length, uint32_t *at)
{
	struct syslog *s = &from;
	uint32_t count = s->at - start;

	memcpy(s->scratch, s->bytes + start, count);
	for (; s->at < s->length; s->at++) {
		uint8_t byte = s->bytes[s->at];

		if (byte == '"') {
			*text = s->scratch;
			*length = count;
			*at = s->at;
			return CODEC_OK;
		}
		if (byte == '\\' && s->length - s->at > 1) {
			uint8_t next = s->bytes[s->at + 1];

			if (next == '"' || next == '\\' || next == ']') {
				byte = next;
				s->at++;
			}
		}
		s->scratch[count++] = byte;
	}
	return CODEC_TRUNCATED;
}

SCAN_INLINE __m128i ends_value(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, '"'), scan_is(bytes, '\\'));
}

/* Also stops at what has to be looked at more closely. */
SCAN_INLINE __m128i ends_plain_value(__m128i bytes)
{
	return _mm_or_si128(ends_value(bytes), bytes);
}

SCAN_INLINE __m128i ends_name(__m128i bytes)
{
	return _mm_or_si128(_mm_or_si128(scan_is(bytes, ' '), scan_is(bytes, ']')),
			    _mm_or_si128(scan_is(bytes, '='), scan_is(bytes, '"')));
}

/* SD-PARAM: name="value". The same name may be there again (RFC 5424, 6.3.3). */
SCAN_INLINE enum codec_fault parameter(struct syslog *s, struct names *names)
{
	uint32_t start = s->at, end = scan_find(s->bytes, s->length, start, ends_name), value, length, end_of_value;
	const char *name = (const char *)s->bytes + start;
	uint32_t name_length = end - start;
	const uint8_t *text;
	bool high = false;

	if (s->length - end < 2)
		return CODEC_TRUNCATED;
	if (end == start || s->bytes[end] != '=' || s->bytes[end + 1] != '"')
		return CODEC_SYNTAX;
	value = end + 2;
	s->at = scan_find(s->bytes, s->length, value, ends_plain_value);
	if (s->at < s->length && s->bytes[s->at] >= 0x80) {
		high = true;
		s->at = scan_find(s->bytes, s->length, s->at, ends_value);
	}
	if (s->at == s->length)
		return CODEC_TRUNCATED;
	text = s->bytes + value;
	length = s->at - value;
	if (s->bytes[s->at] == '\\') {
		PUT_TRY(unescape_value(*s, value, &text, &length, &end_of_value));
		s->at = end_of_value;
		high = true;
	}
	if (high && !utf8_valid(text, length))
		return CODEC_ENCODING;
	s->at++;
	/* Behind what may be unescaped. It fits: the record has the value, the name twice, and a header. */
	names_next(names, &name, &name_length, s->scratch + length);
	return put_text(s->sink, name, name_length, text, length);
}

/* SD-ELEMENT: [id name="value" ...]. An id must not be there again (6.3.2), which senders need not know. */
SCAN_INLINE enum codec_fault element(struct syslog *s, struct names *ids)
{
	uint32_t start = ++s->at, end = scan_find(s->bytes, s->length, start, ends_name), id_length = end - start;
	const char *id = (const char *)s->bytes + start;
	struct names names;

	if (end == s->length)
		return CODEC_TRUNCATED;
	if (end == start || s->bytes[end] == '=' || s->bytes[end] == '"')
		return CODEC_SYNTAX;
	s->at = end;
	names_next(ids, &id, &id_length, s->scratch);
	PUT_TRY(put_bare(s->sink, FIELD_OBJECT, id, id_length));
	names_begin(&names);
	while (s->at < s->length && s->bytes[s->at] == ' ') {
		s->at++;
		PUT_TRY(parameter(s, &names));
	}
	if (s->at == s->length)
		return CODEC_TRUNCATED;
	if (s->bytes[s->at++] != ']')
		return CODEC_SYNTAX;
	return put_end(s->sink);
}

SCAN_INLINE enum codec_fault structured_data(struct syslog *s)
{
	struct names ids;

	if (s->at == s->length)
		return CODEC_TRUNCATED;
	if (s->bytes[s->at] == '-') {
		s->at++;
		return CODEC_OK;
	}
	if (s->bytes[s->at] != '[')
		return CODEC_SYNTAX;
	PUT_TRY(put_bare(s->sink, FIELD_OBJECT, PUT_NAME("structured_data")));
	names_begin(&ids);
	while (s->at < s->length && s->bytes[s->at] == '[')
		PUT_TRY(element(s, &ids));
	return put_end(s->sink);
}

/* All that is left. */
SCAN_INLINE enum codec_fault put_message(struct syslog *s)
{
	if (s->at == s->length)
		return CODEC_OK;
	return put_text(s->sink, PUT_NAME("message"), s->bytes + s->at, s->length - s->at);
}

/* RFC 5424, 6, behind "<PRI>1 ". Lengths of header fields are not enforced, since senders do not keep them. */
SCAN_INLINE enum codec_fault rfc5424(struct syslog *s)
{
	PUT_TRY(put_unsigned(s->sink, FIELD_UNSIGNED, PUT_NAME("version"), 1));
	PUT_TRY(put_timestamp(s));
	PUT_TRY(header_field(s, PUT_NAME("host")));
	PUT_TRY(header_field(s, PUT_NAME("app_name")));
	PUT_TRY(header_field(s, PUT_NAME("procid")));
	PUT_TRY(header_field(s, PUT_NAME("msgid")));
	PUT_TRY(structured_data(s));
	if (s->at < s->length && s->bytes[s->at++] != ' ')
		return CODEC_SYNTAX;
	if (s->length - s->at >= 3 && memcmp(s->bytes + s->at, "\xef\xbb\xbf", 3) == 0) {
		s->at += 3; /* a byte order mark promises UTF-8: 6.4 */
		if (!utf8_valid(s->bytes + s->at, s->length - s->at))
			return CODEC_ENCODING;
	}
	return put_message(s);
}

SCAN_INLINE __m128i ends_tag(__m128i bytes)
{
	return _mm_or_si128(_mm_or_si128(scan_is(bytes, ' '), scan_is(bytes, ':')), scan_is(bytes, '['));
}

SCAN_INLINE __m128i ends_pid(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, ' '), scan_is(bytes, ']'));
}

struct tag { /* where its parts end, and where the message begins */
	uint32_t end, pid, pid_end, message;
};

/* "app:" and "app[pid]:"; a word that ends in neither is part of the message, and so is "29:", a router's number. */
SCAN_INLINE bool find_tag(const struct syslog *s, uint32_t start, struct tag *tag)
{
	uint32_t end = scan_find(s->bytes, s->length, start, ends_tag), pid = end + 1, pid_end = pid, after = end;

	if (end == start || end == s->length || s->bytes[end] == ' ')
		return false;
	if (s->bytes[end] == ':' && number_digits_end(s->bytes, s->length, start) == end)
		return false;
	if (s->bytes[end] == '[') {
		pid_end = scan_find(s->bytes, s->length, pid, ends_pid);
		if (pid_end == s->length || pid_end == pid || s->bytes[pid_end] != ']')
			return false;
		after = pid_end + 1;
	}
	if (after < s->length && s->bytes[after] == ':')
		after++;
	if (after < s->length && s->bytes[after] != ' ')
		return false;
	*tag = (struct tag){end, pid, pid_end, after < s->length ? after + 1 : after};
	return true;
}

SCAN_INLINE enum codec_fault put_tag(struct syslog *s)
{
	uint32_t start = s->at;
	struct tag tag;

	if (!find_tag(s, start, &tag))
		return CODEC_OK;
	s->at = tag.message;
	PUT_TRY(put_text(s->sink, PUT_NAME("app_name"), s->bytes + start, tag.end - start));
	if (tag.pid_end == tag.pid)
		return CODEC_OK;
	return put_text(s->sink, PUT_NAME("procid"), s->bytes + tag.pid, tag.pid_end - tag.pid);
}

/* The word behind a time is the host, unless it is "app:" or has a pid: local programs leave the host out. Returns
 * where it ends, 0 when there is none. */
SCAN_INLINE uint32_t find_host(const struct syslog *s, uint32_t start)
{
	uint32_t end = scan_find(s->bytes, s->length, start, ends_word);

	return end == start || end == s->length || s->bytes[end] == '[' || s->bytes[end - 1] == ':' ? 0 : end;
}

static __attribute__((noinline)) bool host_and_tag(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	const struct syslog s = {.bytes = bytes, .length = length};
	uint32_t host_end = find_host(&s, at);
	struct tag tag;

	return host_end && find_tag(&s, host_end + 1, &tag);
}

SCAN_INLINE enum codec_fault put_host(struct syslog *s)
{
	uint32_t start = s->at, end = find_host(s, start);

	/* "UTC host app:": a zone only where both follow. Hosts may be called that, and as other zones are. */
	if (end && end - start == 3 && is_utc(s->bytes + start) && host_and_tag(s->bytes, s->length, end + 1)) {
		start = end + 1;
		end = find_host(s, start);
	}
	if (!end)
		return CODEC_OK;
	s->at = end + 1;
	return put_text(s->sink, PUT_NAME("host"), s->bytes + start, end - start);
}

/* Where a time may stand: behind what Cisco's routers number their messages by, "29: " or "29: 000031: ", of which
 * NX-OS leaves ": ", and the mark of a clock that was not set (*) or has lost its source (.). */
SCAN_INLINE uint32_t skip_numbers(const struct syslog *s)
{
	uint32_t at = s->at, end;

	if (s->length - at > 1 && s->bytes[at] == ':' && s->bytes[at + 1] == ' ')
		at += 2;
	while (at < s->length && number_is_digit(s->bytes[at])) {
		end = number_digits_end(s->bytes, s->length, at);
		if (s->length - end < 2 || s->bytes[end] != ':' || s->bytes[end + 1] != ' ')
			break;
		at = end + 2;
	}
	return at < s->length && (s->bytes[at] == '*' || s->bytes[at] == '.') ? at + 1 : at;
}

/* "29: %MNEMONIC: text", and a firewall's "host : %MNEMONIC: text": the mnemonic is the program. */
SCAN_INLINE void skip_to_mnemonic(struct syslog *s)
{
	uint32_t at = skip_numbers(s);
	struct tag tag;

	if (at > s->at && at < s->length && s->bytes[at - 1] == ' ' && s->bytes[at] == '%' && find_tag(s, at, &tag))
		s->at = at;
}

/* RFC 3164, 4.1, behind "<PRI>": what does not look like a header is message. */
SCAN_INLINE enum codec_fault rfc3164(struct syslog *s)
{
	uint64_t ns;
	uint32_t end = observed_time(s->bytes, s->length, skip_numbers(s), s->arrival_ns, &ns);

	if (end && end < s->length && s->bytes[end] == ' ' && colon_follows(s->bytes, s->length, end))
		end++;
	if (end && (end == s->length || s->bytes[end] == ' ' || s->bytes[end] == ':')) {
		bool host = end < s->length && s->bytes[end] == ' ';

		PUT_TRY(put_unsigned(s->sink, FIELD_TIME, PUT_NAME("timestamp"), ns));
		s->at = end + (end < s->length);
		if (host)
			PUT_TRY(put_host(s)); /* routers write "time: %MNEMONIC: text", without one */
		else if (s->at < s->length && s->bytes[s->at] == ' ')
			s->at++;
	}
	skip_to_mnemonic(s);
	PUT_TRY(put_tag(s));
	return put_message(s);
}

/* "1 " and a timestamp or none: a message of RFC 3164 may start with "1 " as well. */
SCAN_INLINE bool is_rfc5424(const struct syslog *s)
{
	const uint8_t *text = s->bytes + s->at;

	if (s->length - s->at < 4 || text[0] != '1' || text[1] != ' ')
		return false;
	return text[2] == '-' ? text[3] == ' ' : s->length - s->at >= 7 && number_is_digit(text[2]) && text[6] == '-';
}

enum codec_fault syslog_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct syslog s = {
		.bytes = record->bytes, .scratch = record->scratch, .arrival_ns = record->arrival_ns, .sink = sink};
	uint32_t priority;

	if (record->length > CODEC_SCRATCH_BYTES)
		return CODEC_TOO_LARGE;
	s.length = record->length;
	while (s.length &&
	       (s.bytes[s.length - 1] == '\n' || s.bytes[s.length - 1] == '\r' || s.bytes[s.length - 1] == '\0'))
		s.length--; /* C programs and pipes leave them */
	if (s.length == 0)
		return CODEC_EMPTY;
	s.at = syslog_priority(s.bytes, s.length, &priority);
	if (!s.at) {
		if (put_priority(&s, PRIORITY_NONE) != CODEC_OK)
			return CODEC_OK;
		return put_result(put_message(&s));
	}
	if (put_priority(&s, priority) != CODEC_OK)
		return CODEC_OK;
	if (!is_rfc5424(&s))
		return put_result(rfc3164(&s));
	s.at += 2;
	return put_result(rfc5424(&s));
}
