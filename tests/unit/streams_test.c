// The streams' life beside a store that does not always give what is asked of it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/clock.h"
#include "control/declare.h"
#include "tests/support/daemon_rig.h"

static int set_up(void **state)
{
	struct daemon_rig *rig = malloc(sizeof *rig);

	daemon_rig_open(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	daemon_rig_close(*state);
	free(*state);
	return 0;
}

static void append(struct daemon_rig *rig, uint32_t slot, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		assert_true(daemon_rig_append(rig, slot, 0, "text"));
}

static void expect_stored(struct daemon_rig *rig, const char *name, uint32_t shard, uint64_t records)
{
	uint64_t until = clock_monotonic_ms() + 20000;
	struct stream *stream = streams_hold(rig->daemon.streams, name);
	struct shard_status status;

	assert_non_null(stream);
	do {
		shard_get_status(stream->shards[shard], &status);
		assert_true(clock_monotonic_ms() < until);
	} while (status.stored_records < records);
	assert_int_equal(status.stored_records, records);
	streams_release(rig->daemon.streams, stream);
}

static void expect_balance(struct daemon_rig *rig)
{
	json_t *ledger = daemon_rig_settled_ledger(rig);

	assert_true(json_is_true(json_object_get(ledger, "balanced")));
	json_decref(ledger);
}

/* The path of the segment that holds sequence 1. */
static void first_segment(const struct daemon_rig *rig, const char *name, uint64_t id, uint32_t shard, char path[512])
{
	assert_true(snprintf(path, 512, "%s/streams/%s.%llu/%u/%020u.segment", rig->config->store_directory, name,
			     (unsigned long long)id, shard, 1u) < 512);
	assert_int_equal(access(path, F_OK), 0);
}

/* Something else lies where the segment was: the stream's shard cannot be opened at the next start. */
static void put_aside(const char *path, char aside[520])
{
	snprintf(aside, 520, "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void put_back(struct daemon_rig *rig, const char *path, const char *aside)
{
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rename(aside, path), 0);
	streams_end_retries(rig->daemon.streams);
	streams_retry(rig->daemon.streams);
}

/* Every request for it says that it cannot be opened, and why. */
static void expect_out_of_reach(struct daemon_rig *rig, const char *op, const char *key, const char *name)
{
	json_t *answer = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:i}", "op", op, key, name, "shard", 0, "sequence", 0);

	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "error")), "InternalFailure");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "message")), "cannot be opened: Is a directory"));
	json_decref(answer);
}

static void a_stream_that_cannot_be_opened_keeps_none_of_the_others_down(void **state)
{
	struct daemon_rig *rig = *state;
	struct config config = {.streams_count = 1};
	char path[512], aside[520];
	struct stream_trouble *troubles;
	struct stream *orders;
	uint64_t until, id;
	uint32_t count;

	assert_int_equal(streams_create(rig->daemon.streams, "orders", 2, 3600, 0), 0);
	assert_int_equal(streams_create(rig->daemon.streams, "other", 1, 3600, 0), 0);
	orders = streams_hold(rig->daemon.streams, "orders");
	id = orders->info.id;
	streams_release(rig->daemon.streams, orders);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 2);
	for (uint32_t slot = 0; slot < 3; slot++)
		append(rig, slot, 100);
	expect_stored(rig, "orders", 0, 100);
	expect_stored(rig, "orders", 1, 100);
	expect_stored(rig, "other", 0, 100);
	daemon_rig_stop_daemon(rig, true);
	/* What the lanes get while it is away, under the map it left. */
	append(rig, 0, 10);
	append(rig, 1, 10);
	first_segment(rig, "orders", id, 0, path);
	put_aside(path, aside);

	daemon_rig_start_daemon(rig);
	assert_null(streams_hold(rig->daemon.streams, "orders"));
	assert_int_equal(streams_why_unavailable(rig->daemon.streams, "orders"), -EISDIR);
	assert_int_equal(streams_why_unavailable(rig->daemon.streams, "other"), 0);
	assert_int_equal(streams_list_unavailable(rig->daemon.streams, &troubles, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(troubles[0].name, "orders");
	free(troubles);
	daemon_rig_wait_map(rig, 1);
	append(rig, 2, 50);
	expect_stored(rig, "other", 0, 150);
	expect_balance(rig);
	expect_out_of_reach(rig, "stream.describe", "name", "orders");
	expect_out_of_reach(rig, "stream.delete", "name", "orders");
	expect_out_of_reach(rig, "read", "stream", "orders");
	/* Its name stays taken, by whoever asks. */
	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 3600, 0), -EEXIST);
	strcpy(config.streams[0].name, "orders");
	config.streams[0].shards = 2;
	config.streams[0].retention_seconds = 60;
	assert_int_equal(declare_streams(&config, rig->daemon.streams, NULL), 0);

	put_back(rig, path, aside);
	assert_int_equal(streams_why_unavailable(rig->daemon.streams, "orders"), 0);
	until = clock_monotonic_ms() + 20000;
	while (!(orders = streams_hold(rig->daemon.streams, "orders")))
		assert_true(clock_monotonic_ms() < until);
	streams_release(rig->daemon.streams, orders);
	daemon_rig_wait_map(rig, 2);
	expect_stored(rig, "orders", 0, 110);
	expect_stored(rig, "orders", 1, 110);
	expect_balance(rig);
}

