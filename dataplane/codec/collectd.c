// collectd's binary protocol: https://collectd.org/wiki/index.php/Binary_protocol and the network plugin of 5.12.
#include <endian.h>
#include <string.h>

#include "dataplane/codec/codec.h"
#include "dataplane/codec/instant.h"
#include "dataplane/codec/put.h"

/*
 * A datagram is a sequence of parts, each { type 16 bits, length 16 bits (these four bytes included), contents }, big
 * endian. What identifies a value (host, time, plugin ...) is remembered until the next part of that type; a VALUES
 * part is a value list, a MESSAGE part a notification, of what is remembered at that point. Put as collectd's own JSON
 * has it:
 *
 *   "signed" true, "user", or "encrypted" true, "user", "iv", "data" (the part that only the user's password opens)
 *   "values" [{"time", "interval", "host", "plugin", "plugin_instance", "type", "type_instance",
 *              "dstypes" ["derive", ...], "values" [...]}, ...]
 *   "notifications" [{"time", "host", ..., "severity", "message"}, ...]
 *
 * Empty texts are left out. Names of data sources are not on the wire. Signatures are shown, not verified: the record
 * is what came. Parts of types nobody knows are passed over, as the protocol demands. The first part that is wrong ends
 * it: those in front of it are put, and what is wrong is returned.
 */
enum part_type {
	PART_HOST = 0x0000,
	PART_TIME = 0x0001,
	PART_PLUGIN = 0x0002,
	PART_PLUGIN_INSTANCE = 0x0003,
	PART_TYPE = 0x0004,
	PART_TYPE_INSTANCE = 0x0005,
	PART_VALUES = 0x0006,
	PART_INTERVAL = 0x0007,
	PART_TIME_HR = 0x0008,
	PART_INTERVAL_HR = 0x0009,
	PART_MESSAGE = 0x0100,
	PART_SEVERITY = 0x0101,
	PART_SIGNATURE = 0x0200,  /* HMAC-SHA256 of the rest */
	PART_ENCRYPTION = 0x0210, /* AES-256 in OFB mode, the SHA-1 of the plain text in front of it */
};

enum source_type { SOURCE_COUNTER = 0, SOURCE_GAUGE = 1, SOURCE_DERIVE = 2, SOURCE_ABSOLUTE = 3, SOURCE_END = 4 };

#define PART_HEADER 4u
#define NAME_MAX_BYTES 128u /* collectd's DATA_MAX_NAME_LEN, with the 0 behind it */
#define HMAC_BYTES 32u
#define IV_BYTES 16u
#define SHA1_BYTES 20u

struct part {
	uint16_t type;
	uint32_t length; /* of the contents */
	const uint8_t *bytes;
};

struct text {
	const uint8_t *bytes;
	uint32_t length;
};

enum identifier { HOST, PLUGIN, PLUGIN_INSTANCE, TYPE, TYPE_INSTANCE, IDENTIFIERS };

struct remembered { /* what is remembered from part to part */
	struct text names[IDENTIFIERS];
	uint64_t time_ns, severity;
	double interval;
	bool has_time, has_interval, has_severity;
};

struct walk {
	const uint8_t *bytes;
	uint32_t length, at;
	struct remembered now;
};

struct summary { /* of a datagram, found by checking it */
	uint32_t value_lists, notifications;
	bool secured, encrypted; /* there is a signature or an encryption part; the latter */
	struct text user, iv, data;
	uint32_t end; /* of the parts in front of the first that is wrong */
};

static uint16_t read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint64_t read64(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof value);
	return be64toh(value);
}

static enum codec_fault next_part(struct walk *w, struct part *out)
{
	uint32_t length;

	if (w->length - w->at < PART_HEADER)
		return CODEC_TRUNCATED;
	out->type = read16(w->bytes + w->at);
	length = read16(w->bytes + w->at + 2);
	if (length < PART_HEADER)
		return CODEC_LENGTH;
	if (length > w->length - w->at)
		return CODEC_TRUNCATED;
	out->bytes = w->bytes + w->at + PART_HEADER;
	out->length = length - PART_HEADER;
	w->at += length;
	return CODEC_OK;
}

