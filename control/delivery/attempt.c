// One attempt after another at a planned object, and what comes of it.
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/delivery/calls.h"
#include "control/delivery/directory.h"
#include "control/delivery/engine.h"

#define BACKOFF_FIRST_NS 100000000ull /* 100 ms, doubled by every failure, */
#define BACKOFF_MAX_NS 30000000000ull /* up to 30 s; the wait is anything below that ("full jitter") */

static void retry_later(struct delivery *d, struct work *w, uint64_t not_after_ns)
{
	uint64_t now = delivery_calls.monotonic_ns(), most = BACKOFF_FIRST_NS;

	for (uint32_t i = 1; i < w->attempts && most < BACKOFF_MAX_NS; i++)
		most *= 2;
	if (most > BACKOFF_MAX_NS)
		most = BACKOFF_MAX_NS;
	w->retry_ns = now + 1 + (uint64_t)((double)rand_r(&d->random) / RAND_MAX * (double)most);
	/* The last attempt falls on the budget's end, not somewhere behind it. */
	if (not_after_ns > now && w->retry_ns > not_after_ns)
		w->retry_ns = not_after_ns;
}

static void note_failure(struct delivery *d, struct work *w, const char *text)
{
	pthread_mutex_lock(&d->lock);
	if (w->attempts++ == 0)
		w->retrying_since_ns = delivery_calls.realtime_ns();
	snprintf(w->error, sizeof w->error, "%s", text);
	pthread_mutex_unlock(&d->lock);
}

static void forget_failures(struct delivery *d, struct work *w)
{
	pthread_mutex_lock(&d->lock);
	w->attempts = 0;
	w->retrying_since_ns = 0;
	if (w->outcome == OUTCOME_DELIVERED)
		w->error[0] = '\0';
	pthread_mutex_unlock(&d->lock);
	w->first_failure_ns = w->retry_ns = 0;
}

static void forget_spool(struct work *w)
{
	if (w->spool >= 0)
		close(w->spool);
	w->spool = -1;
	s3_upload_reset(&w->upload);
	w->stale_aborted = false;
}

/* ---- the dead-letter directory ---- */

// DEAD_LETTER/DELIVERY/NAME and beside it NAME.json.
static void dead_letter_name(const struct delivery *d, const struct work *w, const char *end, char *name, size_t room)
{
	snprintf(name, room, "%s/%s%s", d->config->name, w->object.name, end);
}

static int copy_spool(struct work *w, struct sink *sink)
{
	char bytes[32768];

	for (uint64_t at = 0; at < w->spool_bytes;) {
		ssize_t n = pread(w->spool, bytes, sizeof bytes, (off_t)at);
		int error;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		error = sink->write(sink->handle, bytes, (size_t)n);
		if (error)
			return error;
		at += (uint64_t)n;
	}
	return 0;
}

// Whether `bytes` more go into the dead-letter directory. It is counted anew when they would not: an operator takes
// files away. 0, -E2BIG or -errno.
static int dead_letters_take(struct delivery *d, uint64_t bytes)
{
	uint64_t most = d->config->dead_letter_bytes;
	int error;

	if (most == 0 || (d->dead_letters_counted && d->dead_letter_bytes + bytes <= most))
		return 0;
	error = directory_usage(d->config->dead_letter, d->config->name, &d->dead_letter_bytes);
	d->dead_letters_counted = error == 0;
	if (error)
		return error;
	return d->dead_letter_bytes + bytes <= most ? 0 : -E2BIG;
}

