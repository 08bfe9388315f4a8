#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <jansson.h>
#include <cmocka.h>

#include "control/delivery/calls.h"
#include "control/delivery/directory.h"
#include "tests/support/delivery_rig.h"

#define BYTES RIG_BYTES

static struct rig rig;

static int set_up(void **state)
{
	(void)state;
	rig_init(&rig, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_end(&rig);
	return 0;
}

static void objects_end_at_enough_bytes_and_carry_their_bounds(void **state)
{
	struct delivery_status s;
	char list[2048];
	int temporary;

	(void)state;
	rig_fill(&rig, 0, 0, 50, BYTES);
	rig.config.buffer_seconds = 4000000000u;
	assert_int_equal(delivery_rig_start(&rig), 0);
	while (rig_status(&rig, 0).delivered_records < 40)
		usleep(10000);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	rig_list(&rig, "out", list, sizeof list, &temporary);
	assert_string_equal(
		list, "2026/01/000000000000/events-0badcafe-000000000000-00000000000000000001-00000000000000000020.raw 1020\n"
		      "2026/01/000000000000/events-0badcafe-000000000000-00000000000000000021-00000000000000000040.raw 1020\n");
	/* What is not enough stays pending, until it is asked for. */
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(rig_status(&rig, 0).pending_records, 10);
	s = rig_status(&rig, 0);
	rig_balances(&s);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 3);
	assert_int_equal(temporary, 0);
	rig_holds_records(&rig, "out", 0, 0, 50);
}

static void an_object_ends_at_enough_age(void **state)
{
	char list[2048];
	int temporary;

	(void)state;
	rig_fill(&rig, 1, 0, 3, BYTES); /* their arrival is long ago */
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 1, rig_settled));
	rig_fill(&rig, 1, 3, 4, BYTES);
	while (rig_status(&rig, 1).delivered_records < 7)
		usleep(10000);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 2);
	rig_holds_records(&rig, "out", 1, 0, 7);
}

static void every_format_and_compression_comes_out(void **state)
{
	static const char *const ends[] = {".raw", ".jsonl", ".pcapng"}, *const more[] = {"", ".gz", ".zst"};
	char end[32], list[4096];
	int temporary;

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		rig.config.format = (enum config_format)(i / 3);
		rig.config.compression = (enum config_compression)(i % 3);
		rig.config.buffer_bytes = 1 << 20;
		rig_fill(&rig, 0, i, 1, BYTES);
		assert_int_equal(delivery_rig_start(&rig), 0);
		assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
		snprintf(end, sizeof end, "%020u%s%s ", i + 1, ends[i / 3], more[i % 3]);
		rig_list(&rig, "out", list, sizeof list, &temporary);
		assert_non_null(strstr(list, end));
	}
}

static void gaps_alone_make_no_raw_object_but_are_passed(void **state)
{
	struct gap gap = {.count = 5, .reason = GAP_LANE_FULL};
	struct fake_record r = {.kind = RECORD_GAP,
				.vlan = RECORD_VLAN_NONE,
				.arrival_ns = RIG_ARRIVAL,
				.payload = &gap,
				.payload_length = sizeof gap};
	char list[512];
	int temporary;

	(void)state;
	fake_shard_add(rig.shards[0], &r);
	fake_shard_commit(rig.shards[0]);
	assert_int_equal(delivery_rig_start(&rig), 0);
	while (rig_status(&rig, 0).next_sequence != 2)
		usleep(10000);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 0);
	/* As JSON lines a gap is content. */
	rig.config.format = FORMAT_JSONL;
	fake_shard_add(rig.shards[0], &r);
	fake_shard_commit(rig.shards[0]);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 1);
}

static void what_expired_before_it_was_delivered_is_counted_and_said(void **state)
{
	struct delivery_status s;

	(void)state;
	rig_fill(&rig, 0, 0, 14, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	rig_fill(&rig, 0, 14, 35, BYTES);
	fake_shard_trim(rig.shards[0], 30); /* sequences 15 to 35 go, whole batches at a time */
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.taken_records, 49);
	assert_int_equal(s.expired_records, 21);
	assert_int_equal(s.delivered_records, 28);
	rig_balances(&s);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	assert_non_null(strstr(rig.said, "21 records expired"));
}

