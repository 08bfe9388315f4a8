// A lane: the byte ring from one worker to the drain, for one shard. Two types, one for each end.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/seam/ledger.h"
#include "dataplane/seam/record.h"
#include "dataplane/seam/region.h"

/*
 *             head (penstockd's, in control)            position (worker's, in its ledger)
 *              |                                          |
 *   -----------v==========================================v----------------------
 *     free     |   published: the drain may copy it       |  reserved this burst, or free
 *
 * Positions count bytes for ever and never wrap; byte p lies at p % size. position - head <= size always.
 * The worker's ledger commit publishes; the drain's store to head gives room back. Both mappings are mirrored
 * (the lane twice in a row), so a span of up to `size` bytes is contiguous from wherever it starts.
 */

struct lane_writer { /* in the worker's private memory */
	uint8_t *bytes;                 /* mirrored */
	uint64_t size;                  /* a power of two */
	uint64_t position;              /* reserved so far; the ledger gets it when the burst is committed */
	uint64_t limit;                 /* first position that may not be written: last believed head + size */
	const _Atomic uint64_t *head;   /* in the control region, NULL while penstockd never came up */
	uint32_t slot;                  /* whose line of the ledger this is */
	uint32_t mask;                  /* size - 1 */
};

// Binds a lane to its memory and takes up position from the committed ledger. `head` may be NULL.
void lane_writer_init(struct lane_writer *lane, uint8_t *bytes, uint64_t size, uint32_t slot,
		      const struct ledger_writer *ledger, const _Atomic uint64_t *head);

// Looks at penstockd's head again. False when what it says is impossible (behind what it said before, or ahead of us):
// then nothing changes.
bool lane_refresh(struct lane_writer *lane);

// Room for `bytes` (a multiple of 8, at most size/2) at the lane's end, or NULL when it is full. Nothing is published.
static inline uint8_t *lane_reserve(struct lane_writer *lane, uint32_t bytes)
{
	uint64_t at = lane->position;

	if (__builtin_expect(at + bytes > lane->limit, 0)) {
		if (!lane_refresh(lane) || at + bytes > lane->limit)
			return NULL;
	}
	lane->position = at + bytes;
	return lane->bytes + (at & (lane->size - 1));
}

// Takes a line of the lane that will soon be written away from the drain, whose core has read it. The instruction is a no-op
// where it is none, and no part of any x86-64 level, so compilers do not use it unasked.
static inline void lane_prefetch(const uint8_t *line)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*line));
#else
	__builtin_prefetch(line, 1);
#endif
}

struct lane_reader { /* in the drain's private memory */
	const uint8_t *bytes; /* mirrored */
	uint64_t size;
	uint64_t position;    /* copied so far */
	uint64_t records;     /* data records in front of `position`, counted by the drain itself */
};

// The published span that has not been copied: its start in *bytes, its length returned, at most `most`
// (rounded down by the caller to whole records after copying). `published` is LANE_POSITION of a consistent
// ledger line. -EBADMSG when the worker's position is impossible.
int64_t lane_span(const struct lane_reader *lane, uint64_t published, uint64_t most, const uint8_t **bytes);
