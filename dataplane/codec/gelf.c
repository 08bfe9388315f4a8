// GELF 1.1 messages: https://go2docs.graylog.org/current/getting_in_log_data/gelf.html, "GELF Payload Specification".
#include "dataplane/codec/gelf.h"

#include <isa-l/igzip_lib.h>
#include <stdalign.h>
#include <string.h>

#include "dataplane/codec/instant.h"
#include "dataplane/codec/json.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/put.h"

/* What is unpacked lies in the first half of the scratch; behind it the decompressor's state, then what JSON unescapes. */
#define UNPACKED_MAX GELF_UNPACKED_MAX

_Static_assert(sizeof(struct inflate_state) + alignof(struct inflate_state) <= CODEC_SCRATCH_BYTES - UNPACKED_MAX,
	       "the state must fit behind what is unpacked");

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZLIB };

/* RFC 1952, 2.3 and RFC 1950, 2.2. No JSON text begins with either. */
static enum packing packing_of(const uint8_t *bytes, uint32_t length)
{
	if (length < 2)
		return PACKING_NONE;
	if (bytes[0] == 0x1f && bytes[1] == 0x8b)
		return PACKING_GZIP;
	return (bytes[0] & 15) == 8 && (bytes[0] << 8 | bytes[1]) % 31 == 0 ? PACKING_ZLIB : PACKING_NONE;
}

/* The whole of one gzip or zlib stream into the first half of the scratch. */
static enum codec_fault unpack(const struct codec_record *record, enum packing packing, uint32_t *unpacked)
{
	uintptr_t behind = (uintptr_t)record->scratch + UNPACKED_MAX, align = alignof(struct inflate_state);
	struct inflate_state *state = (struct inflate_state *)((behind + align - 1) & ~(align - 1));
	int outcome;

	isal_inflate_init(state);
	state->crc_flag = packing == PACKING_GZIP ? ISAL_GZIP : ISAL_ZLIB;
	state->next_in = (uint8_t *)(uintptr_t)record->bytes; /* never written to */
	state->avail_in = record->length;
	state->next_out = record->scratch;
	state->avail_out = gelf_unpacked_max(record->length);
	outcome = isal_inflate_stateless(state);
	*unpacked = state->total_out;
	switch (outcome) {
	case ISAL_DECOMP_OK:
		/* Something behind the end is no message that anybody sent. */
		return state->avail_in ? CODEC_COMPRESSION : CODEC_OK;
	case ISAL_END_INPUT:
		return CODEC_TRUNCATED;
	case ISAL_OUT_OVERFLOW:
		return CODEC_TOO_LARGE;
	case ISAL_INCORRECT_CHECKSUM:
		return CODEC_CHECKSUM;
	}
	return CODEC_COMPRESSION;
}

bool gelf_is_packed(const uint8_t *bytes, uint32_t length)
{
	return packing_of(bytes, length) != PACKING_NONE;
}

enum codec_fault gelf_unpack(const uint8_t *bytes, uint32_t length, uint8_t *scratch, uint32_t *unpacked)
{
	const struct codec_record record = {.bytes = bytes, .length = length, .scratch = scratch};
	enum codec_fault fault = unpack(&record, packing_of(bytes, length), unpacked);

	if (fault != CODEC_OK)
		return fault;
	if (*unpacked > GELF_MESSAGE_MAX)
		return CODEC_TOO_LARGE;
	/* Stored, it would be unpacked once more than its sender's packing asks for. */
	if (gelf_is_packed(scratch, *unpacked) || gelf_is_chunk(scratch, *unpacked))
		return CODEC_SYNTAX;
	return *unpacked ? CODEC_OK : CODEC_EMPTY;
}

enum member { MEMBER_VERSION = 1, MEMBER_HOST = 2, MEMBER_SHORT_MESSAGE = 4, MEMBER_TIMESTAMP = 8, MEMBER_OTHER = 0 };

#define MANDATORY (MEMBER_VERSION | MEMBER_HOST | MEMBER_SHORT_MESSAGE)

struct gelf_sink { /* stands between the JSON text and whoever wants its fields */
	struct field_sink sink;
	struct field_sink *behind;
	uint32_t depth, seen;   /* objects and arrays open; members that were there */
	enum codec_fault fault; /* why this sink ended the text; PUT_ENDED: the one behind did */
};

static inline enum member member_of(const struct field *field)
{
	if (field->name_length == 0 || field->name[0] == '_')
		return MEMBER_OTHER;
#define IS(literal) (field->name_length == sizeof literal - 1 && memcmp(field->name, literal, sizeof literal - 1) == 0)
	if (IS("version"))
		return MEMBER_VERSION;
	if (IS("host"))
		return MEMBER_HOST;
	if (IS("short_message"))
		return MEMBER_SHORT_MESSAGE;
	return IS("timestamp") ? MEMBER_TIMESTAMP : MEMBER_OTHER;
#undef IS
}

struct decimal { /* digits * 10^exponent */
	uint64_t digits;
	int64_t exponent;
};

#define DIGITS_MAX 19      /* that many always fit into 64 bits */
#define EXPONENT_END 10000 /* an exponent that is not below it has nothing to do with time */

/* The exponent of a number by JSON's grammar, `at` behind its e. */
static int64_t exponent_of(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	bool negative = at < length && bytes[at] == '-';
	int64_t exponent = 0;

	for (; at < length; at++)
		if (number_is_digit(bytes[at]) && exponent < EXPONENT_END)
			exponent = exponent * 10 + (bytes[at] - '0');
	return negative ? -exponent : exponent;
}

