// Writing and reading back through the public interface, with everything in order.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/store_rig.h"

static void what_was_published_is_read_back_byte_for_byte(void **state)
{
	struct shard_status status;
	struct store_status store_status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 1, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	rig_feed(&rig, 0, 20000, 200, 32);
	assert_true(rig_settle(&rig, 5000));
	tally = rig_read(&rig, 0, 0);
	assert_all_right(tally);
	assert_int_equal(tally.records, 20001);
	assert_int_equal(tally.skipped, 0);
	assert_int_equal(tally.gaps, 0);
	shard_get_status(rig.shards[0], &status);
	assert_int_equal(status.stored_records, 20001);
	assert_int_equal(status.retained_records, 20001);
	assert_int_equal(status.expired_records + status.lost_records, 0);
	assert_int_equal(status.next_sequence, tally.next_sequence);
	assert_int_equal(status.durable_sequence, tally.next_sequence);
	assert_int_equal(status.trim_sequence, tally.first_sequence);
	assert_true(status.segments > 3);
	assert_int_equal(status.generation, rig.feed.reader.generation);
	assert_int_equal(status.lane_records, 20001);
	assert_true(status.writable);
	assert_true(status.newest_ns >= status.oldest_ns && status.oldest_ns > 0);
	store_get_status(rig.store, &store_status);
	assert_int_equal(store_status.head_invalid, 0);
	assert_true(store_status.drained_bytes > 20000 * 200);
	assert_int_equal(store_status.write_errors, 0);
	rig_destroy(&rig);
}

static void many_shards_and_workers_keep_their_records_apart_and_in_order(void **state)
{
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 4, 9);
	rig_start(&rig);
	for (int round = 0; round < 5; round++)
		for (uint32_t s = 0; s < 9; s++)
			rig_feed(&rig, s, 100 + s * 10, 50 + s * 200, 7);
	assert_true(rig_settle(&rig, 10000));
	for (uint32_t s = 0; s < 9; s++) {
		struct rig_tally tally = rig_read(&rig, s, 0);

		assert_all_right(tally);
		assert_int_equal(tally.records, 4 * 5 * (100 + s * 10));
		assert_int_equal(tally.skipped, 0);
	}
	rig_destroy(&rig);
}

static void a_restart_goes_on_where_it_stopped(void **state)
{
	uint64_t next = 0;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 2);
	for (int round = 1; round <= 5; round++) {
		struct rig_tally tally;

		rig_start(&rig);
		tally = rig_read(&rig, 1, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, (round - 1) * 600);
		assert_int_equal(tally.next_sequence, next);
		rig_feed(&rig, 1, 300, 333, 10);
		rig_stop(&rig, round % 2);
		if (round % 2 == 0) { /* not drained: it is still in the lanes, and comes now */
			rig_start(&rig);
			assert_true(rig_settle(&rig, 5000));
			rig_stop(&rig, true);
		}
		rig_start(&rig);
		tally = rig_read(&rig, 1, 0);
		assert_all_right(tally);
		assert_int_equal(tally.records, round * 600);
		assert_int_equal(tally.skipped, 0);
		assert_int_equal(tally.gaps, 0);
		next = tally.next_sequence;
		rig_stop(&rig, false);
	}
	rig_destroy(&rig);
}

static void idle_restarts_leave_no_files(void **state)
{
	struct rig rig;
	char path[512], same[512];

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	for (int i = 0; i < 3; i++) {
		rig_start(&rig);
		rig_stop(&rig, true);
	}
	assert_false(rig_segment(&rig, 0, 0, path));
	rig_start(&rig);
	rig_feed(&rig, 0, 10, 100, 1);
	rig_stop(&rig, true);
	assert_true(rig_segment(&rig, 0, 0, path));
	for (int i = 0; i < 3; i++) {
		rig_start(&rig);
		rig_stop(&rig, true);
	}
	assert_true(rig_segment(&rig, 0, -1, same));
	assert_string_equal(path, same);
	rig_destroy(&rig);
}

struct race {
	struct rig *rig;
	struct rig_tally tally;
	uint64_t wanted;
};

static void *follow(void *arg)
{
	struct race *race = arg;
	struct shard_reader *reader;
	uint64_t sequence = 0;
	struct store_batch b;

	assert_int_equal(shard_reader_open(race->rig->shards[0], &reader), 0);
	while (race->tally.records < race->wanted && !race->tally.wrong) {
		int result = shard_read(reader, sequence, &b);
		size_t at = 0;

		if (result == 0) {
			shard_wait(race->rig->shards[0], sequence, 100);
			continue;
		}
		if (result < 0 || b.first_sequence < sequence) {
			race->tally.wrong = "read failed";
			break;
		}
		while (at < b.length) {
			const struct record *r = (const struct record *)(b.bytes + at);
			struct feed_payload p;

			if (!feed_check(r, &p) || p.number != race->tally.next[p.worker]++) {
				race->tally.wrong = "torn, twice or missing";
				break;
			}
			race->tally.records++;
			at += record_check(r, b.length - at);
		}
		sequence = b.first_sequence + b.sequences;
	}
	shard_reader_close(reader);
	return NULL;
}

