#include "control/deliveries.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "control/clock.h"
#include "control/log.h"

#define LET_GO_MS 2000u
#define RETRY_FIRST_MS 1000u /* after a start that failed, doubled each time */
#define RETRY_MAX_MS 60000u

struct slot {
	struct delivery *delivery;
	int failed;
	bool stream;     /* it exists: what follows is of it, under `starting` */
	uint32_t identity, shards_count;
	struct delivery_shard shards[SHARDS_MAX];
	uint64_t due_ms; /* when a start that failed is tried again, 0: never */
	uint64_t wait_ms;
};

struct deliveries {
	const struct config *config;
	struct metadata *metadata;
	char spool[CONFIG_PATH_MAX + 8];
	pthread_rwlock_t lock; /* of the slots: a delivery is freed only under the writing side */
	pthread_mutex_t starting; /* taken before `lock`: who starts, and who takes a stream away */
	pthread_cond_t wake;
	pthread_t thread; /* starts again what could not be started */
	bool threaded, stopping;
	_Atomic bool left_behind;
	struct slot slots[CONFIG_DELIVERIES_MAX];
};

static const char *input_name(void *context, uint32_t input)
{
	const struct deliveries *d = context;

	for (uint32_t i = 0; i < d->config->inputs_count; i++)
		if (input_id(d->config->inputs[i].name) == input)
			return d->config->inputs[i].name;
	return NULL;
}

/* On a thread that tries a start again: what was said the first time is not said once more. */
static _Thread_local bool quiet;

static void say(void *context, bool bad, const char *line)
{
	(void)context;
	if (quiet)
		return;
	if (bad)
		log_warning("%s", line);
	else
		log_info("%s", line);
}

// Tells this stream from another of its name: on another machine, or made again after it was deleted. Only of what its
// row keeps, so that it is the same after every start.
static uint32_t identity(const struct metadata_stream *stream)
{
	char text[sizeof stream->name + 48];
	int length = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 " %s", stream->id, stream->created_ns,
			      stream->name);

	return XXH32(text, (size_t)length, 0);
}

// With `starting` held. What failed is tried again later, but for what only another configuration mends.
static int start(struct deliveries *d, uint32_t index)
{
	struct slot *slot = &d->slots[index];
	const char *name = d->config->deliveries[index].name;
	const struct delivery_options options = {.source = &delivery_source_store,
						 .journal = &delivery_journal_metadata,
						 .metadata = d->metadata,
						 .shards = slot->shards,
						 .shards_count = slot->shards_count,
						 .identity = slot->identity,
						 .spool = d->spool,
						 .input_name = input_name,
						 .say = say,
						 .context = d};
	struct delivery *started = NULL;
	int error = delivery_start(&d->config->deliveries[index], &options, &started);

	if (!error && slot->failed)
		log_info("delivery %s: started after all", name);
	if (error && error != slot->failed)
		log_error("delivery %s: cannot start: %s%s", name, strerror(-error),
			  error == -EINVAL ? "" : "; trying again, at least once a minute");
	slot->wait_ms = slot->wait_ms ? slot->wait_ms * 2 : RETRY_FIRST_MS;
	if (slot->wait_ms > RETRY_MAX_MS)
		slot->wait_ms = RETRY_MAX_MS;
	slot->due_ms = error && error != -EINVAL ? clock_monotonic_ms() + slot->wait_ms : 0;
	pthread_rwlock_wrlock(&d->lock);
	slot->delivery = error ? NULL : started;
	slot->failed = error;
	pthread_rwlock_unlock(&d->lock);
	return error;
}

// With `starting` held. When the next try is due, 0: none.
static uint64_t next_due(const struct deliveries *d)
{
	uint64_t due = 0;

	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		if (d->slots[i].due_ms && (!due || d->slots[i].due_ms < due))
			due = d->slots[i].due_ms;
	return due;
}

static void *start_again(void *arg)
{
	struct deliveries *d = arg;

	quiet = true;
	pthread_mutex_lock(&d->starting);
	while (!d->stopping) {
		uint64_t now = clock_monotonic_ms(), due = next_due(d);

		if (!due) {
			pthread_cond_wait(&d->wake, &d->starting);
		} else if (due > now) {
			struct timespec until = {.tv_sec = (time_t)(due / 1000), .tv_nsec = (long)(due % 1000) * 1000000};

			pthread_cond_timedwait(&d->wake, &d->starting, &until);
		} else {
			for (uint32_t i = 0; i < d->config->deliveries_count; i++)
				if (d->slots[i].due_ms && d->slots[i].due_ms <= now)
					start(d, i);
		}
	}
	pthread_mutex_unlock(&d->starting);
	return NULL;
}

