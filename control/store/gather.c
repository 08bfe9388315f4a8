// From the lanes into the open batch: what is published is copied first and believed only after the copy was checked.
#include <string.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define COPY_BYTES (256u << 10) /* worth copying while a write is under way; less waits in the lane */
#define IMPOSSIBLE_NS 1000000000ull
#define COMPLAIN_NS 10000000000ull

struct found {        /* in a copied span */
	size_t bytes; /* of whole, valid records */
	uint32_t records, gaps;
	uint64_t gap_records, lane_gap_records;
	bool invalid; /* what follows is no record */
};

bool gather_look(struct shard *shard, uint32_t worker)
{
	struct store *store = shard->store;
	struct shard_lane *lane = &shard->lanes[worker];
	uint64_t words[LEDGER_LINE_WORDS];

	if (!ledger_read(store->ledgers[worker], store->lines,
			 lane_word(shard->identity.slot, LANE_POSITION) / LEDGER_LINE_WORDS, 1, words)) {
		store->epochs[worker]--; /* any other value: look again */
		return false;
	}
	lane->published = words[LANE_POSITION];
	lane->published_records = words[LANE_RECORDS];
	return true;
}

bool gather_count(const struct shard *shard, uint32_t worker, uint64_t head, uint64_t *records)
{
	const struct shard_lane *lane = &shard->lanes[worker];

	*records = 0;
	while (head < lane->published) {
		uint64_t left = lane->published - head;
		struct record r;
		uint32_t bytes;

		if (left < sizeof r)
			return false;
		memcpy(&r, lane->reader.bytes + (head & (lane->reader.size - 1)), sizeof r);
		bytes = record_check(&r, RECORD_BYTES_MAX); /* looks at the header alone */
		if (bytes == 0 || bytes > left)
			return false;
		*records += record_is_data(&r);
		head += bytes;
	}
	return true;
}

/* Walks a copied span. `is_cut`: it ends where the buffer was full, perhaps inside a record. */
static struct found check_copy(struct buffer *b, const uint8_t *bytes, size_t length, bool is_cut)
{
	struct found f = {0};

	while (f.bytes < length) {
		const struct record *r = (const struct record *)(bytes + f.bytes);
		size_t left = length - f.bytes;
		uint32_t total = record_check(r, left);

		if (total == 0) {
			f.invalid = !is_cut || (left >= sizeof *r && record_check(r, RECORD_BYTES_MAX) <= left);
			break;
		}
		if (r->kind == RECORD_GAP) {
			struct gap gap;

			memcpy(&gap, record_payload(r), sizeof gap);
			f.gaps++;
			f.gap_records += gap.count == GAP_COUNT_UNKNOWN ? 0 : gap.count;
			f.lane_gap_records += gap.reason == GAP_LANE_FULL && gap.count != GAP_COUNT_UNKNOWN ? gap.count : 0;
		} else {
			f.records++;
		}
		buffer_see_arrival(b, r->arrival_ns);
		f.bytes += total;
	}
	return f;
}

static void complain(struct shard *shard, uint32_t worker, const char *what)
{
	struct shard_lane *lane = &shard->lanes[worker];
	uint64_t now = files_monotonic_ns();

	atomic_fetch_add_explicit(&shard->store->head_invalid, 1, memory_order_relaxed);
	if (lane->complained_ns && now - lane->complained_ns < COMPLAIN_NS)
		return;
	lane->complained_ns = now;
	log_error("shard %s/%u: lane of worker %u: %s (copied to %llu, published %llu)", shard->identity.stream,
		  shard->identity.number, worker, what, (unsigned long long)lane->reader.position,
		  (unsigned long long)lane->published);
}

/* Gives up what lies between the lane's position and what is published, and tells readers. */
static void skip(struct shard *shard, uint32_t worker, uint64_t lost)
{
	struct shard_lane *lane = &shard->lanes[worker];
	struct lane_mark mark = {lane->published, lane->published_records};
	uint64_t now = files.now_ns();
	struct gap gap = {
		.count = lost, .first_ns = now, .last_ns = now, .reason = GAP_STORE_LOST, .worker = (uint16_t)worker};

	lane->reader.position = mark.position;
	lane->reader.records = mark.records;
	if (buffer_gap_fits(shard->open))
		buffer_add_gap(shard->open, &gap);
	else
		shard_queue_gap(shard, &gap);
	if (buffer_spans_left(shard->open, 1))
		buffer_add_span(shard->open, worker, 0, mark);
	else
		shard->open->after[worker] = mark;
}

