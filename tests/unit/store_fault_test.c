// What the disk may do: refuse, lie about a sync, hang, lose a sector.
#include <stdlib.h>

#include "control/store/segment.h"
#include "tests/support/store_rig.h"
#include "tests/unit/faulty_files.h"

static void threads_do_what_the_ring_does(void **state)
{
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 3);
	rig_start(&rig);
	for (uint32_t s = 0; s < 3; s++)
		rig_feed(&rig, s, 2000, 300, 16);
	assert_true(rig_settle(&rig, 10000));
	for (uint32_t s = 0; s < 3; s++) {
		tally = rig_read(&rig, s, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, 4000);
	}
	rig_destroy(&rig);
}

/* Whatever call fails, whenever, with whatever error: nothing is lost, repeated or torn, then and after a restart. */
static void any_failing_call_loses_nothing(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EROFS, EDQUOT, EINVAL};
	struct shard_status status;
	struct store_status store_status;
	struct rig_tally tally;
	struct rig rig;
	long struck = 0;

	(void)state;
	for (int kind = 0; kind < KINDS; kind++)
		for (long at = 1; at <= 6; at++) {
			rig_make(&rig, "/tmp", 1, 1);
			rig.options.reserve_bytes = 0;
			rig.options.segment_bytes = 256 << 10;
			rig_start(&rig);
			arm((enum kind)kind, errors[(kind + at) % 5], at, 1 + at % 3);
			rig_feed(&rig, 0, 600, 1500, 20);
			if (!rig_settle(&rig, 20000))
				fail_msg("kind %d, call %ld: never stored again", kind, at);
			struck += atomic_load(&fault.failed);
			disarm();
			tally = rig_read(&rig, 0, 0);
			if (tally.wrong || tally.records != 600 || tally.gaps)
				fail_msg("kind %d, call %ld: %s, %lu records, %lu gaps", kind, at, tally.wrong,
					 (unsigned long)tally.records, (unsigned long)tally.gaps);
			shard_get_status(rig.shards[0], &status);
			assert_true(status.writable);
			assert_int_equal(status.lost_records, 0);
			store_get_status(rig.store, &store_status);
			if (atomic_load(&fault.failed) && kind != FALLOCATE)
				assert_true(store_status.write_errors > 0);
			assert_int_equal(atomic_load(&fault.misused), 0);
			rig_stop(&rig, true);
			rig_start(&rig);
			assert_int_equal(rig_read(&rig, 0, 0).crc, tally.crc);
			rig_destroy(&rig);
		}
	assert_true(struck >= KINDS * 6);
}

/* Whoever made it may have died before it was synced. */
static void a_directory_that_is_there_is_made_durable_too(void **state)
{
	char directory[] = "/tmp/penstock-made.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/a", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	arm(SYNC_DIRECTORY, EIO, 3, 1); /* "/", "/tmp", and what `path` is an entry of */
	assert_int_equal(files_make_directory(path), -EIO);
	/* One that may not be opened is not ours. */
	arm(SYNC_DIRECTORY, EACCES, 1, 2);
	assert_int_equal(files_make_directory(path), 0);
	assert_int_equal(atomic_load(&fault.failed), 2);
	disarm();
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void a_hanging_sync_only_delays(void **state)
{
	struct store_status status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	atomic_store(&fault.hang, true);
	rig_feed(&rig, 0, 50, 1000, 1);
	usleep(300000);
	store_get_status(rig.store, &status);
	assert_true(status.inflight_ms >= 200);
	assert_false(status.stalled);
	assert_int_equal(rig_read(&rig, 0, 0).records, 10);
	atomic_store(&fault.hang, false);
	assert_true(rig_settle(&rig, 5000));
	store_get_status(rig.store, &status);
	assert_true(status.inflight_ms < 200);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 60);
	rig_destroy(&rig);
}

static void a_file_system_without_direct_writes_is_used_buffered(void **state)
{
	struct store_status status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	store_get_status(rig.store, &status);
	assert_true(status.direct_io);
	arm(OPEN, EINVAL, 1, 1);
	rig_feed(&rig, 0, 100, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	store_get_status(rig.store, &status);
	assert_false(status.direct_io);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 100);
	disarm();
	rig_destroy(&rig);
}

