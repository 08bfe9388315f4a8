#include "control/streams.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/clock.h"
#include "control/log.h"
#include "control/streams_private.h"

static int create_locked(struct streams *streams, struct stream *stream)
{
	int error = metadata_create_stream(streams->metadata, &stream->info, streams->slots, &stream->info.id);

	if (error)
		return error;
	error = stream_open_shards(streams, stream);
	if (!error)
		return 0;
	log_error("stream %s: cannot be opened: %s", stream->info.name, strerror(-error));
	if (stream->shards)
		stream_remove_shards(streams, stream);
	/* Nothing was ever appended: no map has had it. */
	metadata_drop_stream(streams->metadata, stream->info.id);
	return error;
}

int streams_create(struct streams *streams, const char *name, uint32_t shards, uint64_t retention_seconds,
		   uint64_t retention_bytes)
{
	struct stream *stream;
	int error;

	if (strlen(name) >= sizeof stream->info.name)
		return -EINVAL;
	stream = calloc(1, sizeof *stream);
	if (!stream)
		return -ENOMEM;
	strcpy(stream->info.name, name);
	stream->info.shards = shards;
	stream->info.retention_seconds = retention_seconds;
	stream->info.retention_bytes = retention_bytes;
	stream->info.created_ns = clock_realtime_ns();
	pthread_mutex_lock(&streams->changing);
	error = create_locked(streams, stream);
	if (error) {
		pthread_mutex_unlock(&streams->changing);
		stream_free(stream);
		return error;
	}
	pthread_mutex_lock(&streams->lock);
	streams_insert(streams, stream);
	stream->holders++; /* until the listener knows it */
	pthread_mutex_unlock(&streams->lock);
	pthread_mutex_unlock(&streams->changing);
	log_info("stream %s: created with %u shard%s", name, shards, shards == 1 ? "" : "s");
	if (streams->listener.added)
		streams->listener.added(streams->listener.with, stream);
	streams_release(streams, stream);
	return 0;
}

static struct stream *find(struct streams *streams, const char *name)
{
	for (uint32_t i = 0; i < streams->count; i++)
		if (strcmp(streams->all[i]->info.name, name) == 0)
			return streams->all[i]->deleting || streams->all[i]->unavailable ? NULL : streams->all[i];
	return NULL;
}

int streams_why_unavailable(struct streams *streams, const char *name)
{
	int error = 0;

	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count && !error; i++)
		if (strcmp(streams->all[i]->info.name, name) == 0)
			error = streams->all[i]->unavailable;
	pthread_mutex_unlock(&streams->lock);
	return error;
}

bool streams_is_known(struct streams *streams, uint64_t id)
{
	bool known = false;

	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count && !known; i++)
		known = streams->all[i]->info.id == id && !streams->all[i]->deleting;
	pthread_mutex_unlock(&streams->lock);
	return known;
}

int streams_list_unavailable(struct streams *streams, struct stream_trouble **out, uint32_t *count)
{
	struct stream_trouble *rows;
	uint32_t n = 0;

	pthread_mutex_lock(&streams->lock);
	rows = calloc(streams->count + 1, sizeof *rows);
	for (uint32_t i = 0; rows && i < streams->count; i++) {
		if (!streams->all[i]->unavailable)
			continue;
		memcpy(rows[n].name, streams->all[i]->info.name, sizeof rows[n].name);
		rows[n++].error = streams->all[i]->unavailable;
	}
	pthread_mutex_unlock(&streams->lock);
	*out = rows;
	*count = n;
	return rows ? 0 : -ENOMEM;
}

int streams_set_retention(struct streams *streams, const char *name, uint64_t seconds, uint64_t bytes)
{
	struct stream *stream = streams_hold(streams, name);
	int error;

	if (!stream)
		return -ENOENT;
	error = metadata_set_retention(streams->metadata, stream->info.id, seconds, bytes);
	if (!error) {
		pthread_mutex_lock(&streams->lock);
		stream->info.retention_seconds = seconds;
		stream->info.retention_bytes = bytes;
		bytes = stream_shard_bytes(stream);
		pthread_mutex_unlock(&streams->lock);
		for (uint32_t i = 0; i < stream->info.shards && !error; i++)
			error = shard_set_retention(stream->shards[i], seconds, bytes);
	}
	streams_release(streams, stream);
	return error;
}