/* How many records the ledger says are still to come, when that many fit into what is left. */
static uint64_t missing(const struct shard_lane *lane)
{
	uint64_t count = lane->published_records - lane->reader.records;
	uint64_t bytes = lane->published - lane->reader.position;

	return lane->published >= lane->reader.position && lane->published_records >= lane->reader.records &&
			       (bytes > lane->reader.size || count <= bytes / sizeof(struct record))
		       ? count
		       : GAP_COUNT_UNKNOWN;
}

/* Copies what the lane has and the batch has room for. */
static void copy_lane(struct shard *shard, uint32_t worker)
{
	struct shard_lane *lane = &shard->lanes[worker];
	struct buffer *b = shard->open;
	const uint8_t *bytes;
	int64_t span = lane_span(&lane->reader, lane->published, buffer_room(b), &bytes);
	struct found f;

	if (span <= 0)
		return;
	memcpy(buffer_end(b), bytes, (size_t)span);
	f = check_copy(b, buffer_end(b), (size_t)span, lane->reader.position + (uint64_t)span < lane->published);
	lane->reader.position += f.bytes;
	lane->reader.records += f.records;
	b->records += f.records;
	b->sequences += f.records + f.gaps;
	b->gaps += f.gaps;
	b->gap_records += f.gap_records;
	b->lane_gap_records += f.lane_gap_records;
	if (f.bytes)
		buffer_add_span(b, worker, f.bytes, (struct lane_mark){lane->reader.position, lane->reader.records});
	atomic_fetch_add_explicit(&shard->store->drained_bytes, f.bytes, memory_order_relaxed);
	if (f.invalid) {
		complain(shard, worker, "something that is no record was published");
		skip(shard, worker, missing(lane));
	} else if (lane->reader.position == lane->published && lane->reader.records != lane->published_records) {
		complain(shard, worker, "its records are not as many as the ledger says");
		skip(shard, worker,
		     lane->published_records > lane->reader.records ? lane->published_records - lane->reader.records
								    : 0);
	}
}

/* Whether the shard may take memory for one more buffer. */
static bool may_map(const struct shard *shard)
{
	const struct store *store = shard->store;
	uint32_t own = 0, budget = store->shards_count * BUFFERS_EACH;

	for (uint32_t i = 0; i < BUFFERS; i++)
		own += shard->buffers[i].bytes != NULL;
	return own < BUFFERS_EACH || store->buffers_mapped < (budget > BUFFERS_BUDGET ? budget : BUFFERS_BUDGET);
}

/* A buffer that is neither being written nor read from; the tail is given up when there is no other. */
static struct buffer *free_buffer(struct shard *shard)
{
	struct buffer *found = NULL;
	bool more = may_map(shard);

	pthread_mutex_lock(&shard->lock);
	for (uint32_t i = 0; i < BUFFERS; i++) {
		struct buffer *b = &shard->buffers[i];
		bool flying = false;

		for (uint32_t f = 0; f < shard->flights_count; f++)
			flying |= shard->flights[f] == b;
		/* Partner: the release in reader.c when a copy is done. */
		if (flying || (!b->bytes && !more) || atomic_load_explicit(&b->pins, memory_order_acquire))
			continue;
		if (!found || found == shard->tail)
			found = b;
	}
	if (found && found == shard->tail)
		shard->tail = NULL;
	pthread_mutex_unlock(&shard->lock);
	return found;
}

