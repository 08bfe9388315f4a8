#include "control/delivery/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "control/delivery/calls.h"
#include "control/delivery/directory.h"
#include "control/delivery/engine.h"
#include "config/prefix.h"

#define IDLE_NS 200000000ull     /* how often shards are looked at when nothing is due */
#define TROUBLE_NS 1000000000ull /* and after the store or the journal failed */
#define GRACE_SECONDS 5          /* for the thread to notice, beyond what stopping may take */

void delivery_say(struct delivery *d, bool bad, const char *what, ...)
{
	char line[1200];
	int length = snprintf(line, sizeof line, "delivery %s: ", d->config->name);
	va_list list;

	if (d->options.say == NULL)
		return;
	va_start(list, what);
	vsnprintf(line + length, sizeof line - (size_t)length, what, list);
	va_end(list);
	d->options.say(d->options.context, bad, line);
}

void trouble_set(struct trouble *t, const char *what, ...)
{
	va_list list;

	va_start(list, what);
	vsnprintf(t->text, sizeof t->text, what, list);
	va_end(list);
}

void work_set_error(struct delivery *d, struct work *w, const char *text)
{
	pthread_mutex_lock(&d->lock);
	snprintf(w->error, sizeof w->error, "%s", text);
	pthread_mutex_unlock(&d->lock);
}

void work_move(struct delivery *d, struct work *w, const struct metadata_delivery *row, uint64_t position)
{
	pthread_mutex_lock(&d->lock);
	w->row = *row;
	w->position = position;
	pthread_mutex_unlock(&d->lock);
}

bool delivery_cancelled(void *context)
{
	struct delivery *d = context;

	if (!atomic_load(&d->stopping))
		return false;
	return !atomic_load(&d->flush) || delivery_calls.monotonic_ns() >= atomic_load(&d->deadline_ns);
}

/* ---- the thread ---- */

static int step(struct delivery *d, struct work *w, bool force)
{
	int result;

	if (w->closed)
		return 0;
	if (w->planned)
		return work_attempt(d, w);
	if (w->retry_ns > delivery_calls.monotonic_ns())
		return 0;
	result = work_scan(d, w, force);
	if (result == -ESTALE) {
		w->closed = true;
		work_set_error(d, w, "the stream was deleted");
		return 0;
	}
	if (result < 0) {
		char text[160];

		snprintf(text, sizeof text, "shard %u at sequence %" PRIu64 ": %s", w->where.number, w->scan.next,
			 strerror(-result));
		if (!w->trouble_said)
			delivery_say(d, true, "%s", text);
		w->trouble_said = true;
		work_set_error(d, w, text);
		w->retry_ns = delivery_calls.monotonic_ns() + TROUBLE_NS;
		return 0;
	}
	w->trouble_said = false;
	return result;
}

// Waits until something is due, or somebody stops the delivery.
static void idle(struct delivery *d)
{
	uint64_t now = delivery_calls.monotonic_ns(), until = now + IDLE_NS;
	struct timespec t;

	for (uint32_t i = 0; i < d->works_count; i++)
		if (d->works[i].retry_ns > now && d->works[i].retry_ns < until)
			until = d->works[i].retry_ns;
	t.tv_sec = (time_t)(until / 1000000000u);
	t.tv_nsec = (long)(until % 1000000000u);
	pthread_mutex_lock(&d->lock);
	if (!atomic_load(&d->stopping) || atomic_load(&d->flush))
		pthread_cond_timedwait(&d->wake, &d->lock, &t);
	pthread_mutex_unlock(&d->lock);
}

static bool flushed(struct delivery *d, const uint64_t *targets)
{
	for (uint32_t i = 0; i < d->works_count; i++)
		if (!d->works[i].closed && d->works[i].row.next_sequence < targets[i])
			return false;
	return true;
}

static void flush(struct delivery *d)
{
	uint64_t *targets = calloc(d->works_count, sizeof *targets);
	struct shard_status status;

	for (uint32_t i = 0; targets != NULL && i < d->works_count; i++) {
		d->options.source->get_status(d->works[i].where.shard, &status);
		targets[i] = status.durable_sequence;
	}
	while (targets != NULL && !flushed(d, targets) && !delivery_cancelled(d)) {
		int did = 0;

		for (uint32_t i = 0; i < d->works_count; i++)
			if (d->works[i].row.next_sequence < targets[i])
				did |= step(d, &d->works[i], true);
		if (!did)
			idle(d);
	}
	d->unfinished = targets == NULL || !flushed(d, targets);
	free(targets);
}

