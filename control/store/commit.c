// From a closed batch to a durable one: the write, what follows from it, and what when it fails.
#include <errno.h>
#include <string.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define BACKOFF_MIN_NS 100000000ull
#define BACKOFF_MAX_NS 1000000000ull
#define OVERLAP_PART 4u /* of a full batch: with less, waiting for the sync under way makes a better batch */

bool commit_writing(const struct shard *shard)
{
	for (uint32_t i = 0; i < shard->flights_count; i++)
		if (shard->flights[i]->submitted && !shard->flights[i]->done)
			return true;
	return false;
}

bool commit_ready(const struct shard *shard)
{
	if (shard->flights_count == 0)
		return true;
	return shard->flights_count < FLIGHTS_MAX && !shard->refused &&
	       shard->open->records_bytes >= shard->store->options.batch_bytes / OVERLAP_PART;
}

static void show_oldest(struct shard *shard)
{
	atomic_store_explicit(&shard->flight_ns, shard->flights_count ? shard->flights[0]->closed_ns : 0,
			      memory_order_relaxed);
}

void commit_close(struct shard *shard)
{
	struct buffer *b = shard->open;
	uint64_t now = files.now_ns(), stored = shard->next_stored_ns > now ? shard->next_stored_ns : now;
	bool marks = shard->active.fd < 0 || index_due(&shard->active.index, shard->active.offset);

	buffer_close(b, shard->next_sequence, shard->next_records, stored, marks, (uint16_t)shard->flights_count);
	b->submitted = b->done = false;
	shard->busy = b->records_bytes >= shard->store->options.batch_bytes / OVERLAP_PART;
	shard->next_records += b->records;
	shard->next_stored_ns = stored;
	pthread_mutex_lock(&shard->lock);
	shard->next_sequence += b->sequences;
	pthread_mutex_unlock(&shard->lock);
	b->closed_ns = files_monotonic_ns();
	shard->flights[shard->flights_count++] = b;
	shard->open = NULL;
	show_oldest(shard);
}

/* The disk said no: what is held stays held, the lanes keep what they have, and it is tried again. */
static void refuse(struct shard *shard, int error, uint64_t now)
{
	struct store *store = shard->store;

	atomic_fetch_add_explicit(&store->write_errors, 1, memory_order_relaxed);
	if (error != shard->refused)
		log_error("shard %s/%u: cannot store sequence %llu on: %s; kept, and tried again until it can",
			  shard->identity.stream, shard->identity.number,
			  (unsigned long long)shard->flights[0]->batch.first_sequence, strerror(-error));
	shard->refused = error;
	if (error == -ENOSPC || error == -EDQUOT)
		reserve_release(store);
	shard->backoff_ns = shard->backoff_ns ? shard->backoff_ns * 2 : BACKOFF_MIN_NS;
	if (shard->backoff_ns > BACKOFF_MAX_NS)
		shard->backoff_ns = BACKOFF_MAX_NS;
	shard->retry_ns = now + shard->backoff_ns;
	pthread_mutex_lock(&shard->lock);
	shard->writable = false;
	pthread_mutex_unlock(&shard->lock);
}

/* Puts the batch behind what is written and moves the file's end on; the next one may be closed and placed behind it.
 */
static int start_write(struct shard *shard, struct buffer *b)
{
	struct active *active = &shard->active;
	uint64_t start, end, next, block;
	int error = active_prepare(shard, b);

	if (error)
		return error;
	start = active->offset == SEGMENT_DATA ? 0 : active->offset & ~(uint64_t)(SEGMENT_BLOCK - 1);
	end = block_round(active->offset + b->batch.length);
	b->segment = active->first_sequence;
	b->offset = active->offset;
	b->job = (struct write_job){.fd = active->fd,
				    .bytes = b->bytes + (start == 0 ? 0 : BUFFER_FRONT),
				    .length = end - start,
				    .at = start,
				    .owner = b};
	next = batch_round(active->offset + b->batch.length);
	block = next & ~(uint64_t)(SEGMENT_BLOCK - 1);
	/* The block the next batch begins in is written again with it: what it holds by then is in this buffer. */
	memcpy(active->tail, b->bytes + (b->batch_at + block - b->offset), next - block);
	active->offset = next;
	b->submitted = true;
	writer_submit(shard->store->writer, &b->job);
	return 0;
}

/* Readers see the batch from here on. */
static int show(struct shard *shard, struct buffer *b, uint64_t arrival_max_ns)
{
	struct segment segment = {.first_sequence = b->segment,
				  .records_before = b->batch.records_before,
				  .oldest_ns = b->batch.stored_ns,
				  .active = true,
				  .learned = true};
	struct segment *s;
	int error = 0;

	pthread_mutex_lock(&shard->lock);
	if (b->offset == SEGMENT_DATA)
		error = shard_add_segment(shard, &segment);
	if (!error) {
		s = &shard->segments[shard->segments_count - 1];
		s->bytes = b->offset + b->batch.length;
		s->newest_ns = b->batch.stored_ns;
		s->arrival_max_ns = arrival_max_ns;
		shard->tail_from = shard->durable_sequence;
		shard->durable_sequence = b->batch.first_sequence + b->batch.sequences;
		shard->stored_records += b->batch.records;
		shard->last_stored_ns = b->batch.stored_ns;
		shard->put_durable = b->put_after;
		shard->gaps += b->gaps;
		shard->gap_records += b->gap_records;
		shard->lane_gap_records += b->lane_gap_records;
		shard->tail = b;
		shard->writable = true;
		pthread_cond_broadcast(&shard->durable);
	}
	pthread_mutex_unlock(&shard->lock);
	return error;
}

