// Reading a shard: whole batches, from the drain's last buffer while it is there, from the segments otherwise.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define KEEP_BYTES (256u << 10) /* a buffer larger than this goes back when the reader has caught up */
#define NEAR_SEQUENCES 4096u    /* closer than this is walked, farther is looked up */
#define RESTARTS_MAX 100

struct shard_reader {
	struct shard *shard;
	int fd;                  /* of the segment the walk is in, -1: none */
	uint64_t segment;        /* its first sequence */
	bool empty;              /* it held no batch when it was opened: the first one comes in another file of this name */
	struct walk walk;
	uint64_t hint_segment, hint_offset, hint_sequence, hint_records; /* behind the batch served last */
	uint64_t stored_ns;                                              /* of the batch seen last, for gaps */
	uint8_t *copy;                                                   /* of a batch taken from memory */
	size_t copy_capacity;
	_Alignas(8) uint8_t gap[GAP_BYTES];
};

struct place { /* one segment and its surroundings, as they were under the lock */
	uint64_t segment, bytes, records_before;
	uint64_t bound, bound_records; /* what follows it starts with; RECORDS_UNKNOWN */
	bool last, active;
};

int shard_reader_open(struct shard *shard, struct shard_reader **out)
{
	struct shard_reader *reader = calloc(1, sizeof *reader);
	bool removed;

	if (!reader)
		return -ENOMEM;
	reader->shard = shard;
	reader->fd = -1;
	pthread_mutex_lock(&shard->lock);
	removed = shard->removed;
	if (!removed)
		shard->readers++;
	pthread_mutex_unlock(&shard->lock);
	if (removed) {
		free(reader);
		return -ESTALE;
	}
	*out = reader;
	return 0;
}

static void close_segment(struct shard_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
	walk_close(&reader->walk);
}

void shard_reader_close(struct shard_reader *reader)
{
	struct shard *shard = reader->shard;
	bool last;

	close_segment(reader);
	free(reader->copy);
	free(reader);
	pthread_mutex_lock(&shard->lock);
	last = --shard->readers == 0 && shard->orphan;
	pthread_mutex_unlock(&shard->lock);
	if (last)
		shard_destroy(shard);
}

static void fill_out(struct store_batch *out, const struct batch *b, const uint8_t *records)
{
	*out = (struct store_batch){.first_sequence = b->first_sequence,
				    .sequences = b->sequences,
				    .records = b->records,
				    .records_before = b->records_before,
				    .stored_ns = b->stored_ns,
				    .bytes = records,
				    .length = b->length - batch_prefix(b)};
}

static void remember(struct shard_reader *reader, uint64_t segment, uint64_t offset, const struct batch *b)
{
	reader->hint_segment = segment;
	reader->hint_offset = offset + batch_round(b->length);
	reader->hint_sequence = b->first_sequence + b->sequences;
	reader->hint_records = b->records_before + b->records;
	reader->stored_ns = b->stored_ns;
}

/* Copies the pinned tail; the drain finds another buffer meanwhile, or waits these microseconds. */
static int copy_tail(struct shard_reader *reader, struct buffer *tail, struct store_batch *out)
{
	size_t prefix = batch_prefix(&tail->batch), length = tail->batch.length - prefix;
	struct batch b = tail->batch;
	uint64_t segment = tail->segment, offset = tail->offset;
	int error = 0;

	if (length > reader->copy_capacity) {
		free(reader->copy);
		reader->copy = malloc(length);
		reader->copy_capacity = reader->copy ? length : 0;
	}
	if (reader->copy)
		memcpy(reader->copy, tail->bytes + tail->batch_at + prefix, length);
	else
		error = -ENOMEM;
	/* Release: the copy is done before the drain may write there. Partner: gather.c and commit.c, looking at pins.
	 */
	atomic_fetch_sub_explicit(&tail->pins, 1, memory_order_release);
	if (error)
		return error;
	fill_out(out, &b, reader->copy);
	remember(reader, segment, offset, &b);
	return 1;
}

/* Finds the segment to read. 1; 0: nothing there yet; -ESTALE. *tail is pinned when it holds the answer. */
static int find_place(struct shard *shard, uint64_t sequence, struct place *place, struct buffer **tail)
{
	const struct segment *s;
	int result = 0;
	uint32_t i;

	*tail = NULL;
	pthread_mutex_lock(&shard->lock);
	if (shard->removed) {
		result = -ESTALE;
	} else if (shard->segments_count && sequence < shard->durable_sequence) {
		result = 1;
		if (shard->tail && sequence >= shard->tail_from) {
			*tail = shard->tail;
			atomic_fetch_add_explicit(&shard->tail->pins, 1, memory_order_relaxed);
		}
		i = shard_find_segment(shard, sequence);
		s = &shard->segments[i];
		*place = (struct place){.segment = s->first_sequence,
					.bytes = s->bytes,
					.records_before = s->records_before,
					.last = i + 1 == shard->segments_count,
					.active = s->active};
		place->bound = place->last ? shard->durable_sequence : s[1].first_sequence;
		place->bound_records = place->last ? shard->stored_records : s[1].records_before;
	}
	pthread_mutex_unlock(&shard->lock);
	return result;
}