/* Ends with the only 0 in it. */
static enum codec_fault read_text(const struct part *part, struct text *out)
{
	if (part->length == 0)
		return CODEC_LENGTH;
	if (memchr(part->bytes, 0, part->length) != part->bytes + part->length - 1)
		return CODEC_SYNTAX;
	*out = (struct text){part->bytes, part->length - 1};
	return CODEC_OK;
}

/* A name that is remembered; bounded, or a long one in front of many values would make them huge as JSON. */
static inline enum codec_fault read_name(const struct part *part, bool checked, struct text *out)
{
	if (checked) {
		*out = (struct text){part->bytes, part->length - 1};
		return CODEC_OK;
	}
	return part->length > NAME_MAX_BYTES ? CODEC_TOO_LARGE : read_text(part, out);
}

static enum codec_fault read_number(const struct part *part, uint64_t *out)
{
	if (part->length != 8)
		return CODEC_LENGTH;
	*out = read64(part->bytes);
	return CODEC_OK;
}

/* 2^-30 s, rounded as collectd does; 2^64 of them are fewer nanoseconds than 64 bits hold. */
static uint64_t nanoseconds(uint64_t time)
{
	return (time >> 30) * INSTANT_SECOND + (((time & 0x3fffffff) * INSTANT_SECOND + (1 << 29)) >> 30);
}

static enum codec_fault remember_number(const struct part *part, struct remembered *now)
{
	uint64_t value;

	PUT_TRY(read_number(part, &value));
	switch (part->type) {
	case PART_TIME:
		if (value > INSTANT_SECONDS_MAX)
			return CODEC_TIME;
		value *= INSTANT_SECOND;
		now->has_time = value != 0;
		now->time_ns = value;
		break;
	case PART_TIME_HR:
		now->has_time = value != 0;
		now->time_ns = nanoseconds(value);
		break;
	case PART_INTERVAL:
		now->has_interval = value != 0;
		now->interval = (double)value;
		break;
	case PART_INTERVAL_HR:
		now->has_interval = value != 0;
		now->interval = (double)value / (1 << 30);
		break;
	case PART_SEVERITY:
		now->has_severity = true;
		now->severity = value;
		break;
	}
	return CODEC_OK;
}

/* Takes up a part that is remembered; others are left alone. `checked`: it has been here before, and is sound. */
static inline __attribute__((always_inline)) enum codec_fault remember(const struct part *part, bool checked,
								       struct remembered *now)
{
	switch (part->type) {
	case PART_HOST:
		return read_name(part, checked, &now->names[HOST]);
	case PART_PLUGIN:
		return read_name(part, checked, &now->names[PLUGIN]);
	case PART_PLUGIN_INSTANCE:
		return read_name(part, checked, &now->names[PLUGIN_INSTANCE]);
	case PART_TYPE:
		return read_name(part, checked, &now->names[TYPE]);
	case PART_TYPE_INSTANCE:
		return read_name(part, checked, &now->names[TYPE_INSTANCE]);
	case PART_TIME:
	case PART_TIME_HR:
	case PART_INTERVAL:
	case PART_INTERVAL_HR:
	case PART_SEVERITY:
		return remember_number(part, now);
	}
	return CODEC_OK;
}

/* count 16 bits, that many types, that many values of 8 bytes. */
static enum codec_fault check_values(const struct part *part)
{
	uint32_t count;

	if (part->length < 2)
		return CODEC_LENGTH;
	count = read16(part->bytes);
	if (count == 0)
		return CODEC_EMPTY;
	if (part->length != 2 + 9 * count)
		return CODEC_LENGTH;
	for (uint32_t i = 0; i < count; i++)
		if (part->bytes[2 + i] >= SOURCE_END)
			return CODEC_NUMBER;
	return CODEC_OK;
}

static enum codec_fault check_signature(const struct part *part, struct summary *sum)
{
	if (part->length <= HMAC_BYTES)
		return CODEC_LENGTH;
	if (sum->secured)
		return CODEC_TOO_MANY;
	sum->secured = true;
	sum->user = (struct text){part->bytes + HMAC_BYTES, part->length - HMAC_BYTES};
	return CODEC_OK;
}

static enum codec_fault check_encryption(const struct part *part, struct summary *sum)
{
	uint32_t user;

