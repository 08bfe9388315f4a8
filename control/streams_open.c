// Taking up the streams there are, and trying those again that could not be opened.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/streams_private.h"

#define RETRY_MS 10000u
#define STREAM_ID_LIMIT (1ull << 62)

void stream_free(struct stream *stream)
{
	if (!stream)
		return;
	free(stream->rows);
	free(stream->shards);
	free(stream);
}

uint64_t stream_shard_bytes(const struct stream *stream)
{
	uint64_t bytes = stream->info.retention_bytes / stream->info.shards;

	/* A bound so small that a shard's part of it is nothing still is a bound. */
	return stream->info.retention_bytes && !bytes ? 1 : bytes;
}

static struct shard_identity identify(const struct stream *stream, uint32_t i)
{
	const struct metadata_stream *info = &stream->info;
	struct shard_identity identity = {.stream_id = info->id,
					  .number = stream->rows[i].number,
					  .slot = stream->rows[i].slot,
					  .retention_seconds = info->retention_seconds,
					  .retention_bytes = stream_shard_bytes(stream)};

	memcpy(identity.stream, info->name, sizeof identity.stream);
	return identity;
}

void stream_remove_shards(struct streams *streams, struct stream *stream)
{
	for (uint32_t i = 0; i < stream->info.shards; i++) {
		int error = stream->shards[i] ? store_remove_shard(streams->store, stream->shards[i]) : 0;

		if (error)
			log_error("stream %s: shard %u's files could not be removed: %s; they may be deleted by hand",
				  stream->info.name, stream->rows[i].number, strerror(-error));
		stream->shards[i] = NULL;
	}
}

static int list_rows(struct streams *streams, struct stream *stream)
{
	struct metadata_shard *rows = NULL;
	struct shard **shards = NULL;
	uint32_t count = 0;
	int error = metadata_list_shards(streams->metadata, stream->info.id, &rows, &count);

	if (!error && count != stream->info.shards)
		error = -EBADMSG;
	if (!error && !(shards = calloc(count, sizeof *shards)))
		error = -ENOMEM;
	if (error) {
		free(rows);
		return error;
	}
	pthread_mutex_lock(&streams->lock);
	stream->rows = rows;
	stream->shards = shards;
	pthread_mutex_unlock(&streams->lock);
	return 0;
}

int stream_open_shards(struct streams *streams, struct stream *stream)
{
	int error = stream->rows ? 0 : list_rows(streams, stream);

	/* Every shard is tried: those that can be opened are drained whatever is wrong with the others. */
	for (uint32_t i = 0; stream->rows && i < stream->info.shards; i++) {
		struct shard_identity identity = identify(stream, i);
		int failed = stream->shards[i] ? 0 : store_add_shard(streams->store, &identity, &stream->shards[i]);

		error = error ? error : failed;
	}
	return error;
}

void streams_insert(struct streams *streams, struct stream *stream)
{
	uint32_t at = streams->count;

	for (; at > 0 && strcmp(streams->all[at - 1]->info.name, stream->info.name) > 0; at--)
		streams->all[at] = streams->all[at - 1];
	streams->all[at] = stream;
	streams->count++;
	streams->changes++;
}

static void say_unavailable(const struct stream *stream, int error)
{
	log_error("stream %s: cannot be opened: %s; it is neither read nor written until that is mended (its folder is "
		  "streams/%s.%llu under store.directory), and is tried again every %u s", stream->info.name,
		  strerror(-error), stream->info.name, (unsigned long long)stream->info.id, RETRY_MS / 1000);
}

/* One that cannot be opened is kept all the same: its slots and its name are taken, and the others can be served. */
static int take_up(struct streams *streams, const struct metadata_stream *info)
{
	struct stream *stream = calloc(1, sizeof *stream);
	bool live;

	if (!stream)
		return -ENOMEM;
	stream->info = *info;
	stream->deleting = info->deleting;
	if (streams->count == SHARDS_MAX) {
		log_error("stream %s: one too many, left out", stream->info.name);
		stream_free(stream);
		return 0;
	}
	stream->unavailable = stream_open_shards(streams, stream);
	if (stream->unavailable)
		say_unavailable(stream, stream->unavailable);
	live = !stream->unavailable && !stream->deleting;
	pthread_mutex_lock(&streams->lock);
	streams_insert(streams, stream);
	pthread_mutex_unlock(&streams->lock);
	if (live && streams->listener.added)
		streams->listener.added(streams->listener.with, stream);
	return 0;
}

/* The first unavailable stream after `after` (0: the first). The main thread takes out none of these. */
static struct stream *next_unavailable(struct streams *streams, uint64_t after)
{
	struct stream *found = NULL;

	pthread_mutex_lock(&streams->lock);
	for (uint32_t i = 0; i < streams->count; i++)
		if (streams->all[i]->unavailable && streams->all[i]->info.id > after &&
		    (!found || streams->all[i]->info.id < found->info.id))
			found = streams->all[i];
	pthread_mutex_unlock(&streams->lock);
	return found;
}