static int write_dead_object(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct directory_file file;
	struct sink sink;
	char name[1200];
	int error;

	/* Before anything is written: what is there, and what is spooled. How long others become is known behind them. */
	error = dead_letters_take(d, w->spool >= 0 ? w->spool_bytes : 1);
	if (error)
		return error;
	dead_letter_name(d, w, "", name, sizeof name);
	error = directory_create(d->config->dead_letter, name, &file);
	if (error)
		return error;
	sink = directory_sink(&file);
	/* What was spooled is there even when its records have expired since. */
	error = w->spool >= 0 ? copy_spool(w, &sink) : work_produce(d, w, &sink, trouble);
	if (error == 0 && d->config->dead_letter_bytes > 0 && d->dead_letter_bytes + file.bytes > d->config->dead_letter_bytes)
		error = -E2BIG;
	if (error)
		directory_abandon(&file);
	else
		error = directory_commit(&file);
	if (error == 0)
		d->dead_letter_bytes += file.bytes;
	else if (error == -E2BIG)
		d->dead_letters_counted = false;
	return error;
}

static char *describe(const struct delivery *d, const struct work *w, const char *reason)
{
	const struct metadata_object *o = &w->object;
	char since[FORMAT_TIME_MAX], now[FORMAT_TIME_MAX];
	json_t *root;
	char *text;

	format_time(since, w->retrying_since_ns);
	format_time(now, delivery_calls.realtime_ns());
	root = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:s, s:i, s:s, s:s}", "delivery", d->config->name,
			 "stream", d->config->stream, "shard", (int)w->where.number, "object", o->name,
			 "first_sequence", (json_int_t)o->first_sequence, "last_sequence", (json_int_t)o->last_sequence,
			 "records", (json_int_t)o->records, "payload_bytes", (json_int_t)o->bytes, "reason", reason,
			 "attempts", (int)w->attempts, "first_failure", since, "time", now);
	text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	return text;
}

static int write_dead_note(struct delivery *d, struct work *w, const char *reason)
{
	struct directory_file file;
	struct sink sink;
	char name[1200], *text = describe(d, w, reason);
	int error;

	if (text == NULL)
		return -ENOMEM;
	dead_letter_name(d, w, ".json", name, sizeof name);
	error = directory_create(d->config->dead_letter, name, &file);
	if (error == 0) {
		sink = directory_sink(&file);
		error = sink.write(sink.handle, text, strlen(text));
		if (error == 0)
			error = sink.write(sink.handle, "\n", 1);
		if (error)
			directory_abandon(&file);
		else
			error = directory_commit(&file);
		if (error == 0)
			d->dead_letter_bytes += file.bytes;
	}
	free(text);
	return error;
}

// The object goes where an operator finds it. 0; -ENODATA; -ECANCELED; -errno with `trouble` set.
static int bury(struct delivery *d, struct work *w, struct trouble *trouble, const char *reason)
{
	int error = write_dead_object(d, w, trouble);

	if (error == 0)
		error = write_dead_note(d, w, reason);
	if (error == -E2BIG)
		trouble_set(trouble,
			    "dead-letter directory %s/%s holds as much as dead_letter_bytes lets it: take files away, or raise "
			    "it (the object waits; before that: %.100s)",
			    d->config->dead_letter, d->config->name, reason);
	else if (error && error != -ENODATA)
		trouble_set(trouble, "dead-letter directory %s: %s (the object waits; before that: %.100s)",
			    d->config->dead_letter, strerror(-error), reason);
	if (error == 0 && !d->dead_letters_said) {
		d->dead_letters_said = true;
		delivery_say(d, true, "%s put into %s after %u attempts: %s", w->object.name, d->config->dead_letter,
			     w->attempts, reason);
	}
	return error;
}

// Delivered after all, having been buried by a run that died before it could say so.
static void unbury(struct delivery *d, struct work *w)
{
	char name[1200];

	if (!w->resumed)
		return;
	dead_letter_name(d, w, "", name, sizeof name);
	directory_remove(d->config->dead_letter, name);
	dead_letter_name(d, w, ".json", name, sizeof name);
	directory_remove(d->config->dead_letter, name);
}

/* ---- outcomes ---- */

