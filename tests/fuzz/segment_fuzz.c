// Any bytes as the segment a killed penstockd left: recovered and read to its end through the store's own functions.
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/segment.h"
#include "control/store/store.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1u << 20)
#define BATCHES_MAX 10000u

static char directory[] = "/dev/shm/penstock-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *at)
{
	(void)file, (void)type, (void)at;
	return remove(path);
}

static void remove_files(void)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int pretend_sync(int fd) /* nothing here is worth a disk's time */
{
	(void)fd;
	return 0;
}

static int pretend_sync_directory(const char *path)
{
	(void)path;
	return 0;
}

/* With an odd first byte the checksums are made right, so that what they protect is reached, too. */
static void seal(uint8_t *file, size_t size)
{
	size_t at = SEGMENT_DATA;

	if (size < SEGMENT_DATA)
		return;
	segment_header_seal((struct segment_header *)file);
	while (at + sizeof(struct batch) <= size) {
		struct batch *b = (struct batch *)(file + at);

		if (b->magic != BATCH_MAGIC || b->length < sizeof *b || b->length > size - at)
			return;
		batch_seal(b);
		at += batch_round(b->length);
	}
}

static void write_segment(const uint8_t *data, size_t size, uint64_t first)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s/streams/test.7/0", directory);
	fuzz_require(files_make_directory(path) == 0);
	snprintf(path, sizeof path, "%s/streams/test.7/0/%020llu.segment", directory, (unsigned long long)first);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size && close(fd) == 0);
}

/* A right checksum vouches for the bytes, not for their being records: who reads them checks each, as here. */
static void check_batch(const struct store_batch *b)
{
	uint32_t bytes, records = 0;

	for (size_t at = 0; at < b->length; at += bytes) {
		const struct record *r = (const struct record *)(b->bytes + at);

		bytes = record_check(r, b->length - at);
		if (bytes == 0)
			return;
		records += record_is_data(r);
	}
	fuzz_require(records <= b->length / sizeof(struct record));
}

static void read_all(struct shard *shard)
{
	struct shard_reader *reader;
	struct shard_status status;
	struct store_batch b;
	uint64_t sequence, found, last = 0;
	uint32_t batches = 0;

	shard_get_status(shard, &status);
	fuzz_require(status.trim_sequence <= status.next_sequence && status.durable_sequence <= status.next_sequence);
	fuzz_require(status.stored_records == status.retained_records + status.expired_records + status.lost_records);
	fuzz_require(shard_reader_open(shard, &reader) == 0);
	sequence = status.trim_sequence;
	while (batches++ < BATCHES_MAX && shard_read(reader, sequence, &b) == 1) {
		fuzz_require(b.sequences > 0 && b.first_sequence + b.sequences > sequence);
		fuzz_require(b.first_sequence >= last);
		check_batch(&b);
		last = sequence = b.first_sequence + b.sequences;
		shard_find_time(shard, b.stored_ns, &found);
		shard_records_before(shard, b.first_sequence + b.sequences / 2, &found);
	}
	fuzz_require(batches <= BATCHES_MAX);
	shard_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ready;
	struct store_options options = {.directory = directory, .segment_bytes = 1 << 20, .batch_bytes = 128 << 10,
					.reserve_bytes = 0, .commit_ms = 10};
	struct shard_identity identity = {.stream_id = 7, .stream = "test", .retention_seconds = UINT32_MAX};
	struct store *store;
	struct shard *shard;
	uint8_t *copy;

	if (!ready++) {
		fuzz_require(mkdtemp(directory));
		atexit(remove_files);
		files.fdatasync = pretend_sync;
		files.sync_directory = pretend_sync_directory;
		log_set_level(LOG_LEVEL_ERROR);
	}
	if (size < 2 || size > INPUT_MAX)
		return -1;
	copy = fuzz_allocate(size - 2);
	memcpy(copy, data + 2, size - 2);
	if (data[0] & 1)
		seal(copy, size - 2);
	write_segment(copy, size - 2, data[1]);
	free(copy);
	fuzz_require(store_open(&options, &store) == 0);
	if (store_add_shard(store, &identity, &shard) == 0)
		read_all(shard);
	store_close(store);
	/* And once more: what recovery made of it is a store that opens. */
	fuzz_require(store_open(&options, &store) == 0);
	if (store_add_shard(store, &identity, &shard) == 0)
		read_all(shard);
	store_close(store);
	remove_files();
	fuzz_require(mkdir(directory, 0700) == 0);
	return 0;
}