	if (part->length < 2)
		return CODEC_LENGTH;
	user = read16(part->bytes);
	if (user == 0 || part->length <= 2 + user + IV_BYTES + SHA1_BYTES)
		return CODEC_LENGTH;
	if (sum->secured)
		return CODEC_TOO_MANY;
	sum->secured = sum->encrypted = true;
	sum->user = (struct text){part->bytes + 2, user};
	sum->iv = (struct text){part->bytes + 2 + user, IV_BYTES};
	sum->data = (struct text){part->bytes + 2 + user + IV_BYTES, part->length - 2 - user - IV_BYTES};
	return CODEC_OK;
}

/* Every part up to the first that is wrong, before anything is put. */
static enum codec_fault check(struct walk w, struct summary *sum)
{
	struct text message;
	struct part part;

	for (; w.at < w.length; sum->end = w.at) {
		PUT_TRY(next_part(&w, &part));
		switch (part.type) {
		case PART_VALUES:
			PUT_TRY(check_values(&part));
			sum->value_lists++;
			break;
		case PART_MESSAGE:
			PUT_TRY(read_text(&part, &message));
			sum->notifications++;
			break;
		case PART_SIGNATURE:
			PUT_TRY(check_signature(&part, sum));
			break;
		case PART_ENCRYPTION:
			PUT_TRY(check_encryption(&part, sum));
			break;
		default:
			PUT_TRY(remember(&part, false, &w.now));
		}
	}
	return sum->value_lists || sum->notifications || sum->encrypted ? CODEC_OK : CODEC_EMPTY;
}

static enum codec_fault put_name(struct field_sink *sink, const char *name, size_t name_length, struct text text)
{
	return text.length ? put_text(sink, name, (uint32_t)name_length, text.bytes, text.length) : CODEC_OK;
}

static enum codec_fault put_names(const struct text *names, struct field_sink *sink)
{
	PUT_TRY(put_name(sink, PUT_NAME("host"), names[HOST]));
	PUT_TRY(put_name(sink, PUT_NAME("plugin"), names[PLUGIN]));
	PUT_TRY(put_name(sink, PUT_NAME("plugin_instance"), names[PLUGIN_INSTANCE]));
	PUT_TRY(put_name(sink, PUT_NAME("type"), names[TYPE]));
	return put_name(sink, PUT_NAME("type_instance"), names[TYPE_INSTANCE]);
}

static enum codec_fault put_value(struct field_sink *sink, uint8_t type, const uint8_t *bytes)
{
	struct field field = {.type = FIELD_UNSIGNED};

	switch (type) {
	case SOURCE_GAUGE: /* the only thing here that is little endian */
		field.type = FIELD_REAL;
		memcpy(&field.value.r, bytes, sizeof field.value.r);
		break;
	case SOURCE_DERIVE:
		field.type = FIELD_INTEGER;
		field.value.i = (int64_t)read64(bytes);
		break;
	default:
		field.value.u = read64(bytes);
	}
	return put_field(sink, &field);
}

static enum codec_fault put_values(const struct part *part, struct field_sink *sink)
{
	static const struct text types[] = {[SOURCE_COUNTER] = {(const uint8_t *)"counter", 7},
					    [SOURCE_GAUGE] = {(const uint8_t *)"gauge", 5},
					    [SOURCE_DERIVE] = {(const uint8_t *)"derive", 6},
					    [SOURCE_ABSOLUTE] = {(const uint8_t *)"absolute", 8}};
	uint32_t count = read16(part->bytes);
	const uint8_t *type = part->bytes + 2, *value = type + count;

	PUT_TRY(put_bare(sink, FIELD_ARRAY, PUT_NAME("dstypes")));
	for (uint32_t i = 0; i < count; i++)
		PUT_TRY(put_text(sink, NULL, 0, types[type[i]].bytes, types[type[i]].length));
	PUT_TRY(put_end(sink));
	PUT_TRY(put_bare(sink, FIELD_ARRAY, PUT_NAME("values")));
	for (uint32_t i = 0; i < count; i++)
		PUT_TRY(put_value(sink, type[i], value + 8 * (size_t)i));
	return put_end(sink);
}