static void finish(struct delivery *d, struct work *w)
{
	struct metadata_delivery row = w->row;
	uint64_t position = w->position;
	int error;

	if (w->outcome != OUTCOME_CANCELLED) {
		row.next_sequence = w->object.last_sequence + 1;
		position += w->object.records;
	}
	if (w->outcome == OUTCOME_DELIVERED) {
		row.delivered_records += w->object.records;
		row.delivered_bytes += w->object.bytes;
		row.delivered_objects++;
	} else if (w->outcome == OUTCOME_FAILED) {
		row.failed_records += w->object.records;
	}
	error = d->options.journal->finish_object(d->options.metadata, &w->object, &row);
	if (error) {
		struct trouble trouble = {.text = ""};

		trouble_set(&trouble, "metadata: %s", strerror(-error));
		note_failure(d, w, trouble.text);
		if (!d->journal_said)
			delivery_say(d, true, "%s", trouble.text);
		d->journal_said = true;
		retry_later(d, w, 0);
		return;
	}
	d->journal_said = false;
	work_move(d, w, &row, position);
	forget_failures(d, w);
	forget_spool(w);
	w->planned = false;
	w->outcome = OUTCOME_NONE;
	w->scan = (struct scan){.next = row.next_sequence};
}

static void settle_delivered(struct delivery *d, struct work *w)
{
	w->outcome = OUTCOME_DELIVERED;
	w->expired_said = false;
	unbury(d, w);
	if (d->down)
		delivery_say(d, false, "destination up again");
	d->down = d->dead_letters_said = false;
	d->down_since_ns = 0;
}

static void settle_cancelled(struct delivery *d, struct work *w)
{
	d->destination->abandon(d, w);
	w->outcome = OUTCOME_CANCELLED;
}

static void fail(struct delivery *d, struct work *w, struct trouble *trouble)
{
	uint64_t now = delivery_calls.monotonic_ns(), end;
	char reason[512];
	int error;

	note_failure(d, w, trouble->text);
	if (trouble->local) {
		retry_later(d, w, 0);
		return;
	}
	if (w->first_failure_ns == 0)
		w->first_failure_ns = now;
	if (d->down_since_ns == 0)
		d->down_since_ns = now;
	/* The budget is an outage's: one that outlasts it leaves one attempt to every further object, not a budget each. */
	end = (d->down_since_ns < w->first_failure_ns ? d->down_since_ns : w->first_failure_ns) +
	      d->config->retry_seconds * 1000000000ull;
	if (!d->down)
		delivery_say(d, true, "%s; trying again for %u s, then %s", trouble->text, d->config->retry_seconds,
			     d->config->dead_letter);
	d->down = true;
	if (now < end) {
		retry_later(d, w, end);
		return;
	}
	snprintf(reason, sizeof reason, "%s", trouble->text);
	error = bury(d, w, trouble, reason);
	if (error == 0) {
		d->destination->abandon(d, w);
		w->outcome = OUTCOME_FAILED;
	} else if (error == -ENODATA) {
		settle_cancelled(d, w);
	} else {
		work_set_error(d, w, trouble->text);
		retry_later(d, w, 0);
	}
}

// Its records went before it was known to be stored: whether it is there decides.
static void records_gone(struct delivery *d, struct work *w, struct trouble *trouble)
{
	int held = d->destination->holds(d, w, trouble);

	if (held > 0)
		settle_delivered(d, w);
	else if (held == 0)
		settle_cancelled(d, w);
	else if (held != -ECANCELED)
		fail(d, w, trouble);
}

int work_attempt(struct delivery *d, struct work *w)
{
	struct trouble trouble = {.text = ""};
	int error;

	if (w->retry_ns > delivery_calls.monotonic_ns())
		return 0;
	if (w->outcome == OUTCOME_NONE) {
		/* Planned under another format: those bytes under that name can only be there already. */
		error = w->resumed && !work_extension_fits(d, &w->object) ? -ENODATA : 0;
		if (error == 0)
			error = d->destination->store(d, w, &trouble);
		if (error == 0)
			settle_delivered(d, w);
		else if (error == -ENODATA)
			records_gone(d, w, &trouble);
		else if (error != -ECANCELED)
			fail(d, w, &trouble);
	}
	if (w->outcome != OUTCOME_NONE)
		finish(d, w);
	return 1;
}