int streams_delete(struct streams *streams, const char *name, uint64_t *id)
{
	struct stream *stream;
	int error = -ENOENT;

	pthread_mutex_lock(&streams->changing);
	pthread_mutex_lock(&streams->lock);
	stream = find(streams, name);
	pthread_mutex_unlock(&streams->lock);
	if (stream) {
		*id = stream->info.id;
		error = metadata_mark_deleting(streams->metadata, *id);
	}
	if (!error) {
		pthread_mutex_lock(&streams->lock);
		stream->deleting = true;
		streams->changes++;
		pthread_mutex_unlock(&streams->lock);
		log_info("stream %s: being deleted", name);
	}
	pthread_mutex_unlock(&streams->changing);
	return error;
}

static bool is_here(struct streams *streams, uint64_t id)
{
	for (uint32_t i = 0; i < streams->count; i++)
		if (streams->all[i]->info.id == id)
			return true;
	return false;
}

bool streams_wait_gone(struct streams *streams, uint64_t id, uint32_t timeout_ms)
{
	struct timespec until;
	bool here;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000 + (until.tv_nsec + timeout_ms % 1000 * 1000000l) / 1000000000l;
	until.tv_nsec = (until.tv_nsec + timeout_ms % 1000 * 1000000l) % 1000000000l;
	pthread_mutex_lock(&streams->lock);
	while (is_here(streams, id))
		if (pthread_cond_timedwait(&streams->gone, &streams->lock, &until) == ETIMEDOUT)
			break;
	here = is_here(streams, id);
	pthread_mutex_unlock(&streams->lock);
	return !here;
}

struct stream *streams_hold(struct streams *streams, const char *name)
{
	struct stream *stream;

	pthread_mutex_lock(&streams->lock);
	stream = find(streams, name);
	if (stream)
		stream->holders++;
	pthread_mutex_unlock(&streams->lock);
	return stream;
}

void streams_release(struct streams *streams, struct stream *stream)
{
	pthread_mutex_lock(&streams->lock);
	stream->holders--;
	pthread_mutex_unlock(&streams->lock);
}

int streams_hold_all(struct streams *streams, struct stream ***out, uint32_t *count)
{
	struct stream **held;
	uint32_t n = 0;

	pthread_mutex_lock(&streams->lock);
	held = calloc(streams->count + 1, sizeof *held);
	for (uint32_t i = 0; held && i < streams->count; i++) {
		if (streams->all[i]->deleting || streams->all[i]->unavailable)
			continue;
		streams->all[i]->holders++;
		held[n++] = streams->all[i];
	}
	pthread_mutex_unlock(&streams->lock);
	*out = held;
	*count = n;
	return held ? 0 : -ENOMEM;
}

bool streams_is_deleting(struct streams *streams, const struct stream *stream)
{
	bool deleting;

	pthread_mutex_lock(&streams->lock);
	deleting = stream->deleting;
	pthread_mutex_unlock(&streams->lock);
	return deleting;
}

uint64_t streams_changes(struct streams *streams)
{
	uint64_t changes;

	pthread_mutex_lock(&streams->lock);
	changes = streams->changes;
	pthread_mutex_unlock(&streams->lock);
	return changes;
}

static bool fits(const struct stream *stream, uint32_t slots)
{
	for (uint32_t i = 0; i < stream->info.shards; i++) {
		if (stream->rows[i].slot < slots)
			continue;
		log_error("stream %s: shard %u has lane slot %u, but the region has only %u: raise region.shards to take "
			  "records for it again", stream->info.name, i, stream->rows[i].slot, slots);
		return false;
	}
	return true;
}

