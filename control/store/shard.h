// What a shard and the store are made of. Private to control/store/.
#pragma once

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "control/store/buffer.h"
#include "control/store/index.h"
#include "control/store/segment.h"
#include "control/store/store.h"
#include "control/store/writer.h"
#include "dataplane/seam/lane.h"
#include "dataplane/seam/region.h"

/*
 * Who touches what:
 *   (i) constant after store_add_shard()
 *   (d) the drain thread, or whoever holds store->drain_lock: everything about writing
 *   (l) under shard->lock: everything readers see; the drain takes it for moments only, never around a system call
 *       that may wait for the disk
 * drain_lock is taken before shard->lock, never inside it.
 */

#define RECORDS_UNKNOWN WALK_RECORDS_ANY
#define GAPS_PENDING_MAX 6u
#define FLIGHTS_MAX 3u /* being synced, being written, and one to follow at once */
#define BUFFERS 4u
#define BUFFERS_EACH 2u     /* what every shard may have; more only while the store's budget lasts, */
#define BUFFERS_BUDGET 8u   /* which is BUFFERS_EACH for every shard there is, and at least this */
#define STALLED_NS 5000000000ull
#define AGE_ROLL_PART 8u /* a file holds at most this part of the retention time, so that slow streams expire, too */

struct segment { /* (l) one file that readers may open */
	uint64_t first_sequence;
	uint64_t bytes;                /* valid so far: the file's size, or how far the active one is durable */
	uint64_t records_before;       /* RECORDS_UNKNOWN until its header has been read */
	uint64_t oldest_ns, newest_ns; /* stored times; 0: not yet known, or no batch in it */
	uint64_t arrival_max_ns;       /* 0: not yet known */
	uint64_t lost_records;         /* in its damaged batches, as far as anyone has met them */
	bool active;
	bool learned; /* the five above are known */
	bool dated;   /* newest_ns is no batch's, but what retention goes by: no batch of it can be read */
};

struct damage { /* (l) a damaged batch that has been reported and counted */
	uint64_t first_sequence, segment;
};

struct active {       /* (d) a file that batches are appended to */
	int fd;       /* -1: none, the next batch makes one */
	bool visible; /* under its final name, durably */
	uint64_t first_sequence, generation;
	uint64_t offset;     /* where the next batch goes */
	uint64_t allocated;  /* bytes asked for ahead */
	uint64_t created_ns; /* stored_ns of its first batch */
	uint64_t arrival_max_ns;
	struct index_writer index;
	uint8_t tail[SEGMENT_BLOCK]; /* the part of the block at `offset` that is already written */
};

struct shard_lane {                /* (d) */
	struct lane_reader reader; /* how far it was copied */
	struct lane_mark durable;
	uint64_t published, published_records; /* as last read from the ledger */
	uint64_t impossible_ns;                /* CLOCK_MONOTONIC since when its position makes no sense, 0: it does */
	uint64_t complained_ns;                /* when the log last spoke of it */
	uint64_t target;                       /* store_detach() waits until this is durable */
};

struct shard {
	struct store *store;            /* (i) */
	struct shard_identity identity; /* (i), its retention (d) */
	char directory[PATH_MAX];       /* (i) */
	uint64_t segment_bytes;         /* (d) */

	pthread_mutex_t lock;
	pthread_cond_t durable;   /* something became readable, or the shard was removed */
	struct segment *segments; /* (l) by first_sequence */
	uint32_t segments_count, segments_capacity;
	struct damage *damages; /* (l) */
	uint32_t damages_count;
	uint64_t durable_sequence, stored_records;               /* (l) */
	uint64_t next_sequence;                                  /* (l), only the drain changes it */
	uint64_t next_records;                                   /* (d) data records in front of next_sequence */
	uint64_t next_stored_ns;                                 /* (d) of the batch closed last */
	uint64_t last_stored_ns;                                 /* (l) of the batch durable last */
	uint64_t gaps, gap_records, lane_gap_records, expired_early, expired_lost; /* (l) */
	uint64_t lane_generation, lane_records;                  /* (l) as in struct shard_status */
	bool writable, removed, orphan;                          /* (l) orphan: the last reader to close destroys it */
	uint32_t readers;                                        /* (l) */
	struct buffer *tail; /* (l) the last durable batch, while it is still in memory */
	uint64_t tail_from;  /* (l) the end of the batch before it */

