// Where the next object ends: the first of enough bytes, enough age, or a hole in the shard.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/delivery/batch_walk.h"
#include "control/delivery/calls.h"
#include "control/delivery/engine.h"

#define BATCHES_AT_ONCE 64 /* then the other shards have their turn */
#define TEMPLATES_NS 10000000000ull /* an object waits no longer for what its flows are decoded by */

static void begin_scan(struct work *w)
{
	w->scan = (struct scan){.next = w->row.next_sequence, .oldest_ns = UINT64_MAX};
}

// The cursor moves on over what no object holds.
static int move_cursor(struct delivery *d, struct work *w, uint64_t next, uint64_t position, uint64_t expired)
{
	struct metadata_delivery row = w->row;
	int error;

	row.next_sequence = next;
	row.expired_records += expired;
	error = d->options.journal->put_delivery(d->options.metadata, &row);
	if (error)
		return error;
	work_move(d, w, &row, position);
	begin_scan(w);
	return 0;
}

// Records in front of `next` are gone: the store counts `records_before` in front of it, the cursor had come to
// w->position.
static int skip_hole(struct delivery *d, struct work *w, uint64_t next, uint64_t records_before)
{
	uint64_t expired = records_before > w->position ? records_before - w->position : 0;
	int error = move_cursor(d, w, next, records_before, expired);

	if (error == 0 && expired > 0 && !w->expired_said) {
		w->expired_said = true;
		delivery_say(d, true,
			     "shard %u: %" PRIu64
			     " records expired or were lost before they could be delivered; lengthen the "
			     "stream's retention, or see why the destination is slow",
			     w->where.number, expired);
	}
	return error;
}

// Data records of the batch in front of sequence `next`.
static uint64_t records_in_front(const struct store_batch *b, uint64_t next)
{
	struct batch_walk walk = batch_walk_begin(b);
	const struct record *r;
	uint64_t records = 0;

	while (walk.sequence < next && (r = batch_walk_next(&walk)) != NULL)
		records += record_is_data(r);
	return records;
}

// The first batch of an object: the store's count is taken over, so that the ledger does not only agree with itself.
// More records in front than this delivery came past: they were in a batch that is lost.
static int begin_object(struct delivery *d, struct work *w, uint64_t position)
{
	int error;

	if (position > w->position) {
		error = skip_hole(d, w, w->row.next_sequence, position);
		if (error)
			return error;
	} else if (position < w->position) {
		delivery_say(d, true,
			     "shard %u: the store counts %" PRIu64 " records in front of sequence %" PRIu64
			     ", this delivery %" PRIu64,
			     w->where.number, position, w->row.next_sequence, w->position);
		work_move(d, w, &w->row, position);
	}
	w->scan.position = position;
	w->scan.begun = true;
	return 0;
}

static void take(struct delivery *d, struct scan *scan, const struct record *r)
{
	if (scan->seen_ns == 0)
		scan->seen_ns = delivery_calls.monotonic_ns();
	if (r->arrival_ns < scan->oldest_ns)
		scan->oldest_ns = r->arrival_ns;
	/* Gaps leave nothing in a raw object. */
	scan->content += record_is_data(r) || d->config->format != FORMAT_RAW;
	if (!record_is_data(r))
		return;
	scan->records++;
	scan->position++;
	scan->bytes += r->length;
}

// Takes a batch's records into the object. 1 when it is full, 0, or -EBADMSG.
static int look(struct delivery *d, struct work *w, const struct store_batch *b)
{
	struct batch_walk walk = batch_walk_begin(b);
	const struct record *r;

	while ((r = batch_walk_next(&walk)) != NULL) {
		if (walk.sequence <= w->scan.next) /* this record lies in front of it */
			continue;
		w->scan.next = walk.sequence;
		take(d, &w->scan, r);
		if (w->scan.bytes >= d->config->buffer_bytes)
			return 1;
	}
	/* One gap record stands for all the sequences of a damaged batch. */
	if (w->scan.next < b->first_sequence + b->sequences)
		w->scan.next = b->first_sequence + b->sequences;
	return walk.left == 0 ? 0 : -EBADMSG;
}

