// The store and the region: new generations, reused slots, and a dataplane that publishes nonsense.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/support/store_rig.h"

/* Numbers start again with a new region: this reads only kinds and counts. */
static struct rig_tally count(struct rig *rig, uint32_t shard, uint32_t reason)
{
	struct rig_tally t = {0};
	struct shard_reader *reader;
	struct store_batch b;
	uint64_t sequence = 0;

	assert_int_equal(shard_reader_open(rig->shards[shard], &reader), 0);
	while (shard_read(reader, sequence, &b) == 1) {
		for (size_t at = 0; at < b.length;) {
			const struct record *r = (const struct record *)(b.bytes + at);
			struct gap gap;

			if (r->kind == RECORD_DATA) {
				t.records++;
			} else {
				memcpy(&gap, record_payload(r), sizeof gap);
				t.gaps += gap.reason == reason;
				t.unknown_gaps += gap.count == GAP_COUNT_UNKNOWN;
				t.gap_records += gap.count == GAP_COUNT_UNKNOWN ? 0 : gap.count;
			}
			at += record_check(r, b.length - at);
		}
		assert_true(b.first_sequence >= t.next_sequence);
		sequence = t.next_sequence = b.first_sequence + b.sequences;
	}
	shard_reader_close(reader);
	return t;
}

static void a_region_that_went_away_undrained_leaves_a_gap_of_unknown_size(void **state)
{
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 2);
	rig_start(&rig);
	rig_feed(&rig, 0, 50, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	rig_stop(&rig, false);
	feed_new_generation(&rig.feed);
	rig_start(&rig);
	assert_true(rig_settle(&rig, 5000));
	rig_feed(&rig, 0, 20, 100, 1);
	rig_feed(&rig, 1, 20, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_REGION_LOST);
	assert_int_equal(tally.records, 70);
	assert_int_equal(tally.gaps, 1);
	assert_int_equal(tally.unknown_gaps, 1);
	tally = count(&rig, 1, GAP_REGION_LOST); /* had nothing in that region */
	assert_int_equal(tally.records, 20);
	assert_int_equal(tally.gaps, 0);
	/* Said once. */
	rig_stop(&rig, true);
	rig_start(&rig);
	assert_int_equal(count(&rig, 0, GAP_REGION_LOST).gaps, 1);
	rig_destroy(&rig);
}

static void a_region_drained_after_its_dataplane_stopped_leaves_no_gap(void **state)
{
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 50, 100, 1);
	atomic_store(&rig.feed.writer.region->state, REGION_STOPPED);
	rig_stop(&rig, true);
	feed_new_generation(&rig.feed);
	rig_start(&rig);
	rig_feed(&rig, 0, 20, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_REGION_LOST);
	assert_int_equal(tally.records, 70);
	assert_int_equal(tally.gaps, 0);
	rig_destroy(&rig);
}

static void moving_to_a_new_region_takes_what_the_old_one_still_holds(void **state)
{
	struct region_reader old_reader;
	struct rig_tally tally;
	struct feed old;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 50, 100, 1);
	/* A second region, as a dataplane of another geometry would make; the first stays mapped until attach returns.
	 */
	old = rig.feed;
	old_reader = old.reader;
	feed_open(&rig.feed, 2, 4, 512 << 10);
	assert_int_equal(store_attach(rig.store, &rig.feed.reader, rig.feed.control), 0);
	assert_true(old_reader.generation != rig.feed.reader.generation);
	rig_feed(&rig, 0, 20, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_REGION_LOST);
	assert_int_equal(tally.records, 50 + 2 * 20);
	assert_int_equal(tally.gaps, 0);
	feed_close(&old, true);
	rig_destroy(&rig);
}

static void a_new_shard_in_a_used_slot_does_not_get_its_predecessors_records(void **state)
{
	struct shard_identity identity = {.stream_id = 8, .stream = "next", .retention_seconds = 100};
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 30, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	assert_int_equal(store_remove_shard(rig.store, rig.shards[0]), 0);
	rig_feed(&rig, 0, 30, 100, 1); /* a worker that has not seen the new map yet */
	assert_int_equal(store_add_shard(rig.store, &identity, &rig.shards[0]), 0);
	assert_true(rig_settle(&rig, 1000)); /* the lane has its room back */
	rig_feed(&rig, 0, 40, 100, 1);
	store_close(rig.store); /* also when the first records come after a crash */
	assert_int_equal(store_open(&rig.options, &rig.store), 0);
	assert_int_equal(store_add_shard(rig.store, &identity, &rig.shards[0]), 0);
	assert_int_equal(store_attach(rig.store, &rig.feed.reader, rig.feed.control), 0);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_STORE_LOST);
	assert_int_equal(tally.records, 40);
	assert_int_equal(tally.gaps, 0);
	rig_destroy(&rig);
}

static void two_shards_cannot_have_one_slot(void **state)
{
	struct shard_identity identity = {.stream_id = 8, .stream = "other", .retention_seconds = 100};
	struct shard *shard;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	assert_int_equal(store_add_shard(rig.store, &identity, &shard), -EEXIST);
	rig_destroy(&rig);
}

