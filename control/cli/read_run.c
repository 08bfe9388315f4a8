// `penstock read` at work: batches from the shards, records to the output, places to the cursors.
#include "control/cli/read.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/units.h"
#include "control/cli/watch.h"

#define RECONNECT_MS 100
#define RECONNECT_TRIES 50
#define FOLLOW_WAIT_MS 1000
#define LOOK_MS 100 /* how long a signal or a cursor's commit may have to wait */

enum { GO_ON = 0, STOP = 1 }; /* besides -errno */

static void tell_gap(const struct reader *r, const struct source *s, const struct record *record)
{
	char first[UNITS_TEXT_MAX], last[UNITS_TEXT_MAX], count[UNITS_TEXT_MAX] = "an unknown number of";
	struct gap gap;

	if (r->options->format == FORMAT_JSONL || record->length < sizeof(gap))
		return; /* JSON lines have it themselves */
	memcpy(&gap, record_payload(record), sizeof(gap));
	if (gap.count != GAP_COUNT_UNKNOWN)
		units_count(count, gap.count);
	fprintf(stderr, "penstock: stream %s shard %u: gap: %s %s missing here (%s), lost between %s and %s\n", s->stream,
		s->shard, count, gap.scope == GAP_SCOPE_PORT ? "frames of a port" : "records", format_gap_reason(gap.reason),
		units_instant(first, gap.first_ns), units_instant(last, gap.last_ns));
}

void reader_tell_missed(struct reader *r, struct source *s)
{
	const struct read_from oldest = {.kind = FROM_TRIM_HORIZON};
	const char *cursor = r->options->cursor;
	char count[UNITS_TEXT_MAX];
	struct message answer;
	bool lapped = true;

	if (!s->missed)
		return;
	/* What is gone in front of the oldest record expired; what is gone behind it was damaged or lost. */
	if (!client_call(&r->client, read_from_request(&oldest, s->stream, s->shard), &answer)) {
		lapped = client_number(answer.json, "sequence") >= s->batch_first;
		message_free(&answer);
	}
	if (!lapped)
		fprintf(stderr, "penstock: stream %s shard %u: %s records in front of sequence %" PRIu64 " cannot be read (damaged)\n",
			s->stream, s->shard, units_count(count, s->missed), s->batch_first);
	else if (cursor)
		fprintf(stderr, "penstock: cursor %s on stream %s shard %u was lapped: %" PRIu64
			" records expired before they were read\n", cursor, s->stream, s->shard, s->missed);
	else
		fprintf(stderr, "penstock: stream %s shard %u: %" PRIu64 " records expired before they were read\n", s->stream,
			s->shard, s->missed);
	s->missed = 0;
}

// Formats one record. STOP at the limit; -errno of the output.
static int put_record(struct reader *r, struct source *s, const struct record *record, uint64_t sequence)
{
	struct output_mark mark = {.source = (uint32_t)(s - r->sources)};
	bool gap = record->kind == RECORD_GAP;
	int error = 0;

	if (record->arrival_ns >= s->not_before) {
		if (gap)
			tell_gap(r, s, record);
		error = format_add(r->format, s->shard, sequence, record);
		/* Each record goes from the formatter's buffer to the output's at once: only there its end is known. */
		if (!error)
			error = format_flush(r->format);
		r->left -= !gap;
	}
	mark.sequence = s->next;
	mark.records = s->records;
	if (!error)
		error = output_mark(r->output, &mark);
	return error ? error : r->left ? GO_ON : STOP;
}

// The cursors' connection broke: what was under way may or may not be durable, and is sent again on a new one.
static int reopen_cursors(struct reader *r, int error)
{
	client_close(&r->cursors.client);
	cursors_reset(&r->cursors);
	for (int tries = 0; tries < RECONNECT_TRIES || (r->options->follow && !watch_ended()); tries++) {
		if (!client_open_again(&r->client, &r->cursors.client))
			return 0;
		usleep(RECONNECT_MS * 1000);
	}
	client_say_broken(&r->client, error);
	return -EREMOTEIO;
}

// Moves the cursors on behind what was printed, without waiting for it where it can be helped.
static int commit(struct reader *r)
{
	int error;

	if (!r->options->cursor)
		return 0;
	error = cursors_step(&r->cursors);
	if (!error && cursors_due(&r->cursors))
		error = cursors_begin(&r->cursors);
	if (!error || error == -EREMOTEIO)
		return error;
	error = reopen_cursors(r, error);
	return error ? error : cursors_begin(&r->cursors);
}