static void *run(void *context)
{
	struct delivery *d = context;

	while (!atomic_load(&d->stopping)) {
		int did = redrive_step(d);

		for (uint32_t i = 0; i < d->works_count && !atomic_load(&d->stopping); i++)
			did |= step(d, &d->works[i], false);
		if (!did)
			idle(d);
	}
	if (atomic_load(&d->flush))
		flush(d);
	pthread_mutex_lock(&d->lock);
	d->finished = true;
	pthread_cond_broadcast(&d->wake);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- start and stop ---- */

// A delivery that was never on this shard begins at the oldest retained record.
static int begin_row(struct delivery *d, struct work *w)
{
	const struct delivery_source *source = d->options.source;
	struct metadata_delivery row = {.stream_id = w->where.stream_id, .shard = w->where.number};
	struct shard_status status;
	struct store_batch b;
	int result = source->read(w->reader, 0, &b);

	if (result < 0)
		return result;
	snprintf(row.delivery, sizeof row.delivery, "%s", d->config->name);
	if (result > 0) {
		row.next_sequence = b.first_sequence;
		row.start_records = b.records_before;
	} else {
		source->get_status(w->where.shard, &status);
		row.next_sequence = status.durable_sequence;
		result = source->records_before(w->where.shard, row.next_sequence, &row.start_records);
		if (result)
			return result;
	}
	w->row = row;
	return d->options.journal->put_delivery(d->options.metadata, &row);
}

static int open_work(struct delivery *d, struct work *w)
{
	const struct delivery_journal *journal = d->options.journal;
	int error = d->options.source->reader_open(w->where.shard, &w->reader);

	if (error)
		return error;
	error = journal->get_delivery(d->options.metadata, w->where.stream_id, w->where.number, d->config->name,
				      &w->row);
	if (error == -ENOENT)
		error = begin_row(d, w);
	if (error)
		return error;
	w->position = w->row.start_records + w->row.delivered_records + w->row.failed_records + w->row.expired_records;
	w->scan.next = w->row.next_sequence;
	error = journal->get_object(d->options.metadata, w->where.stream_id, w->where.number, d->config->name,
				    &w->object);
	if (error == 0)
		w->planned = w->resumed = true;
	return error == -ENOENT ? 0 : error;
}

static void free_delivery(struct delivery *d)
{
	for (uint32_t i = 0; i < d->works_count; i++) {
		struct work *w = &d->works[i];

		if (w->reader != NULL)
			d->options.source->reader_close(w->reader);
		if (w->spool >= 0)
			close(w->spool);
		s3_upload_reset(&w->upload);
	}
	free(d->works);
	s3_close(d->s3);
	format_close(d->format);
	compress_close(d->compress);
	pthread_cond_destroy(&d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static int check_names(struct delivery *d)
{
	struct work w = {.where.number = UINT32_MAX};
	struct metadata_object object = {.first_sequence = UINT64_MAX, .last_sequence = UINT64_MAX};
	char reason[200];

	if (prefix_check(d->config->prefix, d->config->stream, reason, sizeof reason) != 0) {
		delivery_say(d, true, "prefix \"%s\": %s", d->config->prefix, reason);
		return -EINVAL;
	}
	if (work_name(d, &w, 0, &object) != 0) {
		delivery_say(d, true,
			     "prefix \"%s\": the names it makes for stream %s are too long or leave the destination",
			     d->config->prefix, d->config->stream);
		return -EINVAL;
	}
	return 0;
}

static int open_destination(struct delivery *d)
{
	char reason[512];
	int error;

	if (d->config->destination == DESTINATION_DIRECTORY) {
		d->destination = &destination_directory;
		return 0;
	}
	d->destination = &destination_s3;
	snprintf(d->spool, sizeof d->spool, "%s", d->options.spool);
	error = directory_make(d->spool);
	if (error) {
		delivery_say(d, true, "spool %s: %s", d->spool, strerror(-error));
		return -EIO;
	}
	error = s3_open(&d->config->s3, &d->s3, reason, sizeof reason);
	if (error)
		delivery_say(d, true, "%s", reason);
	return error;
}

static int open_parts(struct delivery *d)
{
	struct format_options format = {
		.format = d->config->format,
		.payload = d->config->payload,
		.delimiter = d->config->delimiter,
		.input_name = d->options.input_name,
		.context = d->options.context,
	};
	int error = check_names(d);

	if (error == 0)
		error = open_destination(d);
	if (error == 0)
		error = format_open(&format, &d->format);
	if (error == 0)
		error = compress_open(d->config->compression, &d->compress);
	for (uint32_t i = 0; error == 0 && i < d->works_count; i++) {
		error = open_work(d, &d->works[i]);
		if (error)
			delivery_say(d, true, "shard %u: its progress cannot be read: %s", d->works[i].where.number,
				     strerror(-error));
	}
	return error;
}

static int init_locks(struct delivery *d)
{
	pthread_condattr_t attributes;
	int error = pthread_condattr_init(&attributes);

	if (error)
		return -error;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = pthread_cond_init(&d->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&d->lock, NULL);
	return -error;
}

int delivery_start(const struct config_delivery *config, const struct delivery_options *options, struct delivery **out)
{
	struct delivery *d = calloc(1, sizeof *d);
	int error;

	if (d == NULL)
		return -ENOMEM;
	d->config = config;
	d->options = *options;
	d->options.shards = NULL;
	d->works = calloc(options->shards_count + 1, sizeof *d->works);
	error = d->works != NULL ? init_locks(d) : -ENOMEM;
	if (error) {
		free(d->works);
		free(d);
		return error;
	}
	for (; d->works_count < options->shards_count; d->works_count++) {
		d->works[d->works_count].where = options->shards[d->works_count];
		d->works[d->works_count].spool = -1;
	}
	if (getrandom(&d->random, sizeof d->random, GRND_NONBLOCK) != sizeof d->random)
		d->random = (unsigned)delivery_calls.monotonic_ns();
	error = open_parts(d);
	if (error == 0)
		error = -pthread_create(&d->thread, NULL, run, d);
	if (error) {
		free_delivery(d);
		return error;
	}
	*out = d;
	return 0;
}

// True when the thread came to its end by `until`.
static bool wait_finished(struct delivery *d, const struct timespec *until)
{
	bool finished;
	int error = 0;

	pthread_mutex_lock(&d->lock);
	while (!d->finished && error == 0)
		error = pthread_cond_timedwait(&d->wake, &d->lock, until);
	finished = d->finished;
	pthread_mutex_unlock(&d->lock);
	return finished;
}

int delivery_stop(struct delivery *d, bool flush_first, uint32_t timeout_ms)
{
	struct timespec until;
	int result;

	atomic_store(&d->deadline_ns, delivery_calls.monotonic_ns() + timeout_ms * 1000000ull);
	pthread_mutex_lock(&d->lock);
	atomic_store(&d->flush, flush_first);
	atomic_store(&d->stopping, true);
	pthread_cond_broadcast(&d->wake);
	pthread_mutex_unlock(&d->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (flush_first ? timeout_ms / 1000 : 0) + GRACE_SECONDS;
	if (!wait_finished(d, &until)) {
		delivery_say(d, true, "the destination does not answer; leaving its thread behind");
		pthread_detach(d->thread);
		return -ETIMEDOUT;
	}
	pthread_join(d->thread, NULL);
	result = d->unfinished ? -EAGAIN : 0;
	free_delivery(d);
	return result;
}

/* ---- status ---- */

static void fill_status(struct delivery *d, const struct work *w, struct delivery_status *s)
{
	struct shard_status shard;

	d->options.source->get_status(w->where.shard, &shard);
	*s = (struct delivery_status){
		.stream_id = w->where.stream_id,
		.shard = w->where.number,
		.delivered_records = w->row.delivered_records,
		.delivered_bytes = w->row.delivered_bytes,
		.delivered_objects = w->row.delivered_objects,
		.failed_records = w->row.failed_records,
		.expired_records = w->row.expired_records,
		.next_sequence = w->row.next_sequence,
		.retrying_since_ns = w->retrying_since_ns,
		.attempts = w->attempts,
	};
	s->taken_records = shard.stored_records - w->row.start_records;
	s->pending_records = shard.stored_records - w->position;
	snprintf(s->error, sizeof s->error, "%s", w->error);
}

uint32_t delivery_get_status(struct delivery *d, struct delivery_status *out, uint32_t room)
{
	uint32_t count = d->works_count < room ? d->works_count : room;

	pthread_mutex_lock(&d->lock);
	for (uint32_t i = 0; i < count; i++)
		fill_status(d, &d->works[i], &out[i]);
	pthread_mutex_unlock(&d->lock);
	return count;
}

const struct config_delivery *delivery_get_config(const struct delivery *d)
{
	return d->config;
}
