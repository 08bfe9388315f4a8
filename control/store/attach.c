// Where the drain takes up a region's lanes, and how it leaves them.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define MOVE_TIMEOUT_MS 5000u
#define DETACH_POLL_US 300u

/*
 * STORE/drained holds the generation of a region whose dataplane had stopped and all of whose records were durable:
 * when such a region goes away (a reboot), nothing was lost with it. It is believed once, and only spares readers a
 * gap.
 */
static int drained_path(const struct store *store, char *path)
{
	return files_join(path, store->directory, "drained");
}

static void write_drained(struct store *store, uint64_t generation)
{
	char path[PATH_MAX];
	int fd;

	if (drained_path(store, path) != 0)
		return;
	fd = files.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (fd < 0)
		return;
	if (files_write(fd, &generation, sizeof generation, 0) != 0 || files.fdatasync(fd) != 0)
		files.unlink(path);
	close(fd);
}

static uint64_t take_drained(struct store *store)
{
	uint64_t generation = 0;
	char path[PATH_MAX];
	int fd;

	if (drained_path(store, path) != 0)
		return 0;
	fd = files.open(path, O_RDONLY, 0);
	if (fd < 0)
		return 0;
	if (files_read(fd, &generation, sizeof generation, 0) != (ssize_t)sizeof generation)
		generation = 0;
	close(fd);
	files.unlink(path);
	return generation;
}

static void queue_gap(struct shard *shard, uint32_t reason, uint64_t count, uint32_t worker)
{
	uint64_t now = files.now_ns();
	struct gap gap = {.count = count,
			  .first_ns = shard->last_stored_ns ? shard->last_stored_ns : now,
			  .last_ns = now,
			  .reason = reason,
			  .worker = (uint16_t)worker};

	shard_queue_gap(shard, &gap);
}

/* Starts afresh with a generation the shard has no marks of. */
static void change_generation(struct shard *shard, uint64_t generation)
{
	bool had_data = false;

	for (uint32_t w = 0; w < WORKERS_MAX; w++) {
		had_data |= shard->lanes[w].reader.position > 0;
		shard->lanes[w] = (struct shard_lane){0};
	}
	if (shard->generation && had_data && shard->drained_generation != shard->generation) {
		log_warning(
			"shard %s/%u: the region it was fed from is gone, with whatever was in it: readers get a gap",
			shard->identity.stream, shard->identity.number);
		queue_gap(shard, GAP_REGION_LOST, GAP_COUNT_UNKNOWN, UINT16_MAX);
	}
	shard->generation = generation;
}

/*
 * Takes up one lane. The head in the control region may be ahead of what the segments say when the disk lost what it
 * had called durable: the worker may have overwritten up to there, so the drain goes on from there and counts the
 * difference.
 */
static void take_lane(struct shard *shard, uint32_t w, bool known)
{
	struct store *store = shard->store;
	struct shard_lane *lane = &shard->lanes[w];
	uint64_t head = atomic_load_explicit(&store->control->head[shard->identity.slot][w], memory_order_relaxed);
	uint64_t left, at;

	lane->reader.bytes = store->region->lanes[shard->identity.slot * store->workers + w];
	lane->reader.size = store->region->geometry.lane_bytes;
	if (!gather_look(shard, w))
		return;
	if (head > lane->reader.position && head <= lane->published && head % RECORD_ALIGN == 0 &&
	    lane->published - head <= lane->reader.size) {
		if (!gather_count(shard, w, head, &left) || left > lane->published_records)
			left = 0;
		at = lane->published_records - left;
		if (known && at > lane->reader.records)
			queue_gap(shard, GAP_STORE_LOST, at - lane->reader.records, w);
		lane->reader.position = head;
		lane->reader.records = at;
		lane->durable = (struct lane_mark){head, at};
	}
}

/* A shard made while the dataplane is running: what the slot's lanes hold belongs to somebody who is gone. */
static int start_here(struct shard *shard)
{
	for (uint32_t w = 0; w < shard->store->workers; w++) {
		struct shard_lane *lane = &shard->lanes[w];

		lane->reader.position = lane->published;
		lane->reader.records = lane->published_records;
		lane->durable = (struct lane_mark){lane->published, lane->published_records};
	}
	return active_write_floor(shard);
}

int attach_shard(struct shard *shard, bool fresh)
{
	struct store *store = shard->store;
	bool known = shard->generation == store->region->generation;
	int error = 0;

	if (shard->identity.slot >= store->slots) {
		log_error(
			"shard %s/%u: its lane slot %u does not exist in this region of %u; raise the region's shards",
			shard->identity.stream, shard->identity.number, shard->identity.slot, store->slots);
		return 0;
	}
	if (!known)
		change_generation(shard, store->region->generation);
	shard->drained_generation = 0; /* a dataplane that comes back to this region may write more */
	for (uint32_t w = 0; w < store->workers; w++)
		take_lane(shard, w, known);
	if (fresh)
		error = start_here(shard);
	for (uint32_t w = 0; w < store->workers && !error; w++)
		/* Partner: the acquire load in lane_refresh(). */
		atomic_store_explicit(&store->control->head[shard->identity.slot][w], shard->lanes[w].durable.position,
				      memory_order_release);
	shard_show_marks(shard);
	return error;
}