// Commits the rest and waits for it.
static int commit_last(struct reader *r)
{
	int error = r->options->cursor ? cursors_finish(&r->cursors) : 0;

	if (!error || error == -EREMOTEIO)
		return error;
	error = reopen_cursors(r, error);
	if (!error)
		error = cursors_finish(&r->cursors);
	if (error && error != -EREMOTEIO)
		client_say_broken(&r->client, error);
	return error;
}

// The batch in hand to the output. STOP, GO_ON or -errno.
static int put_batch(struct reader *r, struct source *s)
{
	const struct record *record;
	uint64_t sequence;
	unsigned n = 0;
	int error = GO_ON;

	while (!error && (record = source_next(s, &sequence))) {
		error = put_record(r, s, record, sequence);
		if (error || ++n % CURSOR_COMMIT_RECORDS)
			continue;
		if (watch_ended())
			return STOP;
		if (!r->options->cursor || r->cursors.asked) {
			error = commit(r);
			continue;
		}
		/* Nothing is under way: what has been printed can be flushed and committed now. */
		error = output_flush(r->output);
		if (!error)
			error = commit(r);
	}
	if (s->damaged) {
		fprintf(stderr, "penstock read: stream %s shard %u: the batch with sequence %" PRIu64 " arrived damaged\n", s->stream,
			s->shard, s->sequence);
		return -EREMOTEIO;
	}
	return error;
}

// More shards than connections: none may have an answer under way that another one waits behind.
static bool shared(const struct reader *r)
{
	return r->count > READ_CONNECTIONS_MAX;
}

int reader_reconnect(struct reader *r, struct source *s, int error)
{
	bool said = false;

	/* Silent, it takes connections all the same: a new one would be waited for just as long. */
	if (error == -ETIMEDOUT && !r->silent) {
		client_say_broken(s->client, error);
		r->silent = true;
		if (r->options->follow)
			fputs("penstock read: waiting for it to come back\n", stderr);
	}
	if (error == -ETIMEDOUT && !r->options->follow)
		return 1;
	source_reset(s);
	client_close(s->client);
	for (int tries = 0; (r->options->follow || tries < RECONNECT_TRIES) && !watch_ended(); tries++) {
		if (!client_open_again(&r->client, s->client) && !source_ask(s)) {
			/* Those of other shards and of the cursors are found to be broken when they are used. */
			client_close(&r->client);
			(void)client_open_again(s->client, &r->client);
			if (said)
				fputs("penstock read: penstockd is back\n", stderr);
			return 0;
		}
		client_close(s->client);
		if (r->options->follow && tries == RECONNECT_TRIES / 5 && !said && !r->silent) {
			client_say_broken(&r->client, error);
			fputs("penstock read: waiting for it to come back\n", stderr);
			said = true;
		}
		usleep(RECONNECT_MS * 1000);
	}
	if (!watch_ended())
		client_say_broken(&r->client, error);
	return 1;
}

// Connects a source when it is not, and has its next batch asked for.
static int prepare(struct reader *r, struct source *s)
{
	int error;

	if (s->asked)
		return 0;
	if (s->client->fd < 0)
		error = client_open_again(&r->client, s->client);
	else
		error = 0;
	if (!error)
		error = source_ask(s);
	if (!error)
		return 0;
	return reader_reconnect(r, s, error) ? -EREMOTEIO : 0;
}

// At an empty tail: everything from `next` on may have expired, and then `next` is behind the trim horizon. 0 or -errno.
static int check_tail(struct reader *r, struct source *s)
{
	const struct read_from here = {.kind = FROM_SEQUENCE, .sequence = s->next, .shard = s->shard};
	struct output_mark mark = {.source = (uint32_t)(s - r->sources)};
	struct message answer;

	s->tail_checked = true;
	if (client_call(&r->client, read_from_request(&here, s->stream, s->shard), &answer))
		return -EREMOTEIO;
	mark.sequence = client_number(answer.json, "sequence");
	mark.records = client_number(answer.json, "records");
	message_free(&answer);
	if (mark.sequence <= s->next)
		return 0;
	s->missed = mark.records > s->records ? mark.records - s->records : 0;
	s->next = s->batch_first = mark.sequence;
	s->records = mark.records;
	reader_tell_missed(r, s);
	return output_mark(r->output, &mark);
}

