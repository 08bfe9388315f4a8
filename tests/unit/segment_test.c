// The format on disk, byte for byte, and the walk over files nobody should have written.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/files.h"
#include "control/store/index.h"
#include "control/store/segment.h"
#include "tests/support/store_rig.h"

/* Bit by bit, from the definition: shares nothing with the code under test. */
static uint32_t plain_crc32c(const uint8_t *bytes, size_t length)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

#define GENERATION 0x1122334455667788ull

/* A version 1 segment as it was defined: one data record and one gap, one lane. Returns its size. */
static size_t make_version_1(uint8_t *file)
{
	uint8_t *h = file, *b = file + 4096, *span = b + 64, *r = span + 32;

	memset(file, 0, 8192);
	memcpy(h, "PENSSEG1", 8);
	put(h + 8, 1, 4);
	put(h + 12, 0, 4);   /* shard */
	put(h + 16, 7, 8);   /* stream id */
	put(h + 24, 500, 8); /* first sequence */
	put(h + 32, 300, 8); /* data records before */
	put(h + 40, GENERATION, 8);
	put(h + 48, 1700000000000000000, 8);
	put(h + 56, 4096, 8);        /* worker 0: position */
	put(h + 64, 40, 8);          /* and records */
	put(h + 56 + 16 * 5, 64, 8); /* worker 5 */
	put(h + 64 + 16 * 5, 1, 8);
	put(h + 4092, plain_crc32c(h, 4096), 4);

	memcpy(b, "PNSB", 4);
	put(b + 8, 500, 8);
	put(b + 16, 2, 4); /* sequences */
	put(b + 20, 1, 4); /* data records */
	put(b + 24, 300, 8);
	put(b + 32, 1700000000000000005, 8);
	put(b + 40, 1000, 8);
	put(b + 48, 2000, 8);
	put(b + 56, 1, 2);     /* spans */
	put(span, 0, 2);       /* worker */
	put(span + 8, 120, 8); /* bytes */
	put(span + 16, 4096 + 120, 8);
	put(span + 24, 41, 8);

	put(r, 3, 4);     /* length */
	put(r + 4, 2, 2); /* key */
	r[6] = 1;         /* data */
	r[7] = 4;         /* IPv4 origin */
	put(r + 8, 1000, 8);
	put(r + 20, 0xffff, 2);
	memcpy(r + 32, "\x7f\0\0\1\x7f\0\0\2\0\x35\0\x36", 12);
	memcpy(r + 44, "kk", 2);
	memcpy(r + 46, "abc", 3);
	r += 56; /* 49 rounded up to a multiple of 8; the next record starts there: 56 + 72 = 128 */
	put(span + 8, 56 + 72, 8);
	put(r, 40, 4);
	r[6] = 2; /* gap */
	put(r + 8, 2000, 8);
	put(r + 20, 0xffff, 2);
	put(r + 32, 9, 8);                /* count */
	put(r + 64, 1, 4);                /* lane full */
	put(b + 4, 64 + 32 + 56 + 72, 4); /* length */
	put(b + 60, plain_crc32c(b, 64 + 32 + 56 + 72), 4);
	return 4096 + 64 + 32 + 56 + 72;
}

static void write_file(const char *path, const uint8_t *bytes, size_t length)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

static void a_file_of_version_1_is_read_for_ever(void **state)
{
	struct shard_identity identity = {.stream_id = 7, .stream = "old", .retention_seconds = 0};
	struct store_options options = {
		.segment_bytes = 1 << 20, .batch_bytes = 128 << 10, .commit_ms = 1, .direct_io = true};
	char directory[] = "/tmp/penstock-store.XXXXXX", path[256], name[300];
	struct shard_reader *reader;
	struct shard_status status;
	struct store_batch b;
	struct store *store;
	struct shard *shard;
	uint8_t file[8192];
	size_t length = make_version_1(file);
	struct gap gap;

	(void)state;
	assert_non_null(mkdtemp(directory));
	options.directory = directory;
	snprintf(path, sizeof path, "%s/streams/old.7/0", directory);
	assert_int_equal(files_make_directory(path), 0);
	snprintf(name, sizeof name, "%s/00000000000000000500.segment", path);
	write_file(name, file, length);
	assert_int_equal(store_open(&options, &store), 0);
	assert_int_equal(store_add_shard(store, &identity, &shard), 0);
	shard_get_status(shard, &status);
	assert_int_equal(status.trim_sequence, 500);
	assert_int_equal(status.next_sequence, 502);
	assert_int_equal(status.stored_records, 301);
	assert_int_equal(status.retained_records, 1);
	assert_int_equal(status.expired_records, 300);
	assert_int_equal(status.oldest_ns, 1700000000000000005);
	assert_int_equal(shard_reader_open(shard, &reader), 0);
	assert_int_equal(shard_read(reader, 500, &b), 1);
	assert_int_equal(b.sequences, 2);
	assert_int_equal(b.records, 1);
	assert_int_equal(b.records_before, 300);
	assert_int_equal(b.length, 128);
	assert_memory_equal(b.bytes, file + 4096 + 96, 128);
	assert_memory_equal(record_payload((const struct record *)b.bytes), "abc", 3);
	memcpy(&gap, record_payload((const struct record *)(b.bytes + 56)), sizeof gap);
	assert_int_equal(gap.count, 9);
	assert_int_equal(shard_read(reader, 502, &b), 0);
	shard_reader_close(reader);
	store_close(store);
	rig_delete_tree(directory);
}

