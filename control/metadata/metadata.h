// What penstockd must remember beside the records: streams, shards, cursors, deliveries. SQLite, one connection, FULL.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct metadata; /* opaque; calls are serialised by its own lock, so any thread may use it */

struct metadata_stream {
	uint64_t id;               /* never reused */
	char name[129];
	uint32_t shards;
	uint64_t retention_seconds, retention_bytes;
	uint64_t created_ns;
	bool deleting;             /* on its way out: hidden from lists, its files being removed */
};

struct metadata_shard {
	uint64_t stream_id;
	uint32_t number;           /* shardId-%012u */
	uint32_t slot;             /* lane slot, unique among live shards */
	uint64_t first_hash[2], last_hash[2];
};

struct metadata_cursor {
	uint64_t stream_id;
	uint32_t shard;
	char name[129];
	uint64_t next_sequence;    /* the first record not yet printed and flushed */
	uint64_t records;          /* data records of the shard in front of it: tells a lapped cursor what it missed */
};

enum object_state { OBJECT_PLANNED = 0, OBJECT_DEAD = 1 };

struct metadata_object {           /* a batch file decided on: its bounds are fixed before its first byte leaves */
	uint64_t stream_id;
	uint32_t shard;
	char delivery[64];
	uint64_t first_sequence, last_sequence; /* inclusive */
	uint64_t records, bytes;   /* data records and payload bytes in it */
	char name[1024];           /* prefix included */
	char upload_id[256];       /* of a multipart upload under way, else "" */
	uint64_t templates;        /* it is decoded by the flow templates up to this one */
};

struct metadata_delivery {         /* one delivery's progress on one shard: the ledger's rows, moved with the cursor */
	uint64_t stream_id;
	uint32_t shard;
	char delivery[64];
	uint64_t next_sequence;
	uint64_t start_records;    /* data records of the shard in front of the point where this delivery began */
	uint64_t delivered_records, delivered_bytes, delivered_objects;
	uint64_t failed_records;   /* in the dead-letter folder */
	uint64_t expired_records;  /* gone from the shard before they could be delivered */
};

// Opens (makes) DIRECTORY/metadata.db and checks it. 0; -EBUSY another process holds it; -EIO damaged or unreadable,
// -EPROTO a newer schema or another program's file, -ENOSPC, all with the reason and the remedy logged.
// Every call below answers -ENOSPC (disk full) or -EIO when the disk refuses: then nothing of it has happened.
int metadata_open(const char *directory, struct metadata **out);
void metadata_close(struct metadata *m);

// 0; -EEXIST; -EINVAL bad name; -ENOSPC no free lane slot among `slots`.
int metadata_create_stream(struct metadata *m, const struct metadata_stream *stream, uint32_t slots, uint64_t *id);
int metadata_find_stream(struct metadata *m, const char *name, struct metadata_stream *out); /* -ENOENT */
int metadata_mark_deleting(struct metadata *m, uint64_t id);

// Never gives a stream `id` (below 2^62) or a lower one from here on: another database has given them. Durable.
int metadata_pass_ids(struct metadata *m, uint64_t id);
int metadata_drop_stream(struct metadata *m, uint64_t id); /* with its shards, cursors and deliveries */

// Arrays are malloc'ed, the caller frees.
int metadata_list_streams(struct metadata *m, struct metadata_stream **out, uint32_t *count);
int metadata_list_shards(struct metadata *m, uint64_t stream_id, struct metadata_shard **out, uint32_t *count);

int metadata_get_cursor(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *name,
			struct metadata_cursor *out); /* -ENOENT */
int metadata_put_cursor(struct metadata *m, const struct metadata_cursor *cursor);
int metadata_delete_cursor(struct metadata *m, uint64_t stream_id, const char *name); /* on every shard; -ENOENT */
int metadata_list_cursors(struct metadata *m, uint64_t stream_id, struct metadata_cursor **out, uint32_t *count);

int metadata_get_delivery(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			  struct metadata_delivery *out); /* -ENOENT */
int metadata_put_delivery(struct metadata *m, const struct metadata_delivery *delivery);
int metadata_list_deliveries(struct metadata *m, struct metadata_delivery **out, uint32_t *count);

int metadata_get_object(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			struct metadata_object *out); /* the one planned and not finished; -ENOENT */
int metadata_plan_object(struct metadata *m, const struct metadata_object *object);
int metadata_set_upload(struct metadata *m, const struct metadata_object *object); /* its upload_id */

// The bounds a planned object was given stand until it is finished: -EEXIST for a second plan, -ENOENT without one.
// In one transaction: the object is done (or dead), and the delivery's row moves on past it.
int metadata_finish_object(struct metadata *m, const struct metadata_object *object,
			   const struct metadata_delivery *progress);

/* ---- flow templates, as dataplane/codec/templates.h saves them ---- */

