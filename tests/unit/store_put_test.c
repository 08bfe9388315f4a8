// Records that penstockd itself appends: durable, in order, once, across crashes and refusing disks.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/files.h"
#include "control/store/segment.h"
#include "tests/support/delivery_fakes.h"
#include "tests/support/store_rig.h"

#define WAIT_MS 30000u
#define INPUT 77u /* tells put records from the feed's */

static _Alignas(8) uint8_t bytes[1 << 20];

/* `count` records that carry their numbers from `number` on. Their length. */
static size_t numbered(uint8_t *to, uint64_t number, uint32_t count)
{
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++, number++) {
		struct fake_record r = fake_text(1000 + number, "");

		r.input = INPUT;
		r.payload = &number;
		r.payload_length = sizeof number;
		at += fake_record_put(to + at, &r);
	}
	return at;
}

static int put(struct shard *shard, uint64_t number, uint32_t count, uint64_t mark)
{
	return store_put(shard, bytes, numbered(bytes, number, count), mark, WAIT_MS);
}

struct seen {
	uint64_t put, fed, expected; /* expected: the number that comes next */
	bool in_order;
};

static struct seen read_all(struct shard *shard)
{
	struct seen seen = {.in_order = true};
	struct shard_reader *reader;
	struct store_batch b;
	uint64_t sequence = 0, number;

	assert_int_equal(shard_reader_open(shard, &reader), 0);
	while (shard_read(reader, sequence, &b) == 1) {
		for (size_t at = 0; at < b.length;) {
			const struct record *r = (const struct record *)(b.bytes + at);
			uint32_t length = record_check(r, b.length - at);

			assert_int_not_equal(length, 0);
			at += length;
			if (r->kind != RECORD_DATA || r->input != INPUT) {
				seen.fed += r->kind == RECORD_DATA;
				continue;
			}
			memcpy(&number, record_payload(r), sizeof number);
			seen.in_order &= number == seen.expected;
			seen.expected = number + 1;
			seen.put++;
		}
		sequence = b.first_sequence + b.sequences;
	}
	shard_reader_close(reader);
	return seen;
}

static void expect(struct shard *shard, uint64_t count, uint64_t fed)
{
	struct seen seen = read_all(shard);
	struct shard_status status;

	assert_int_equal(seen.put, count);
	assert_int_equal(seen.fed, fed);
	assert_true(seen.in_order);
	shard_get_status(shard, &status);
	assert_int_equal(status.put_records, count);
	assert_int_equal(status.stored_records, count + fed);
}

static void what_is_put_is_durable_readable_and_counted_beside_the_lanes(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 1);
	rig_start(&rig);
	for (uint64_t n = 0; n < 50; n++) {
		rig_feed(&rig, 0, 20, 100, 5);
		assert_int_equal(put(rig.shards[0], n * 10, 10, 0), 0);
	}
	assert_true(rig_settle(&rig, WAIT_MS));
	expect(rig.shards[0], 500, 2000);
	rig_stop(&rig, true);
	rig_start(&rig);
	expect(rig.shards[0], 500, 2000);
	assert_int_equal(shard_put_mark(rig.shards[0]), 0);
	rig_destroy(&rig);
}

static void it_needs_no_dataplane(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	assert_int_equal(store_detach(rig.store, false, 0), 0);
	assert_int_equal(put(rig.shards[0], 0, 3, 0), 0);
	expect(rig.shards[0], 3, 0);
	rig_destroy(&rig);
}

static void a_mark_that_is_known_appends_nothing_also_after_a_start(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 2);
	rig_start(&rig);
	assert_int_equal(put(rig.shards[0], 0, 2, 5), 0);
	assert_int_equal(put(rig.shards[0], 0, 2, 5), -EALREADY);
	assert_int_equal(put(rig.shards[0], 0, 2, 4), -EALREADY);
	assert_int_equal(put(rig.shards[1], 0, 1, 4), 0); /* marks are a shard's own */
	assert_int_equal(put(rig.shards[0], 2, 1, 0), 0); /* no mark: the last one stays */
	rig_feed(&rig, 0, 10, 100, 10);
	assert_true(rig_settle(&rig, WAIT_MS));
	for (int i = 0; i < 3; i++) {
		rig_stop(&rig, true);
		rig_start(&rig);
		assert_int_equal(shard_put_mark(rig.shards[0]), 5);
		assert_int_equal(put(rig.shards[0], 0, 2, 5), -EALREADY);
	}
	assert_int_equal(put(rig.shards[0], 3, 1, 6), 0);
	expect(rig.shards[0], 4, 10);
	expect(rig.shards[1], 1, 0);
	rig_destroy(&rig);
}

