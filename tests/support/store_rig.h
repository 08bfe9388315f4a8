// What the store's tests share: a store in a directory of its own, and a reader that checks all it reads.
#pragma once

#include "tests/support/store_feed.h"

#define RIG_SLOTS_MAX 32u
#define RIG_WORKERS_MAX 8u

struct rig {
	char directory[128];
	struct store_options options;
	struct store *store;
	struct shard *shards[RIG_SLOTS_MAX];
	uint32_t shards_count;
	uint64_t retention_seconds, retention_bytes; /* of shards added from here on */
	struct feed feed;
};

// A fresh directory under `parent` with small batches and segments; the store is not open yet, the feed is.
void rig_make(struct rig *rig, const char *parent, uint32_t workers, uint32_t shards);

// Opens the store, adds the shards, attaches. And closes it again.
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig, bool drain);

// Ends it all and deletes the files.
void rig_destroy(struct rig *rig);
void rig_delete_tree(const char *path);

// Appends `count` records of `length` bytes for each worker to a shard, waiting for room, published every `burst`.
void rig_feed(struct rig *rig, uint32_t shard, uint64_t count, uint32_t length, uint32_t burst);

// Waits until everything appended so far is durable; false when that took too long.
bool rig_settle(struct rig *rig, uint32_t timeout_ms);

struct rig_tally { /* of one pass over a shard */
	uint64_t records, gaps, gap_records, unknown_gaps, damaged_gaps;
	uint64_t next[RIG_WORKERS_MAX]; /* the number expected next of each worker */
	uint64_t skipped;               /* numbers that did not come */
	uint64_t first_sequence, next_sequence;
	uint64_t crc;      /* over all that was read, in order */
	const char *wrong; /* NULL, or what was wrong */
};

// Reads a shard from `sequence` to its end and checks every record, count and sequence.
struct rig_tally rig_read(struct rig *rig, uint32_t shard, uint64_t sequence);

#define assert_all_right(tally)                                                                                        \
	do {                                                                                                           \
		if ((tally).wrong)                                                                                     \
			fail_msg("%s (after %lu records)", (tally).wrong, (unsigned long)(tally).records);             \
	} while (0)

// Deletes the indexes of a shard.
void rig_delete_indexes(struct rig *rig, uint32_t shard);

// The path of the `nth` segment (from the oldest; -1: the newest) of a shard. False when there is none.
bool rig_segment(struct rig *rig, uint32_t shard, int nth, char path[512]);