static void set_walk(struct shard_reader *reader, const struct place *place, uint64_t offset, uint64_t sequence,
		     uint64_t records)
{
	reader->walk.offset = offset;
	reader->walk.sequence = sequence;
	reader->walk.records = records;
	reader->walk.end = place->bytes;
	reader->walk.bound = place->bound;
}

/* Sets the walk to the index entry in front of `sequence`, or to the segment's start when there is none to rely on. */
static void set_by_index(struct shard_reader *reader, const struct place *place, uint64_t sequence)
{
	const struct index_entry *e;
	struct index index;
	bool good = false;

	if ((place->active ? index_load(reader->shard->directory, place->segment, &index)
			   : index_complete(reader->shard->directory, place->segment, place->records_before,
					    place->bytes, place->bound, &index)) == 0) {
		e = index_find_sequence(&index, sequence);
		if (e && e->offset < place->bytes) {
			set_walk(reader, place, e->offset, e->first_sequence, e->records_before);
			good = walk_next(&reader->walk, false) == WALK_BATCH && reader->walk.at == e->offset;
			set_walk(reader, place, e->offset, e->first_sequence, e->records_before);
		}
		index_free(&index);
	}
	if (!good)
		set_walk(reader, place, SEGMENT_DATA, place->segment, place->records_before);
}

/* Opens the segment when need be and sets the walk at or in front of `sequence`. */
static int locate(struct shard_reader *reader, const struct place *place, uint64_t sequence)
{
	int fd;

	if (reader->fd < 0 || reader->segment != place->segment || reader->empty) {
		fd = segment_open(reader->shard->directory, place->segment, false);
		if (fd < 0)
			return fd;
		close_segment(reader);
		reader->fd = fd;
		reader->segment = place->segment;
		reader->empty = place->bytes <= SEGMENT_DATA;
		walk_init(&reader->walk, fd, SEGMENT_DATA, place->bytes, UINT64_MAX, 0);
	}
	if (reader->hint_segment == place->segment && reader->hint_sequence <= sequence &&
	    sequence - reader->hint_sequence < NEAR_SEQUENCES)
		set_walk(reader, place, reader->hint_offset, reader->hint_sequence, reader->hint_records);
	else if (sequence <= place->segment)
		set_walk(reader, place, SEGMENT_DATA, place->segment, place->records_before);
	else
		set_by_index(reader, place, sequence);
	return 0;
}

/* A batch of one gap record that stands for what is damaged or missing. */
static void make_gap(struct shard_reader *reader, uint64_t sequence, uint64_t sequences, uint64_t records_before,
		     uint64_t records, struct store_batch *out)
{
	struct gap gap = {.count = records,
			  .first_ns = reader->stored_ns,
			  .last_ns = reader->stored_ns,
			  .reason = GAP_BATCH_DAMAGED,
			  .worker = UINT16_MAX};

	gap_write(reader->gap, &gap);
	*out = (struct store_batch){.first_sequence = sequence,
				    .sequences = sequences < UINT32_MAX ? (uint32_t)sequences : UINT32_MAX,
				    .records_before = records_before,
				    .stored_ns = reader->stored_ns,
				    .bytes = reader->gap,
				    .length = GAP_BYTES};
}

/* Counts missing sequences; 1 with a gap in *out when the caller asked for one of them or an earlier one. */
static int meet_damage(struct shard_reader *reader, uint64_t first, uint64_t sequences, uint64_t records_before,
		       uint64_t records, uint64_t sequence, struct store_batch *out)
{
	if (sequences == 0)
		return 0;
	shard_report_damage(reader->shard, reader->segment, first, sequences, records);
	if (first + sequences <= sequence)
		return 0;
	make_gap(reader, first, sequences, records_before, records, out);
	return 1;
}

/* The segment ended: did what follows it expect more? */
static int meet_end(struct shard_reader *reader, const struct place *place, uint64_t sequence, struct store_batch *out)
{
	const struct walk *w = &reader->walk;
	uint64_t records = w->records == RECORDS_UNKNOWN ? place->bound_records : w->records;

	/* Sequences may be left out (after a torn write), records may not. */
	if (place->bound_records == RECORDS_UNKNOWN || place->bound_records <= records || place->bound <= w->sequence)
		return 0;
	return meet_damage(reader, w->sequence, place->bound - w->sequence, records, place->bound_records - records,
			   sequence, out);
}