static void what_cannot_be_read_is_a_gap_and_the_rest_is_there(void **state)
{
	struct shard_status status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.options.segment_bytes = 4 << 20;
	rig_start(&rig);
	rig_feed(&rig, 0, 3000, 1000, 50);
	rig_stop(&rig, true);
	rig_start(&rig);
	atomic_store(&bad_at, 700000);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_true(tally.damaged_gaps > 0 && tally.damaged_gaps < 1000);
	assert_int_equal(tally.records + tally.damaged_gaps, 3000);
	shard_get_status(rig.shards[0], &status);
	assert_int_equal(status.lost_records, tally.damaged_gaps);
	rig_stop(&rig, true);
	/* And at start, in the file that would be recovered from: it starts, gives no sequence twice, and says what is
	 * gone. */
	atomic_store(&bad_at, 0);
	rig_start(&rig);
	rig_stop(&rig, true);
	atomic_store(&bad_at, 700000);
	rig_delete_indexes(&rig, 0);
	rig_start(&rig);
	rig_feed(&rig, 0, 100, 1000, 50);
	assert_true(rig_settle(&rig, 5000));
	shard_get_status(rig.shards[0], &status);
	assert_true(status.next_sequence > tally.next_sequence + (1 << 20));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_true(tally.records < 3100);
	assert_int_equal(tally.next[0], 3100);
	assert_true(tally.gap_records >= tally.skipped);
	atomic_store(&bad_at, 0);
	rig_destroy(&rig);
}

/* The first sequence of the `nth` segment, which is made the bad one. */
static uint64_t spoil(struct rig *rig, int nth)
{
	struct stat file;
	char path[512];
	uint64_t first;

	assert_true(rig_segment(rig, 0, nth, path));
	assert_true(segment_parse_name(strrchr(path, '/') + 1, SEGMENT_SUFFIX, &first));
	assert_int_equal(stat(path, &file), 0);
	bad_inode = file.st_ino;
	atomic_store(&bad_at, SEGMENT_DATA + 100000);
	return first;
}

static void a_time_is_found_beside_a_bad_sector(void **state)
{
	uint64_t healthy[300], sequence, first;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.options.segment_bytes = 512 << 10;
	rig_start(&rig);
	rig_feed(&rig, 0, 3000, 1000, 20);
	rig_stop(&rig, true);
	rig_start(&rig);
	for (uint64_t i = 0; i < 300; i++)
		assert_int_equal(shard_find_time(rig.shards[0], 1000000 + i * 10, &healthy[i]), 0);
	rig_stop(&rig, true);
	rig_delete_indexes(&rig, 0);
	first = spoil(&rig, 2);
	rig_start(&rig);
	for (uint64_t i = 0; i < 300; i++) {
		assert_int_equal(shard_find_time(rig.shards[0], 1000000 + i * 10, &sequence), 0);
		/* Never behind what is looked for; in front of it only where the damage is. */
		if (sequence != healthy[i])
			assert_int_equal(sequence, first);
		assert_true(sequence <= healthy[i]);
	}
	assert_int_equal(sequence, healthy[299]);
	assert_true(first > 1 && first < healthy[299]);
	bad_inode = 0;
	atomic_store(&bad_at, 0);
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_do_what_the_ring_does, install, uninstall),
		cmocka_unit_test_setup_teardown(any_failing_call_loses_nothing, install, uninstall),
		cmocka_unit_test_setup_teardown(a_directory_that_is_there_is_made_durable_too, install, uninstall),
		cmocka_unit_test_setup_teardown(a_hanging_sync_only_delays, install, uninstall),
		cmocka_unit_test_setup_teardown(a_file_system_without_direct_writes_is_used_buffered, install, uninstall),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_a_gap_and_the_rest_is_there, install, uninstall),
		cmocka_unit_test_setup_teardown(a_time_is_found_beside_a_bad_sector, install, uninstall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
