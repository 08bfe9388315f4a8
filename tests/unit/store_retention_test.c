// What expires, when, and how it is counted; and finding a place by time and by count.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/store/files.h"
#include "tests/support/store_rig.h"

#define SECOND 1000000000ull

static struct file_operations real;
static _Atomic uint64_t clock_ns, asked;

static uint64_t test_now_ns(void)
{
	atomic_fetch_add(&asked, 1);
	return atomic_load(&clock_ns);
}

static int install(void **state)
{
	(void)state;
	real = files;
	files.now_ns = test_now_ns;
	atomic_store(&clock_ns, 1700000000 * SECOND);
	return 0;
}

static int uninstall(void **state)
{
	(void)state;
	files = real;
	return 0;
}

/* The drain looks at retention twice a second, and asks for the time when it begins: at the second time, the first has been. */
static void later(uint64_t seconds)
{
	uint64_t before;

	atomic_fetch_add(&clock_ns, seconds * SECOND);
	before = atomic_load(&asked);
	usleep(700000);
	for (int tries = 0; tries < 3000 && atomic_load(&asked) < before + 2; tries++)
		usleep(10000);
}

static void assert_adds_up(struct rig *rig, uint32_t shard, struct shard_status *status)
{
	shard_get_status(rig->shards[shard], status);
	assert_int_equal(status->stored_records,
			 status->retained_records + status->expired_records + status->lost_records);
}

static void records_older_than_the_retention_time_go(void **state)
{
	struct shard_status status;
	struct rig_tally tally;
	struct store_batch b;
	struct shard_reader *reader;
	uint64_t next, records;
	char path[512];
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.retention_seconds = 1000;
	rig_start(&rig);
	for (int i = 0; i < 4; i++) {
		rig_feed(&rig, 0, 100, 500, 10);
		assert_true(rig_settle(&rig, 5000));
		later(300);
	}
	/* 1,200 s: what was stored at 0 is too old. A slow stream fills no file, so age ends files, too. */
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.expired_records, 100);
	assert_int_equal(status.retained_records, 300);
	assert_int_equal(status.expired_early_records, 0);
	next = status.next_sequence;
	/* Who asks for what is gone gets the oldest there is, and can see how much was missed. */
	assert_int_equal(shard_reader_open(rig.shards[0], &reader), 0);
	assert_int_equal(shard_read(reader, 0, &b), 1);
	assert_int_equal(b.first_sequence, status.trim_sequence);
	assert_int_equal(b.records_before, 100);
	shard_reader_close(reader);
	later(100000);
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.expired_records, 400);
	assert_int_equal(status.retained_records, 0);
	assert_int_equal(status.trim_sequence, next);
	assert_int_equal(status.oldest_ns, 0);
	rig_stop(&rig, true);
	/* Nothing is left but the number that goes on. */
	rig_start(&rig);
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.next_sequence, next);
	assert_int_equal(status.stored_records, 400);
	assert_int_equal(status.expired_records, 400);
	assert_int_equal(shard_records_before(rig.shards[0], next, &records), 0);
	assert_int_equal(records, 400);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 10);
	assert_int_equal(tally.first_sequence, next);
	assert_int_equal(tally.gaps, 0);
	assert_true(rig_segment(&rig, 0, 0, path) && !rig_segment(&rig, 0, 1, path));
	rig_destroy(&rig);
}

static void more_bytes_than_allowed_go_oldest_first_and_are_counted_as_early(void **state)
{
	struct shard_status status, again;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.retention_bytes = 2 << 20;
	rig_start(&rig);
	rig_feed(&rig, 0, 6000, 1000, 20);
	assert_true(rig_settle(&rig, 10000));
	usleep(700000);
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.stored_records, 6000);
	assert_true(status.retained_bytes <= 2 << 20);
	assert_true(status.retained_records > 1000);
	assert_int_equal(status.expired_early_records, status.expired_records);
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, status.retained_records);
	assert_int_equal(tally.skipped, status.expired_records);
	rig_stop(&rig, true);
	rig_start(&rig);
	assert_adds_up(&rig, 0, &again);
	assert_int_equal(again.retained_records, status.retained_records);
	assert_int_equal(again.trim_sequence, status.trim_sequence);
	rig_destroy(&rig);
}