bool gather_open(struct shard *shard, uint64_t now)
{
	struct store *store = shard->store;
	struct buffer *b = free_buffer(shard);
	int error;

	if (!b)
		return false;
	store->buffers_mapped -= b->bytes != NULL;
	error = buffer_open(b, store->options.batch_bytes, store->workers, shard->busy);
	store->buffers_mapped += b->bytes != NULL;
	if (error)
		return false;
	b->generation = shard->generation;
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		b->before[w] = b->after[w] =
			(struct lane_mark){shard->lanes[w].reader.position, shard->lanes[w].reader.records};
	b->put_before = b->put_after = shard->put;
	b->opened_ns = shard->waiting_ns ? shard->waiting_ns : now;
	shard->open = b;
	return true;
}

/* A position that cannot be. It may have been read at a bad moment of somebody's; if it stays, the lane goes on from
 * there. */
static void face_impossible(struct shard *shard, uint32_t worker, uint64_t now)
{
	struct shard_lane *lane = &shard->lanes[worker];

	if (lane->impossible_ns == 0) {
		lane->impossible_ns = now;
		complain(shard, worker, "an impossible position was published");
	} else if (now - lane->impossible_ns > IMPOSSIBLE_NS && lane->published % RECORD_ALIGN == 0 &&
		   (shard->open || gather_open(shard, now)) && shard->open->generation == shard->generation) {
		skip(shard, worker, missing(lane));
		lane->impossible_ns = 0;
	}
}

/* Looks at all lanes. Bytes that can be copied; *pressed when one of the lanes is filling up. */
static uint64_t look_at_lanes(struct shard *shard, uint64_t now, bool *pressed)
{
	struct store *store = shard->store;
	uint64_t total = 0;

	*pressed = false;
	for (uint32_t w = 0; w < store->workers; w++) {
		struct shard_lane *lane = &shard->lanes[w];
		const uint8_t *bytes;
		int64_t span;

		if (store->moved[w])
			gather_look(shard, w);
		if (lane->published == lane->durable.position)
			continue;
		span = lane_span(&lane->reader, lane->published, UINT64_MAX, &bytes);
		if (span < 0) {
			face_impossible(shard, w, now);
			continue;
		}
		lane->impossible_ns = 0;
		total += (uint64_t)span;
		if (lane->published - lane->durable.position >= lane->reader.size / 4)
			*pressed = true;
	}
	return total;
}

static void fill(struct shard *shard, uint64_t now)
{
	struct store *store = shard->store;

	if (!shard->open && !gather_open(shard, now))
		return;
	if (shard->open->generation != shard->generation)
		return; /* the rest of a region that is gone: written first */
	while (shard->pending_count && buffer_gap_fits(shard->open)) {
		buffer_add_gap(shard->open, &shard->pending[0]);
		memmove(shard->pending, shard->pending + 1, --shard->pending_count * sizeof shard->pending[0]);
	}
	/* Room is kept for every lane's mark once more (penstockd's own, too), and for a gap behind each span. */
	for (uint32_t w = 0; w < store->workers && buffer_spans_left(shard->open, store->workers + 4); w++)
		copy_lane(shard, w);
	shard->waiting_ns = 0;
	for (uint32_t w = 0; w < store->workers; w++)
		if (shard->lanes[w].reader.position < shard->lanes[w].published)
			shard->waiting_ns = now;
}

void gather(struct shard *shard, uint64_t now)
{
	struct store *store = shard->store;
	uint64_t commit_ns = store->options.commit_ms * 1000000ull, total, since;
	bool pressed, due;

	if (shard->identity.slot >= store->slots)
		return;
	total = look_at_lanes(shard, now, &pressed);
	if ((total || shard->pending_count) && shard->waiting_ns == 0)
		shard->waiting_ns = now;
	since = shard->open ? shard->open->opened_ns : shard->waiting_ns;
	if (since == 0)
		return;
	shard->idle_ns = now;
	due = store->flush || pressed || now - since >= commit_ns || shard->pending_count ||
	      total + (shard->open ? shard->open->records_bytes : 0) >= store->options.batch_bytes;
	if ((total || shard->pending_count) && (total >= COPY_BYTES || (due && shard->flights_count == 0)))
		fill(shard, now);
	if (shard->open && shard->open->sequences == 0) {
		/* Nothing but marks that moved: they go with the next record. */
		shard->open = NULL;
		return;
	}
	if (shard->open && due && commit_ready(shard))
		commit_close(shard);
}