#define TEMPLATE_DOMAIN_BYTES 22u /* of a saved definition: version, address bytes, address, domain id */

struct metadata_saved {
	const uint8_t *bytes;
	uint32_t length;
};

// The part of a saved definition that says whose it is, into domain[TEMPLATE_DOMAIN_BYTES].
void metadata_template_domain(const uint8_t *saved, uint8_t *domain);

// In one transaction: keeps definitions learned from a stream (those that are there already stay as they are), and that its
// shard has been read up to `next_sequence`. At most TEMPLATES_MAX are kept of a stream: the oldest make way,
// and that is told by 1. 0; -ENOENT the stream has gone; -errno.
#define TEMPLATES_MAX 16384u
int metadata_add_templates(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t next_sequence,
			   const struct metadata_saved *list, uint32_t count);
int metadata_get_learned(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t *next_sequence); /* -ENOENT */

// The number of the last definition kept, of all streams; they only rise. 0 or -errno.
int metadata_last_template(struct metadata *m, uint64_t *id);

// The definitions of a stream with numbers above `after` and up to `last`, in their order. `take` must not use the metadata;
// false ends it. 0 or -errno.
int metadata_visit_templates(struct metadata *m, uint64_t stream_id, uint64_t after, uint64_t last,
			     bool (*take)(void *arg, uint64_t id, const uint8_t *saved, uint32_t length), void *arg);

// A domain was heard of at `seen_ns` (arrival time).
int metadata_see_domain(struct metadata *m, uint64_t stream_id, const uint8_t *domain, uint64_t seen_ns);

// Deletes what no record that arrived at or after `oldest_ns` is decoded by: definitions that another one followed before
// that, and those of domains not heard of since. *count says how many.
int metadata_expire_templates(struct metadata *m, uint64_t stream_id, uint64_t oldest_ns, uint32_t *count);

/* ---- replays of dead letters ---- */

struct metadata_replay { /* how far a stream's shard was replayed, and what became of it, ever */
	uint64_t stream_id;
	uint32_t shard;
	uint64_t next_sequence;
	uint64_t letters;   /* taken out of it */
	uint64_t records;   /* stored from them, dead letters not counted */
	uint64_t dead;      /* stored as dead letters again */
	uint64_t dropped;   /* by rules and inputs */
};

struct metadata_part { /* records on their way into one shard by one store_put() */
	uint64_t mark;      /* given here: they rise, over all parts there ever were */
	uint64_t stream_id; /* where to */
	uint32_t shard;
	uint8_t *bytes;     /* malloc'ed when read */
	uint32_t length;
};

int metadata_get_replay(struct metadata *m, uint64_t stream_id, uint32_t shard, struct metadata_replay *out); /* -ENOENT */

// In one transaction: the parts of a step are kept, with marks above `above` (given in order, filled in), and the step itself:
// where the replay will be, and its counts then. There is one step at a time, of all shards, or marks would not be put in
// order: -EEXIST while one is not finished. -ENOENT no such stream.
int metadata_plan_replay(struct metadata *m, const struct metadata_replay *step, uint64_t above, struct metadata_part *parts,
			 uint32_t count);

// The step that is planned and not finished, with its parts in the order of their marks; the arrays are the caller's, also
// after -ENOMEM. -ENOENT.
int metadata_get_replay_step(struct metadata *m, struct metadata_replay *step, struct metadata_part **parts, uint32_t *count);

// All its parts are durable where they belong: in one transaction the replay moves there and the step is forgotten.
int metadata_finish_replay(struct metadata *m, const struct metadata_replay *step);

// A dead object was put to its destination after all. In one transaction: that is remembered, and the delivery's row says
// so. Once its files are gone from the dead letters it may be forgotten.
int metadata_redrive_object(struct metadata *m, const struct metadata_object *object,
			    const struct metadata_delivery *progress);
int metadata_is_redriven(struct metadata *m, const struct metadata_object *object); /* 1, 0, -errno */
int metadata_forget_redriven(struct metadata *m, const struct metadata_object *object);

// Records of lane slot `slot` thrown away because their stream was deleted, under a region's generation.
int metadata_add_discarded(struct metadata *m, uint32_t slot, uint64_t generation, uint64_t records);
int metadata_get_discarded(struct metadata *m, uint32_t slot, uint64_t generation, uint64_t *records);

// What a shard had stored from lanes when it first met a region: from there on these and the lanes' must agree. The first
// call for (stream, shard, generation) stores `records`, every later one answers with what was stored then.
int metadata_get_base(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t generation, uint64_t *records);

// Drops what is remembered of regions other than `generation`: they never come back.
int metadata_forget_regions(struct metadata *m, uint64_t generation);

// Declared again with another retention: takes it over. -ENOENT.
int metadata_set_retention(struct metadata *m, uint64_t id, uint64_t seconds, uint64_t bytes);