static void a_mark_outlives_the_records_and_the_files_it_came_with(void **state)
{
	struct rig rig;
	struct shard_status status;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	assert_int_equal(put(rig.shards[0], 0, 7, 9), 0);
	for (int i = 0; i < 4; i++) /* several segments */
		rig_feed(&rig, 0, 600, 1000, 50);
	assert_true(rig_settle(&rig, WAIT_MS));
	assert_int_equal(shard_set_retention(rig.shards[0], 1, 0), 0);
	for (int i = 0; i < 100; i++) {
		shard_get_status(rig.shards[0], &status);
		if (status.retained_records == 0)
			break;
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	assert_int_equal(status.retained_records, 0);
	rig_stop(&rig, true);
	rig_start(&rig);
	shard_get_status(rig.shards[0], &status);
	assert_int_equal(status.put_records, 7);
	assert_int_equal(status.stored_records, 2407);
	assert_int_equal(put(rig.shards[0], 0, 7, 9), -EALREADY);
	rig_destroy(&rig);
}

static void what_is_no_data_record_is_refused(void **state)
{
	struct rig rig;
	struct gap gap = {.count = 1, .reason = GAP_LANE_FULL};
	struct fake_record r = {.kind = RECORD_GAP, .vlan = RECORD_VLAN_NONE, .payload = &gap, .payload_length = sizeof gap};
	size_t length;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	length = fake_record_put(bytes, &r);
	assert_int_equal(store_put(rig.shards[0], bytes, length, 0, WAIT_MS), -EINVAL);
	assert_int_equal(store_put(rig.shards[0], bytes, 0, 0, WAIT_MS), -EINVAL);
	length = numbered(bytes, 0, 2);
	assert_int_equal(store_put(rig.shards[0], bytes, length - 8, 0, WAIT_MS), -EINVAL);
	length = numbered(bytes, 0, 5000);
	assert_true(length > rig.options.batch_bytes);
	assert_int_equal(store_put(rig.shards[0], bytes, length, 0, WAIT_MS), -EMSGSIZE);
	/* As much as a batch may have, beside one that is open. */
	length = numbered(bytes, 0, (uint32_t)rig.options.batch_bytes / 48);
	assert_true(length <= rig.options.batch_bytes);
	assert_int_equal(store_put(rig.shards[0], bytes, length, 0, WAIT_MS), 0);
	assert_int_equal(store_put(rig.shards[0], bytes, length, 0, WAIT_MS), 0);
	rig_destroy(&rig);
}

struct putter {
	struct shard *shard;
	uint64_t from;
	int failed;
};

static void *put_many(void *arg)
{
	struct putter *p = arg;
	_Alignas(8) uint8_t own[4096];

	for (uint64_t n = 0; n < 100; n++)
		p->failed |= store_put(p->shard, own, numbered(own, p->from + n, 1), 0, WAIT_MS);
	return NULL;
}

static void many_at_once_share_commits_and_lose_nothing(void **state)
{
	struct putter putters[8];
	pthread_t threads[8];
	struct store_status store;
	struct shard_status status;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	for (int i = 0; i < 8; i++) {
		putters[i] = (struct putter){.shard = rig.shards[0], .from = (uint64_t)i * 1000};
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &putters[i]), 0);
	}
	rig_feed(&rig, 0, 2000, 100, 10);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(putters[i].failed, 0);
	}
	assert_true(rig_settle(&rig, WAIT_MS));
	shard_get_status(rig.shards[0], &status);
	assert_int_equal(status.put_records, 800);
	assert_int_equal(read_all(rig.shards[0]).put, 800);
	assert_int_equal(read_all(rig.shards[0]).fed, 2000);
	store_get_status(rig.store, &store);
	assert_true(store.commits < 800);
	rig_destroy(&rig);
}

/* ---- a disk that refuses ---- */

static struct file_operations real;
static _Atomic bool refusing;

static int no_ring(unsigned entries, struct io_uring *ring)
{
	(void)entries, (void)ring;
	return -ENOSYS;
}