static void readers_at_the_tail_see_everything_once(void **state)
{
	struct race races[3];
	pthread_t threads[3];
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 1);
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		races[i] = (struct race){.rig = &rig, .wanted = 2 * 30000};
		pthread_create(&threads[i], NULL, follow, &races[i]);
	}
	rig_feed(&rig, 0, 30000, 90, 16);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_all_right(races[i].tally);
		assert_int_equal(races[i].tally.records, 60000);
	}
	rig_destroy(&rig);
}

static void two_readers_of_a_shard_do_not_disturb_each_other(void **state)
{
	struct shard_reader *a, *b;
	struct store_batch x, y;
	uint64_t from_a = 0, from_b = 0, first = 0;
	struct rig rig;
	int both = 0;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	for (int i = 0; i < 20; i++) {
		rig_feed(&rig, 0, 100, 500, 10);
		assert_true(rig_settle(&rig, 5000));
	}
	assert_int_equal(shard_reader_open(rig.shards[0], &a), 0);
	assert_int_equal(shard_reader_open(rig.shards[0], &b), 0);
	while (shard_read(a, from_a, &x) == 1) {
		assert_true(x.first_sequence == from_a || from_a == 0);
		from_a = x.first_sequence + x.sequences;
		if (++both % 3)
			continue;
		assert_int_equal(shard_read(b, from_b, &y), 1);
		if (!first)
			first = y.first_sequence;
		assert_true(y.first_sequence == from_b || from_b == 0);
		from_b = y.first_sequence + y.sequences;
		/* Going back is as good as going on. */
		assert_int_equal(shard_read(b, first, &y), 1);
		assert_int_equal(y.first_sequence, first);
	}
	assert_true(both >= 20);
	assert_true(from_b < from_a);
	shard_reader_close(a);
	shard_reader_close(b);
	rig_destroy(&rig);
}

static void a_second_store_in_the_directory_is_refused(void **state)
{
	struct store *second;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	assert_int_equal(store_open(&rig.options, &second), -EBUSY);
	rig_destroy(&rig);
}

static void a_removed_shard_is_stale_to_its_readers_and_goes_with_the_last(void **state)
{
	struct shard_reader *reader;
	struct store_batch b;
	char path[512];
	struct stat file;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 2);
	rig_start(&rig);
	rig_feed(&rig, 0, 100, 500, 10);
	rig_feed(&rig, 1, 100, 500, 10);
	assert_true(rig_settle(&rig, 5000));
	assert_int_equal(shard_reader_open(rig.shards[0], &reader), 0);
	assert_int_equal(shard_read(reader, 0, &b), 1);
	assert_int_equal(store_remove_shard(rig.store, rig.shards[0]), 0);
	assert_int_equal(shard_read(reader, 0, &b), -ESTALE);
	snprintf(path, sizeof path, "%s/streams/test.7/0.removed", rig.directory);
	assert_int_equal(stat(path, &file), 0);
	shard_reader_close(reader);
	assert_int_not_equal(stat(path, &file), 0);
	assert_int_equal(rig_read(&rig, 1, 0).records, 100);
	assert_int_equal(store_remove_shard(rig.store, rig.shards[1]), 0);
	snprintf(path, sizeof path, "%s/streams/test.7", rig.directory);
	assert_int_not_equal(stat(path, &file), 0);
	rig_destroy(&rig);
}

static void sequence_numbers_survive_their_text(void **state)
{
	static const uint64_t sequences[] = {0, 1, 4294967296, 123456789012345, UINT64_MAX};
	static const uint32_t shards[] = {0, 1, 255, UINT32_MAX};
	static const char *const bad[] = {"",
					  "-1",
					  "+1",
					  " 1",
					  "1 ",
					  "01",
					  "1x",
					  "79228162514264337593543950336",
					  "99999999999999999999999999999999999999999"};
	char text[SEQUENCE_TEXT_MAX], before[SEQUENCE_TEXT_MAX];
	uint64_t sequence;
	uint32_t shard;

	(void)state;
	for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
		for (size_t j = 0; j < sizeof shards / sizeof shards[0]; j++) {
			sequence_format(text, shards[j], sequences[i]);
			assert_int_equal(sequence_parse(text, &shard, &sequence), 0);
			assert_true(sequence == sequences[i] && shard == shards[j]);
		}
	sequence_format(text, 3, 1);
	assert_string_equal(text, "4294967299");
	sequence_format(before, UINT32_MAX, UINT64_MAX);
	assert_string_equal(before, "79228162514264337593543950335");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(sequence_parse(bad[i], &shard, &sequence), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_published_is_read_back_byte_for_byte),
		cmocka_unit_test(many_shards_and_workers_keep_their_records_apart_and_in_order),
		cmocka_unit_test(a_restart_goes_on_where_it_stopped),
		cmocka_unit_test(idle_restarts_leave_no_files),
		cmocka_unit_test(readers_at_the_tail_see_everything_once),
		cmocka_unit_test(two_readers_of_a_shard_do_not_disturb_each_other),
		cmocka_unit_test(a_second_store_in_the_directory_is_refused),
		cmocka_unit_test(a_removed_shard_is_stale_to_its_readers_and_goes_with_the_last),
		cmocka_unit_test(sequence_numbers_survive_their_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