// Waits for the batch of `s`. 1, 0 at the tail, -errno.
static int take(struct reader *r, struct source *s)
{
	for (;;) {
		int taken = source_take(s);

		if (taken >= 0 && r->silent) {
			fputs("penstock read: penstockd is back\n", stderr);
			r->silent = false;
		}
		if (taken == 0 && !s->tail_checked)
			return check_tail(r, s);
		if (taken > 0)
			reader_tell_missed(r, s);
		if (taken >= 0 || taken == -EREMOTEIO)
			return taken;
		if (reader_reconnect(r, s, taken))
			return -EREMOTEIO;
	}
}

static bool finished(const struct source *s)
{
	return s->next >= s->end || (s->tail && !s->batch.json);
}

// Until every shard has come to its end: always the batch that was stored first.
static int read_stored(struct reader *r)
{
	for (;;) {
		struct source *first = NULL;
		int error;

		for (uint32_t i = 0; i < r->count; i++) {
			struct source *s = &r->sources[i];

			if (!s->batch.json && !finished(s)) {
				error = prepare(r, s);
				if (!error)
					error = take(r, s);
				if (error < 0)
					return error;
			}
			if (s->batch.json && !finished(s) && (!first || s->stored_ns < first->stored_ns))
				first = s;
		}
		if (!first || watch_ended())
			return STOP;
		/* The next one comes while this one is printed. */
		if (!shared(r) && first->batch_next < first->end) {
			error = source_ask(first);
			if (error)
				first->asked = false;
		}
		error = put_batch(r, first);
		if (error)
			return error;
	}
}

// One shard's turn. 1 when it had something, 0, -errno or STOP as a limit is reached (then *stop).
static int serve(struct reader *r, struct source *s, bool *stop)
{
	int error = prepare(r, s), taken;

	if (error)
		return error;
	taken = take(r, s);
	if (taken <= 0)
		return taken;
	error = put_batch(r, s);
	*stop = error == STOP;
	return error < 0 ? error : 1;
}

// Waits until one of the shards' connections has an answer. With shared connections just a moment, if all were idle.
static int wait_ready(struct reader *r, struct pollfd *ready, bool idle)
{
	int error = 0;

	if (shared(r)) {
		if (idle)
			usleep(LOOK_MS * 1000 / 2);
		return 0;
	}
	for (uint32_t i = 0; i < r->count && !error; i++) {
		error = prepare(r, &r->sources[i]);
		ready[i] = (struct pollfd){.fd = r->sources[i].client->fd, .events = POLLIN};
	}
	if (!error && poll(ready, r->count, LOOK_MS) < 0)
		error = errno == EINTR ? 0 : -errno;
	return error;
}

// Whichever shard has something, in turn, until a signal.
static int read_follow(struct reader *r)
{
	struct pollfd *ready = calloc(r->count, sizeof(*ready));
	int error = ready ? 0 : -ENOMEM, served;
	bool stop = false, idle = false;

	for (uint32_t i = 0; i < r->count; i++)
		r->sources[i].wait_ms = shared(r) ? 0 : FOLLOW_WAIT_MS;
	for (uint32_t turn = 0; !error && !stop && !watch_ended(); turn++) {
		error = wait_ready(r, ready, idle);
		idle = true;
		for (uint32_t i = 0; i < r->count && !error && !stop && !watch_ended(); i++) {
			uint32_t at = (turn + i) % r->count;

			if (!shared(r) && !ready[at].revents)
				continue;
			served = serve(r, &r->sources[at], &stop);
			error = served < 0 ? served : 0;
			idle &= served <= 0;
		}
		if (!error)
			error = output_flush(r->output);
		if (!error)
			error = commit(r);
	}
	free(ready);
	return error ? error : STOP;
}

int reader_run(struct reader *r)
{
	int error = r->left ? (r->options->follow ? read_follow(r) : read_stored(r)) : STOP, flushed, committed;

	if (watch_ended())
		output_hurry(r->output);
	flushed = error >= 0 || error == -EREMOTEIO ? format_end(r->format) : error;
	if (!flushed)
		flushed = output_flush(r->output);
	/* What a silent penstockd has not answered for is read again next time; waiting once more would not change that. */
	committed = r->silent ? -EREMOTEIO : commit_last(r);
	if (flushed == -EPIPE && !committed)
		return 0; /* the reader of the pipe had enough */
	if (flushed == -EINTR)
		fputs("penstock read: interrupted while nobody took the output; what was not taken was not committed\n", stderr);
	else if (flushed && flushed != -EPIPE && flushed != -EREMOTEIO)
		fprintf(stderr, "penstock read: cannot write to standard output: %s\n", strerror(-flushed));
	if (flushed || committed || error < 0)
		return 1;
	return watch_ended() && !r->options->follow ? 130 : 0;
}
