// GELF over UDP: messages that came in chunks put together again, within a bound of memory and time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/codec/codec.h"
#include "dataplane/codec/dead_letter.h"
#include "dataplane/seam/record.h"

/*
 * Source: "GELF via UDP", https://go2docs.graylog.org/current/getting_in_log_data/gelf.html: a datagram is a message
 * (plain, gzip or zlib), or a chunk of one:
 *
 *   0    2          10         11      12
 *   +----+----------+----------+-------+------
 *   |1e0f| id (8)   | sequence | count | bytes
 *   +----+----------+----------+-------+------
 *
 * At most 128 chunks; all within 5 s of the first, or what came is thrown away. The record is the message as its chunks
 * give it, still compressed, but of inputs with rules: those look for text, and decide about what is stored.
 */
#define GELF_CHUNK_HEADER 12u
#define GELF_CHUNKS_MAX 128u
#define GELF_TIMEOUT_NS 5000000000ull
#define GELF_MESSAGE_MAX DEAD_LETTER_BYTES_MAX /* so that it fits into a record even when it cannot be taken */

/*
 * What a packed message may unpack to: as many bytes as 12 times its own and GELF_UNPACKED_FREE, at most
 * GELF_UNPACKED_MAX; longer is CODEC_TOO_LARGE. Log text packs to a fifth or a tenth, what is packed tighter than this was
 * made to be slow: a datagram of 7 KB that unpacks to the most there is takes 20 times what its bytes do otherwise.
 */
#define GELF_UNPACKED_MAX (CODEC_SCRATCH_BYTES / 2) /* the other half takes its unescaped JSON */
#define GELF_UNPACKED_FREE 2048u
#define GELF_UNPACKED_TIMES 12u

static inline uint32_t gelf_unpacked_max(uint32_t packed)
{
	uint64_t most = GELF_UNPACKED_FREE + (uint64_t)packed * GELF_UNPACKED_TIMES;

	return most < GELF_UNPACKED_MAX ? (uint32_t)most : GELF_UNPACKED_MAX;
}

// Whether a message is packed, by its first bytes.
bool gelf_is_packed(const uint8_t *bytes, uint32_t length);

// Whether what there is of an incomplete message can be read as it is: it begins as JSON does. Any other may be packed.
static inline bool gelf_is_open(const uint8_t *bytes, uint32_t length)
{
	return length > 0 && bytes[0] == '{';
}

// Unpacks a packed message into `scratch` (CODEC_SCRATCH_BYTES), to be a record in its place: at most GELF_MESSAGE_MAX
// bytes, at least one, neither packed again nor a chunk. CODEC_OK with *unpacked, or what is wrong with it.
enum codec_fault gelf_unpack(const uint8_t *bytes, uint32_t length, uint8_t *scratch, uint32_t *unpacked);

/* What became of a datagram: X(name, dead letter reason of the datagram, text for people) */
#define GELF_OUTCOMES(X)                                                                                               \
	X(GELF_WHOLE, DEAD_LETTER_NONE, "a message is complete")                                                       \
	X(GELF_PENDING, DEAD_LETTER_NONE, "a chunk is kept until the others come")                                     \
	X(GELF_SHORT, DEAD_LETTER_CHUNK_SHORT, "a chunk of nothing but its header, or not even that")                  \
	X(GELF_COUNT, DEAD_LETTER_CHUNK_COUNT, "a chunk of a message of 0 or more than 128")                           \
	X(GELF_INDEX, DEAD_LETTER_CHUNK_INDEX, "a chunk's number is not below their count")                            \
	X(GELF_CONTRADICTION, DEAD_LETTER_CHUNK_CONTRADICTION, "a chunk tells another count than those before it")     \
	X(GELF_DUPLICATE, DEAD_LETTER_CHUNK_DUPLICATE, "a chunk that is there already")                                \
	X(GELF_OVERSIZE, DEAD_LETTER_REASSEMBLY_OVERSIZE, "a chunk with which the message is longer than a record")

