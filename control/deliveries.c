#include "control/deliveries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "control/clock.h"
#include "control/deliveries_private.h"
#include "control/log.h"

#define LET_GO_MS 2000u
#define RETRY_FIRST_MS 1000u /* after a start that failed, doubled each time */
#define RETRY_MAX_MS 60000u

static const char *input_name(void *context, uint32_t input)
{
	const struct deliveries *d = context;

	return input_names_find(&d->names, input);
}

const struct input_names *deliveries_input_names(const struct deliveries *d)
{
	return &d->names;
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
static int start(struct deliveries *d, struct delivery_slot *slot)
{
	const char *name = slot->config.name;
	const struct delivery_options options = {.source = &delivery_source_store,
						 .journal = &delivery_journal_metadata,
						 .metadata = d->metadata,
						 .shards = slot->shards,
						 .shards_count = slot->shards_count,
						 .identity = slot->identity,
						 .flows = &d->flows,
						 .spool = d->spool,
						 .input_name = input_name,
						 .say = say,
						 .context = d};
	struct delivery *started = NULL;
	int error = delivery_start(&slot->config, &options, &started);

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

	for (uint32_t i = 0; i < d->count; i++)
		if (d->slots[i]->due_ms && (!due || d->slots[i]->due_ms < due))
			due = d->slots[i]->due_ms;
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
			for (uint32_t i = 0; i < d->count; i++)
				if (d->slots[i]->due_ms && d->slots[i]->due_ms <= now)
					start(d, d->slots[i]);
		}
	}
	pthread_mutex_unlock(&d->starting);
	return NULL;
}

struct delivery_slot *deliveries_make_slot(const struct config_delivery *config)
{
	struct delivery_slot *slot = calloc(1, sizeof *slot);

	if (slot) {
		slot->config = *config;
		slot->config.file = NULL; /* the configuration's, which may go before the slot */
	}
	return slot;
}

