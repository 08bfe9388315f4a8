// A disk that is full: what is stored stays, what is not waits, and both go on when there is room.
#include <stdlib.h>
#include <sys/mount.h>

#include "tests/support/log_rig.h"
#include "tests/support/store_rig.h"
#include "tests/unit/faulty_files.h"

static void a_disk_that_stays_full_keeps_what_it_has_and_goes_on_when_there_is_room(void **state)
{
	struct shard_status status;
	struct rig_tally tally;
	char reserve[200];
	struct stat file;
	struct rig rig;
	uint64_t fed = 0;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	log_rig_begin();
	rig_feed(&rig, 0, 100, 1000, 10);
	assert_true(rig_settle(&rig, 5000));
	snprintf(reserve, sizeof reserve, "%s/reserve", rig.directory);
	assert_int_equal(stat(reserve, &file), 0);
	arm(PWRITE, ENOSPC, 1, 1000000);
	while (feed_append(&rig.feed, 0, 0, 1000))
		fed++; /* until the lane is full: that is where the dataplane counts and drops */
	feed_commit(&rig.feed, 0);
	assert_false(rig_settle(&rig, 2000));
	assert_true(atomic_load(&fault.failed) >= 3);
	shard_get_status(rig.shards[0], &status);
	assert_false(status.writable);
	assert_int_equal(status.stored_records, 100);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 100);
	disarm();
	assert_true(rig_settle(&rig, 10000));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 100 + fed);
	shard_get_status(rig.shards[0], &status);
	assert_true(status.writable);
	assert_int_equal(stat(reserve, &file), 0);
	assert_int_equal(file.st_size, rig.options.reserve_bytes);
	/* Each is said once, however often the reserve was made and given up. */
	assert_int_equal(log_rig_count("gave up the reserve"), 1);
	assert_int_equal(log_rig_count("has room again"), 1);
	log_rig_end();
	rig_destroy(&rig);
}

static void a_reserve_that_could_not_be_made_at_start_is_made_when_there_is_room(void **state)
{
	struct rig_tally tally;
	char reserve[200];
	struct stat file;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	arm(FALLOCATE, ENOSPC, 1, 1000000);
	rig_start(&rig);
	snprintf(reserve, sizeof reserve, "%s/reserve", rig.directory);
	assert_int_not_equal(stat(reserve, &file), 0);
	rig_feed(&rig, 0, 100, 1000, 10);
	assert_false(rig_settle(&rig, 500));
	disarm();
	assert_true(rig_settle(&rig, 10000));
	assert_int_equal(stat(reserve, &file), 0);
	assert_int_equal(file.st_size, rig.options.reserve_bytes);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 100);
	rig_destroy(&rig);
}

/* The real thing, with the ring: a tmpfs of a few megabytes. */
static void a_small_file_system_fills_up_and_is_emptied_again(void **state)
{
	char mountpoint[] = "/tmp/penstock-small.XXXXXX", ballast[64], reserve[200];
	struct shard_status status;
	struct rig_tally tally;
	struct stat file;
	struct rig rig;
	uint64_t fed = 0;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(mountpoint));
	if (mount("none", mountpoint, "tmpfs", 0, "size=6m") != 0) {
		rmdir(mountpoint);
		skip();
	}
	rig_make(&rig, mountpoint, 1, 1);
	rig_start(&rig);
	snprintf(reserve, sizeof reserve, "%s/reserve", rig.directory);
	snprintf(ballast, sizeof ballast, "%s/ballast", mountpoint);
	fd = open(ballast, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 4 << 20), 0);
	while (fed < 20000) {
		int tries = 0;

		while (!feed_append(&rig.feed, 0, 0, 1000) && tries++ < 400)
			usleep(1000);
		if (tries > 400)
			break;
		fed++;
		feed_commit(&rig.feed, 0);
	}
	assert_true(fed < 20000);
	shard_get_status(rig.shards[0], &status);
	assert_false(status.writable);
	assert_int_not_equal(stat(reserve, &file), 0); /* given up: metadata can be written */
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, status.stored_records);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(rig_settle(&rig, 10000));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, fed);
	assert_int_equal(tally.gaps, 0);
	assert_int_equal(stat(reserve, &file), 0);
	close(fd);
	rig_destroy(&rig);
	unlink(ballast);
	assert_int_equal(umount(mountpoint), 0);
	rmdir(mountpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_disk_that_stays_full_keeps_what_it_has_and_goes_on_when_there_is_room,
						install, uninstall),
		cmocka_unit_test_setup_teardown(a_reserve_that_could_not_be_made_at_start_is_made_when_there_is_room,
						install, uninstall),
		cmocka_unit_test(a_small_file_system_fills_up_and_is_emptied_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