static ssize_t refuse(int fd, const void *from, size_t length, uint64_t at)
{
	return atomic_load(&refusing) ? -EIO : real.pwrite(fd, from, length, at);
}

static void what_the_disk_refuses_is_kept_and_its_mark_tells_when_it_is_durable(void **state)
{
	struct rig rig;

	(void)state;
	real = files;
	files.ring_init = no_ring;
	files.pwrite = refuse;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	atomic_store(&refusing, true);
	assert_int_equal(store_put(rig.shards[0], bytes, numbered(bytes, 0, 4), 3, 300), -EINPROGRESS);
	/* Again, while it is still on its way: not a second time. */
	assert_int_equal(store_put(rig.shards[0], bytes, numbered(bytes, 0, 4), 3, 100), -EINPROGRESS);
	assert_int_equal(shard_put_mark(rig.shards[0]), 0);
	atomic_store(&refusing, false);
	assert_int_equal(store_put(rig.shards[0], bytes, numbered(bytes, 0, 4), 3, WAIT_MS), -EALREADY);
	expect(rig.shards[0], 4, 0);
	rig_destroy(&rig);
	files = real;
}

static void a_segment_of_the_first_version_has_put_nothing(void **state)
{
	struct segment_header header;
	struct rig rig;
	char path[512];
	int fd;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 100, 100, 10);
	assert_true(rig_settle(&rig, WAIT_MS));
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, -1, path));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
	assert_int_equal(header.version, SEGMENT_VERSION);
	header.version = 1;
	segment_header_seal(&header);
	assert_true(segment_header_valid(&header));
	assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
	header.version = SEGMENT_VERSION + 1;
	segment_header_seal(&header);
	assert_false(segment_header_valid(&header));
	close(fd);
	rig_start(&rig);
	expect(rig.shards[0], 0, 100);
	assert_int_equal(put(rig.shards[0], 0, 1, 1), 0);
	expect(rig.shards[0], 1, 100);
	rig_destroy(&rig);
}

/* ---- kill -9 ---- */

/* Puts batch after batch, each under the mark that follows the last one begun, as a journal would have it. */
static void child_puts(struct rig *rig, _Atomic uint64_t *begun)
{
	rig_start(rig);
	for (uint64_t mark = atomic_load(begun);; mark++) {
		int error;

		if (mark > atomic_load(begun))
			atomic_store(begun, mark);
		if (mark == 0)
			continue;
		error = put(rig->shards[0], (mark - 1) * 10, 10, mark);
		if (error && error != -EALREADY)
			_exit(1);
	}
}

static void killed_at_any_moment_each_mark_is_there_once(void **state)
{
	_Atomic uint64_t *begun =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t last = 0;
	struct rig rig;
	struct seen seen;

	(void)state;
	assert_ptr_not_equal(begun, MAP_FAILED);
	rig_make(&rig, "/tmp", 1, 1);
	for (int kills = 0; kills < 30; kills++) {
		uint64_t wanted = last + 1 + (uint64_t)rand() % 40;
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0) {
			child_puts(&rig, begun);
			_exit(0);
		}
		while (atomic_load(begun) < wanted && waitpid(child, &status, WNOHANG) == 0)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		nanosleep(&(struct timespec){.tv_nsec = rand() % 2000000}, NULL);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		last = atomic_load(begun);
	}
	rig_start(&rig);
	/* The one under way may or may not be there; it is repeated as the child would have. */
	(void)put(rig.shards[0], (last - 1) * 10, 10, last);
	seen = read_all(rig.shards[0]);
	assert_true(seen.in_order);
	assert_int_equal(seen.put, last * 10);
	assert_int_equal(shard_put_mark(rig.shards[0]), last);
	rig_destroy(&rig);
	munmap(begun, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_durable_readable_and_counted_beside_the_lanes),
		cmocka_unit_test(it_needs_no_dataplane),
		cmocka_unit_test(a_mark_that_is_known_appends_nothing_also_after_a_start),
		cmocka_unit_test(a_mark_outlives_the_records_and_the_files_it_came_with),
		cmocka_unit_test(what_is_no_data_record_is_refused),
		cmocka_unit_test(many_at_once_share_commits_and_lose_nothing),
		cmocka_unit_test(what_the_disk_refuses_is_kept_and_its_mark_tells_when_it_is_durable),
		cmocka_unit_test(a_segment_of_the_first_version_has_put_nothing),
		cmocka_unit_test(killed_at_any_moment_each_mark_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
