// A dead letter: what could not be taken, as it came, behind a header that says where it ended and why.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/codec/codec.h"

/*
 * The payload of a record with codec CODEC_DEAD_LETTER:
 *
 *   0    1    2    3    4      6       8     12     16           24
 *   +----+----+----+----+------+-------+-----+------+------------+-----------
 *   |ver |sta |co  | 0  |reason|parser |input|detail| arrival_ns | original
 *   |sion| ge |dec |    |      |version|     |      |            | bytes
 *   +----+----+----+----+------+-------+-----+------+------------+-----------
 *
 * Little endian. The record's own header has the original's origin, VLAN and time; its input is the one the original
 * came in by, here once more so that it survives a replay of dead letters into another stream. The record has the key
 * that the original brought (codec kpl), stored, with its hash; any other has the hash of its flow, or a random one, and no key.
 *
 * The layout is read back from disk for ever. To change it: raise DEAD_LETTER_VERSION and go on reading version 1.
 * Numbers of stages and reasons are never reused; new ones are put at the end of their group.
 */
#define DEAD_LETTER_VERSION 1u

/* Where it ended: X(name, number, label) */
#define DEAD_LETTER_STAGES(X)                                                                                          \
	X(DEAD_LETTER_AT_CUT, 1, "cut")                                                                                \
	X(DEAD_LETTER_AT_DECODE, 2, "decode")                                                                          \
	X(DEAD_LETTER_AT_KEY, 3, "key")                                                                                \
	X(DEAD_LETTER_AT_RULE, 4, "rule")                                                                              \
	X(DEAD_LETTER_AT_REASSEMBLY, 5, "reassembly")                                                                  \
	X(DEAD_LETTER_AT_DELIVERY, 6, "delivery")

#define DEAD_LETTER_STAGE_ENUM(name, number, label) name = number,
enum dead_letter_stage { DEAD_LETTER_STAGES(DEAD_LETTER_STAGE_ENUM) };
#undef DEAD_LETTER_STAGE_ENUM

/*
 * Why: below 0x100 an enum codec_fault (any stage); else one of these, which belong to one stage each.
 * X(name, number, stage, label, text for people)
 */
#define DEAD_LETTER_REASONS(X)                                                                                         \
	X(DEAD_LETTER_KEY_MISSING, 0x200, DEAD_LETTER_AT_KEY, "key_missing", "has not the field its key is made of")   \
	X(DEAD_LETTER_RULE, 0x300, DEAD_LETTER_AT_RULE, "rule", "a rule sends it here")                                \
	X(DEAD_LETTER_REASSEMBLY_TIMEOUT, 0x400, DEAD_LETTER_AT_REASSEMBLY, "timeout",                                 \
	  "its other chunks did not come in time")                                                                     \
	X(DEAD_LETTER_REASSEMBLY_DISPLACED, 0x401, DEAD_LETTER_AT_REASSEMBLY, "displaced",                             \
	  "the oldest incomplete message when there was no more room")                                                 \
	X(DEAD_LETTER_REASSEMBLY_OVERSIZE, 0x402, DEAD_LETTER_AT_REASSEMBLY, "oversize",                               \
	  "longer than a record once whole")                                                                           \
	X(DEAD_LETTER_REASSEMBLY_ENDED, 0x403, DEAD_LETTER_AT_REASSEMBLY, "ended", "incomplete when the worker ended") \
	X(DEAD_LETTER_CHUNK_SHORT, 0x410, DEAD_LETTER_AT_REASSEMBLY, "chunk_short",                                    \
	  "a chunk without bytes or without its header")                                                               \
	X(DEAD_LETTER_CHUNK_COUNT, 0x411, DEAD_LETTER_AT_REASSEMBLY, "chunk_count", "a chunk of 0 or more than 128")   \
	X(DEAD_LETTER_CHUNK_INDEX, 0x412, DEAD_LETTER_AT_REASSEMBLY, "chunk_index",                                    \
	  "a chunk whose number is not below their count")                                                             \
	X(DEAD_LETTER_CHUNK_CONTRADICTION, 0x413, DEAD_LETTER_AT_REASSEMBLY, "chunk_contradiction",                    \
	  "a chunk that tells another count than those before it")                                                     \
	X(DEAD_LETTER_CHUNK_DUPLICATE, 0x414, DEAD_LETTER_AT_REASSEMBLY, "chunk_duplicate",                            \
	  "a chunk that was there already")                                                                            \
	X(DEAD_LETTER_DELIVERY_REFUSED, 0x500, DEAD_LETTER_AT_DELIVERY, "refused", "its destination refuses it")       \
	X(DEAD_LETTER_DELIVERY_RETRIES, 0x501, DEAD_LETTER_AT_DELIVERY, "retries",                                     \
	  "its destination took it at no attempt")

