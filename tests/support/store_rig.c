#include "tests/support/store_rig.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/store/segment.h"

static void must(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "rig: %s: %s\n", what, strerror(-result));
	abort();
}

void rig_make(struct rig *rig, const char *parent, uint32_t workers, uint32_t shards)
{
	memset(rig, 0, sizeof *rig);
	snprintf(rig->directory, sizeof rig->directory, "%s/penstock-store.XXXXXX", parent);
	if (!mkdtemp(rig->directory))
		must(-1, "mkdtemp");
	rig->options = (struct store_options){.directory = rig->directory,
					      .segment_bytes = 1 << 20,
					      .batch_bytes = 128 << 10,
					      .reserve_bytes = 64 << 10,
					      .commit_ms = 2,
					      .direct_io = true};
	rig->shards_count = shards;
	rig->retention_seconds = 86400;
	feed_open(&rig->feed, workers, shards, 256 << 10);
}

void rig_start(struct rig *rig)
{
	rig->options.directory = rig->directory;
	must(store_open(&rig->options, &rig->store), "store_open");
	for (uint32_t i = 0; i < rig->shards_count; i++) {
		struct shard_identity identity = {.stream_id = 7,
						  .stream = "test",
						  .number = i,
						  .slot = i,
						  .retention_seconds = rig->retention_seconds,
						  .retention_bytes = rig->retention_bytes};

		must(store_add_shard(rig->store, &identity, &rig->shards[i]), "store_add_shard");
	}
	must(store_attach(rig->store, &rig->feed.reader, rig->feed.control), "store_attach");
}

void rig_stop(struct rig *rig, bool drain)
{
	if (drain)
		must(store_detach(rig->store, true, 10000), "store_detach");
	store_close(rig->store);
	rig->store = NULL;
}

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *at)
{
	(void)file, (void)type, (void)at;
	return remove(path);
}

void rig_delete_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void rig_destroy(struct rig *rig)
{
	if (rig->store)
		rig_stop(rig, false);
	feed_close(&rig->feed, true);
	rig_delete_tree(rig->directory);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void rig_feed(struct rig *rig, uint32_t shard, uint64_t count, uint32_t length, uint32_t burst)
{
	uint32_t workers = rig->feed.writer.geometry.workers;

	for (uint64_t n = 0; n < count; n++) {
		for (uint32_t w = 0; w < workers; w++) {
			while (!feed_append(&rig->feed, w, shard, length)) {
				feed_commit(&rig->feed, w);
				nap();
			}
			if ((n + 1) % burst == 0 || n + 1 == count)
				feed_commit(&rig->feed, w);
		}
	}
}

bool rig_settle(struct rig *rig, uint32_t timeout_ms)
{
	for (uint32_t tries = 0; tries < timeout_ms * 5; tries++) {
		bool done = true;

		for (uint32_t s = 0; s < rig->shards_count && done; s++)
			for (uint32_t w = 0; w < rig->feed.writer.geometry.workers && done; w++)
				done = atomic_load(&rig->feed.control->head[s][w]) ==
				       rig->feed.workers[w].lanes[s].position;
		if (done)
			return true;
		nap();
	}
	return false;
}

static void tally_gap(struct rig_tally *t, const struct record *r)
{
	struct gap gap;

	memcpy(&gap, record_payload(r), sizeof gap);
	t->gaps++;
	if (gap.count == GAP_COUNT_UNKNOWN)
		t->unknown_gaps++;
	else
		t->gap_records += gap.count;
	if (gap.reason == GAP_BATCH_DAMAGED)
		t->damaged_gaps += gap.count;
}

static void tally_record(struct rig_tally *t, const struct record *r, uint32_t slot)
{
	struct feed_payload payload;

	if (!feed_check(r, &payload))
		t->wrong = "a record is torn";
	else if (payload.slot != slot || payload.worker >= RIG_WORKERS_MAX)
		t->wrong = "a record of another shard";
	else if (payload.number < t->next[payload.worker])
		t->wrong = "a record came twice";
	if (t->wrong)
		return;
	t->skipped += payload.number - t->next[payload.worker];
	t->next[payload.worker] = payload.number + 1;
	t->records++;
}

static void tally_batch(struct rig_tally *t, const struct store_batch *b, uint32_t slot)
{
	uint64_t before = t->records, sequences = 0;
	uint32_t damaged = 0;
	size_t at = 0;

	if (b->first_sequence < t->next_sequence)
		t->wrong = "sequences repeat";
	while (at < b->length && !t->wrong) {
		const struct record *r = (const struct record *)(b->bytes + at);
		uint32_t bytes = record_check(r, b->length - at);

		if (bytes == 0) {
			t->wrong = "a batch ends in the middle of a record";
			return;
		}
		if (r->kind == RECORD_GAP) {
			struct gap gap;

			memcpy(&gap, record_payload(r), sizeof gap);
			damaged += gap.reason == GAP_BATCH_DAMAGED;
			tally_gap(t, r);
		} else {
			tally_record(t, r, slot);
		}
		sequences++;
		at += bytes;
	}
	if (!t->wrong && (t->records - before != b->records || (!damaged && sequences != b->sequences)))
		t->wrong = "a batch's counts are not those of its records";
	t->crc = t->crc * 31 + segment_crc(b->bytes, b->length);
	if (t->first_sequence == 0)
		t->first_sequence = b->first_sequence;
	t->next_sequence = b->first_sequence + b->sequences;
}

struct rig_tally rig_read(struct rig *rig, uint32_t shard, uint64_t sequence)
{
	struct rig_tally t = {0};
	struct shard_reader *reader;
	struct store_batch b;
	int result;

	must(shard_reader_open(rig->shards[shard], &reader), "shard_reader_open");
	while (!t.wrong && (result = shard_read(reader, sequence, &b)) == 1) {
		tally_batch(&t, &b, rig->shards_count ? shard : 0);
		sequence = t.next_sequence;
	}
	if (!t.wrong && result < 0)
		t.wrong = strerror(-result);
	shard_reader_close(reader);
	return t;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool rig_segment(struct rig *rig, uint32_t shard, int nth, char path[512])
{
	char directory[256], names[1024][64];
	struct dirent *entry;
	uint64_t first;
	int count = 0;
	DIR *d;

	snprintf(directory, sizeof directory, "%s/streams/test.7/%u", rig->directory, shard);
	d = opendir(directory);
	while (d && (entry = readdir(d)) != NULL && count < 1024)
		if (segment_parse_name(entry->d_name, SEGMENT_SUFFIX, &first))
			snprintf(names[count++], sizeof names[0], "%.60s", entry->d_name);
	if (d)
		closedir(d);
	qsort(names, (size_t)count, sizeof names[0], compare_names);
	if (nth < 0)
		nth += count;
	if (nth < 0 || nth >= count)
		return false;
	snprintf(path, 512, "%s/%s", directory, names[nth]);
	return true;
}

void rig_delete_indexes(struct rig *rig, uint32_t shard)
{
	char path[512];

	for (int nth = 0; rig_segment(rig, shard, nth, path); nth++) {
		snprintf(path + strlen(path) - strlen(SEGMENT_SUFFIX), 16, ".index");
		unlink(path);
	}
}