int deliveries_open(const struct config *config, struct metadata *metadata, struct learner *learner, struct deliveries **out)
{
	struct deliveries *d = calloc(1, sizeof *d);
	pthread_condattr_t attributes;

	if (!d)
		return -ENOMEM;
	d->metadata = metadata;
	d->flows = (struct delivery_flows){learner_passed, learner_load, learner};
	input_names_init(&d->names);
	input_names_add(&d->names, config);
	snprintf(d->spool, sizeof d->spool, "%s/spool", config->store_directory);
	pthread_rwlock_init(&d->lock, NULL);
	pthread_mutex_init(&d->starting, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&d->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	for (; d->count < config->deliveries_count; d->count++) {
		d->slots[d->count] = deliveries_make_slot(&config->deliveries[d->count]);
		if (!d->slots[d->count]) {
			deliveries_close(d);
			return -ENOMEM;
		}
	}
	d->threaded = pthread_create(&d->thread, NULL, start_again, d) == 0;
	if (!d->threaded) {
		deliveries_close(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

static bool delivers(const struct delivery_slot *slot, const struct stream *stream)
{
	return strcmp(slot->config.stream, stream->info.name) == 0;
}

static void take_stream(struct deliveries *d, struct delivery_slot *slot, const struct stream *stream)
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

int deliveries_start_slot(struct deliveries *d, struct delivery_slot *slot, const struct stream *stream)
{
	take_stream(d, slot, stream);
	return start(d, slot);
}

int deliveries_add_stream(struct deliveries *d, const struct stream *stream)
{
	int error = 0;

	pthread_mutex_lock(&d->starting);
	for (uint32_t i = 0; i < d->count; i++)
		if (!d->slots[i]->leaving && delivers(d->slots[i], stream)) {
			int failed = deliveries_start_slot(d, d->slots[i], stream);

			error = error ? error : failed;
		}
	pthread_cond_signal(&d->wake);
	pthread_mutex_unlock(&d->starting);
	return error;
}

int deliveries_stop_slot(struct deliveries *d, struct delivery_slot *slot, bool flush, uint32_t timeout_ms)
{
	struct delivery *delivery;
	int error;

	pthread_mutex_lock(&d->starting); /* a start under way comes to its end, and none follows */
	pthread_rwlock_wrlock(&d->lock);
	delivery = slot->delivery;
	slot->delivery = NULL;
	slot->failed = 0;
	slot->stream = false;
	slot->due_ms = slot->wait_ms = 0;
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_unlock(&d->starting);
	if (!delivery)
		return 0;
	error = delivery_stop(delivery, flush, timeout_ms);
	if (error == -ETIMEDOUT)
		d->left_behind = slot->left = true;
	if (error)
		log_warning("delivery %s: %s", slot->config.name,
			    error == -EAGAIN ? "not all that was due could be delivered in time; the rest follows after "
					       "the next start" : "its destination does not let go; left behind");
	return error;
}

/* Those of the stream (NULL: all) as they are now, leaving ones too: whoever lets them leave could not hold a stream that is being
 * deleted, and waits for this. `starting` cannot be held while one is stopped. Give them back. */
static uint32_t take_slots(struct deliveries *d, const struct stream *stream, struct delivery_slot **out)
{
	uint32_t count = 0;

	pthread_mutex_lock(&d->starting);
	for (uint32_t i = 0; i < d->count; i++)
		if (!stream || delivers(d->slots[i], stream))
			(out[count++] = d->slots[i])->users++;
	pthread_mutex_unlock(&d->starting);
	return count;
}

static void give_back(struct deliveries *d, struct delivery_slot **slots, uint32_t count)
{
	pthread_mutex_lock(&d->starting);
	for (uint32_t i = 0; i < count; i++)
		slots[i]->users--;
	pthread_mutex_unlock(&d->starting);
}

void deliveries_remove_stream(struct deliveries *d, const struct stream *stream)
{
	struct delivery_slot *slots[CONFIG_DELIVERIES_MAX];
	uint32_t count = take_slots(d, stream, slots);

	for (uint32_t i = 0; i < count; i++)
		deliveries_stop_slot(d, slots[i], false, LET_GO_MS);
	give_back(d, slots, count);
}

struct stopping {
	struct deliveries *deliveries;
	struct delivery_slot *slot;
	uint32_t timeout_ms;
};

static void *stop_one(void *arg)
{
	const struct stopping *s = arg;

	deliveries_stop_slot(s->deliveries, s->slot, true, s->timeout_ms);
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
	struct delivery_slot *slots[CONFIG_DELIVERIES_MAX];
	uint32_t count;

	stop_starting(d);
	count = take_slots(d, NULL, slots);
	/* At once, so that the budget is everybody's and a destination that is down takes none of the others'. */
	for (uint32_t i = 0; i < count; i++) {
		each[i] = (struct stopping){d, slots[i], timeout_ms};
		started[i] = pthread_create(&threads[i], NULL, stop_one, &each[i]) == 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			deliveries_stop_slot(d, slots[i], true, timeout_ms);
	}
	give_back(d, slots, count);
}

void deliveries_close(struct deliveries *d)
{
	if (!d)
		return;
	stop_starting(d);
	for (uint32_t i = 0; i < d->count; i++)
		deliveries_stop_slot(d, d->slots[i], false, LET_GO_MS);
	if (d->left_behind)
		return; /* those threads still look at it: not freed */
	for (uint32_t i = 0; i < d->count; i++)
		free(d->slots[i]);
	input_names_destroy(&d->names);
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
	for (uint32_t i = 0; i < d->count; i++)
		if (d->slots[i]->delivery && strcmp(d->slots[i]->config.name, name) == 0)
			result = delivery_redrive(d->slots[i]->delivery, object, timeout_ms, reason, room);
	pthread_rwlock_unlock(&d->lock);
	return result;
}

static int fill_row(struct delivery_row *row, const struct delivery_slot *slot)
{
	row->config = malloc(sizeof *row->config);
	if (!row->config)
		return -ENOMEM;
	*row->config = slot->config;
	row->failed = slot->left ? -ETIMEDOUT : slot->failed;
	row->stream_absent = !slot->stream;
	row->running = slot->delivery != NULL;
	if (!row->running)
		return 0;
	row->shards = calloc(SHARDS_MAX, sizeof *row->shards);
	if (row->shards)
		row->shards_count = delivery_get_status(slot->delivery, row->shards, SHARDS_MAX);
	if (row->shards_count > SHARDS_MAX)
		row->shards_count = SHARDS_MAX;
	return 0;
}

int deliveries_list(struct deliveries *d, struct delivery_row **out, uint32_t *count)
{
	struct delivery_row *rows = calloc(CONFIG_DELIVERIES_MAX, sizeof *rows);
	int error = 0;

	*count = 0;
	if (!rows)
		return -ENOMEM;
	pthread_rwlock_rdlock(&d->lock);
	for (uint32_t i = 0; i < d->count && !error; i++) {
		if (d->slots[i]->leaving && !d->slots[i]->left)
			continue;
		error = fill_row(&rows[*count], d->slots[i]);
		*count += !error;
	}
	pthread_rwlock_unlock(&d->lock);
	if (error)
		deliveries_free_rows(rows, *count);
	else
		*out = rows;
	return error;
}

void deliveries_free_rows(struct delivery_row *rows, uint32_t count)
{
	for (uint32_t i = 0; rows && i < count; i++) {
		free(rows[i].config);
		free(rows[i].shards);
	}
	free(rows);
}