/* The ledgers' places are read from the region once and checked: it belongs to another process. */
static int bind_ledgers(struct store *store, const struct region_reader *region)
{
	uint64_t offset = region->region->ledgers_offset, stride = region->region->ledger_stride;
	uint64_t bytes = ledger_bytes(worker_lines(region->geometry.shards));

	if (region->geometry.workers > WORKERS_MAX || stride < bytes || offset % 64 || stride % 64 ||
	    offset > region->mapped_bytes || stride > (region->mapped_bytes - offset) / region->geometry.workers)
		return -EBADMSG;
	for (uint32_t w = 0; w < region->geometry.workers; w++) {
		store->ledgers[w] = (const struct ledger *)((const uint8_t *)region->region + offset + w * stride);
		store->epochs[w] = UINT64_MAX;
	}
	store->workers = region->geometry.workers;
	store->slots = region->geometry.shards;
	store->lines = worker_lines(region->geometry.shards);
	return 0;
}

/* After the last look: whether every record the region holds for this shard has been taken over. */
static bool all_taken(struct shard *shard)
{
	for (uint32_t w = 0; w < shard->store->workers; w++)
		if (!gather_look(shard, w) || shard->lanes[w].reader.position != shard->lanes[w].published)
			return false;
	return true;
}

static bool targets_durable(const struct store *store)
{
	for (const struct shard *shard = store->shards; shard; shard = shard->next) {
		if (shard->identity.slot >= store->slots)
			continue;
		if (shard->pending_count)
			return false;
		for (uint32_t w = 0; w < store->workers; w++)
			if (shard->lanes[w].durable.position < shard->lanes[w].target)
				return false;
	}
	return true;
}

static void set_targets(struct store *store)
{
	for (struct shard *shard = store->shards; shard; shard = shard->next)
		for (uint32_t w = 0; w < store->workers && shard->identity.slot < store->slots; w++) {
			gather_look(shard, w);
			shard->lanes[w].target = shard->lanes[w].published;
		}
}

/* Called and returns with the drain held. */
static int flush(struct store *store, uint32_t timeout_ms)
{
	uint64_t until = files_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
	bool durable;

	set_targets(store);
	store->flush = true;
	while (!(durable = targets_durable(store)) && files_monotonic_ns() < until) {
		store_let_go(store);
		usleep(DETACH_POLL_US);
		store_hold(store);
	}
	store->flush = false;
	return durable ? 0 : -ETIMEDOUT;
}

/* `gone`: no dataplane will ever write to this region again. Called with the drain held. */
static int leave(struct store *store, bool drain, uint32_t timeout_ms, bool gone)
{
	int error = drain ? flush(store, timeout_ms) : 0;
	uint32_t state = atomic_load_explicit(&store->region->region->state, memory_order_acquire);
	bool all = true;

	gone |= state == REGION_STOPPED || state == REGION_RETIRED;
	for (struct shard *shard = store->shards; shard; shard = shard->next) {
		if (shard->identity.slot >= store->slots)
			continue;
		if (gone && all_taken(shard))
			shard->drained_generation = shard->generation;
		else
			all = false;
		all = all && !shard->open && !shard->flights_count;
		for (uint32_t w = 0; w < store->workers; w++)
			shard->lanes[w].published = shard->lanes[w].reader.position;
	}
	if (all && gone)
		write_drained(store, store->region->generation);
	store->region = NULL;
	store->control = NULL;
	return error;
}

int store_attach(struct store *store, const struct region_reader *region, struct control *control)
{
	uint64_t drained;
	int error;

	store_hold(store);
	if (store->region && leave(store, true, MOVE_TIMEOUT_MS, region->generation != store->region->generation) != 0)
		log_warning(
			"store: the old region could not be made durable within %u ms; what was copied still will be",
			MOVE_TIMEOUT_MS);
	error = bind_ledgers(store, region);
	if (!error) {
		store->region_copy = *region;
		store->region = &store->region_copy;
		store->control = control;
		drained = take_drained(store);
		for (struct shard *shard = store->shards; shard; shard = shard->next) {
			if (drained && shard->generation == drained)
				shard->drained_generation = drained;
			attach_shard(shard, false);
		}
	}
	store_let_go(store);
	return error;
}

int store_detach(struct store *store, bool drain, uint32_t timeout_ms)
{
	int error;

	store_hold(store);
	error = store->region ? leave(store, drain, timeout_ms, false) : 0;
	store_let_go(store);
	return error;
}