/* A journal with one record for shard 0 of stream `id`, of a replay of stream `of`. */
static void plan_record(struct daemon_rig *rig, uint64_t of, uint64_t id)
{
	union {
		struct record record;
		uint8_t bytes[128];
	} made = {.record = {.length = 4, .kind = RECORD_DATA, .vlan = RECORD_VLAN_NONE, .codec = CODEC_DATAGRAM,
			     .key_kind = RECORD_KEY_HASH}};
	struct metadata_replay step = {.stream_id = of, .next_sequence = 1};
	struct metadata_part part = {.stream_id = id, .bytes = made.bytes,
				     .length = record_bytes(RECORD_ORIGIN_NONE, 0, 4)};

	assert_int_equal(metadata_plan_replay(rig->daemon.metadata, &step, 0, &part, 1), 0);
}

static json_t *replay(struct daemon_rig *rig, const char *stream)
{
	return daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:i}", "op", "replay", "stream", stream, "shard", 0, "end", 1000);
}

static void a_replay_waits_for_a_stream_that_cannot_be_opened_now(void **state)
{
	struct daemon_rig *rig = *state;
	struct metadata_replay step;
	struct metadata_part *parts;
	struct stream *orders;
	char path[512], aside[520];
	uint32_t count;
	json_t *answer;

	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 3600, 0), 0);
	assert_int_equal(streams_create(rig->daemon.streams, "dead", 1, 3600, 0), 0);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 2);
	append(rig, 0, 100);
	expect_stored(rig, "orders", 0, 100);
	plan_record(rig, 2, 1);
	daemon_rig_stop_daemon(rig, true);
	first_segment(rig, "orders", 1, 0, path);
	put_aside(path, aside);
	daemon_rig_start_daemon(rig);

	answer = replay(rig, "dead");
	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(answer, "message")), "cannot be opened now"));
	json_decref(answer);
	assert_int_equal(metadata_get_replay_step(rig->daemon.metadata, &step, &parts, &count), 0);
	assert_int_equal(count, 1);
	free(parts[0].bytes);
	free(parts);

	put_back(rig, path, aside);
	answer = replay(rig, "dead");
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "gone")), 0);
	json_decref(answer);
	expect_stored(rig, "orders", 0, 101);
	/* One that was deleted takes its records along. */
	orders = streams_hold(rig->daemon.streams, "orders");
	plan_record(rig, 2, orders->info.id);
	streams_release(rig->daemon.streams, orders);
	answer = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.delete", "name", "orders");
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	answer = replay(rig, "dead");
	assert_int_equal(json_integer_value(json_object_get(answer, "gone")), 1);
	json_decref(answer);
}

static void a_lost_database_gives_no_stream_the_folder_of_another(void **state)
{
	struct daemon_rig *rig = *state;
	struct stream *stream;
	char path[512], command[1200];

	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 3600, 0), 0);
	stream = streams_hold(rig->daemon.streams, "orders");
	assert_int_equal(stream->info.id, 1);
	streams_release(rig->daemon.streams, stream);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 100);
	expect_stored(rig, "orders", 0, 100);
	daemon_rig_stop_daemon(rig, true);
	daemon_rig_stop_dataplane(rig);
	first_segment(rig, "orders", 1, 0, path);
	snprintf(command, sizeof command, "rm %s/metadata.db*", rig->config->store_directory);
	assert_int_equal(system(command), 0);
	daemon_rig_start_daemon(rig);
	assert_null(streams_hold(rig->daemon.streams, "orders"));
	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 3600, 0), 0);
	stream = streams_hold(rig->daemon.streams, "orders");
	assert_int_equal(stream->info.id, 2);
	streams_release(rig->daemon.streams, stream);
	expect_stored(rig, "orders", 0, 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void a_retention_declared_anew_goes_into_shards_that_run(void **state)
{
	struct daemon_rig *rig = *state;
	struct config config = {.streams_count = 1};
	uint64_t until = clock_monotonic_ms() + 20000;
	struct shard_status status;
	struct stream *stream;

	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 3600, 0), 0);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 100);
	expect_stored(rig, "orders", 0, 100);
	strcpy(config.streams[0].name, "orders");
	config.streams[0].shards = 1;
	config.streams[0].retention_seconds = 1;
	assert_int_equal(declare_streams(&config, rig->daemon.streams, NULL), 0);
	stream = streams_hold(rig->daemon.streams, "orders");
	assert_int_equal(stream->info.retention_seconds, 1);
	do {
		shard_get_status(stream->shards[0], &status);
		assert_true(clock_monotonic_ms() < until);
	} while (status.expired_records < 100);
	streams_release(rig->daemon.streams, stream);
	expect_balance(rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stream_that_cannot_be_opened_keeps_none_of_the_others_down),
		TEST(a_replay_waits_for_a_stream_that_cannot_be_opened_now),
		TEST(a_lost_database_gives_no_stream_the_folder_of_another),
		TEST(a_retention_declared_anew_goes_into_shards_that_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
