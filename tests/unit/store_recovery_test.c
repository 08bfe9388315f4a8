// Starting again after files were cut, damaged or lost, and after kill -9 at any moment.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/segment.h"
#include "tests/support/rounds.h"
#include "tests/support/store_rig.h"

static uint64_t random_state = 88172645463325252ull;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static void copy_tree(const char *from, const char *to)
{
	char command[2400];

	snprintf(command, sizeof command, "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
	assert_int_equal(system(command), 0);
}

static void overwrite(const char *path, uint64_t at, const void *bytes, size_t length)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)at), length);
	close(fd);
}

static void flip(const char *path, uint64_t at)
{
	uint8_t byte;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x40;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

#define BATCHES_MAX 256

struct layout { /* of one segment file */
	uint64_t at[BATCHES_MAX];
	struct batch batch[BATCHES_MAX];
	int count;
};

static void read_layout(const char *path, struct layout *layout)
{
	struct segment_header header;
	struct walk walk;
	struct stat file;
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	assert_true(segment_header_valid(&header));
	assert_int_equal(fstat(fd, &file), 0);
	walk_init(&walk, fd, SEGMENT_DATA, (uint64_t)file.st_size, header.first_sequence, header.records_before);
	layout->count = 0;
	while (layout->count < BATCHES_MAX && walk_next(&walk, true) == WALK_BATCH) {
		layout->at[layout->count] = walk.at;
		layout->batch[layout->count++] = walk.batch;
	}
	walk_close(&walk);
	close(fd);
}

static void many_batches(struct rig *rig, int batches, uint32_t records, uint32_t length)
{
	for (int i = 0; i < batches; i++) {
		rig_feed(rig, 0, records, length, records);
		assert_true(rig_settle(rig, 5000));
	}
}

/* The store comes up over what is there, and everything read, told by gaps or still in the lanes adds up to what was
 * fed. */
static void check_cut(struct rig *rig, uint64_t fed, uint64_t expected_records, bool torn, uint64_t next_before)
{
	struct shard_status status, again;
	struct rig_tally tally;

	rig_start(rig);
	shard_get_status(rig->shards[0], &status);
	if (torn)
		assert_true(status.next_sequence >= next_before + (1 << 20));
	else
		assert_true(status.next_sequence >= next_before);
	if (expected_records < fed)
		assert_true(shard_wait(
			rig->shards[0],
			status.durable_sequence > next_before + 1 ? status.durable_sequence : next_before, 5000));
	tally = rig_read(rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, expected_records);
	assert_int_equal(tally.records + tally.gap_records, fed);
	assert_int_equal(tally.unknown_gaps, 0);
	shard_get_status(rig->shards[0], &status);
	rig_stop(rig, true);
	rig_start(rig);
	shard_get_status(rig->shards[0], &again);
	assert_int_equal(again.next_sequence, status.next_sequence);
	assert_int_equal(again.stored_records, status.stored_records);
	assert_int_equal(rig_read(rig, 0, 0).crc, tally.crc);
	rig_stop(rig, true);
}

static void a_file_cut_anywhere_gives_its_whole_batches_and_counts_the_rest(void **state)
{
	static const int64_t deltas[] = {-4096, -1000, -65, -64, -33, -1, 0, 1, 31, 63, 64, 65, 100, 128};
	char original[160], path[512];
	struct layout layout;
	struct rig rig;
	uint64_t fed = 12 * 7;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 12, 7, 150);
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, 0, path));
	read_layout(path, &layout);
	assert_true(layout.count >= 12);
	snprintf(original, sizeof original, "%s.original", rig.directory);
	copy_tree(rig.directory, original);
	for (int i = 0; i < layout.count; i++)
		for (size_t d = (size_t)(i % STEP(4)); d < sizeof deltas / sizeof deltas[0]; d += STEP(4)) {
			uint64_t end = layout.at[i] + (uint64_t)deltas[d], kept = 0,
				 next = layout.batch[0].first_sequence;
			uint64_t last_end = SEGMENT_DATA;

			if (layout.at[i] + 4096 < 4096 + 4096 && deltas[d] < 0)
				continue; /* into the header: the next test */
			for (int j = 0; j < layout.count && layout.at[j] + layout.batch[j].length <= end; j++) {
				kept += layout.batch[j].records;
				next = layout.batch[j].first_sequence + layout.batch[j].sequences;
				last_end = batch_round(layout.at[j] + layout.batch[j].length);
			}
			if (end < SEGMENT_DATA)
				continue;
			copy_tree(original, rig.directory);
			assert_int_equal(truncate(path, (off_t)end), 0);
			check_cut(&rig, fed, kept, end > last_end, next);
		}
	rig_delete_tree(original);
	rig_destroy(&rig);
}