static void try_again(struct streams *streams, struct stream *stream)
{
	int error = stream_open_shards(streams, stream);
	bool live;

	if (error) {
		if (error != stream->unavailable)
			say_unavailable(stream, error);
		pthread_mutex_lock(&streams->lock);
		stream->unavailable = error;
		pthread_mutex_unlock(&streams->lock);
		return;
	}
	log_info("stream %s: opened at last", stream->info.name);
	pthread_mutex_lock(&streams->lock);
	live = !stream->deleting;
	stream->holders++; /* until the listener knows it */
	stream->unavailable = 0;
	streams->changes++;
	pthread_mutex_unlock(&streams->lock);
	if (live && streams->listener.added)
		streams->listener.added(streams->listener.with, stream);
	streams_release(streams, stream);
}

void streams_retry(struct streams *streams)
{
	struct stream *stream;
	uint64_t id = 0;

	while ((stream = next_unavailable(streams, id)) != NULL) {
		id = stream->info.id;
		try_again(streams, stream);
	}
}

/* A thread of its own: a disk that takes its time to refuse must not keep the main thread from saying it is alive. */
static void *retry_now_and_then(void *with)
{
	struct streams *streams = with;
	bool stop = false;

	while (!stop && next_unavailable(streams, 0)) {
		struct timespec until;
		int waited = 0;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += RETRY_MS / 1000;
		pthread_mutex_lock(&streams->lock);
		while (!streams->stop && !waited)
			waited = pthread_cond_timedwait(&streams->stopping, &streams->lock, &until);
		stop = streams->stop;
		pthread_mutex_unlock(&streams->lock);
		if (!stop)
			streams_retry(streams);
	}
	return NULL;
}

static int begin_retries(struct streams *streams)
{
	int error;

	if (!next_unavailable(streams, 0))
		return 0;
	error = -pthread_create(&streams->retry, NULL, retry_now_and_then, streams);
	streams->retrying = !error;
	return error;
}

void streams_end_retries(struct streams *streams)
{
	if (!streams || !streams->retrying)
		return;
	pthread_mutex_lock(&streams->lock);
	streams->stop = true;
	pthread_cond_broadcast(&streams->stopping);
	pthread_mutex_unlock(&streams->lock);
	pthread_join(streams->retry, NULL);
	streams->retrying = false;
}

struct known {
	const struct metadata_stream *rows;
	uint32_t count;
	uint64_t highest; /* the id of a stray folder */
};

/* A folder that no row names holds records nobody can ask for: of a database that was lost, or of an older backup. */
static void say_stray(void *with, const char *path, const char *name)
{
	struct known *known = with;
	const char *dot = strrchr(name, '.');
	uint64_t id = dot ? strtoull(dot + 1, NULL, 10) : 0;
	char expected[sizeof known->rows->name + 24];

	for (uint32_t i = 0; i < known->count; i++) {
		snprintf(expected, sizeof expected, "%s.%llu", known->rows[i].name, (unsigned long long)known->rows[i].id);
		if (strcmp(expected, name) == 0)
			return;
	}
	if (id > known->highest && id < STREAM_ID_LIMIT)
		known->highest = id;
	log_warning("store: no stream of the database has the folder %s: what it holds can be neither read nor expire; put "
		    "back the database that knows it, or delete the folder", path);
}

static int look_for_strays(struct streams *streams, const struct metadata_stream *rows, uint32_t count)
{
	struct known known = {rows, count, 0};
	int error = store_visit_folders(streams->store, say_stray, &known);

	if (error)
		log_warning("store: its folders cannot be listed: %s", strerror(-error));
	/* Or a stream made anew would get the folder of an older one, and its records. */
	return known.highest ? metadata_pass_ids(streams->metadata, known.highest) : 0;
}

int streams_open(struct metadata *metadata, struct store *store, uint32_t slots, const struct streams_listener *listener,
		 struct streams **out)
{
	struct streams *streams = calloc(1, sizeof *streams);
	struct metadata_stream *rows = NULL;
	pthread_condattr_t clock;
	uint32_t count = 0;
	int error;

	if (!streams)
		return -ENOMEM;
	streams->metadata = metadata;
	streams->store = store;
	streams->slots = slots;
	if (listener)
		streams->listener = *listener;
	pthread_mutex_init(&streams->changing, NULL);
	pthread_mutex_init(&streams->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&streams->gone, &clock);
	pthread_cond_init(&streams->stopping, &clock);
	pthread_condattr_destroy(&clock);
	error = metadata_list_streams(metadata, &rows, &count);
	for (uint32_t i = 0; i < count && !error; i++)
		error = take_up(streams, &rows[i]);
	if (!error)
		error = look_for_strays(streams, rows, count);
	free(rows);
	if (!error)
		error = begin_retries(streams);
	if (error) {
		streams_close(streams);
		return error;
	}
	*out = streams;
	return 0;
}

void streams_close(struct streams *streams)
{
	if (!streams)
		return;
	streams_end_retries(streams);
	for (uint32_t i = 0; i < streams->count; i++)
		stream_free(streams->all[i]);
	pthread_cond_destroy(&streams->gone);
	pthread_cond_destroy(&streams->stopping);
	pthread_mutex_destroy(&streams->lock);
	pthread_mutex_destroy(&streams->changing);
	free(streams);
}