static void what_is_no_record_is_skipped_counted_and_told(void **state)
{
	uint64_t random[64], seed = 7;
	struct store_status status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	for (int round = 0; round < 30; round++) {
		rig_feed(&rig, 0, 10, 100, 10);
		assert_true(rig_settle(&rig, 5000));
		for (size_t i = 0; i < 64; i++)
			random[i] = seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		/* Ten good ones in front, five that are none, counted as records. */
		for (int i = 0; i < 10; i++)
			assert_true(feed_append(&rig.feed, 0, 0, 100));
		assert_true(feed_append_raw(&rig.feed, 0, 0, random, sizeof random, 5));
		feed_commit(&rig.feed, 0);
		assert_true(rig_settle(&rig, 5000));
	}
	tally = count(&rig, 0, GAP_STORE_LOST);
	assert_int_equal(tally.records, 30 * 20);
	assert_int_equal(tally.gaps, 30);
	assert_int_equal(tally.gap_records, 30 * 5);
	store_get_status(rig.store, &status);
	assert_int_equal(status.head_invalid, 30);
	rig_destroy(&rig);
}

static void a_ledger_that_miscounts_is_told_and_put_right(void **state)
{
	struct store_status status;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	for (int i = 0; i < 10; i++)
		assert_true(feed_append(&rig.feed, 0, 0, 100));
	ledger_add(&rig.feed.workers[0].ledger, lane_word(0, LANE_RECORDS), 3);
	feed_commit(&rig.feed, 0);
	assert_true(rig_settle(&rig, 5000));
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_STORE_LOST);
	assert_int_equal(tally.records, 20);
	assert_int_equal(tally.gap_records, 3);
	store_get_status(rig.store, &status);
	assert_int_equal(status.head_invalid, 1);
	rig_destroy(&rig);
}

static void publish_position(struct rig *rig, uint64_t position, uint64_t records)
{
	struct ledger_writer *ledger = &rig->feed.workers[0].ledger;

	ledger_set(ledger, lane_word(0, LANE_POSITION), position);
	ledger_set(ledger, lane_word(0, LANE_RECORDS), records);
	ledger_commit(ledger);
}

static void impossible_positions_are_survived(void **state)
{
	struct store_status status;
	struct rig_tally tally;
	struct rig rig;
	uint64_t good;

	(void)state;
	rig_make(&rig, "/tmp", 1, 1);
	rig_start(&rig);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	good = rig.feed.workers[0].lanes[0].position;
	/* For a moment: nothing comes of it but a count. */
	publish_position(&rig, good + (1ull << 40), 10);
	usleep(50000);
	publish_position(&rig, good + 3, 10);
	usleep(50000);
	publish_position(&rig, good - 64, 10);
	usleep(50000);
	publish_position(&rig, good, 10);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	store_get_status(rig.store, &status);
	assert_true(status.head_invalid > 0);
	tally = count(&rig, 0, GAP_STORE_LOST);
	assert_int_equal(tally.records, 20);
	assert_int_equal(tally.gaps, 0);
	/* For good: the lane goes on from there, and readers are told what the ledger says is missing. */
	good = rig.feed.workers[0].lanes[0].position;
	publish_position(&rig, good + (1ull << 40), 520);
	usleep(1500000);
	rig.feed.workers[0].lanes[0].position = good + (1ull << 40);
	lane_refresh(&rig.feed.workers[0].lanes[0]);
	rig_feed(&rig, 0, 10, 100, 1);
	assert_true(rig_settle(&rig, 5000));
	tally = count(&rig, 0, GAP_STORE_LOST);
	assert_int_equal(tally.records, 30);
	assert_int_equal(tally.gaps, 1);
	assert_int_equal(tally.gap_records, 500);
	rig_destroy(&rig);
}

static void random_bytes_for_a_whole_ledger_are_survived(void **state)
{
	uint64_t seed = 99;
	struct rig_tally tally;
	struct rig rig;

	(void)state;
	rig_make(&rig, "/tmp", 2, 3);
	rig_start(&rig);
	for (int round = 0; round < 400; round++) {
		for (uint32_t w = 0; w < 2; w++) {
			for (uint32_t s = 0; s < 3; s++)
				for (int row = 0; row < LANE_ROWS_END; row++) {
					seed = seed * 6364136223846793005ull + 1442695040888963407ull;
					ledger_set(&rig.feed.workers[w].ledger, lane_word(s, (enum lane_row)row),
						   round % 2 ? seed >> (seed & 63) : seed >> 44 << 3);
				}
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			memcpy(rig.feed.writer.lanes[seed % 6] + (seed >> 20) % 200000, &seed, sizeof seed);
			feed_commit(&rig.feed, w);
		}
		usleep(2000);
	}
	usleep(1200000);
	for (uint32_t s = 0; s < 3; s++)
		tally = count(&rig, s, GAP_STORE_LOST);
	assert_true(tally.gaps + tally.records < 1000000);
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_region_that_went_away_undrained_leaves_a_gap_of_unknown_size),
		cmocka_unit_test(a_region_drained_after_its_dataplane_stopped_leaves_no_gap),
		cmocka_unit_test(moving_to_a_new_region_takes_what_the_old_one_still_holds),
		cmocka_unit_test(a_new_shard_in_a_used_slot_does_not_get_its_predecessors_records),
		cmocka_unit_test(two_shards_cannot_have_one_slot),
		cmocka_unit_test(what_is_no_record_is_skipped_counted_and_told),
		cmocka_unit_test(a_ledger_that_miscounts_is_told_and_put_right),
		cmocka_unit_test(impossible_positions_are_survived),
		cmocka_unit_test(random_bytes_for_a_whole_ledger_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
