// Reading through the socket: records of the lanes, positions, the tail, cursors.
#include "tests/support/server_rig.h"

static void records_of_the_lanes_are_read_back_through_the_socket(void **state)
{
	struct daemon_rig *rig = *state;

	create(rig, "orders", 2);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 500);
	append(rig, 1, 1, "b", 0, 300);
	expect_records(rig, "orders", 0, "a", 500);
	expect_records(rig, "orders", 1, "b", 300);
	expect_balance(rig);
}

static void positions_are_found_by_name_time_and_number(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t before, middle, records;
	json_t *a;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 10);
	expect_records(rig, "orders", 0, "a", 10);
	before = clock_realtime_ns();
	usleep(20000);
	append(rig, 0, 0, "a", 10, 5);
	expect_records(rig, "orders", 0, "a", 15);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "position", "stream", "orders", "shard", 0, "from", "latest");
	records = number(a, "records");
	middle = number(a, "sequence");
	assert_int_equal(records, 15);
	json_decref(a);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "position", "stream", "orders", "shard", 0, "from",
		    "trim-horizon");
	assert_int_equal(number(a, "records"), 0);
	assert_true(number(a, "sequence") <= middle - 15);
	json_decref(a);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s, s:I}", "op", "position", "stream", "orders", "shard", 0, "from", "time",
		    "time_ns", (json_int_t)before);
	assert_int_equal(number(a, "records"), 10);
	json_decref(a);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s, s:s}", "op", "position", "stream", "orders", "shard", 0, "from",
		    "sequence", "sequence", "99999999");
	assert_int_equal(number(a, "sequence"), middle);
	json_decref(a);
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "position", "stream", "orders", "shard", 0, "from",
			     "yesterday"), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "position", "stream", "orders", "shard", 1, "from",
			     "latest"), "ResourceNotFound");
}

/* A batch has its sequences before it is durable: the start of the shard is not behind it meanwhile. */
static void the_trim_horizon_never_passes_what_is_on_its_way_to_the_disk(void **state)
{
	struct daemon_rig *rig = *state;
	struct stream *stream;
	uint64_t until = clock_monotonic_ms() + 20000;
	struct shard_status status;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	stream = streams_hold(rig->daemon.streams, "orders");
	append(rig, 0, 0, "a", 0, 1000);
	do {
		shard_get_status(stream->shards[0], &status);
		assert_int_equal(status.trim_sequence, 1);
		assert_true(clock_monotonic_ms() < until);
	} while (status.stored_records < 1000);
	streams_release(rig->daemon.streams, stream);
}

struct late {
	struct daemon_rig *rig;
};

static void *append_late(void *arg)
{
	usleep(100000);
	append(((struct late *)arg)->rig, 0, 0, "late", 0, 1);
	return NULL;
}

static void a_reader_at_the_tail_is_woken_by_what_arrives(void **state)
{
	struct daemon_rig *rig = *state;
	struct late late = {rig};
	pthread_t thread;
	struct message m;
	uint64_t start;
	json_t *a;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	pthread_create(&thread, NULL, append_late, &late);
	start = clock_monotonic_ms();
	a = daemon_rig_ask(rig, -1, &m, "{s:s, s:s, s:i, s:i, s:i}", "op", "read", "stream", "orders", "shard", 0, "sequence", 1,
		    "wait_ms", 20000);
	assert_true(clock_monotonic_ms() - start < 15000);
	assert_int_equal(number(a, "records"), 1);
	message_free(&m);
	pthread_join(thread, NULL);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:i}", "op", "read", "stream", "orders", "shard", 0, "sequence", 2);
	assert_true(json_is_true(json_object_get(a, "tail")));
	assert_int_equal(number(a, "next_sequence"), 2);
	json_decref(a);
}

static void cursors_are_kept_and_never_ahead_of_the_shard(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 1);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "cursor.get", "stream", "orders", "shard", 0, "name", "c");
	assert_true(json_is_true(json_object_get(a, "absent")));
	json_decref(a);
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s, s:s, s:i}", "op", "cursor.put", "stream", "orders", "shard", 0,
			     "name", "c", "sequence", "50", "records", 50), "InvalidArgument");
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 60);
	expect_records(rig, "orders", 0, "a", 60);
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s, s:s, s:i}", "op", "cursor.put", "stream", "orders", "shard", 0,
			  "name", "c", "sequence", "50", "records", 49));
	daemon_rig_stop_daemon(rig, true);
	daemon_rig_start_daemon(rig);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "cursor.get", "stream", "orders", "shard", 0, "name", "c");
	assert_int_equal(number(a, "sequence"), 50);
	assert_int_equal(number(a, "records"), 49);
	json_decref(a);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.describe", "name", "orders");
	json_t *cursor = json_array_get(json_object_get(json_object_get(a, "stream"), "cursors"), 0);
	assert_string_equal(json_string_value(json_object_get(cursor, "name")), "c");
	assert_int_equal(number(cursor, "behind"), 11);
	json_decref(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_of_the_lanes_are_read_back_through_the_socket),
		TEST(positions_are_found_by_name_time_and_number),
		TEST(the_trim_horizon_never_passes_what_is_on_its_way_to_the_disk),
		TEST(a_reader_at_the_tail_is_woken_by_what_arrives),
		TEST(cursors_are_kept_and_never_ahead_of_the_shard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