static void torn_bytes_at_the_end_are_cut_wherever_they_are(void **state)
{
	char original[160], path[512];
	struct layout layout;
	struct rig rig;
	int last;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 6, 7, 700);
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, 0, path));
	read_layout(path, &layout);
	last = layout.count - 1;
	snprintf(original, sizeof original, "%s.original", rig.directory);
	copy_tree(rig.directory, original);
	for (uint32_t at = 0; at < layout.batch[last].length; at += 97 * STEP(4)) {
		copy_tree(original, rig.directory);
		flip(path, layout.at[last] + at);
		check_cut(&rig, 42, 42 - layout.batch[last].records, true, layout.batch[last].first_sequence);
	}
	rig_delete_tree(original);
	rig_destroy(&rig);
}

static void a_batch_that_overtook_a_torn_one_goes_with_it(void **state)
{
	uint8_t bytes[16384] = {0};
	struct layout layout;
	struct batch *b;
	char path[512];
	struct rig rig;
	int last, fd;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 6, 7, 700);
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, 0, path));
	read_layout(path, &layout);
	last = layout.count - 1;
	/* As after a crash with two writes under way, of which only the second got through. */
	fd = open(path, O_RDWR);
	assert_true(fd >= 0 && layout.batch[last].length <= sizeof bytes);
	assert_int_equal(pread(fd, bytes, layout.batch[last].length, (off_t)layout.at[last]),
			 layout.batch[last].length);
	b = (struct batch *)bytes;
	b->overlapped = 1;
	batch_seal(b);
	assert_int_equal(pwrite(fd, bytes, b->length, (off_t)layout.at[last]), b->length);
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(pwrite(fd, bytes, layout.batch[last - 1].length, (off_t)layout.at[last - 1]),
			 layout.batch[last - 1].length);
	close(fd);
	check_cut(&rig, 42, 42 - layout.batch[last].records - layout.batch[last - 1].records, true,
		  layout.batch[last - 1].first_sequence);
	rig_destroy(&rig);
}

static void a_damaged_batch_costs_itself_and_is_told(void **state)
{
	struct shard_status status;
	char path[512], original[160];
	struct layout layout;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 60, 40, 1000);
	rig_stop(&rig, true);
	snprintf(original, sizeof original, "%s.original", rig.directory);
	copy_tree(rig.directory, original);
	for (int nth = -1; nth <= 1; nth++) {
		assert_true(rig_segment(&rig, 0, nth, path));
		read_layout(path, &layout);
		assert_true(layout.count > 4);
		for (int round = 0; round < 6; round++) {
			/* First, middle and (in a sealed file) last; header and records. */
			int i = round % 3 == 0   ? 0
				: round % 3 == 1 ? layout.count / 2
						 : layout.count - (nth < 0 ? 2 : 1);
			uint64_t at = layout.at[i] + (round < 3 ? 9 : 1500);
			uint64_t lost = layout.batch[i].records;

			copy_tree(original, rig.directory);
			flip(path, at);
			rig_start(&rig);
			for (int twice = 0; twice < 2; twice++) {
				tally = rig_read(&rig, 0, 0);
				assert_all_right(tally);
				assert_int_equal(tally.records, 2400 - lost);
				assert_int_equal(tally.damaged_gaps, lost);
				assert_int_equal(tally.skipped, lost);
				shard_get_status(rig.shards[0], &status);
				assert_int_equal(status.lost_records, lost);
				assert_int_equal(status.stored_records, 2400);
				assert_int_equal(status.retained_records, 2400 - lost);
			}
			rig_stop(&rig, true);
		}
	}
	rig_delete_tree(original);
	rig_destroy(&rig);
}

static void damaged_headers_and_indexes_cost_nothing(void **state)
{
	char path[512], index[520], original[160];
	static const uint8_t zeros[4096];
	struct rig_tally before, tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 60, 40, 1000);
	before = rig_read(&rig, 0, 0);
	rig_stop(&rig, true);
	snprintf(original, sizeof original, "%s.original", rig.directory);
	copy_tree(rig.directory, original);
	for (int round = 0; round < 10; round++) {
		copy_tree(original, rig.directory);
		for (int nth = round % 2 ? -1 : 0; nth < 64 && rig_segment(&rig, 0, nth, path); nth++) {
			snprintf(index, sizeof index, "%.*s.index", (int)(strlen(path) - strlen(SEGMENT_SUFFIX)), path);
			if (round / 2 == 0)
				overwrite(path, 0, zeros, sizeof zeros);
			else if (round / 2 == 1)
				flip(path, 100);
			else if (round / 2 == 2)
				unlink(index);
			else if (round / 2 == 3)
				flip(index, 64 + 17);
			else
				flip(index, 3);
			if (nth < 0)
				break;
		}
		rig_start(&rig);
		tally = rig_read(&rig, 0, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, 2400);
		assert_int_equal(tally.crc, before.crc);
		for (uint64_t n = 1; n < 2400; n += 177) {
			uint64_t records;

			assert_int_equal(shard_records_before(rig.shards[0], before.first_sequence + n, &records), 0);
			assert_int_equal(records, n);
		}
		rig_stop(&rig, true);
	}
	/* And it goes on: this round's store has lost its last header and with it the lanes' marks; the heads have
	 * them. */
	copy_tree(original, rig.directory);
	assert_true(rig_segment(&rig, 0, -1, path));
	overwrite(path, 0, zeros, sizeof zeros);
	rig_start(&rig);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 2410);
	assert_int_equal(tally.gaps, 0);
	rig_delete_tree(original);
	rig_destroy(&rig);
}

