// The streams this penstockd serves: metadata's rows beside the store's shards, and their way out when deleted.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/metadata/metadata.h"
#include "control/store/store.h"
#include "dataplane/seam/region.h"

struct streams; /* opaque; any thread may call */

/*
 * A stream's way out, each step done again from its start after a crash:
 *
 *   marked (durable) -> off the map -> no worker uses that map any more -> nobody here holds it -> files removed
 *   -> what its lanes held counted as deleted, heads moved past it -> row dropped, slots free again
 */
struct stream {
	struct metadata_stream info;        /* (i) but for deleting and retention, which only rise with the lock held */
	struct metadata_shard *rows;        /* (i) info.shards of them; NULL only in an unavailable stream */
	struct shard **shards;              /* (i) the store's; NULL only in an unavailable stream */
	uint32_t holders;                   /* under the streams' lock */
	bool deleting;                      /* under the streams' lock */
	int unavailable;                    /* under the streams' lock: -errno why its shards could not all be opened: it
					     * is on no map and nobody can hold it; 0 once they could */
	bool let_go;                        /* main thread: the listener has been told */
	uint64_t gone_map;                  /* main thread: the first map version without it; 0: not published yet */
};

// What is told of streams that come and go. Called without locks held. May be NULL.
struct streams_listener {
	void *with;
	void (*added)(void *with, const struct stream *stream);
	void (*removing)(void *with, const struct stream *stream); /* returns once nothing of it uses the stream's shards */
};

// Takes up every stream of `metadata` into `store`. Both outlive it. `slots` lane slots are to be had.
// 0 or -errno with the reason logged. *listener is copied; `added` is called for those taken up, too.
int streams_open(struct metadata *metadata, struct store *store, uint32_t slots, const struct streams_listener *listener,
		 struct streams **out);

// A stream whose shards cannot be opened is logged, kept as unavailable and tried again every 10 s by a thread.

// Ends those tries: before the listener's side or the store goes away. Done twice, it does nothing.
void streams_end_retries(struct streams *streams);

// Tries unavailable streams again now. Not while that thread may run, too: for callers that ended it.
void streams_retry(struct streams *streams);

// Only when nobody holds a stream any more.
void streams_close(struct streams *streams);

// Makes a stream and its shards. 0; -EEXIST, -EINVAL, -ENOSPC (no free lane slots) or what disks say; all or nothing.
int streams_create(struct streams *streams, const char *name, uint32_t shards, uint64_t retention_seconds,
		   uint64_t retention_bytes);

// New retention, from now on and durable. 0, -ENOENT, -EINVAL, -errno.
int streams_set_retention(struct streams *streams, const char *name, uint64_t seconds, uint64_t bytes);

// Marks a stream as deleted: it is gone for every caller from here on. Its files and slots follow. 0, -ENOENT, -errno.
int streams_delete(struct streams *streams, const char *name, uint64_t *id);

// Waits until stream `id` has gone wholly. True when it has, false after timeout_ms.
bool streams_wait_gone(struct streams *streams, uint64_t id, uint32_t timeout_ms);

// Holds a live stream: its shards stay valid until stream_release(). NULL: no such stream, or on its way out.
struct stream *streams_hold(struct streams *streams, const char *name);
void streams_release(struct streams *streams, struct stream *stream);

// Why stream `name` is unavailable: -errno; 0: it is not.
int streams_why_unavailable(struct streams *streams, const char *name);

// True while there is a stream of this id that was not deleted, even if nobody can hold it now.
bool streams_is_known(struct streams *streams, uint64_t id);

struct stream_trouble {
	char name[129];
	int error; /* -errno */
};

// The streams that are unavailable. The array is malloc'ed, the caller frees. 0 or -ENOMEM.
int streams_list_unavailable(struct streams *streams, struct stream_trouble **out, uint32_t *count);

// Holds all live streams, in name order. The array is malloc'ed; release each, then free it.
// 0 or -ENOMEM.
int streams_hold_all(struct streams *streams, struct stream ***out, uint32_t *count);

// True once `stream` is on its way out: who holds it for long looks now and then, and lets go.
bool streams_is_deleting(struct streams *streams, const struct stream *stream);

// Grows by one whenever the map below has changed.
uint64_t streams_changes(struct streams *streams);

// The live streams as the dataplane wants them, for a region of `slots` lane slots: a stream that has a shard beyond
// them is left out (and said), or the dataplane would refuse the map whole. Returns the changes() it is of.
uint64_t streams_fill_map(struct streams *streams, uint32_t slots, struct shard_map *map);

struct stream_exit { /* what the main thread knows that a deletion waits for */
	uint64_t published;    /* the map version published last */
	uint64_t changes;      /* of streams_fill_map() for it */
	uint64_t acknowledged; /* by every worker; UINT64_MAX when no dataplane is there that could append */
	void *with;
	/* Counts what lane slot `slot` held as deleted and moves its heads. 0, or -errno to be called again. */
	int (*discard)(void *with, uint32_t slot);
};

// Map versions begin anew: a control region was made or taken up. Main thread only.
void streams_forget_map(struct streams *streams);

// Marks the lane slots of streams on their way out, and of those unavailable, in slots[SHARDS_MAX].
void streams_mark_leaving(struct streams *streams, bool *slots);

// Moves every deletion on as far as it can go now. Main thread only.
void streams_advance_deletions(struct streams *streams, const struct stream_exit *exit);
