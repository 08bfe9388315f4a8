// What the disk may do: refuse, fill up, lie about a sync, hang.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/files.h"
#include "control/store/segment.h"
#include "tests/support/log_rig.h"
#include "tests/support/store_rig.h"

#define FDS_MAX 1024

static struct file_operations real;

/* One fault at a time: the `at`-th call of a kind (counted from `arm`) and the `times` - 1 after it fail with `error`.
 */
enum kind { OPEN, PWRITE, FDATASYNC, FALLOCATE, RENAME, SYNC_DIRECTORY, KINDS };
static struct {
	_Atomic int kind, error;
	_Atomic long at, times;
	_Atomic long calls[KINDS];
	_Atomic long failed;
	_Atomic bool dead[FDS_MAX]; /* a write or sync of this file has failed since it was opened */
	_Atomic long misused;       /* operations on a dead file */
	_Atomic bool hang;
	_Atomic uint64_t now_ns;
} fault;

static int strikes(enum kind kind)
{
	long call = atomic_fetch_add(&fault.calls[kind], 1) + 1;

	if (atomic_load(&fault.kind) != (int)kind || call < atomic_load(&fault.at) ||
	    call >= atomic_load(&fault.at) + atomic_load(&fault.times))
		return 0;
	atomic_fetch_add(&fault.failed, 1);
	return -atomic_load(&fault.error);
}

static int faulty_open(const char *path, int flags, unsigned mode)
{
	int error = (flags & O_CREAT) && strstr(path, ".segment") ? strikes(OPEN) : 0, fd;

	fd = error ? error : real.open(path, flags, mode);
	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], false);
	return fd;
}

static bool is_segment(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	return strstr(path, ".segment") != NULL;
}

static void check_alive(int fd)
{
	if (fd < FDS_MAX && atomic_load(&fault.dead[fd]))
		atomic_fetch_add(&fault.misused, 1);
}

static ssize_t faulty_pwrite(int fd, const void *bytes, size_t length, uint64_t at)
{
	int error = is_segment(fd) ? strikes(PWRITE) : 0;

	check_alive(fd);
	if (error && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], true);
	/* A failing write may well have written something. */
	if (error && length > 4096)
		real.pwrite(fd, bytes, length / 2 & ~4095ul, at);
	return error ? error : real.pwrite(fd, bytes, length, at);
}

/* A bad sector: reads that touch it fail. */
static _Atomic uint64_t bad_at;
static uint64_t bad_inode; /* of the one file that has it; 0: all have */

static bool is_bad(int fd)
{
	struct stat file;

	return is_segment(fd) && (!bad_inode || (fstat(fd, &file) == 0 && file.st_ino == bad_inode));
}

static ssize_t faulty_pread(int fd, void *bytes, size_t length, uint64_t at)
{
	uint64_t bad = atomic_load(&bad_at);

	return bad && at <= bad && bad < at + length && is_bad(fd) ? -EIO : real.pread(fd, bytes, length, at);
}

static int faulty_fdatasync(int fd)
{
	int error = is_segment(fd) ? strikes(FDATASYNC) : 0;

	check_alive(fd);
	while (atomic_load(&fault.hang))
		usleep(1000);
	if (error && fd < FDS_MAX)
		atomic_store(&fault.dead[fd], true);
	return error ? error : real.fdatasync(fd);
}

static int faulty_fallocate(int fd, int mode, uint64_t at, uint64_t length)
{
	int error = strikes(FALLOCATE);

	return error ? error : real.fallocate(fd, mode, at, length);
}

static int faulty_rename(const char *from, const char *to)
{
	int error = strikes(RENAME);

	return error ? error : real.rename(from, to);
}

static int faulty_sync_directory(const char *path)
{
	int error = strikes(SYNC_DIRECTORY);

	return error ? error : real.sync_directory(path);
}

static int no_ring(unsigned entries, struct io_uring *ring)
{
	(void)entries, (void)ring;
	return -ENOSYS;
}

static void arm(enum kind kind, int error, long at, long times)
{
	atomic_store(&fault.at, atomic_load(&fault.calls[kind]) + at);
	atomic_store(&fault.times, times);
	atomic_store(&fault.error, error);
	atomic_store(&fault.failed, 0);
	atomic_store(&fault.kind, (int)kind);
}

static void disarm(void)
{
	atomic_store(&fault.kind, -1);
}

static int install(void **state)
{
	(void)state;
	real = files;
	memset(&fault, 0, sizeof fault);
	disarm();
	files.open = faulty_open;
	files.pread = faulty_pread;
	files.pwrite = faulty_pwrite;
	files.fdatasync = faulty_fdatasync;
	files.fallocate = faulty_fallocate;
	files.rename = faulty_rename;
	files.sync_directory = faulty_sync_directory;
	files.ring_init = no_ring;
	return 0;
}

static int uninstall(void **state)
{
	(void)state;
	files = real;
	return 0;
}

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
		cmocka_unit_test_setup_teardown(threads_do_what_the_ring_does, install, uninstall),
		cmocka_unit_test_setup_teardown(any_failing_call_loses_nothing, install, uninstall),
		cmocka_unit_test_setup_teardown(a_disk_that_stays_full_keeps_what_it_has_and_goes_on_when_there_is_room,
						install, uninstall),
		cmocka_unit_test_setup_teardown(a_reserve_that_could_not_be_made_at_start_is_made_when_there_is_room,
						install, uninstall),
		cmocka_unit_test_setup_teardown(a_directory_that_is_there_is_made_durable_too, install, uninstall),
		cmocka_unit_test_setup_teardown(a_hanging_sync_only_delays, install, uninstall),
		cmocka_unit_test_setup_teardown(a_file_system_without_direct_writes_is_used_buffered, install,
						uninstall),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_a_gap_and_the_rest_is_there, install, uninstall),
		cmocka_unit_test_setup_teardown(a_time_is_found_beside_a_bad_sector, install, uninstall),
		cmocka_unit_test(a_small_file_system_fills_up_and_is_emptied_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