static void another_retention_holds_from_now_on(void **state)
{
	struct shard_status status;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.retention_seconds = 1000;
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		rig_feed(&rig, 0, 100, 500, 10);
		assert_true(rig_settle(&rig, 5000));
		later(300);
	}
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.retained_records, 300);
	assert_int_equal(shard_set_retention(rig.shards[0], 500, 0), 0);
	later(0);
	assert_adds_up(&rig, 0, &status);
	assert_int_equal(status.retained_records, 100);
	/* By bytes, too: files are cut small enough for some of them to go. */
	assert_int_equal(shard_set_retention(rig.shards[0], 500, 2 << 20), 0);
	rig_feed(&rig, 0, 6000, 1000, 20);
	assert_true(rig_settle(&rig, 10000));
	later(0);
	assert_adds_up(&rig, 0, &status);
	assert_true(status.retained_bytes <= 2 << 20);
	assert_true(status.retained_records > 1000);
	rig_destroy(&rig);
}

static uint64_t unreadable; /* inode of the file whose every read fails; 0: none */

static ssize_t pread_of_a_bad_disk(int fd, void *bytes, size_t length, uint64_t at)
{
	struct stat file;

	if (unreadable && fstat(fd, &file) == 0 && file.st_ino == unreadable)
		return -EIO;
	return real.pread(fd, bytes, length, at);
}

/* Four segments 300 s apart, the oldest of which is spoilt while the store is down. */
static void make_four(struct rig *rig, char oldest[512])
{
	rig_make(rig, "/tmp", 1, 1);
	rig->retention_seconds = 1000;
	rig_start(rig);
	for (int i = 0; i < 4; i++) {
		rig_feed(rig, 0, 100, 500, 10);
		assert_true(rig_settle(rig, 5000));
		later(i < 3 ? 300 : 0);
	}
	rig_stop(rig, true);
	assert_true(rig_segment(rig, 0, 0, oldest));
}

/* At 900 s: nothing is due. At 1,320 s: what was stored before 320 s is, and the spoilt one with what follows it. */
static void expect_time_goes_on(struct rig *rig, const char *oldest)
{
	struct shard_status status;

	rig_start(rig);
	later(0);
	assert_int_equal(access(oldest, F_OK), 0);
	later(420);
	assert_int_equal(access(oldest, F_OK), -1);
	assert_adds_up(rig, 0, &status);
	assert_int_equal(status.retained_records, 200);
	assert_int_equal(status.expired_early_records, 0);
	rig_destroy(rig);
}

static void a_segment_that_cannot_be_read_expires_with_what_follows_it(void **state)
{
	struct stat file;
	char oldest[512];
	struct rig rig;

	(void)state;
	make_four(&rig, oldest);
	assert_int_equal(stat(oldest, &file), 0);
	unreadable = file.st_ino;
	files.pread = pread_of_a_bad_disk;
	expect_time_goes_on(&rig, oldest);
	unreadable = 0;
}

static void a_segment_without_a_batch_expires_with_what_follows_it(void **state)
{
	char oldest[512];
	struct rig rig;

	(void)state;
	make_four(&rig, oldest);
	assert_int_equal(truncate(oldest, 4096), 0);
	rig_delete_indexes(&rig, 0);
	expect_time_goes_on(&rig, oldest);
}

struct reading {
	struct rig *rig;
	_Atomic bool stop;
	uint64_t passes;
	const char *wrong;
};

static void *read_again_and_again(void *arg)
{
	struct reading *reading = arg;

	while (!atomic_load(&reading->stop) && !reading->wrong) {
		struct rig_tally tally = rig_read(reading->rig, 0, 0);

		/* The oldest may go while they are read: then the reader jumps, and never anywhere else. */
		reading->wrong = tally.damaged_gaps ? "a gap nobody made" : tally.wrong;
		reading->passes++;
	}
	return NULL;
}

static void readers_survive_what_expires_under_them(void **state)
{
	struct reading reading[2];
	struct shard_status status;
	pthread_t threads[2];
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig.retention_bytes = 1 << 20;
	rig_start(&rig);
	for (int i = 0; i < 2; i++) {
		reading[i] = (struct reading){.rig = &rig};
		pthread_create(&threads[i], NULL, read_again_and_again, &reading[i]);
	}
	for (int i = 0; i < 20; i++) {
		rig_feed(&rig, 0, 500, 1000, 20);
		usleep(100000);
	}
	assert_true(rig_settle(&rig, 5000));
	for (int i = 0; i < 2; i++) {
		atomic_store(&reading[i].stop, true);
		pthread_join(threads[i], NULL);
		if (reading[i].wrong)
			fail_msg("%s", reading[i].wrong);
		assert_true(reading[i].passes > 1);
	}
	assert_adds_up(&rig, 0, &status);
	assert_true(status.expired_records > 0);
	assert_int_equal(status.lost_records, 0);
	rig_destroy(&rig);
}