/* The lanes get their room back: now, and not before, another process may forget these records. */
static void give_room(struct shard *shard, const struct buffer *b)
{
	struct store *store = shard->store;

	if (b->generation != shard->generation)
		return; /* a region that is gone */
	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		if (b->after[w].position == shard->lanes[w].durable.position)
			continue;
		shard->lanes[w].durable = b->after[w];
		if (store->control && w < store->workers)
			/* Partner: the acquire load in lane_refresh(). */
			atomic_store_explicit(&store->control->head[shard->identity.slot][w], b->after[w].position,
					      memory_order_release);
	}
	shard_show_marks(shard);
}

static bool in_leaving(const struct shard *shard, const struct buffer *b)
{
	return shard->leaving.fd >= 0 && b->submitted && b->segment == shard->leaving.first_sequence;
}

static int make_durable(struct shard *shard, struct buffer *b)
{
	struct active *file = in_leaving(shard, b) ? &shard->leaving : &shard->active;
	int error = active_publish(shard, file);

	if (error)
		return error;
	if (index_due(&file->index, b->offset))
		index_add(&file->index, &b->batch, b->offset, file->arrival_max_ns, b->marks);
	if (b->batch.last_arrival_ns > file->arrival_max_ns)
		file->arrival_max_ns = b->batch.last_arrival_ns;
	return show(shard, b, file->arrival_max_ns);
}

/* The oldest flight is written and synced. 0 or -errno: then it is not durable after all. */
static int end_flight(struct shard *shard)
{
	struct store *store = shard->store;
	struct buffer *b = shard->flights[0];
	int error = make_durable(shard, b);

	if (error)
		return error;
	atomic_fetch_add_explicit(&store->written_bytes, b->job.length, memory_order_relaxed);
	atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
	if (shard->refused)
		log_info("shard %s/%u: stores again", shard->identity.stream, shard->identity.number);
	shard->refused = 0;
	shard->backoff_ns = shard->retry_ns = 0;
	reserve_stored(store);
	shard->flights_count--;
	memmove(shard->flights, shard->flights + 1, shard->flights_count * sizeof shard->flights[0]);
	show_oldest(shard); /* before the heads move: who sees these must not find the batch under way still */
	give_room(shard, b);
	if (shard->flights_count == 0 || !in_leaving(shard, shard->flights[0]))
		active_seal(shard, &shard->leaving);
	return 0;
}

/* A write or sync has failed and nothing is with the writer any more: all that is held goes to another file. */
static void give_up_file(struct shard *shard, int error, uint64_t now)
{
	struct store *store = shard->store;
	bool direct_refused = error == -EINVAL && atomic_exchange(&store->direct, false);

	active_abandon(shard, &shard->leaving);
	active_abandon(shard, &shard->active);
	for (uint32_t i = 0; i < shard->flights_count; i++)
		shard->flights[i]->submitted = shard->flights[i]->done = false;
	refuse(shard, error, now);
	if (direct_refused) {
		log_warning("store: %s refused a direct write: batches go through the page cache from here on",
			    store->directory);
		shard->retry_ns = 0;
	}
}

/* Makes way for a new file when the active one does not take the batch. False: not yet. */
static bool make_way(struct shard *shard, const struct buffer *b, const struct buffer *before)
{
	if (shard->active.fd < 0)
		return true;
	if (active_takes(shard, b))
		/*
		 * A small batch shares a block with the one before it, and is written when that one has been; its sync
		 * may go on meanwhile.
		 */
		return !before || buffer_is_large(b) || atomic_load_explicit(&before->job.wrote, memory_order_acquire);
	if (!before) {
		active_seal(shard, &shard->active);
		return true;
	}
	if (shard->leaving.fd >= 0)
		return false;
	shard->leaving = shard->active;
	shard->active.fd = shard->active.index.fd = -1;
	return true;
}

static void start_flights(struct shard *shard, uint64_t now)
{
	for (uint32_t i = 0; i < shard->flights_count; i++) {
		struct buffer *b = shard->flights[i];
		int error;

		if (b->submitted)
			continue;
		if (now < shard->retry_ns || !reserve_allows(shard->store, now) ||
		    !make_way(shard, b, i ? shard->flights[i - 1] : NULL))
			return;
		error = start_write(shard, b);
		if (error) {
			/* Nothing was written: a file that has batches already, and only no room for more, stays good.
			 */
			if (shard->active.fd >= 0 && shard->active.offset == SEGMENT_DATA)
				active_abandon(shard, &shard->active);
			refuse(shard, error, now);
			return;
		}
	}
}

void commit_step(struct shard *shard, uint64_t now)
{
	int error = 0;

	while (shard->flights_count && shard->flights[0]->done && !error) {
		error = shard->flights[0]->job.result;
		if (!error)
			error = end_flight(shard);
	}
	if (error) {
		shard->flights[0]->job.result = error;
		if (commit_writing(shard))
			return;
		give_up_file(shard, error, now);
	}
	if (shard->flights_count)
		start_flights(shard, now);
}

void commit_rest(struct shard *shard)
{
	bool pinned = false, mapped = false;

	for (uint32_t i = 0; i < BUFFERS; i++)
		mapped |= shard->buffers[i].bytes != NULL;
	if (!mapped)
		return;
	pthread_mutex_lock(&shard->lock);
	shard->tail = NULL;
	/* Partner: the release in reader.c when a copy is done. New pins need the tail. */
	for (uint32_t i = 0; i < BUFFERS; i++)
		pinned |= atomic_load_explicit(&shard->buffers[i].pins, memory_order_acquire) != 0;
	pthread_mutex_unlock(&shard->lock);
	if (pinned)
		return;
	for (uint32_t i = 0; i < BUFFERS; i++) {
		shard->store->buffers_mapped -= shard->buffers[i].bytes != NULL;
		buffer_release(&shard->buffers[i]);
	}
}
