// From a closed batch to a durable one: the write, what follows from it, and what when it fails.
#include <errno.h>
#include <string.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define BACKOFF_MIN_NS 100000000ull
#define BACKOFF_MAX_NS 1000000000ull

void commit_close(struct shard *shard)
{
	struct buffer *b = shard->open;
	uint64_t now = files.now_ns(), stored = shard->last_stored_ns > now ? shard->last_stored_ns : now;
	bool marks = shard->active.fd < 0 || index_due(&shard->active.index, shard->active.offset);

	buffer_close(b, shard->next_sequence, shard->stored_records, stored, marks);
	pthread_mutex_lock(&shard->lock);
	shard->next_sequence += b->sequences;
	pthread_mutex_unlock(&shard->lock);
	shard->flight = b;
	shard->open = NULL;
	atomic_store_explicit(&shard->flight_ns, files_monotonic_ns(), memory_order_relaxed);
}

/* The disk said no: what is held stays held, the lanes keep what they have, and it is tried again. */
static void refuse(struct shard *shard, int error, uint64_t now)
{
	struct store *store = shard->store;

	atomic_fetch_add_explicit(&store->write_errors, 1, memory_order_relaxed);
	if (error != shard->refused)
		log_error("shard %s/%u: cannot store sequence %llu on: %s; kept, and tried again until it can",
			  shard->identity.stream, shard->identity.number,
			  (unsigned long long)shard->flight->batch.first_sequence, strerror(-error));
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

void commit_write(struct shard *shard, uint64_t now)
{
	struct buffer *b = shard->flight;
	struct active *active = &shard->active;
	uint64_t start, end;
	int error;

	error = active_prepare(shard);
	if (error) {
		/* Nothing was written to a file that is not there or has no room: what it has stays good. */
		if (!active->visible)
			active_abandon(shard);
		refuse(shard, error, now);
		return;
	}
	start = active->offset == SEGMENT_DATA ? 0 : active->offset & ~(uint64_t)(SEGMENT_BLOCK - 1);
	end = (active->offset + b->batch.length + SEGMENT_BLOCK - 1) & ~(uint64_t)(SEGMENT_BLOCK - 1);
	shard->job = (struct write_job){.fd = active->fd,
					.bytes = b->bytes + (start == 0 ? 0 : BUFFER_FRONT),
					.length = end - start,
					.at = start,
					.owner = shard};
	shard->writing = true;
	writer_submit(shard->store->writer, &shard->job);
}

/* Readers see the batch from here on. */
static int show(struct shard *shard, const struct buffer *b)
{
	struct active *active = &shard->active;
	struct segment segment = {.first_sequence = active->first_sequence,
				  .records_before = b->batch.records_before,
				  .oldest_ns = b->batch.stored_ns,
				  .active = true,
				  .learned = true};
	struct segment *s;
	int error = 0;

	pthread_mutex_lock(&shard->lock);
	if (active->offset == SEGMENT_DATA)
		error = shard_add_segment(shard, &segment);
	if (!error) {
		s = &shard->segments[shard->segments_count - 1];
		s->bytes = active->offset + b->batch.length;
		s->newest_ns = b->batch.stored_ns;
		s->arrival_max_ns = active->arrival_max_ns;
		shard->tail_from = shard->durable_sequence;
		shard->durable_sequence = b->batch.first_sequence + b->batch.sequences;
		shard->stored_records += b->batch.records;
		shard->last_stored_ns = b->batch.stored_ns;
		shard->gaps += b->gaps;
		shard->gap_records += b->gap_records;
		shard->lane_gap_records += b->lane_gap_records;
		shard->tail = shard->flight;
		shard->tail->segment = active->first_sequence;
		shard->tail->offset = active->offset;
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
}

static void settle(struct shard *shard)
{
	struct buffer *b = shard->flight;
	struct active *active = &shard->active;
	uint64_t end = active->offset + b->batch.length, next = batch_round(end);
	uint64_t block = next & ~(uint64_t)(SEGMENT_BLOCK - 1);

	if (index_due(&active->index, active->offset))
		index_add(&active->index, &b->batch, active->offset, active->arrival_max_ns, b->marks);
	if (b->batch.last_arrival_ns > active->arrival_max_ns)
		active->arrival_max_ns = b->batch.last_arrival_ns;
	/* The block the next batch begins in is written again with it: what it holds already is in this buffer. */
	memcpy(active->tail, b->bytes + (b->batch_at + block - active->offset), next - block);
}

void commit_done(struct shard *shard)
{
	struct store *store = shard->store;
	struct buffer *b = shard->flight;
	int error = shard->job.result;

	shard->writing = false;
	if (!error)
		error = active_publish(shard);
	if (!error) {
		settle(shard);
		error = show(shard, b);
	}
	if (error) {
		bool direct_refused = error == -EINVAL && atomic_exchange(&store->direct, false);

		active_abandon(shard);
		refuse(shard, error, files_monotonic_ns());
		if (direct_refused) {
			log_warning("store: %s refused a direct write: batches go through the page cache from here on",
				    store->directory);
			shard->retry_ns = 0;
		}
		return;
	}
	shard->active.offset = batch_round(shard->active.offset + b->batch.length);
	atomic_fetch_add_explicit(&store->written_bytes, shard->job.length, memory_order_relaxed);
	atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
	if (shard->refused)
		log_info("shard %s/%u: stores again", shard->identity.stream, shard->identity.number);
	shard->refused = 0;
	shard->backoff_ns = shard->retry_ns = 0;
	give_room(shard, b);
	shard->flight = NULL;
	atomic_store_explicit(&shard->flight_ns, 0, memory_order_relaxed);
}

void commit_rest(struct shard *shard)
{
	bool pinned;

	if (shard->open || shard->flight || (!shard->buffers[0].bytes && !shard->buffers[1].bytes))
		return;
	pthread_mutex_lock(&shard->lock);
	shard->tail = NULL;
	/* Partner: the release in reader.c when a copy is done. New pins need the tail. */
	pinned = atomic_load_explicit(&shard->buffers[0].pins, memory_order_acquire) ||
		 atomic_load_explicit(&shard->buffers[1].pins, memory_order_acquire);
	pthread_mutex_unlock(&shard->lock);
	if (pinned)
		return;
	for (int i = 0; i < 2; i++)
		buffer_release(&shard->buffers[i]);
}