#define DEAD_LETTER_REASON_ENUM(name, number, stage, label, text) name = number,
enum dead_letter_reason {
	DEAD_LETTER_NONE = CODEC_OK, /* no reason: never written */
	DEAD_LETTER_FAULT_END = 0x100,
	DEAD_LETTER_REASONS(DEAD_LETTER_REASON_ENUM)
};
#undef DEAD_LETTER_REASON_ENUM

struct dead_letter_header {
	uint8_t version;         /* DEAD_LETTER_VERSION */
	uint8_t stage;           /* enum dead_letter_stage */
	uint8_t codec;           /* enum record_codec of the original */
	uint8_t reserved;        /* 0 */
	uint16_t reason;         /* enum codec_fault or enum dead_letter_reason */
	uint16_t parser_version; /* CODEC_PARSER_VERSION of the program that wrote it */
	uint32_t input;          /* input_id() of the input it came in by */
	uint32_t detail;         /* the rule's id; chunks there were | chunks expected << 16; else 0 */
	uint64_t arrival_ns;     /* of the original, CLOCK_REALTIME */
};

_Static_assert(sizeof(struct dead_letter_header) == 24, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, stage) == 1, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, codec) == 2, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, reason) == 4, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, parser_version) == 6, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, input) == 8, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, detail) == 12, "dead letter layout is frozen");
_Static_assert(offsetof(struct dead_letter_header, arrival_ns) == 16, "dead letter layout is frozen");
_Static_assert(CODEC_FAULT_END <= (int)DEAD_LETTER_FAULT_END, "faults would run into the other reasons");

/* An original may have this many bytes: any UDP payload, but not the longest frames of a tap. */
#define DEAD_LETTER_BYTES_MAX (RECORD_PAYLOAD_MAX - (uint32_t)sizeof(struct dead_letter_header))

// Whether it is what there was of a message whose other chunks did not come. A chunk that was refused is none: of that no chunks
// were counted.
static inline bool dead_letter_is_incomplete(const struct dead_letter_header *header)
{
	return header->stage == DEAD_LETTER_AT_REASSEMBLY && header->detail != 0;
}

struct dead_letter { /* one read back: `header` is a copy, `bytes` stands in what was read */
	struct dead_letter_header header;
	const uint8_t *bytes;
	uint32_t length;
};

// Writes the payload of a dead letter into out[0..room) and returns its length, or 0 when it has no room there or would
// not fit into a record. version, reserved and parser_version of `header` are filled in here. `out` needs no alignment.
uint32_t dead_letter_write(const struct dead_letter_header *header, const uint8_t *bytes, uint32_t length, uint8_t *out,
			   uint32_t room);

// Reads a payload back. CODEC_OK, or what is wrong with it (and *out is untouched): CODEC_TRUNCATED, CODEC_VERSION,
// CODEC_TOO_LARGE, CODEC_NUMBER (a stage, codec or reason nobody defined, a reason of another stage), CODEC_SYNTAX (a
// reserved byte that is not 0).
enum codec_fault dead_letter_read(const uint8_t *bytes, uint32_t length, struct dead_letter *out);

// "decode"; "unknown" for a number nobody defined.
const char *dead_letter_stage_label(uint8_t stage);
// "truncated", "key_missing"; "unknown".
const char *dead_letter_reason_label(uint16_t reason);
const char *dead_letter_reason_text(uint16_t reason);
