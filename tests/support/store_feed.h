// A stand-in for the dataplane: a region in shared memory, with workers that append records as the real ones do.
#pragma once

#include "control/store/store.h"
#include "dataplane/seam/lane.h"
#include "dataplane/seam/region.h"

struct feed_worker {
	struct ledger_writer ledger;
	uint64_t *now;
	struct lane_writer *lanes; /* one for each slot */
	uint64_t *appended;        /* records per slot, published or not */
};

struct feed {
	char directory[128]; /* on tmpfs */
	struct region_writer writer;
	struct region_reader reader;
	struct control *control; /* penstockd's end */
	int control_fd;
	struct feed_worker *workers;
};

// The bytes every test record's payload starts with; what follows is made from them.
struct feed_payload {
	uint64_t number; /* of the record in its lane, from 0 */
	uint32_t slot, worker;
};

// A directory of its own under /dev/shm, and a region in it. Dies on failure: tests cannot go on.
void feed_open(struct feed *feed, uint32_t workers, uint32_t slots, uint64_t lane_bytes);

// The same over a directory that is there already, with the region in it: what a restarted dataplane does.
void feed_open_at(struct feed *feed, const char *directory, uint32_t workers, uint32_t slots, uint64_t lane_bytes);

// Gives the mappings back and leaves the files, or deletes them, too.
void feed_close(struct feed *feed, bool remove_files);

// Marks the region retired and makes a new one, which the reader end then maps.
void feed_new_generation(struct feed *feed);

// Appends one record of `length` payload bytes (at least sizeof(struct feed_payload)). False when the lane is full.
bool feed_append(struct feed *feed, uint32_t worker, uint32_t slot, uint32_t length);

// Appends any bytes, whatever they are (a multiple of 8), and counts them as `records`.
bool feed_append_raw(struct feed *feed, uint32_t worker, uint32_t slot, const void *bytes, uint32_t length,
		     uint64_t records);

// Publishes what was appended.
void feed_commit(struct feed *feed, uint32_t worker);

// True when `r` is a record of feed_append(), whole. *out gets its payload's start.
bool feed_check(const struct record *r, struct feed_payload *out);