static void everything_expired_is_counted_without_a_record_to_show_for_it(void **state)
{
	struct delivery_status s;

	(void)state;
	rig.config.buffer_seconds = 4000000000u;
	rig_fill(&rig, 0, 0, 14, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	usleep(300000); /* looked at, not enough for an object */
	fake_shard_trim(rig.shards[0], 15);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.expired_records, 14);
	rig_balances(&s);
}

static void a_damaged_batch_ends_the_object_and_its_records_are_counted(void **state)
{
	const enum config_format formats[] = {FORMAT_RAW, FORMAT_JSONL};
	struct delivery_status s;
	char list[2048];
	int temporary;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		rig.config.format = formats[i];
		rig.config.buffer_bytes = 1 << 20;
		rig_fill(&rig, i, 0, 21, BYTES);
		fake_shard_damage(rig.shards[i], 8);
		assert_int_equal(delivery_rig_start(&rig), 0);
		assert_true(rig_wait(&rig, i, rig_settled));
		s = rig_status(&rig, i);
		assert_int_equal(s.expired_records, 7);
		assert_int_equal(s.delivered_records, 14);
		rig_balances(&s);
		assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	}
	rig_list(&rig, "out", list, sizeof list, &temporary);
	assert_non_null(strstr(list, "-00000000000000000001-00000000000000000014.raw"));
	assert_non_null(strstr(list, "-00000000000000000015-00000000000000000021.raw"));
	assert_non_null(strstr(list, "-00000000000000000001-00000000000000000014.jsonl"));
}

static void a_damaged_batch_at_either_end_is_passed_too(void **state)
{
	struct delivery_status s;

	(void)state;
	rig_fill(&rig, 0, 0, 21, BYTES);
	fake_shard_damage(rig.shards[0], 1);
	fake_shard_damage(rig.shards[0], 15);
	assert_int_equal(delivery_rig_start(&rig), 0);
	while (rig_status(&rig, 0).next_sequence != 22)
		usleep(10000);
	s = rig_status(&rig, 0);
	assert_int_equal(s.expired_records, 7);
	assert_int_equal(s.delivered_records, 7);
	assert_int_equal(s.pending_records, 7); /* until the store counts on behind them */
	rig_balances(&s);
	rig_fill(&rig, 0, 21, 7, BYTES);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.expired_records, 14);
	assert_int_equal(s.delivered_records, 14);
	rig_balances(&s);
}

static void a_planned_object_whose_records_went_is_looked_for_at_the_destination(void **state)
{
	struct metadata_object object = {.stream_id = 77,
					 .shard = 0,
					 .delivery = "files",
					 .first_sequence = 1,
					 .last_sequence = 7,
					 .records = 7,
					 .bytes = 350};
	const char *name = "2026/01/000000000000/events-0badcafe-000000000000-00000000000000000001-00000000000000000007.raw";
	struct delivery_status s;

	(void)state;
	rig_fill(&rig, 0, 0, 7, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	/* Once more as if it had not been known to be stored: it is there. */
	snprintf(object.name, sizeof object.name, "%s", name);
	assert_int_equal(fake_journal.put_delivery(
				 rig.journal,
				 &(struct metadata_delivery){.stream_id = 77, .delivery = "files", .next_sequence = 1}),
			 0);
	assert_int_equal(fake_journal.plan_object(rig.journal, &object), 0);
	rig_fill(&rig, 0, 7, 14, BYTES);
	fake_shard_trim(rig.shards[0], 8);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.delivered_records, 21);
	assert_int_equal(s.expired_records, 0);
	rig_balances(&s);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	/* And again where it is not. */
	object.first_sequence = 8;
	object.last_sequence = 14;
	snprintf(object.name, sizeof object.name, "nowhere/events-000000000000-%020d-%020d.raw", 8, 14);
	assert_int_equal(fake_journal.put_delivery(rig.journal, &(struct metadata_delivery){.stream_id = 77,
											    .delivery = "files",
											    .delivered_records = 7,
											    .next_sequence = 8}),
			 0);
	assert_int_equal(fake_journal.plan_object(rig.journal, &object), 0);
	fake_shard_trim(rig.shards[0], 15);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.expired_records, 7);
	assert_int_equal(s.delivered_records, 14);
	rig_balances(&s);
}

