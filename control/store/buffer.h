// A batch under way, from the first record copied into it until the next one needs its memory.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/store/batch.h"
#include "control/store/segment.h"
#include "control/store/writer.h"
#include "dataplane/seam/record.h"

/*
 *   bytes: 0              BUFFER_FRONT                           records_at
 *          +--------------+-----------+-------+-----------------+-----------------+---------------+
 *          | room for a   | tail block| batch | span table      | records ...     | room to round |
 *          | file header  | of before |       | (spans_max)     |                 | up to a block |
 *          +--------------+-----------+-------+-----------------+-----------------+---------------+
 *
 * What goes to the disk starts at a multiple of the block in memory and in the file, so the batch stands in the buffer
 * at the same place inside a block as in the file: a small one is moved there (buffer_place), a large one starts on a
 * block of its own in both.
 */

#define BUFFER_FRONT SEGMENT_BLOCK
#define BUFFER_MOVE_MAX (256u << 10) /* a batch with more bytes of records than this is large */
#define GAP_BYTES 72u                /* a gap record */

struct shard;

struct buffer {
	uint8_t *bytes; /* mapped while in use, NULL while given back */
	size_t mapped;
	bool huge;
	uint32_t spans_max, spans_count;
	struct span *spans; /* spans_max of them */
	size_t records_at, records_bytes, records_limit;

	uint64_t generation;                  /* of the region its spans come from */
	struct lane_mark before[WORKERS_MAX]; /* the lanes' marks in front of it, and behind */
	struct lane_mark after[WORKERS_MAX];
	struct lane_mark put_before, put_after; /* the same of penstockd's own lane */
	uint32_t puts;                          /* how often it gave something */
	uint32_t sequences, records, gaps;
	uint64_t gap_records;
	uint64_t lane_gap_records; /* of them, told by workers because a lane was full */
	uint64_t first_arrival_ns, last_arrival_ns;
	uint64_t opened_ns; /* CLOCK_MONOTONIC when its first byte was seen */

	size_t batch_at;    /* once closed: where the struct batch stands */
	struct batch batch; /* and a copy of it */
	uint64_t closed_ns; /* CLOCK_MONOTONIC */
	bool marks;         /* every lane's mark is repeated in it */

	struct shard *shard;      /* whose it is */
	uint64_t segment, offset; /* once placed: where it stands on disk */
	bool submitted, done;     /* with the writer; back from it, with job.result */
	struct write_job job;

	_Atomic uint32_t pins; /* readers copying from it right now */
};

// Takes memory when there is none and makes the buffer empty. Records up to `limit` bytes, gaps on top.
// `busy`: it will be filled, so huge pages are worth it (a direct write pins each page; they measured 10 to 20 % more
// throughput); a slow shard's buffer costs only the small pages it touches. -ENOMEM.
int buffer_open(struct buffer *b, size_t limit, uint32_t workers, bool busy);

// Gives the memory back to the system. Not while it is being written.
void buffer_release(struct buffer *b);

static inline size_t buffer_room(const struct buffer *b)
{
	return b->records_limit - b->records_bytes;
}

static inline uint8_t *buffer_end(const struct buffer *b)
{
	return b->bytes + b->records_at + b->records_bytes;
}

static inline bool buffer_spans_left(const struct buffer *b, uint32_t count)
{
	return b->spans_count + count <= b->spans_max;
}

// Room for one more gap record made here.
bool buffer_gap_fits(const struct buffer *b);

// Accounts a span of `bytes` bytes that have been copied to buffer_end(), and the lane's mark behind it. A span that
// goes on where the last one of the same worker stopped is joined to it.
void buffer_add_span(struct buffer *b, uint32_t worker, size_t bytes, struct lane_mark after);

// Accounts `bytes` bytes of `records` data records of penstockd's own that have been copied to buffer_end().
void buffer_add_put(struct buffer *b, size_t bytes, uint32_t records, struct lane_mark after);

// Appends a gap record made here, as a span of its own (SPAN_CONTROL).
void buffer_add_gap(struct buffer *b, const struct gap *gap);

static inline bool buffer_is_large(const struct buffer *b)
{
	return b->records_bytes > BUFFER_MOVE_MAX;
}

void buffer_see_arrival(struct buffer *b, uint64_t arrival_ns);

// Makes the struct batch in front of the records, with checksum. `marks`: every lane's mark is repeated in it.
// `overlapped`: as in struct batch.
void buffer_close(struct buffer *b, uint64_t first_sequence, uint64_t records_before, uint64_t stored_ns, bool marks,
		  uint16_t overlapped);

// Moves a closed batch to BUFFER_FRONT + lead and zeroes the rest of its last block.
void buffer_place(struct buffer *b, size_t lead);

// Writes one gap record (GAP_BYTES) to `to`.
void gap_write(uint8_t *to, const struct gap *gap);