/* What lies beyond 19 digits is below a nanosecond until the year 2286: only its places count. */
static struct decimal decimal_of(const uint8_t *bytes, uint32_t length)
{
	struct decimal d = {0, 0};
	bool fraction = false;
	uint32_t at = 0;
	int taken = 0;

	for (; at < length && (bytes[at] | 0x20) != 'e'; at++) {
		if (bytes[at] == '.') {
			fraction = true;
		} else if (taken == DIGITS_MAX) {
			d.exponent += !fraction;
		} else {
			d.digits = d.digits * 10 + (bytes[at] - (uint64_t)'0');
			taken += d.digits != 0;
			d.exponent -= fraction;
		}
	}
	if (at < length)
		d.exponent += exponent_of(bytes, length, at + 1);
	return d;
}

/* Seconds with decimals, "1385053862.3072", to nanoseconds: exactly, but for what is below one. */
static enum codec_fault seconds_to_ns(const uint8_t *bytes, uint32_t length, uint64_t *out)
{
	uint64_t power = 1;
	unsigned __int128 ns;
	struct decimal d;

	if (bytes[0] == '-')
		return CODEC_TIME;
	d = decimal_of(bytes, length);
	d.exponent += 9;
	if (d.digits == 0 || d.exponent < -DIGITS_MAX)
		d.exponent = d.digits = 0;
	if (d.exponent > DIGITS_MAX)
		return CODEC_TIME;
	for (int64_t i = d.exponent < 0 ? -d.exponent : d.exponent; i > 0; i--)
		power *= 10;
	ns = d.exponent < 0 ? d.digits / power : (unsigned __int128)d.digits * power;
	*out = (uint64_t)ns;
	return ns > UINT64_MAX ? CODEC_TIME : CODEC_OK;
}

/* Some senders quote it, and Graylog takes that. */
static enum codec_fault put_timestamp(const struct gelf_sink *gelf, const struct field *field)
{
	bool number = field->type == FIELD_NUMBER || (field->type == FIELD_TEXT && field->length &&
						      number_end(field->bytes, field->length, 0) == field->length);
	uint64_t ns;

	if (!number)
		return CODEC_TIME;
	PUT_TRY(seconds_to_ns(field->bytes, field->length, &ns));
	return put_unsigned(gelf->behind, FIELD_TIME, field->name, field->name_length, ns);
}

static enum codec_fault check_version(const struct field *field)
{
	if (field->type != FIELD_TEXT)
		return CODEC_SYNTAX;
	if (field->length != 3 || (memcmp(field->bytes, "1.1", 3) != 0 && memcmp(field->bytes, "1.0", 3) != 0))
		return CODEC_VERSION;
	return CODEC_OK;
}

/* A member of the message itself: checked, and put as what it is. */
static enum codec_fault put_member(struct gelf_sink *gelf, const struct field *field)
{
	enum member member = member_of(field);

	if (gelf->seen & member)
		return CODEC_SYNTAX;
	gelf->seen |= member;
	if (member == MEMBER_TIMESTAMP)
		return put_timestamp(gelf, field);
	if (member == MEMBER_VERSION)
		PUT_TRY(check_version(field));
	else if (member != MEMBER_OTHER && (field->type != FIELD_TEXT || field->length == 0))
		return CODEC_SYNTAX;
	return put_field(gelf->behind, field);
}

static bool gelf_put(struct field_sink *sink, const struct field *field)
{
	struct gelf_sink *gelf = (struct gelf_sink *)sink;

	gelf->depth -= field->type == FIELD_END;
	gelf->fault =
		gelf->depth == 0 && field->type != FIELD_END ? put_member(gelf, field) : put_field(gelf->behind, field);
	gelf->depth += field->type == FIELD_OBJECT || field->type == FIELD_ARRAY;
	return gelf->fault == CODEC_OK;
}

/* The message is an object; which the JSON parser would not ask for. */
static enum codec_fault check_object(const uint8_t *bytes, uint32_t length)
{
	uint32_t at = 0;

	while (at < length && (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\r' || bytes[at] == '\n'))
		at++;
	if (at == length)
		return CODEC_EMPTY;
	return bytes[at] == '{' ? CODEC_OK : CODEC_SYNTAX;
}

enum codec_fault gelf_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct gelf_sink gelf = {.sink.put = gelf_put, .behind = sink, .fault = CODEC_OK};
	enum packing packing = packing_of(record->bytes, record->length);
	const uint8_t *bytes = record->bytes;
	uint32_t length = record->length;

	if (gelf_is_chunk(bytes, length))
		return CODEC_CHUNK;
	if (packing != PACKING_NONE) {
		PUT_TRY(unpack(record, packing, &length));
		bytes = record->scratch;
	}
	while (length && bytes[length - 1] == '\0')
		length--; /* syslog-ng's graylog2() ends messages over UDP with one, as GELF over TCP asks for */
	PUT_TRY(check_object(bytes, length));
	PUT_TRY(json_fields(bytes, length, record->scratch + UNPACKED_MAX, CODEC_SCRATCH_BYTES - UNPACKED_MAX,
			    &gelf.sink));
	if (gelf.fault != CODEC_OK)
		return put_result(gelf.fault);
	return (gelf.seen & MANDATORY) == MANDATORY ? CODEC_OK : CODEC_SYNTAX;
}