int deliveries_open(const struct config *config, struct metadata *metadata, struct deliveries **out)
{
	struct deliveries *d = calloc(1, sizeof *d);
	pthread_condattr_t attributes;

	if (!d)
		return -ENOMEM;
	d->config = config;
	d->metadata = metadata;
	snprintf(d->spool, sizeof d->spool, "%s/spool", config->store_directory);
	pthread_rwlock_init(&d->lock, NULL);
	pthread_mutex_init(&d->starting, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	d->threaded = pthread_create(&d->thread, NULL, start_again, d) == 0;
	if (!d->threaded) {
		deliveries_close(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

static bool belongs(const struct deliveries *d, uint32_t index, const struct stream *stream)
{
	return strcmp(d->config->deliveries[index].stream, stream->info.name) == 0;
}

static void take_stream(struct deliveries *d, struct slot *slot, const struct stream *stream)
{
	pthread_rwlock_wrlock(&d->lock);
	slot->stream = true;
	pthread_rwlock_unlock(&d->lock);
	slot->identity = identity(&stream->info);
	slot->shards_count = stream->info.shards;
	for (uint32_t i = 0; i < stream->info.shards; i++)
		slot->shards[i] = (struct delivery_shard){.stream_id = stream->info.id,
							  .number = stream->rows[i].number,
							  .shard = stream->shards[i]};
}

int deliveries_add_stream(struct deliveries *d, const struct stream *stream)
{
	int error = 0;

	pthread_mutex_lock(&d->starting);
	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		if (belongs(d, i, stream)) {
			int failed;

			take_stream(d, &d->slots[i], stream);
			failed = start(d, i);
			error = error ? error : failed;
		}
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->starting);
	return error;
}

static void stop(struct deliveries *d, uint32_t index, bool flush, uint32_t timeout_ms)
{
	struct delivery *delivery;
	int error;

	pthread_mutex_lock(&d->starting); /* a start under way comes to its end, and none follows */
	pthread_rwlock_wrlock(&d->lock);
	delivery = d->slots[index].delivery;
	memset(&d->slots[index], 0, sizeof d->slots[index]);
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_unlock(&d->starting);
	if (!delivery)
		return;
	error = delivery_stop(delivery, flush, timeout_ms);
	if (error == -ETIMEDOUT)
		d->left_behind = true;
	if (error)
		log_warning("delivery %s: %s", d->config->deliveries[index].name,
			    error == -EAGAIN ? "not all that was due could be delivered in time; the rest follows after "
					       "the next start" : "its destination does not let go; left behind");
}

void deliveries_remove_stream(struct deliveries *d, const struct stream *stream)
{
	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		if (belongs(d, i, stream))
			stop(d, i, false, LET_GO_MS);
}

struct stopping {
	struct deliveries *deliveries;
	uint32_t index, timeout_ms;
};

static void *stop_one(void *arg)
{
	const struct stopping *s = arg;

	stop(s->deliveries, s->index, true, s->timeout_ms);
	return NULL;
}

static void stop_starting(struct deliveries *d)
{
	pthread_mutex_lock(&d->starting);
	d->stopping = true;
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->starting);
	if (d->threaded)
		pthread_join(d->thread, NULL);
	d->threaded = false;
}

bool deliveries_left_behind(const struct deliveries *d)
{
	return d->left_behind;
}

void deliveries_stop(struct deliveries *d, uint32_t timeout_ms)
{
	struct stopping each[CONFIG_DELIVERIES_MAX];
	pthread_t threads[CONFIG_DELIVERIES_MAX];
	bool started[CONFIG_DELIVERIES_MAX] = {false};

	stop_starting(d);
	/* At once, so that the budget is everybody's and a destination that is down takes none of the others'. */
	for (uint32_t i = 0; i < d->config->deliveries_count; i++) {
		each[i] = (struct stopping){d, i, timeout_ms};
		started[i] = pthread_create(&threads[i], NULL, stop_one, &each[i]) == 0;
	}
	for (uint32_t i = 0; i < d->config->deliveries_count; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			stop(d, i, true, timeout_ms);
	}
}

void deliveries_close(struct deliveries *d)
{
	if (!d)
		return;
	stop_starting(d);
	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		stop(d, i, false, LET_GO_MS);
	if (d->left_behind)
		return; /* those threads still look at it: not freed */
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->starting);
	pthread_rwlock_destroy(&d->lock);
	free(d);
}

int deliveries_redrive(struct deliveries *d, const char *name, const char *object, uint32_t timeout_ms, char *reason,
		       size_t room)
{
	int result = -ENODEV;

	pthread_rwlock_rdlock(&d->lock);
	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		if (d->slots[i].delivery && strcmp(d->config->deliveries[i].name, name) == 0)
			result = delivery_redrive(d->slots[i].delivery, object, timeout_ms, reason, room);
	pthread_rwlock_unlock(&d->lock);
	return result;
}

int deliveries_list(struct deliveries *d, struct delivery_row **out, uint32_t *count)
{
	struct delivery_row *rows = calloc(d->config->deliveries_count + 1, sizeof *rows);

	*count = d->config->deliveries_count;
	if (!rows)
		return -ENOMEM;
	pthread_rwlock_rdlock(&d->lock);
	for (uint32_t i = 0; i < *count; i++) {
		struct delivery_row *row = &rows[i];

		row->config = &d->config->deliveries[i];
		row->failed = d->slots[i].failed;
		row->stream_absent = !d->slots[i].stream;
		row->running = d->slots[i].delivery != NULL;
		if (!row->running)
			continue;
		row->shards = calloc(SHARDS_MAX, sizeof *row->shards);
		if (row->shards)
			row->shards_count = delivery_get_status(d->slots[i].delivery, row->shards, SHARDS_MAX);
		if (row->shards_count > SHARDS_MAX)
			row->shards_count = SHARDS_MAX;
	}
	pthread_rwlock_unlock(&d->lock);
	*out = rows;
	return 0;
}

void deliveries_free_rows(struct delivery_row *rows, uint32_t count)
{
	for (uint32_t i = 0; rows && i < count; i++)
		free(rows[i].shards);
	free(rows);
}
