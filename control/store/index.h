// The sparse index beside a segment: where batches stand, by sequence, time and record count. Never the truth, only a
// hint.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "control/store/segment.h"

/*
 *   <first sequence>.index: a header, then one entry for a batch at least INDEX_STRIDE behind the last one's.
 *   Each has its own checksum: reading stops at the first one that is wrong, and what is behind it is walked instead.
 *
 * The batch of an entry with `marks` repeats the mark of every lane that has one, so that recovery need not look in
 * front of it.
 */

#define INDEX_MAGIC 0x31584449534e4550ull /* "PENSIDX1" */
#define INDEX_STRIDE (256u << 10)

struct index_header {
	uint64_t magic;
	uint64_t first_sequence; /* of the segment */
	uint8_t reserved[44];
	uint32_t crc;
};

struct index_entry {
	uint64_t offset; /* of the batch in the segment */
	uint64_t first_sequence;
	uint64_t records_before;
	uint64_t stored_ns;
	uint64_t arrival_before_ns; /* the latest arrival in the batches of the segment in front of it */
	uint8_t marks; /* 1: the batch repeats every lane's mark; an entry made later, by walking, cannot know */
	uint8_t reserved[19];
	uint32_t crc;
};
_Static_assert(sizeof(struct index_header) == 64 && sizeof(struct index_entry) == 64, "index layout is frozen");

struct index { /* one in memory, for a lookup */
	struct index_entry *entries;
	uint32_t count;
};

struct index_writer {
	int fd;               /* -1: none; then nothing is written, and lookups walk */
	uint64_t last_offset; /* of the last entry's batch, 0: none yet */
	uint32_t count;
};

// Starts the index of a new segment. It may fail: an index can always be made again.
void index_create(struct index_writer *w, const char *directory, uint64_t first_sequence);

// True when a batch at `offset` is due for an entry (and then must repeat all marks).
static inline int index_due(const struct index_writer *w, uint64_t offset)
{
	return w->last_offset == 0 || offset - w->last_offset >= INDEX_STRIDE;
}

void index_add(struct index_writer *w, const struct batch *b, uint64_t offset, uint64_t arrival_before_ns, bool marks);
void index_close(struct index_writer *w);

// The valid entries of a segment's index; none when the file is absent or damaged. -ENOMEM.
int index_load(const char *directory, uint64_t first_sequence, struct index *out);

// The same for a sealed segment of `end` bytes, completed by walking (and written again) where more than a stride is
// missing. `records_before` and `bound` as in struct walk.
int index_complete(const char *directory, uint64_t first_sequence, uint64_t records_before, uint64_t end,
		   uint64_t bound, struct index *out);

void index_free(struct index *index);

// The last entry whose batch does not lie behind what is looked for, or NULL when it must be walked from the start.
const struct index_entry *index_find_sequence(const struct index *index, uint64_t sequence);
const struct index_entry *index_find_arrival(const struct index *index, uint64_t ns);