static void a_lost_segment_is_a_gap_of_its_size(void **state)
{
	struct shard_status status;
	struct layout layout;
	struct rig_tally tally;
	uint64_t lost = 0;
	char path[512];
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	many_batches(&rig, 90, 40, 1000);
	assert_true(rig_segment(&rig, 0, 1, path));
	read_layout(path, &layout);
	for (int i = 0; i < layout.count; i++)
		lost += layout.batch[i].records;
	/* Under the running store, and then found missing at start. */
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 2; i++) {
		tally = rig_read(&rig, 0, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, 3600 - lost);
		assert_int_equal(tally.damaged_gaps, lost);
		shard_get_status(rig.shards[0], &status);
		assert_int_equal(status.lost_records, lost);
		rig_stop(&rig, true);
		rig_start(&rig);
	}
	rig_destroy(&rig);
}

static pid_t start_child(struct rig *rig)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		rig_start(rig);
		for (;;)
			pause();
	}
	return pid;
}

static void a_segment_of_another_shard_is_put_aside(void **state)
{
	char newest[512], stranger[512], aside[520], *name;
	struct shard_status before[2], after;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 2);
	rig_start(&rig);
	rig_feed(&rig, 0, 100, 500, 10);
	rig_feed(&rig, 1, 3000, 1000, 10);
	assert_true(rig_settle(&rig, 5000));
	for (uint32_t i = 0; i < 2; i++)
		shard_get_status(rig.shards[i], &before[i]);
	rig_stop(&rig, true);
	/* The newest of shard 1 among those of shard 0: it would be the one that tells where shard 0 goes on. */
	assert_true(rig_segment(&rig, 1, -1, newest) && rig_segment(&rig, 0, 0, stranger));
	name = strrchr(stranger, '/');
	strcpy(name, strrchr(newest, '/'));
	copy_tree(newest, stranger);
	assert_int_equal(access(stranger, F_OK), 0);
	rig_start(&rig);
	snprintf(aside, sizeof aside, "%.*s.foreign", (int)(strrchr(stranger, '.') - stranger), stranger);
	assert_int_equal(access(stranger, F_OK), -1);
	assert_int_equal(access(aside, F_OK), 0);
	shard_get_status(rig.shards[0], &after);
	assert_int_equal(after.next_sequence, before[0].next_sequence);
	assert_int_equal(after.stored_records, 100);
	shard_get_status(rig.shards[1], &after);
	assert_int_equal(after.stored_records, before[1].stored_records);
	rig_feed(&rig, 0, 50, 500, 10);
	assert_true(rig_settle(&rig, 5000));
	tally = rig_read(&rig, 0, 0);
	assert_null(tally.wrong);
	assert_int_equal(tally.records, 150);
	rig_destroy(&rig);
}

static void kills_at_any_moment_lose_repeat_and_tear_nothing(void **state)
{
	uint64_t floor = 0, fed = 0, waited;
	struct rig_tally tally;
	struct rig rig;
	int kills = 0;

	(void)state;
	random_state ^= (uint64_t)time(NULL) * 2654435761u;
	printf("# seed %lu\n", (unsigned long)random_state);
	rig_make(&rig, "/tmp", 2, 1);
	rig.options.segment_bytes = 512 << 10;
	rig.options.commit_ms = 1;
	while (kills < ROUNDS(40)) {
		pid_t child = start_child(&rig);
		uint64_t until = 500 + random_below(12000);

		for (waited = 0; waited < until;) {
			for (uint32_t w = 0; w < 2; w++) {
				uint64_t burst = 1 + random_below(40);

				while (burst-- > 0 && feed_append(&rig.feed, w, 0, 16 + (uint32_t)random_below(3000)))
					fed++;
				feed_commit(&rig.feed, w);
			}
			usleep(200);
			waited += 200;
		}
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		kills++;
		if (kills % 4)
			continue;
		rig_start(&rig);
		assert_true(rig_settle(&rig, 10000));
		tally = rig_read(&rig, 0, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, fed);
		assert_int_equal(tally.skipped, 0);
		assert_int_equal(tally.gaps, 0);
		assert_true(tally.next_sequence >= floor);
		floor = tally.next_sequence;
		rig_stop(&rig, kills % 8 == 0);
	}
	assert_true(fed > ROUNDS(1000));
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_cut_anywhere_gives_its_whole_batches_and_counts_the_rest),
		cmocka_unit_test(torn_bytes_at_the_end_are_cut_wherever_they_are),
		cmocka_unit_test(a_batch_that_overtook_a_torn_one_goes_with_it),
		cmocka_unit_test(a_damaged_batch_costs_itself_and_is_told),
		cmocka_unit_test(damaged_headers_and_indexes_cost_nothing),
		cmocka_unit_test(a_lost_segment_is_a_gap_of_its_size),
		cmocka_unit_test(a_segment_of_another_shard_is_put_aside),
		cmocka_unit_test(kills_at_any_moment_lose_repeat_and_tear_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