static void checksums_are_crc32c(void **state)
{
	uint8_t bytes[1000];

	(void)state;
	assert_int_equal(segment_crc("123456789", 9), 0xe3069283u);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i);
	for (size_t n = 0; n < sizeof bytes; n += 37)
		assert_int_equal(segment_crc(bytes, n), plain_crc32c(bytes, n));
}

static void only_whole_names_are_segments(void **state)
{
	uint64_t first;

	(void)state;
	assert_true(segment_parse_name("00000000000000000500.segment", SEGMENT_SUFFIX, &first));
	assert_int_equal(first, 500);
	assert_true(segment_parse_name("18446744073709551615.segment", SEGMENT_SUFFIX, &first));
	assert_true(first == UINT64_MAX);
	assert_false(segment_parse_name("18446744073709551616.segment", SEGMENT_SUFFIX, &first));
	assert_false(segment_parse_name("0000000000000000500.segment", SEGMENT_SUFFIX, &first));
	assert_false(segment_parse_name("00000000000000000500.segment.new", SEGMENT_SUFFIX, &first));
	assert_false(segment_parse_name("00000000000000000500.index", SEGMENT_SUFFIX, &first));
	assert_false(segment_parse_name("", SEGMENT_SUFFIX, &first));
}

static uint64_t seed = 12345;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 17;
}

/* Any file at all ends a walk, and never outside itself. */
static void random_damage_never_misleads_the_walk(void **state)
{
	uint8_t pristine[16 << 10], bytes[16 << 10];
	char path[] = "/tmp/penstock-walk.XXXXXX";
	int fd = mkstemp(path);
	uint64_t batches = 0;

	(void)state;
	assert_true(fd >= 0);
	make_version_1(pristine);
	memset(pristine + 8192, 0, sizeof pristine - 8192);
	for (int i = 1; i < 40; i++) { /* 40 batches in a row, 256 bytes apart */
		uint8_t *b = pristine + 4096 + i * 256;

		memcpy(b, pristine + 4096, 224);
		put(b + 8, 500 + 2 * (uint64_t)i, 8);
		put(b + 24, 300 + (uint64_t)i, 8);
		put(b + 60, 0, 4);
		put(b + 60, plain_crc32c(b, 224), 4);
	}
	for (int round = 0; round < 3000; round++) {
		uint64_t sequence = 500, records = 300, found = 0, missing = 0;
		struct walk walk;
		int result;

		memcpy(bytes, pristine, sizeof bytes);
		for (uint64_t n = next_random() % 12; round > 0 && n > 0; n--) {
			size_t at = next_random() % sizeof bytes, length = 1 + next_random() % 300;

			for (size_t i = at; i < at + length && i < sizeof bytes; i++)
				bytes[i] = n % 3 ? (uint8_t)next_random() : 0;
		}
		assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
		walk_init(&walk, fd, SEGMENT_DATA, sizeof bytes - next_random() % 64 * (round > 0), 500, 300);
		while ((result = walk_next(&walk, true)) > 0) {
			if (result == WALK_DAMAGE) {
				missing += walk.missing_records;
				sequence += walk.missing_sequences;
				records += walk.missing_records;
				continue;
			}
			assert_int_equal(walk.batch.first_sequence, sequence);
			assert_int_equal(walk.batch.records_before, records);
			assert_memory_equal(bytes + walk.at, pristine + walk.at, 224);
			sequence += walk.batch.sequences;
			records += walk.batch.records;
			found++;
		}
		assert_int_equal(result, WALK_END);
		assert_true(found + missing <= 40);
		if (round == 0)
			assert_int_equal(found, 40);
		batches += found;
		walk_close(&walk);
	}
	assert_true(batches > 10000);
	close(fd);
	unlink(path);
}

static void an_index_finds_by_sequence_and_by_time(void **state)
{
	struct index_entry entries[50];
	struct index index = {entries, 50};

	(void)state;
	for (uint64_t i = 0; i < 50; i++)
		entries[i] = (struct index_entry){.first_sequence = 100 + i * 10, .arrival_before_ns = i * 1000};
	assert_null(index_find_sequence(&index, 99));
	for (uint64_t s = 100; s < 700; s++) {
		uint64_t expected = (s - 100) / 10 > 49 ? 49 : (s - 100) / 10;

		assert_ptr_equal(index_find_sequence(&index, s), &entries[expected]);
	}
	assert_null(index_find_arrival(&index, 0));
	assert_ptr_equal(index_find_arrival(&index, 1), &entries[0]);
	assert_ptr_equal(index_find_arrival(&index, 1000), &entries[0]);
	assert_ptr_equal(index_find_arrival(&index, 1001), &entries[1]);
	assert_ptr_equal(index_find_arrival(&index, 1000000), &entries[49]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_of_version_1_is_read_for_ever),
		cmocka_unit_test(checksums_are_crc32c),
		cmocka_unit_test(only_whole_names_are_segments),
		cmocka_unit_test(random_damage_never_misleads_the_walk),
		cmocka_unit_test(an_index_finds_by_sequence_and_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
