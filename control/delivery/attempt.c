// One attempt after another at a planned object, and what comes of it.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/delivery/calls.h"
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
	dead_letters_remove(d, w);
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
	error = dead_letters_bury(d, w, trouble, reason);
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