	struct shard_lane lanes[WORKERS_MAX]; /* (d) */
	uint64_t generation;                  /* (d) of the lanes' positions, 0: none known */
	uint64_t drained_generation;          /* (d) all of that region was taken over */
	struct lane_mark put, put_durable;    /* (d), (l): penstockd's own lane, copied and durable; see batch.h */
	struct put *puts;                     /* (d) waiting for their turn, oldest first */
	struct gap pending[GAPS_PENDING_MAX]; /* (d) gaps to be told by the next batch */
	uint32_t pending_count;
	struct buffer buffers[BUFFERS];      /* (d) */
	struct buffer *open;                 /* (d) being filled, NULL: none */
	struct buffer *flights[FLIGHTS_MAX]; /* (d) closed and on their way to the disk, oldest first */
	uint32_t flights_count;
	bool busy;                     /* (d) the last batch was a large part of a full one */
	struct active active;          /* (d) */
	struct active leaving;         /* (d) the one before, while its last batches are on their way */
	uint64_t retry_ns, backoff_ns; /* (d) after a refusal: when to try again */
	int refused;                   /* (d) the error last said in the log, 0: none */
	uint64_t waiting_ns;           /* (d) when data was first seen in the lanes that is not yet copied, 0: none */
	uint64_t idle_ns;              /* (d) when it last had anything to do */
	_Atomic uint64_t flight_ns;    /* when the oldest flight was closed, 0: none; read by store_get_status() */
	bool new_directory;            /* (i) it was not there before store_add_shard() */
	struct shard *next;            /* in the store's list */
};

struct store {
	struct store_options options; /* (i) */
	char directory[PATH_MAX];     /* (i) */
	int lock_fd;
	struct writer *writer; /* (d) */
	pthread_t thread;
	pthread_mutex_t drain_lock;
	_Atomic uint32_t callers; /* waiting for drain_lock: the drain lets them in */
	_Atomic bool stop;

	pthread_mutex_t list_lock; /* of the list, for store_get_status(); changed under drain_lock, too */
	struct shard *shards;

	const struct region_reader *region; /* (d) NULL: detached; else our copy, whose mappings are the caller's */
	struct region_reader region_copy;
	struct control *control;
	const struct ledger *ledgers[WORKERS_MAX]; /* (d) bounds checked once, never read from the region again */
	uint64_t epochs[WORKERS_MAX];              /* (d) as last seen */
	bool moved[WORKERS_MAX];                   /* (d) this round: the worker has committed something */
	uint32_t workers, slots, lines;            /* (d) */
	uint32_t shards_count, buffers_mapped;     /* (d) */
	bool flush;                                /* (d) close batches at once */
	bool busy;                                 /* (d) this round gave more than can be waited for */

	bool reserve_held, starved;        /* (d) */
	uint64_t reserve_ns, retention_ns; /* (d) when last looked at */
	_Atomic bool direct;
	_Atomic uint64_t drained_bytes, written_bytes, commits, write_errors, head_invalid;
};

/* ---- store.c ---- */

// Waits for the drain's state to be at rest, and lets it go again.
void store_hold(struct store *store);
void store_let_go(struct store *store);

/* ---- shard.c ---- */

// A shard with no segments yet, or NULL.
struct shard *shard_new(struct store *store, const struct shard_identity *identity);
void shard_free(struct shard *shard);

// Adds a segment at the end of the list, in place of an empty one with the same first sequence. Under the lock.
// -ENOMEM.
int shard_add_segment(struct shard *shard, const struct segment *segment);

// The segment that `sequence` lies in, or the first one. Under the lock; the list is not empty.
uint32_t shard_find_segment(const struct shard *shard, uint64_t sequence);