static enum codec_fault put_real(struct field_sink *sink, const char *name, size_t name_length, double value)
{
	struct field field = {.type = FIELD_REAL, .name = name, .name_length = (uint32_t)name_length, .value.r = value};

	return put_field(sink, &field);
}

static enum codec_fault put_value_list(const struct remembered *now, const struct part *part, struct field_sink *sink)
{
	PUT_TRY(put_bare(sink, FIELD_OBJECT, NULL, 0));
	if (now->has_time)
		PUT_TRY(put_unsigned(sink, FIELD_TIME, PUT_NAME("time"), now->time_ns));
	if (now->has_interval)
		PUT_TRY(put_real(sink, PUT_NAME("interval"), now->interval));
	PUT_TRY(put_names(now->names, sink));
	PUT_TRY(put_values(part, sink));
	return put_end(sink);
}

/* One of the three collectd has, or the number that is none of them. */
static enum codec_fault put_severity(uint64_t severity, struct field_sink *sink)
{
	const char *text = severity == 1 ? "failure" : severity == 2 ? "warning" : severity == 4 ? "okay" : NULL;

	if (!text)
		return put_unsigned(sink, FIELD_UNSIGNED, PUT_NAME("severity"), severity);
	return put_text(sink, PUT_NAME("severity"), (const uint8_t *)text, (uint32_t)strlen(text));
}

static enum codec_fault put_notification(const struct remembered *now, const struct part *part, struct field_sink *sink)
{
	PUT_TRY(put_bare(sink, FIELD_OBJECT, NULL, 0));
	if (now->has_time)
		PUT_TRY(put_unsigned(sink, FIELD_TIME, PUT_NAME("time"), now->time_ns));
	PUT_TRY(put_names(now->names, sink));
	if (now->has_severity)
		PUT_TRY(put_severity(now->severity, sink));
	PUT_TRY(put_text(sink, PUT_NAME("message"), part->bytes, part->length - 1));
	return put_end(sink);
}

/* The parts of one type, each with what is remembered where it stands. They have been checked. */
static enum codec_fault put_each(struct walk w, enum part_type type, struct field_sink *sink)
{
	struct part part;

	while (w.at < w.length) {
		PUT_TRY(next_part(&w, &part));
		if (part.type != type)
			PUT_TRY(remember(&part, true, &w.now));
		else if (type == PART_VALUES)
			PUT_TRY(put_value_list(&w.now, &part, sink));
		else
			PUT_TRY(put_notification(&w.now, &part, sink));
	}
	return put_end(sink);
}

static enum codec_fault put_secured(const struct summary *sum, struct field_sink *sink)
{
	if (!sum->encrypted) {
		PUT_TRY(put_unsigned(sink, FIELD_BOOL, PUT_NAME("signed"), 1));
		return put_text(sink, PUT_NAME("user"), sum->user.bytes, sum->user.length);
	}
	PUT_TRY(put_unsigned(sink, FIELD_BOOL, PUT_NAME("encrypted"), 1));
	PUT_TRY(put_text(sink, PUT_NAME("user"), sum->user.bytes, sum->user.length));
	PUT_TRY(put_slice(sink, FIELD_BYTES, PUT_NAME("iv"), sum->iv.bytes, sum->iv.length));
	return put_slice(sink, FIELD_BYTES, PUT_NAME("data"), sum->data.bytes, sum->data.length);
}

static enum codec_fault put_summed(struct walk start, const struct summary *sum, struct field_sink *sink)
{
	start.length = sum->end;
	if (sum->secured)
		PUT_TRY(put_secured(sum, sink));
	if (sum->value_lists) {
		PUT_TRY(put_bare(sink, FIELD_ARRAY, PUT_NAME("values")));
		PUT_TRY(put_each(start, PART_VALUES, sink));
	}
	if (sum->notifications) {
		PUT_TRY(put_bare(sink, FIELD_ARRAY, PUT_NAME("notifications")));
		PUT_TRY(put_each(start, PART_MESSAGE, sink));
	}
	return CODEC_OK;
}

enum codec_fault collectd_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct walk start = {.bytes = record->bytes, .length = record->length};
	struct summary sum = {0};
	enum codec_fault fault = check(start, &sum);

	return put_summed(start, &sum, sink) == PUT_ENDED ? CODEC_OK : fault;
}
