// One segment file: its names, its checksums, and a walk over its batches that trusts nothing it reads.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/store/batch.h"

#define SEGMENT_DATA 4096u            /* where the first batch stands */
#define SEGMENT_BLOCK 4096u           /* O_DIRECT reads and writes whole ones */
#define BATCH_LENGTH_MAX (128u << 20) /* longer is a lie */
#define SEGMENT_SUFFIX ".segment"
#define INDEX_SUFFIX ".index"
#define FOREIGN_SUFFIX ".foreign" /* of another shard's segment that was found among ours */
#define TEMPORARY_SUFFIX ".new" /* of a file that is not there yet: removed at recovery */

static inline uint64_t batch_round(uint64_t bytes)
{
	return (bytes + BATCH_ALIGN - 1) & ~(uint64_t)(BATCH_ALIGN - 1);
}

static inline uint64_t block_round(uint64_t bytes)
{
	return (bytes + SEGMENT_BLOCK - 1) & ~(uint64_t)(SEGMENT_BLOCK - 1);
}

static inline const struct span *batch_spans(const struct batch *b)
{
	return (const struct span *)(b + 1);
}

static inline size_t batch_prefix(const struct batch *b)
{
	return sizeof *b + b->spans * sizeof(struct span);
}

// "DIRECTORY/<first, 20 digits><suffix>" into `path` of PATH_MAX bytes. -ENAMETOOLONG.
int segment_path(char *path, const char *directory, uint64_t first_sequence, const char *suffix);

// The first sequence in a file's name when it is 20 digits and `suffix`; false for any other name.
bool segment_parse_name(const char *name, const char *suffix, uint64_t *first_sequence);

// CRC32C: init and final xor 0xffffffff.
uint32_t segment_crc(const void *bytes, size_t length);

// Fills in the checksum of a header, or of a batch whose spans and records stand behind it (length bytes in all).
void segment_header_seal(struct segment_header *header);
void batch_seal(struct batch *b);

bool segment_header_valid(const struct segment_header *header);
bool batch_valid(const struct batch *b); /* length bytes are there */

// Opens DIRECTORY's segment for reading, with O_DIRECT when `direct` and the file system allows it. A descriptor or
// -errno.
int segment_open(const char *directory, uint64_t first_sequence, bool direct);

/*
 * A batch starts right behind the one before it (batch_round), or, when it was written at the same time as that one, on
 * the next multiple of SEGMENT_BLOCK.
 */

/* ---- walking ---- */

#define WALK_RECORDS_ANY UINT64_MAX /* the header that would tell is damaged: believe the next batch */

enum walk_result { WALK_END = 0, WALK_BATCH = 1, WALK_DAMAGE = 2 }; /* or -errno */

struct walk {
	int fd;
	uint64_t offset;            /* where the next batch should stand */
	uint64_t end;               /* bytes that may be looked at */
	uint64_t bound;             /* batches from this sequence on do not exist in this file */
	uint64_t sequence, records; /* what the next batch should start with; records may be WALK_RECORDS_ANY */

	uint64_t at;                                 /* of the batch found by the last walk_next() */
	struct batch batch;                          /* its header */
	uint64_t missing_sequences, missing_records; /* of the last WALK_DAMAGE, in front of `sequence` and `records` */
	bool torn;                                   /* after WALK_END: something other than zeros stands at `offset` */

	uint8_t *window; /* a piece of the file, block-aligned in memory and file */
	size_t window_capacity, window_length;
	uint64_t window_at;
	size_t chunk; /* read at least this much at once */
};

// A walk from `offset`, where the batch with `sequence` should stand, `records` data records in front of it. The
// descriptor stays the caller's; walk_close() frees the buffer.
void walk_init(struct walk *w, int fd, uint64_t offset, uint64_t end, uint64_t sequence, uint64_t records);
void walk_close(struct walk *w);

// Gives the buffer back to the system; it comes again when needed.
void walk_shrink(struct walk *w);

// WALK_BATCH: the next batch is at w->at with header w->batch. With `whole` its checksum was verified.
// WALK_DAMAGE: bytes that are no batch were passed; missing_* say what the next good batch implies was there.
// WALK_END: none follows; w->torn says whether the rest is more than zeros.
int walk_next(struct walk *w, bool whole);

// The batch found last, all of it, in the walk's buffer: valid until the next call. -EBADMSG when its checksum is
// wrong.
int walk_load(struct walk *w, const struct batch **out);