#define GELF_OUTCOME_ENUM(name, reason, text) name,
enum gelf_outcome { GELF_OUTCOMES(GELF_OUTCOME_ENUM) GELF_OUTCOME_END };
#undef GELF_OUTCOME_ENUM

// The reason a refused chunk is dead for; DEAD_LETTER_NONE for GELF_WHOLE and GELF_PENDING.
enum dead_letter_reason gelf_refusal(enum gelf_outcome outcome);

struct gelf_chunk_source {   /* where a datagram came from and went to; padding is not looked at */
	uint32_t input;      /* input_id(): messages to different inputs are never mixed */
	uint8_t origin_kind; /* enum record_origin */
	union {
		struct origin4 v4;
		struct origin6 v6;
	} origin; /* only the source address tells messages apart: a sender may change its port */
};

struct gelf_dropped { /* an incomplete message that was thrown out */
	/*
	 * DEAD_LETTER_REASSEMBLY_TIMEOUT: the others did not come in time
	 * DEAD_LETTER_REASSEMBLY_DISPLACED: the oldest one of whoever held most, when there was no more room
	 * DEAD_LETTER_REASSEMBLY_OVERSIZE: longer than a record
	 * DEAD_LETTER_REASSEMBLY_ENDED: gelf_end()
	 */
	enum dead_letter_reason reason;
	const struct gelf_chunk_source *source; /* of its first chunk */
	uint64_t first_ns;                      /* when that came */
	uint32_t had, expected;                 /* chunks: each of the `had` was GELF_PENDING before */
	const uint8_t *bytes; /* those there were, in order, holes skipped; gone when dropped() returns */
	uint32_t length;
};

struct gelf_taker { /* whoever counts and keeps what is thrown out puts its own state behind it */
	void (*dropped)(struct gelf_taker *taker, const struct gelf_dropped *dropped);
};

struct gelf_assembly; /* one per worker; not shared */

#define GELF_MESSAGES_MAX 65536u
#define GELF_BYTES_MIN (192u << 10) /* one message of the worst cut fits, with room to spare */
#define GELF_BYTES_MAX (1u << 30)

// Memory of an assembly for `messages` incomplete ones (1 to GELF_MESSAGES_MAX) with `bytes` of chunks (GELF_BYTES_MIN
// to GELF_BYTES_MAX). 0 when either is out of range.
uint64_t gelf_assembly_bytes(uint32_t messages, uint32_t bytes);

// Prepares `memory` (gelf_assembly_bytes(), 64-aligned, stays the caller's). `secret` is from the system's random
// source: who does not know it cannot make messages meet in one place of the table. `taker` is told of every message
// thrown out and must not call back into the assembly. NULL when an argument is out of range.
struct gelf_assembly *gelf_assembly_init(void *memory, uint32_t messages, uint32_t bytes, const uint8_t secret[16],
					 struct gelf_taker *taker);

// Takes a datagram. `now_ns`: any clock, always the same. GELF_WHOLE: *message is the datagram itself, a part of it, or
// inside the assembly, there until the next call. GELF_PENDING: nothing to do. Everything else: refused, and with
// GELF_OVERSIZE the message it belongs to is dropped. May drop others to make room: the oldest of the source address that
// holds most, or, where none holds more than a 16th, the oldest of all. Time: bounded, and linear in `length` and in what it
// drops.
enum gelf_outcome gelf_assemble(struct gelf_assembly *a, const struct gelf_chunk_source *source, uint64_t now_ns,
				const uint8_t *bytes, uint32_t length, const uint8_t **message,
				uint32_t *message_length);

// Drops messages whose time is over, at most `limit` of them. Returns how many.
uint32_t gelf_expire(struct gelf_assembly *a, uint64_t now_ns, uint32_t limit);

// Drops all that are incomplete: when a worker ends.
void gelf_end(struct gelf_assembly *a);

// Incomplete messages at this moment.
uint32_t gelf_pending(const struct gelf_assembly *a);

static inline bool gelf_is_chunk(const uint8_t *bytes, uint32_t length)
{
	return length >= 2 && bytes[0] == 0x1e && bytes[1] == 0x0f;
}
