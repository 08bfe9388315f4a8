// The stream store: shards of segments of batches on disk, fed by the drain, read by cursors and deliveries.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/seam/record.h"

struct store; /* opaque: all shards, the drain thread, its ring */
struct shard; /* opaque: one shard's segments */
struct region_reader;
struct control;

struct store_options {
	const char *directory;
	uint64_t segment_bytes, batch_bytes, reserve_bytes;
	uint32_t commit_ms;
	bool direct_io;
};

struct shard_identity {
	uint64_t stream_id;     /* from metadata: never reused, so a stream made again under one name is another */
	char stream[129];       /* its name, also the directory's */
	uint32_t number;        /* shardId-%012u */
	uint32_t slot;          /* lane slot */
	uint64_t retention_seconds, retention_bytes; /* bytes of this shard, 0: none */
};

struct shard_status {
	uint64_t trim_sequence;      /* first sequence retained (the durable one below when nothing is) */
	uint64_t next_sequence;      /* the first not yet given */
	uint64_t durable_sequence;   /* records below it can be read */
	uint64_t stored_records;     /* data records ever stored in this shard */
	uint64_t put_records;        /* of them, those that store_put() brought and no lane */
	uint64_t retained_records, expired_records, lost_records; /* stored = retained + expired + lost */
	uint64_t expired_early_records; /* of the expired: by bytes, inside the promised time */
	uint64_t gaps, gap_records;  /* gap records stored since start, and the records they stand for */
	uint64_t lane_gap_records;   /* of these, the ones workers told because a lane was full */
	uint64_t retained_bytes;     /* on disk */
	uint64_t oldest_ns, newest_ns; /* stored times of the retained window's ends, 0 when empty */
	uint32_t segments;
	bool writable;               /* false while the disk refuses */
	uint64_t generation;         /* of the region it is fed from, 0: none yet */
	uint64_t lane_records;       /* of that region's LANE_RECORDS of this slot, all workers: how many are dealt with
				      * (durable here, or told by a gap record); the rest is still in the lanes */
};

struct store_status {
	uint64_t drained_bytes, written_bytes, commits, write_errors;
	uint64_t head_invalid;       /* impossible spans read from the region */
	uint64_t inflight_ms;        /* age of the oldest write not yet durable */
	bool direct_io;              /* false: buffered, and said at start */
	bool stalled;
};

// Opens the store's directory (made when absent, locked against a second penstockd). 0; -EBUSY; -errno.
int store_open(const struct store_options *options, struct store **out);

// Names every stream's folder under the store's directory to `visit`: its name's last part is ".<stream id>".
// 0 or -errno.
int store_visit_folders(struct store *store, void (*visit)(void *with, const char *path, const char *name), void *with);

// Recovers one shard's segments (cuts a torn tail, starts a fresh segment) and adds it. The shard stays the store's.
int store_add_shard(struct store *store, const struct shard_identity *identity, struct shard **out);

// Takes a shard out and deletes its files once no reader holds it.
int store_remove_shard(struct store *store, struct shard *shard);

// Another retention from now on; `bytes` of this shard, 0: none. What is too much by it goes within a second.
// 0; -ESTALE: the shard was removed.
int shard_set_retention(struct shard *shard, uint64_t seconds, uint64_t bytes);

// Starts (or, after the dataplane made a new region, moves) the drain to this region. Both stay the caller's and must
// outlive store_detach(). Heads are set from what the segments say was durable under this region's generation.
int store_attach(struct store *store, const struct region_reader *region, struct control *control);

// Stops draining: everything published is made durable first when `drain`, within timeout_ms.
int store_detach(struct store *store, bool drain, uint32_t timeout_ms);

void store_close(struct store *store);

void store_get_status(struct store *store, struct store_status *out);
void shard_get_status(struct shard *shard, struct shard_status *out);

struct lane_mark;

// How far each lane of this shard is durable in it, WORKERS_MAX marks (batch.h), at one moment between two commits.
// Returns the generation of the region they belong to; 0 when it has met none: then the marks say nothing.
uint64_t shard_get_marks(struct shard *shard, struct lane_mark *marks);

/* ---- writing ---- */

// Appends data records, laid end to end as record_check() takes them (8-aligned, at most options.batch_bytes), in their
// order and into one batch: a crash keeps all or none. Returns 0 once they are durable.
//
// `mark` (0: none) tells them apart from others: a shard remembers the greatest mark it was given as durably as the
// records, for ever. A mark that it has already appends nothing and is -EALREADY, once what it had brought is durable. So
// whoever gives rising marks and repeats a call that was cut off (by a crash, too) appends its records once.
//
// -EINVAL these are no data records; -EMSGSIZE; -ESTALE the shard was removed; -ETIMEDOUT nothing was appended within
// timeout_ms; -EINPROGRESS they are appended but not yet durable: the disk refuses or is slow.
int store_put(struct shard *shard, const void *records, size_t length, uint64_t mark, uint32_t timeout_ms);

// The greatest mark that is durable, 0: none.
uint64_t shard_put_mark(struct shard *shard);

/* ---- reading ---- */

struct store_batch {             /* one stored batch, whole and verified */
	uint64_t first_sequence;
	uint32_t sequences;      /* records and gaps in it; the n-th has sequence first_sequence + n */
	uint32_t records;        /* data records */
	uint64_t records_before; /* data records of the shard before this batch */
	uint64_t stored_ns;      /* when the drain closed it; never decreases along a shard */
	const uint8_t *bytes;    /* records end to end (struct record), valid until the next call with this reader */
	size_t length;
};

struct shard_reader; /* one reader's place and buffer; not shared between threads */

int shard_reader_open(struct shard *shard, struct shard_reader **out);
void shard_reader_close(struct shard_reader *reader);

// The batch that holds `sequence`, or the first one after it. 1 with *out; 0: nothing durable there yet;
// -ESTALE: the shard was removed; -EIO and friends: said once in the log, the batch is skipped as a gap of -EBADMSG kind.
// When `sequence` has expired, *out is the oldest retained batch: the caller sees it in first_sequence and records_before.
int shard_read(struct shard_reader *reader, uint64_t sequence, struct store_batch *out);

// The first sequence of the first batch that holds a record with arrival_ns >= `ns`; the next sequence when none does.
int shard_find_time(struct shard *shard, uint64_t ns, uint64_t *sequence);

// How many data records lie in front of `sequence` in the shard, ever. Exact for the start of any retained batch and
// for the next sequence; inside a batch, exact too (the batch is walked).
int shard_records_before(struct shard *shard, uint64_t sequence, uint64_t *records);

// Waits until something at or after `sequence` is durable or timeout_ms passed. 1 or 0.
int shard_wait(struct shard *shard, uint64_t sequence, uint32_t timeout_ms);

/* ---- sequence numbers for people and for the wire ---- */

#define SEQUENCE_TEXT_MAX 40

// Kinesis' decimal string: sequence * 2^32 + shard number, so that it is unique in the stream and increases in the shard.
void sequence_format(char text[SEQUENCE_TEXT_MAX], uint32_t shard_number, uint64_t sequence);

// Back again. -EINVAL when it is no such number.
int sequence_parse(const char *text, uint32_t *shard_number, uint64_t *sequence);
