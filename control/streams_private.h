// The streams' insides, shared by their two files.
#pragma once

#include <pthread.h>

#include "control/streams.h"

struct streams {
	struct metadata *metadata;
	struct store *store;
	uint32_t slots;
	struct streams_listener listener;
	pthread_mutex_t changing; /* one create at a time, so that store and metadata agree; taken before `lock` */
	pthread_mutex_t lock;     /* everything below */
	pthread_cond_t gone;
	struct stream *all[SHARDS_MAX]; /* in name order; a stream has at least one slot */
	uint32_t count;
	uint64_t changes;
	pthread_t retry;          /* opens what could not be opened; runs while `retrying` */
	pthread_cond_t stopping;
	bool retrying, stop;
};

/* ---- streams_open.c ---- */

void stream_free(struct stream *stream);

// Adds the store's shards to a stream whose row is known; those it has stay. On failure those added stay, too.
// 0 or -errno, unlogged.
int stream_open_shards(struct streams *streams, struct stream *stream);

// Removes the store's shards with their files.
void stream_remove_shards(struct streams *streams, struct stream *stream);

// What each shard gets of the stream's retention by bytes; 0: no bound.
uint64_t stream_shard_bytes(const struct stream *stream);

// Puts a stream into the list, which has room. Under the lock.
void streams_insert(struct streams *streams, struct stream *stream);