#define BATCHES_MAX 2000

struct model { /* every retained batch, as read one by one */
	struct {
		uint64_t first, sequences, records_before, last_arrival_ns, data[512];
	} batch[BATCHES_MAX];
	int count;
	uint64_t next;
};

static void read_model(struct rig *rig, struct model *m)
{
	struct shard_reader *reader;
	struct store_batch b;
	uint64_t sequence = 0;

	m->count = 0;
	assert_int_equal(shard_reader_open(rig->shards[0], &reader), 0);
	while (shard_read(reader, sequence, &b) == 1) {
		uint64_t n = 0;
		size_t at = 0;

		assert_true(m->count < BATCHES_MAX && b.sequences < 512);
		m->batch[m->count].first = b.first_sequence;
		m->batch[m->count].sequences = b.sequences;
		m->batch[m->count].records_before = b.records_before;
		m->batch[m->count].last_arrival_ns = 0;
		while (at < b.length) {
			const struct record *r = (const struct record *)(b.bytes + at);

			m->batch[m->count].data[n++] = r->kind == RECORD_DATA;
			if (r->arrival_ns > m->batch[m->count].last_arrival_ns)
				m->batch[m->count].last_arrival_ns = r->arrival_ns;
			at += record_check(r, b.length - at);
		}
		m->count++;
		sequence = b.first_sequence + b.sequences;
	}
	m->next = sequence;
	shard_reader_close(reader);
}

static uint64_t model_time(const struct model *m, uint64_t ns)
{
	for (int i = 0; i < m->count; i++)
		if (m->batch[i].last_arrival_ns >= ns)
			return m->batch[i].first;
	return m->next;
}

static uint64_t model_records(const struct model *m, uint64_t sequence)
{
	uint64_t records = m->batch[0].records_before;

	for (int i = 0; i < m->count; i++)
		for (uint64_t n = 0; n < m->batch[i].sequences && m->batch[i].first + n < sequence; n++)
			records += m->batch[i].data[n];
	return records;
}

static void lookups_agree_with_reading_everything(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 1);
	rig.retention_bytes = 12 << 20;
	rig_start(&rig);
	for (int i = 0; i < 300; i++) {
		rig_feed(&rig, 0, 1 + (uint32_t)i % 23, 400 + (uint32_t)(i * 97) % 4000, 5);
		if (i % 3 == 0)
			assert_true(rig_settle(&rig, 5000));
	}
	assert_true(rig_settle(&rig, 5000));
	for (int round = 0; round < 2; round++) {
		usleep(700000);
		read_model(&rig, m);
		assert_true(m->count > 80);
		for (uint64_t ns = 999990; ns < 1000000 + 3600; ns += 7) {
			uint64_t sequence;

			assert_int_equal(shard_find_time(rig.shards[0], ns, &sequence), 0);
			assert_int_equal(sequence, model_time(m, ns));
		}
		for (uint64_t sequence = m->batch[0].first; sequence <= m->next; sequence += 13) {
			uint64_t records;

			assert_int_equal(shard_records_before(rig.shards[0], sequence, &records), 0);
			assert_int_equal(records, model_records(m, sequence));
		}
		rig_stop(&rig, true);
		rig_start(&rig);
	}
	rig_destroy(&rig);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_older_than_the_retention_time_go, install, uninstall),
		cmocka_unit_test_setup_teardown(a_segment_that_cannot_be_read_expires_with_what_follows_it, install,
						uninstall),
		cmocka_unit_test_setup_teardown(a_segment_without_a_batch_expires_with_what_follows_it, install,
						uninstall),
		cmocka_unit_test_setup_teardown(another_retention_holds_from_now_on, install, uninstall),
		cmocka_unit_test(more_bytes_than_allowed_go_oldest_first_and_are_counted_as_early),
		cmocka_unit_test(readers_survive_what_expires_under_them),
		cmocka_unit_test(lookups_agree_with_reading_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