uint64_t streams_fill_map(struct streams *streams, uint32_t slots, struct shard_map *map)
{
	uint64_t changes;

	memset(map, 0, sizeof *map);
	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count; i++) {
		const struct stream *stream = streams->all[i];
		struct map_stream *row = &map->streams[map->streams_count];

		if (stream->deleting || stream->unavailable || !fits(stream, slots))
			continue;
		memcpy(row->name, stream->info.name, sizeof stream->info.name);
		row->first_shard = map->shards_count;
		row->shards = stream->info.shards;
		for (uint32_t s = 0; s < stream->info.shards; s++) {
			struct map_shard *shard = &map->shards[map->shards_count++];

			memcpy(shard->first_hash, stream->rows[s].first_hash, sizeof shard->first_hash);
			memcpy(shard->last_hash, stream->rows[s].last_hash, sizeof shard->last_hash);
			shard->slot = stream->rows[s].slot;
			shard->stream = map->streams_count;
		}
		map->streams_count++;
	}
	changes = streams->changes;
	pthread_mutex_unlock(&streams->lock);
	return changes;
}

/* The first stream on its way out after `after` (0: the first). Only the main thread takes streams out of the list. */
static struct stream *next_deleting(struct streams *streams, uint64_t after)
{
	struct stream *found = NULL;

	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count; i++)
		if (streams->all[i]->deleting && !streams->all[i]->unavailable && streams->all[i]->info.id > after &&
		    (!found || streams->all[i]->info.id < found->info.id))
			found = streams->all[i];
	pthread_mutex_unlock(&streams->lock);
	return found;
}

static bool is_held(struct streams *streams, const struct stream *stream)
{
	bool held;

	pthread_mutex_lock(&streams->lock);
	held = stream->holders > 0;
	pthread_mutex_unlock(&streams->lock);
	return held;
}

static void take_out(struct streams *streams, struct stream *stream)
{
	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0, to = 0; i < streams->count; i++)
		if (streams->all[i] != stream)
			streams->all[to++] = streams->all[i];
	streams->count--;
	streams->changes++;
	pthread_cond_broadcast(&streams->gone);
	pthread_mutex_unlock(&streams->lock);
	log_info("stream %s: deleted", stream->info.name);
	stream_free(stream);
}

static void advance(struct streams *streams, struct stream *stream, const struct stream_exit *exit)
{
	int error = 0;

	if (!stream->gone_map) {
		/* Something changed after that map was filled: it may have been this stream. */
		if (streams_changes(streams) != exit->changes)
			return;
		stream->gone_map = exit->published;
	}
	if (!stream->let_go && streams->listener.removing)
		streams->listener.removing(streams->listener.with, stream);
	stream->let_go = true;
	if (exit->acknowledged < stream->gone_map || is_held(streams, stream))
		return;
	stream_remove_shards(streams, stream);
	for (uint32_t i = 0; i < stream->info.shards && !error; i++)
		error = exit->discard(exit->with, stream->rows[i].slot);
	if (!error)
		error = metadata_drop_stream(streams->metadata, stream->info.id);
	if (!error)
		take_out(streams, stream);
}

void streams_forget_map(struct streams *streams)
{
	uint64_t id = 0;

	for (struct stream *stream; (stream = next_deleting(streams, id)) != NULL; id = stream->info.id)
		stream->gone_map = 0;
}

void streams_mark_leaving(struct streams *streams, bool *slots)
{
	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count; i++) {
		const struct stream *stream = streams->all[i];

		if (!stream->rows || (!stream->deleting && !stream->unavailable))
			continue;
		for (uint32_t s = 0; s < stream->info.shards; s++)
			if (stream->rows[s].slot < SHARDS_MAX)
				slots[stream->rows[s].slot] = true;
	}
	pthread_mutex_unlock(&streams->lock);
}

void streams_advance_deletions(struct streams *streams, const struct stream_exit *exit)
{
	uint64_t id = 0;

	for (struct stream *stream; (stream = next_deleting(streams, id)) != NULL;) {
		id = stream->info.id;
		advance(streams, stream, exit);
	}
}
