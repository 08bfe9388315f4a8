#include "tests/support/store_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void feed_must(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "feed: %s: %s\n", what, strerror(-result));
	abort();
}

static void bind_worker(struct feed *feed, uint32_t w)
{
	const struct region *region = feed->writer.region;
	struct feed_worker *worker = &feed->workers[w];
	uint32_t slots = feed->writer.geometry.shards, lines = worker_lines(slots);

	worker->now = aligned_alloc(64, lines * sizeof(struct ledger_line));
	worker->lanes = calloc(slots, sizeof *worker->lanes);
	worker->appended = calloc(slots, sizeof *worker->appended);
	memset(&worker->ledger, 0, sizeof worker->ledger);
	ledger_writer_init(
		&worker->ledger,
		(struct ledger *)((uint8_t *)feed->writer.region + region->ledgers_offset + w * region->ledger_stride),
		worker->now, lines);
	for (uint32_t s = 0; s < slots; s++) {
		lane_writer_init(&worker->lanes[s], feed->writer.lanes[s * feed->writer.geometry.workers + w],
				 feed->writer.geometry.lane_bytes, s, &worker->ledger, &feed->control->head[s][w]);
		worker->appended[s] = worker->now[lane_word(s, LANE_RECORDS)];
	}
}

static void map(struct feed *feed, const struct region_geometry *geometry)
{
	feed_must(region_create(feed->directory, geometry, &feed->writer), "region_create");
	feed_must(region_open(feed->directory, &feed->reader), "region_open");
	feed_must(control_create(feed->directory, &feed->reader, &feed->control, &feed->control_fd), "control_create");
	feed->workers = calloc(geometry->workers, sizeof *feed->workers);
	for (uint32_t w = 0; w < geometry->workers; w++)
		bind_worker(feed, w);
}

static void unmap(struct feed *feed)
{
	for (uint32_t w = 0; w < feed->writer.geometry.workers; w++) {
		free(feed->workers[w].now);
		free(feed->workers[w].lanes);
		free(feed->workers[w].appended);
	}
	free(feed->workers);
	control_close(feed->control);
	close(feed->control_fd);
	region_close_reader(&feed->reader);
	region_close_writer(&feed->writer);
}

void feed_open_at(struct feed *feed, const char *directory, uint32_t workers, uint32_t slots, uint64_t lane_bytes)
{
	struct region_geometry geometry = {workers, slots, lane_bytes};

	memset(feed, 0, sizeof *feed);
	snprintf(feed->directory, sizeof feed->directory, "%s", directory);
	map(feed, &geometry);
}

void feed_open(struct feed *feed, uint32_t workers, uint32_t slots, uint64_t lane_bytes)
{
	char directory[] = "/dev/shm/penstock-feed.XXXXXX";

	if (!mkdtemp(directory))
		feed_must(-1, "mkdtemp");
	feed_open_at(feed, directory, workers, slots, lane_bytes);
}

void feed_close(struct feed *feed, bool remove_files)
{
	static const char *const names[] = {"data", "control"};
	char path[160];

	unmap(feed);
	for (int i = 0; remove_files && i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", feed->directory, names[i]);
		unlink(path);
	}
	if (remove_files)
		rmdir(feed->directory);
}

void feed_new_generation(struct feed *feed)
{
	struct region_geometry geometry = feed->writer.geometry;

	unmap(feed);
	feed_must(region_retire(feed->directory), "region_retire");
	map(feed, &geometry);
}

static uint8_t filler(const struct feed_payload *p, uint32_t i)
{
	return (uint8_t)(p->number * 131 + p->slot * 31 + p->worker * 17 + i * 7);
}

bool feed_append(struct feed *feed, uint32_t worker, uint32_t slot, uint32_t length)
{
	struct feed_worker *from = &feed->workers[worker];
	struct feed_payload payload = {from->appended[slot], slot, worker};
	struct record r = {.length = length,
			   .kind = RECORD_DATA,
			   .arrival_ns = 1000000 + payload.number,
			   .vlan = RECORD_VLAN_NONE,
			   .codec = CODEC_DATAGRAM,
			   .hash = payload.number};
	uint32_t bytes = record_bytes(0, 0, length);
	uint8_t *at = lane_reserve(&from->lanes[slot], bytes);

	if (!at)
		return false;
	memcpy(at, &r, sizeof r);
	at += sizeof r;
	memcpy(at, &payload, sizeof payload);
	for (uint32_t i = sizeof payload; i < bytes - sizeof r; i++)
		at[i] = i < length ? filler(&payload, i) : 0;
	from->appended[slot]++;
	ledger_add(&from->ledger, lane_word(slot, LANE_RECORDS), 1);
	ledger_add(&from->ledger, lane_word(slot, LANE_BYTES), length);
	ledger_set(&from->ledger, lane_word(slot, LANE_POSITION), from->lanes[slot].position);
	return true;
}

bool feed_append_raw(struct feed *feed, uint32_t worker, uint32_t slot, const void *bytes, uint32_t length,
		     uint64_t records)
{
	struct feed_worker *from = &feed->workers[worker];
	uint8_t *at = lane_reserve(&from->lanes[slot], length);

	if (!at)
		return false;
	memcpy(at, bytes, length);
	from->appended[slot] += records;
	ledger_add(&from->ledger, lane_word(slot, LANE_RECORDS), records);
	ledger_set(&from->ledger, lane_word(slot, LANE_POSITION), from->lanes[slot].position);
	return true;
}

void feed_commit(struct feed *feed, uint32_t worker)
{
	ledger_commit(&feed->workers[worker].ledger);
}

bool feed_check(const struct record *r, struct feed_payload *out)
{
	const uint8_t *payload = record_payload(r);

	if (r->kind != RECORD_DATA || r->length < sizeof *out || r->key_length || r->origin)
		return false;
	memcpy(out, payload, sizeof *out);
	if (r->hash != out->number || r->arrival_ns != 1000000 + out->number)
		return false;
	for (uint32_t i = sizeof *out; i < r->length; i++)
		if (payload[i] != filler(out, i))
			return false;
	return true;
}
