// Gathers a frame that lies in several pieces of memory into one.
#pragma once

#include <stdbool.h>

#include "dataplane/packet/wire.h"
#include "dataplane/seam/counters.h"

#define SEGMENTS_SCRATCH_BYTES 65536u /* WIRE_FRAME_MAX, rounded up */
#define SEGMENTS_MAX 65536u           /* pieces looked at, so that a chain of empty ones that bites its tail ends */

struct segment {
	const uint8_t *bytes; /* may be NULL when length is 0 */
	uint32_t length;
};

// Writes the next piece of `chain` to `out`, and moves on. False behind the last. A worker's `chain` is a pointer to
// the next struct rte_mbuf pointer; given as a constant, the call is inlined.
typedef bool segments_next(void *chain, struct segment *out);

// Copies the pieces of `chain` to `scratch` (SEGMENTS_SCRATCH_BYTES), one behind the other, none skipped for its
// length. FRAME_ACCEPTED with *length the bytes gathered; FRAME_TOO_LONG when they are more than WIRE_FRAME_MAX or the
// pieces more than SEGMENTS_MAX: then *length is what had been gathered until there.
static inline enum counter_frame segments_copy(segments_next *next, void *chain, uint8_t *scratch, uint32_t *length)
{
	struct segment piece;

	*length = 0;
	for (uint32_t count = 0; next(chain, &piece); count++) {
		if (piece.length > WIRE_FRAME_MAX - *length || count == SEGMENTS_MAX)
			return FRAME_TOO_LONG;
		if (piece.length)
			memcpy(scratch + *length, piece.bytes, piece.length);
		*length += piece.length;
	}
	return FRAME_ACCEPTED;
}
