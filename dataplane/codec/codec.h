// What a codec is: how a datagram is cut into records, and how a record is decoded into fields.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/codec/field.h"
#include "dataplane/record/split.h"
#include "dataplane/seam/record.h"

/*
 * Pure functions from bytes: no allocation, no system call, no state but what the caller hands in, no byte read outside
 * the record, time linear in its length. Workers cut on the hot path and decode where a key or a check asks for it; penstockd
 * and the command line decode for JSON. This folder belongs to the seam: both planes include it.
 *
 * The closed list of what can be wrong with a record: numbers are frozen, dead letters carry them.
 * X(name, label, text for people)
 */
#define CODEC_FAULTS(X)                                                                          \
	X(CODEC_OK, "ok", "decoded")                                                             \
	X(CODEC_TRUNCATED, "truncated", "ends inside a header or value")                         \
	X(CODEC_LENGTH, "length", "a length field contradicts the bytes that are there")         \
	X(CODEC_SYNTAX, "syntax", "does not follow the format's grammar")                        \
	X(CODEC_ENCODING, "encoding", "text that is not UTF-8 where the format demands it")      \
	X(CODEC_NUMBER, "number", "a number that is none or out of range")                       \
	X(CODEC_TIME, "time", "a time that is none or out of range")                             \
	X(CODEC_VERSION, "version", "a version of the format that is not known")                 \
	X(CODEC_CHECKSUM, "checksum", "a checksum or digest that does not match")                \
	X(CODEC_TOO_DEEP, "too_deep", "nested deeper than allowed")                              \
	X(CODEC_TOO_MANY, "too_many", "more elements than allowed")                              \
	X(CODEC_TOO_LARGE, "too_large", "larger than allowed once unpacked")                     \
	X(CODEC_COMPRESSION, "compression", "compressed data that cannot be unpacked")           \
	X(CODEC_CHUNK, "chunk", "chunks of a message that do not belong together")               \
	X(CODEC_NO_TEMPLATE, "no_template", "flows whose template has not been seen")            \
	X(CODEC_EMPTY, "empty", "nothing in it")

#define CODEC_FAULT_ENUM(name, label, text) name,
enum codec_fault { CODEC_FAULTS(CODEC_FAULT_ENUM) CODEC_FAULT_END };
#undef CODEC_FAULT_ENUM

/* Raised whenever some record would be decoded to other fields than before; dead letters carry it. */
#define CODEC_PARSER_VERSION 3u

struct codec_templates; /* flow templates by exporter: dataplane/codec/templates.h */

#define CODEC_SCRATCH_BYTES (1u << 20) /* GELF unpacks into it, JSON unescapes into it */

struct codec_record { /* what decode() is given */
	const uint8_t *bytes;
	uint32_t length;
	uint8_t source_bytes;               /* 0: unknown, 4 or 16 */
	const uint8_t *source;              /* sender's address, network order */
	uint64_t arrival_ns;                /* CLOCK_REALTIME; a year that a format leaves out is taken from it */
	struct codec_templates *templates;  /* NULL: none known and none to be learned */
	uint8_t *scratch;                   /* CODEC_SCRATCH_BYTES */
};

struct codec {
	const char *name;  /* "syslog", as in the configuration */
	uint8_t id;        /* enum record_codec */
	bool binary;       /* records are no text: JSON shows data_base64 */
	// Cuts a datagram into records: see split_lines() for the contract. NULL: the datagram is the record.
	uint32_t (*cut)(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);
	// Puts a record's fields. CODEC_OK, also when the sink ended it; else what is wrong with the record (fields put before
	// that stay put, opened objects may be left open). NULL: it has none (datagram, lines, frame).
	enum codec_fault (*decode)(const struct codec_record *record, struct field_sink *sink);
};

static inline bool codec_take_all(struct field_sink *sink, const struct field *field)
{
	(void)sink;
	(void)field;
	return true;
}

// Whether a record follows the format of its codec, which decodes, as far as can be told when it arrives: flows before their
// template do, for they are decoded when it has come.
static inline enum codec_fault codec_check(const struct codec *codec, const struct codec_record *record)
{
	struct field_sink sink = {codec_take_all};
	enum codec_fault fault = codec->decode(record, &sink);

	return fault == CODEC_NO_TEMPLATE ? CODEC_OK : fault;
}

// By enum record_codec; NULL for a number that is none.
const struct codec *codec_by_id(uint8_t id);

// "truncated" and so on; "unknown" for a number nobody defined.
const char *codec_fault_label(enum codec_fault fault);
const char *codec_fault_text(enum codec_fault fault);

enum codec_fault syslog_decode(const struct codec_record *record, struct field_sink *sink);
uint32_t syslog_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);
enum codec_fault statsd_decode(const struct codec_record *record, struct field_sink *sink);
uint32_t influx_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);
enum codec_fault influx_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault graphite_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault json_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault gelf_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault collectd_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault netflow_decode(const struct codec_record *record, struct field_sink *sink);
enum codec_fault sflow_decode(const struct codec_record *record, struct field_sink *sink);
// Data of the user records, without their keys (kpl_records() has both). A datagram that is no aggregate, a damaged one, and
// one of more than `room` > 0 user records are one record, whole: an aggregate cannot be gone on with in its middle.
uint32_t kpl_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);
enum codec_fault dead_letter_decode(const struct codec_record *record, struct field_sink *sink);