/* The disk cannot read here: goes on at the next batch the index knows. WALK_DAMAGE or WALK_END. */
static int skip_unreadable(struct shard_reader *reader, int error)
{
	struct walk *w = &reader->walk;
	int result = WALK_END;
	struct index index;

	log_error("shard %s/%u: segment %020llu cannot be read at %llu: %s", reader->shard->identity.stream,
		  reader->shard->identity.number, (unsigned long long)reader->segment, (unsigned long long)w->offset,
		  strerror(-error));
	if (index_load(reader->shard->directory, reader->segment, &index) != 0)
		return WALK_END;
	for (uint32_t i = 0; i < index.count && result == WALK_END; i++) {
		const struct index_entry *e = &index.entries[i];

		if (e->offset <= w->offset || e->first_sequence < w->sequence || e->records_before < w->records)
			continue;
		w->missing_sequences = e->first_sequence - w->sequence;
		w->missing_records = e->records_before - w->records;
		w->offset = e->offset;
		w->sequence = e->first_sequence;
		w->records = e->records_before;
		result = WALK_DAMAGE;
	}
	index_free(&index);
	return result;
}

/* The next batch, whole: a header that fits is not enough for the one that is asked for. */
static int step(struct shard_reader *reader, uint64_t sequence, const struct batch **b)
{
	struct walk *w = &reader->walk;
	uint64_t offset = w->offset, first = w->sequence, records = w->records;
	int result = walk_next(w, false);

	*b = NULL;
	if (result == WALK_BATCH && w->batch.first_sequence + w->batch.sequences > sequence) {
		int error = walk_load(w, b);

		if (error == 0)
			return WALK_BATCH;
		w->offset = offset;
		w->sequence = first;
		w->records = records;
		result = error == -EBADMSG ? walk_next(w, true) : error;
		if (result == WALK_BATCH && walk_load(w, b) != 0)
			result = -EBADMSG;
	}
	return result == -EIO ? skip_unreadable(reader, result) : result;
}

/* Walks this segment. 1 with *out; 0: nothing at or behind `sequence` in it; -errno. */
static int read_place(struct shard_reader *reader, const struct place *place, uint64_t sequence,
		      struct store_batch *out)
{
	struct walk *w = &reader->walk;
	const struct batch *b;
	int result;

	for (;;) {
		result = step(reader, sequence, &b);
		if (result < 0)
			return result;
		if (result == WALK_END)
			return meet_end(reader, place, sequence, out);
		if (result == WALK_DAMAGE) {
			if (meet_damage(reader, w->sequence - w->missing_sequences, w->missing_sequences,
					w->records - w->missing_records, w->missing_records, sequence, out))
				return 1;
			continue;
		}
		remember(reader, reader->segment, w->at, &w->batch);
		if (b) {
			fill_out(out, b, (const uint8_t *)b + batch_prefix(b));
			return 1;
		}
	}
}

/* A file that is listed but not there: everything in it is missing. */
static int meet_absence(struct shard_reader *reader, const struct place *place, uint64_t sequence,
			struct store_batch *out)
{
	uint64_t records = place->records_before == RECORDS_UNKNOWN || place->bound_records == RECORDS_UNKNOWN
				   ? 0
				   : place->bound_records - place->records_before;

	reader->segment = place->segment;
	return meet_damage(reader, place->segment, place->bound - place->segment,
			   place->records_before == RECORDS_UNKNOWN ? 0 : place->records_before, records, sequence,
			   out);
}

static bool still_listed(struct shard *shard, uint64_t segment)
{
	bool listed;

	pthread_mutex_lock(&shard->lock);
	listed = shard->segments_count && shard->segments[shard_find_segment(shard, segment)].first_sequence == segment;
	pthread_mutex_unlock(&shard->lock);
	return listed;
}

static void rest(struct shard_reader *reader)
{
	if (reader->walk.window_capacity > KEEP_BYTES)
		walk_shrink(&reader->walk);
	if (reader->copy_capacity > KEEP_BYTES) {
		free(reader->copy);
		reader->copy = NULL;
		reader->copy_capacity = 0;
	}
}

int shard_read(struct shard_reader *reader, uint64_t sequence, struct store_batch *out)
{
	struct buffer *tail;
	struct place place;
	int result;

	for (int restarts = 0; restarts < RESTARTS_MAX;) {
		result = find_place(reader->shard, sequence, &place, &tail);
		if (tail)
			return copy_tail(reader, tail, out);
		if (result <= 0) {
			rest(reader);
			return result;
		}
		/* The counts around a segment tell what is missing from it. */
		if (!place.last && place.bound_records == RECORDS_UNKNOWN &&
		    shard_learn(reader->shard, place.bound) == 0)
			result = find_place(reader->shard, sequence, &place, &tail);
		if (tail)
			return copy_tail(reader, tail, out);
		if (result <= 0)
			continue;
		result = locate(reader, &place, sequence);
		if (result == -ENOENT) {
			restarts++;
			if (!still_listed(reader->shard, place.segment))
				continue; /* it expired between the look and the open */
			result = meet_absence(reader, &place, sequence, out);
		} else if (result == 0) {
			result = read_place(reader, &place, sequence, out);
		}
		if (result != 0)
			return result;
		/* Nothing more up to the bound: what is asked for was never given, or lies behind it. */
		if (place.bound > sequence)
			sequence = place.bound;
		else
			restarts++;
	}
	return -EIO;
}