static void a_changed_format_does_not_write_under_a_planned_name(void **state)
{
	struct metadata_object object = {.stream_id = 77,
					 .shard = 0,
					 .delivery = "files",
					 .first_sequence = 1,
					 .last_sequence = 7,
					 .records = 7,
					 .bytes = 350};
	char list[2048];
	int temporary;

	(void)state;
	rig_fill(&rig, 0, 0, 7, BYTES);
	snprintf(object.name, sizeof object.name, "events-000000000000-%020d-%020d.raw", 1, 7);
	assert_int_equal(fake_journal.plan_object(rig.journal, &object), 0);
	rig.config.format = FORMAT_JSONL;
	rig.config.prefix[0] = '\0';
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 1);
	assert_non_null(strstr(list, ".jsonl "));
}

static void a_flush_keeps_to_its_time(void **state)
{
	FILE *file;

	(void)state;
	file = fopen(rig.config.directory, "w");
	fclose(file);
	rig_fill(&rig, 0, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 300), -EAGAIN);
	unlink(rig.config.directory);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	rig_holds_records(&rig, "out", 0, 0, 20);
}

static uint64_t an_hour_before_the_records(void)
{
	return RIG_ARRIVAL - 3600000000000ull;
}

static void a_clock_set_back_does_not_stop_age(void **state)
{
	struct delivery_calls real = delivery_calls;

	(void)state;
	delivery_calls.realtime_ns = an_hour_before_the_records;
	rig.config.buffer_seconds = 1;
	rig_fill(&rig, 0, 0, 3, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_int_equal(rig_status(&rig, 0).pending_records, 3);
	assert_true(rig_wait(&rig, 0, rig_settled));
	assert_int_equal(rig_status(&rig, 0).delivered_records, 3);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	delivery_calls = real;
}

static void a_bad_prefix_is_refused_at_start(void **state)
{
	(void)state;
	snprintf(rig.config.prefix, sizeof rig.config.prefix, "!{timestamp:QQQ}");
	assert_int_equal(delivery_rig_start(&rig), -EINVAL);
	assert_non_null(strstr(rig.said, "'Q' is not a field"));
	snprintf(rig.config.prefix, sizeof rig.config.prefix, "!{stream}/");
	snprintf(rig.config.stream, sizeof rig.config.stream, "..");
	assert_int_equal(delivery_rig_start(&rig), -EINVAL);
	assert_non_null(strstr(rig.said, "'..' component"));
}

static void a_symbolic_link_beneath_the_destination_is_not_followed(void **state)
{
	char link[200], target[200], list[512];
	struct directory_file file;
	int temporary;

	(void)state;
	snprintf(target, sizeof target, "%s/elsewhere", rig.directory);
	snprintf(link, sizeof link, "%s/out/2026", rig.directory);
	mkdir(target, 0700);
	mkdir(rig.config.directory, 0700);
	assert_int_equal(symlink(target, link), 0);
	rig.config.retry_seconds = 0;
	rig_fill(&rig, 0, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	assert_int_equal(rig_status(&rig, 0).failed_records, 20);
	assert_int_equal(rig_list(&rig, "elsewhere", list, sizeof list, &temporary), 0);
	assert_int_equal(directory_create(rig.config.directory, "../up", &file), -EINVAL);
	assert_int_equal(directory_create(rig.config.directory, "/up", &file), -EINVAL);
	assert_int_equal(directory_create(rig.config.directory, "a//b", &file), -EINVAL);
	assert_int_equal(directory_create(rig.config.directory, "a/", &file), -EINVAL);
	assert_int_equal(directory_create(rig.config.directory, "", &file), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(objects_end_at_enough_bytes_and_carry_their_bounds),
		TEST(an_object_ends_at_enough_age),
		TEST(every_format_and_compression_comes_out),
		TEST(gaps_alone_make_no_raw_object_but_are_passed),
		TEST(what_expired_before_it_was_delivered_is_counted_and_said),
		TEST(everything_expired_is_counted_without_a_record_to_show_for_it),
		TEST(a_damaged_batch_ends_the_object_and_its_records_are_counted),
		TEST(a_damaged_batch_at_either_end_is_passed_too),
		TEST(a_planned_object_whose_records_went_is_looked_for_at_the_destination),
		TEST(a_changed_format_does_not_write_under_a_planned_name),
		TEST(a_flush_keeps_to_its_time),
		TEST(a_clock_set_back_does_not_stop_age),
		TEST(a_bad_prefix_is_refused_at_start),
		TEST(a_symbolic_link_beneath_the_destination_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