// Fills in what only the file knows of the segment with this first sequence (records before, times). Without the lock.
// 0; -ENOENT it has expired meanwhile; -errno.
int shard_learn(struct shard *shard, uint64_t first_sequence);

// Counts a damaged batch, once. True when it was new.
bool shard_report_damage(struct shard *shard, uint64_t segment, uint64_t first_sequence, uint64_t sequences,
			 uint64_t records);

// Tells shard_get_status() how far the lanes are durable. Drain held.
void shard_show_marks(struct shard *shard);

// Remembers a gap for the next batch.
void shard_queue_gap(struct shard *shard, const struct gap *gap);

// Deletes the files and frees the shard: it is out of the list and has no reader.
void shard_destroy(struct shard *shard);

/* ---- recovery.c ---- */

// Finds the segments on disk, cuts the last one's torn tail, and takes up sequence, counts and marks. 0 or -errno.
int shard_recover(struct shard *shard);

/* ---- file.c: the active file ---- */

// True when the active file can take this batch: same region, room, not too old.
bool active_takes(const struct shard *shard, const struct buffer *b);

// Makes the active file ready for the batch, which is the next to be written: a new one when there is none.
int active_prepare(struct shard *shard, struct buffer *b);

// The first batch has been written: makes a new file visible. 0 or -errno.
int active_publish(struct shard *shard, struct active *file);

// The file refused something: it is never written, synced or acknowledged from again. Nothing when it is closed.
void active_abandon(struct shard *shard, struct active *file);

// No more batches into it: readable and expirable like any other. Nothing when it is closed.
void active_seal(struct shard *shard, struct active *file);

// Writes a segment with nothing but its header, which keeps the next sequence and the lanes' marks. 0 or -errno.
int active_write_floor(struct shard *shard);

/* ---- commit.c ---- */

// True when the open batch may be closed now.
bool commit_ready(const struct shard *shard);

// Closes the open batch: it gets its sequences and becomes the last flight.
void commit_close(struct shard *shard);

// Does what can be done for the flights: ends those that are durable, in order, and starts those that can be written.
void commit_step(struct shard *shard, uint64_t now);

// True while the writer has one of the shard's buffers.
bool commit_writing(const struct shard *shard);

// Gives the memory of an idle shard back.
void commit_rest(struct shard *shard);

/* ---- gather.c ---- */

// Takes what the lanes of this shard have to give into its open batch, and closes that when it is due.
void gather(struct shard *shard, uint64_t now);

// Begins a batch. False: no buffer is to be had now.
bool gather_open(struct shard *shard, uint64_t now);

// Reads lane (shard, worker)'s line; when no consistent copy was to be had, it is looked at again next round: false.
bool gather_look(struct shard *shard, uint32_t worker);

// Where a lane stands at attach time: counts the data records between `head` and what is published.
// False when there is something impossible among them.
bool gather_count(const struct shard *shard, uint32_t worker, uint64_t head, uint64_t *records);

/* ---- put.c ---- */

// Takes what store_put() brought into the open batch, and closes that when it is due and nothing else would.
void put_gather(struct shard *shard, uint64_t now);

/* ---- attach.c ---- */

// Takes up the lanes of the region the store is attached to. `fresh`: a shard made just now, which starts at what is
// published and writes that down. 0 or -errno (only when fresh). Drain held.
int attach_shard(struct shard *shard, bool fresh);

/* ---- retention.c ---- */

// Deletes what is too old or too much, and ends active files that grow too old.
void retention_run(struct shard *shard);

/* ---- reserve.c ---- */

// Makes or finds the reserve file. 0 or -errno.
int reserve_make(struct store *store);

// The disk is full: gives the reserve up, for metadata; no batch is written until it can be made again.
void reserve_release(struct store *store);

// The reserve could not be made for want of space: no batch is written until it can be.
void reserve_await(struct store *store);

// True when batches may be written.
bool reserve_allows(struct store *store, uint64_t now);

// A batch was stored: the one sign that there is room again.
void reserve_stored(struct store *store);

/* ---- drain.c ---- */

void *drain_run(void *store);
