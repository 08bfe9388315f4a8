#include "control/deliveries.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "control/clock.h"
#include "control/log.h"

#define LET_GO_MS 2000u

struct slot {
	struct delivery *delivery;
	int failed;
};

struct deliveries {
	const struct config *config;
	struct metadata *metadata;
	char spool[CONFIG_PATH_MAX + 8];
	pthread_rwlock_t lock; /* of the slots: a delivery is freed only under the writing side */
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

static void say(void *context, bool bad, const char *line)
{
	(void)context;
	if (bad)
		log_warning("%s", line);
	else
		log_info("%s", line);
}

int deliveries_open(const struct config *config, struct metadata *metadata, struct deliveries **out)
{
	struct deliveries *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->config = config;
	d->metadata = metadata;
	snprintf(d->spool, sizeof d->spool, "%s/spool", config->store_directory);
	pthread_rwlock_init(&d->lock, NULL);
	*out = d;
	return 0;
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

static int start(struct deliveries *d, uint32_t index, const struct stream *stream)
{
	struct delivery_shard shards[SHARDS_MAX];
	struct delivery_options options = {.source = &delivery_source_store,
					   .journal = &delivery_journal_metadata,
					   .metadata = d->metadata,
					   .shards = shards,
					   .shards_count = stream->info.shards,
					   .identity = identity(&stream->info),
					   .spool = d->spool,
					   .input_name = input_name,
					   .say = say,
					   .context = d};
	struct delivery *started = NULL;
	int error;

	for (uint32_t i = 0; i < stream->info.shards; i++)
		shards[i] = (struct delivery_shard){.stream_id = stream->info.id,
						    .number = stream->rows[i].number,
						    .shard = stream->shards[i]};
	error = delivery_start(&d->config->deliveries[index], &options, &started);
	if (error)
		log_error("delivery %s: cannot start: %s", d->config->deliveries[index].name, strerror(-error));
	pthread_rwlock_wrlock(&d->lock);
	d->slots[index].delivery = error ? NULL : started;
	d->slots[index].failed = error;
	pthread_rwlock_unlock(&d->lock);
	return error;
}

static bool belongs(const struct deliveries *d, uint32_t index, const struct stream *stream)
{
	return strcmp(d->config->deliveries[index].stream, stream->info.name) == 0;
}

int deliveries_add_stream(struct deliveries *d, const struct stream *stream)
{
	int error = 0;

	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		if (belongs(d, i, stream)) {
			int failed = start(d, i, stream);

			error = error ? error : failed;
		}
	return error;
}

static void stop(struct deliveries *d, uint32_t index, bool flush, uint32_t timeout_ms)
{
	struct delivery *delivery;
	int error;

	pthread_rwlock_wrlock(&d->lock);
	delivery = d->slots[index].delivery;
	d->slots[index] = (struct slot){0};
	pthread_rwlock_unlock(&d->lock);
	if (!delivery)
		return;
	error = delivery_stop(delivery, flush, timeout_ms);
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

void deliveries_stop(struct deliveries *d, uint32_t timeout_ms)
{
	struct stopping each[CONFIG_DELIVERIES_MAX];
	pthread_t threads[CONFIG_DELIVERIES_MAX];
	bool started[CONFIG_DELIVERIES_MAX] = {false};

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
	for (uint32_t i = 0; i < d->config->deliveries_count; i++)
		stop(d, i, false, LET_GO_MS);
	pthread_rwlock_destroy(&d->lock);
	free(d);
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