// False: what flows up to the object's end announce is not known yet, and it is worth waiting for.
static bool templates_known(struct delivery *d, struct work *w, uint64_t *last)
{
	const struct delivery_flows *flows = d->options.flows;
	uint64_t now = delivery_calls.monotonic_ns();

	*last = 0;
	if (flows == NULL || d->config->format != FORMAT_JSONL ||
	    flows->passed(flows->context, w->where.stream_id, w->where.number, w->scan.next, last))
		return true;
	if (w->scan.ready_ns == 0)
		w->scan.ready_ns = now;
	return now - w->scan.ready_ns >= TEMPLATES_NS || atomic_load(&d->stopping);
}

static int plan(struct delivery *d, struct work *w)
{
	struct metadata_object *o = &w->object;
	uint64_t templates;
	int error;

	if (!templates_known(d, w, &templates))
		return 0;
	if (w->scan.content == 0) {
		error = move_cursor(d, w, w->scan.next, w->position, 0);
		return error ? error : 1;
	}
	*o = (struct metadata_object){
		.stream_id = w->where.stream_id,
		.shard = w->where.number,
		.first_sequence = w->row.next_sequence,
		.last_sequence = w->scan.next - 1,
		.records = w->scan.records,
		.bytes = w->scan.bytes,
		.templates = templates,
	};
	snprintf(o->delivery, sizeof o->delivery, "%s", d->config->name);
	error = work_name(d, w, w->scan.oldest_ns, o);
	if (error == 0)
		error = d->options.journal->plan_object(d->options.metadata, o);
	if (error)
		return error;
	w->planned = true;
	w->resumed = false;
	w->outcome = OUTCOME_NONE;
	return 1;
}

static bool old_enough(const struct delivery *d, const struct work *w)
{
	uint64_t now = delivery_calls.realtime_ns(), seen = w->scan.seen_ns;
	uint64_t age = now > w->scan.oldest_ns ? now - w->scan.oldest_ns : 0;
	uint64_t waited = seen != 0 ? delivery_calls.monotonic_ns() - seen : 0;

	return (age > waited ? age : waited) >= d->config->buffer_seconds * 1000000000ull;
}

uint64_t work_trim(const struct delivery *d, const struct work *w)
{
	struct shard_status status;

	d->options.source->get_status(w->where.shard, &status);
	/* A shard that retains nothing trims at its next sequence: beyond what is not durable yet, but not gone. */
	return status.trim_sequence < status.durable_sequence ? status.trim_sequence : status.durable_sequence;
}

// Nothing to read: either the end, or everything the shard had is gone.
static int at_end(struct delivery *d, struct work *w, bool force)
{
	uint64_t before, trim = work_trim(d, w);
	int error;

	if (trim > w->row.next_sequence) {
		error = d->options.source->records_before(w->where.shard, trim, &before);
		if (error == 0)
			error = skip_hole(d, w, trim, before);
		return error ? error : 1;
	}
	if (w->scan.next == w->row.next_sequence)
		return 0;
	return force || old_enough(d, w) ? plan(d, w) : 0;
}

int work_scan(struct delivery *d, struct work *w, bool force)
{
	if (w->scan.next < w->row.next_sequence || !w->scan.begun)
		begin_scan(w);
	if (w->scan.ready_ns != 0) /* its end is found */
		return plan(d, w);
	for (int i = 0; i < BATCHES_AT_ONCE; i++) {
		struct store_batch b;
		uint64_t position;
		int result;

		if (delivery_cancelled(d))
			return 0;
		result = d->options.source->read(w->reader, w->scan.next, &b);
		if (result < 0)
			return result;
		if (result == 0)
			return at_end(d, w, force);
		position = b.records_before + records_in_front(&b, w->scan.next);
		/* No object goes on behind a hole: what it holds is what stands between its bounds. */
		if (w->scan.begun && (b.first_sequence > w->scan.next || position != w->scan.position))
			return plan(d, w);
		result = 0;
		if (b.first_sequence > w->scan.next)
			result = skip_hole(d, w, b.first_sequence, position);
		if (result == 0 && !w->scan.begun)
			result = begin_object(d, w, position);
		if (result)
			return result;
		result = look(d, w, &b);
		if (result < 0)
			return result;
		if (result > 0)
			return plan(d, w);
	}
	return 1;
}
