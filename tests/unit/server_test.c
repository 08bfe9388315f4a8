#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/clock.h"
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

static void expect_ok(json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok")))
		print_error("%s\n", json_string_value(json_object_get(answer, "message")));
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

static void expect_error(json_t *answer, const char *name)
{
	const char *error = json_string_value(json_object_get(answer, "error"));

	assert_false(json_is_true(json_object_get(answer, "ok")));
	assert_non_null(error);
	assert_string_equal(error, name);
	assert_true(strlen(json_string_value(json_object_get(answer, "message"))) > 0);
	json_decref(answer);
}

static void create(struct daemon_rig *rig, const char *name, int shards)
{
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", name, "shards", shards));
}

static uint64_t number(const json_t *answer, const char *key)
{
	const json_t *value = json_object_get(answer, key);

	assert_non_null(value);
	return json_is_string(value) ? strtoull(json_string_value(value), NULL, 10) : (uint64_t)json_integer_value(value);
}

/* Reads a shard from its start until `wanted` data records were seen; each must be "<prefix><n>", n from 0 on. */
static void expect_records(struct daemon_rig *rig, const char *stream, uint32_t shard, const char *prefix, uint32_t wanted)
{
	int fd = protocol_connect(rig->config->socket);
	uint64_t sequence = 0, until = clock_monotonic_ms() + 20000;
	uint32_t seen = 0;

	while (seen < wanted) {
		struct message m;
		json_t *a = daemon_rig_ask(rig, fd, &m, "{s:s, s:s, s:i, s:I, s:i}", "op", "read", "stream", stream, "shard", (int)shard,
				    "sequence", (json_int_t)sequence, "wait_ms", 200);

		assert_true(clock_monotonic_ms() < until);
		assert_true(json_is_true(json_object_get(a, "ok")));
		if (!json_is_true(json_object_get(a, "tail"))) {
			assert_int_equal(number(a, "records_before"), seen);
			for (uint32_t at = 0; at < m.data_bytes;) {
				const struct record *r = (const struct record *)(m.data + at);
				uint32_t bytes = record_check(r, m.data_bytes - at);
				char text[64];

				assert_true(bytes > 0);
				at += bytes;
				if (r->kind != RECORD_DATA)
					continue;
				snprintf(text, sizeof text, "%s%u", prefix, seen++);
				assert_int_equal(r->length, strlen(text));
				assert_memory_equal(record_payload(r), text, r->length);
			}
			assert_true(number(a, "next_sequence") > sequence);
		}
		sequence = number(a, "next_sequence");
		message_free(&m);
	}
	assert_int_equal(seen, wanted);
	close(fd);
}

static void append(struct daemon_rig *rig, uint32_t slot, uint32_t worker, const char *prefix, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++) {
		char text[64];

		snprintf(text, sizeof text, "%s%u", prefix, i);
		while (!daemon_rig_append(rig, slot, worker, text))
			fail_msg("a lane is full");
	}
}

static void expect_balance(struct daemon_rig *rig)
{
	json_t *ledger = daemon_rig_settled_ledger(rig);
	size_t i;
	json_t *section;

	json_array_foreach(json_object_get(ledger, "sections"), i, section)
		if (json_integer_value(json_object_get(section, "unaccounted")))
			print_error("unaccounted: %s\n", json_string_value(json_object_get(section, "title")));
	assert_true(json_is_true(json_object_get(ledger, "balanced")));
	json_decref(ledger);
}

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

static void penstockd_goes_on_where_it_was_killed(void **state)
{
	struct daemon_rig *rig = *state;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	for (uint32_t round = 0; round < 10; round++) {
		append(rig, 0, 0, "a", round * 100, 100);
		usleep(round * 1000);
		daemon_rig_stop_daemon(rig, round % 2);
		append(rig, 0, 0, "a", 1000 + round, 0);
		daemon_rig_start_daemon(rig);
	}
	expect_records(rig, "orders", 0, "a", 1000);
	expect_balance(rig);
}

static void a_dataplane_that_comes_back_goes_on_in_its_region(void **state)
{
	struct daemon_rig *rig = *state;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 1, "a", 0, 100);
	daemon_rig_stop_dataplane(rig);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 1, "a", 100, 100);
	expect_records(rig, "orders", 0, "a", 200);
	expect_balance(rig);
}

static void a_region_that_is_given_up_is_drained_before_the_next_is_taken(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 100);
	daemon_rig_stop_dataplane(rig);
	assert_int_equal(region_retire(rig->region_directory), 0);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 100, 50);
	expect_records(rig, "orders", 0, "a", 150);
	expect_balance(rig);
	a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "stream orders, lanes", "stored"), 50);
	assert_int_equal(daemon_rig_row(a, "stream orders, store", "stored"), 150);
	json_decref(a);
}

static void a_deleted_stream_leaves_its_slot_and_a_balanced_ledger(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 1);
	create(rig, "other", 2);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 2);
	append(rig, 0, 0, "gone", 0, 100);
	append(rig, 1, 0, "o", 0, 40);
	expect_records(rig, "orders", 0, "gone", 100);
	append(rig, 0, 1, "gone", 100, 20); /* perhaps not even drained */
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.delete", "name", "orders");
	assert_true(json_is_true(json_object_get(a, "gone")));
	json_decref(a);
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.describe", "name", "orders"), "ResourceNotFound");
	a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "lanes of deleted streams", "deleted"), 120);
	json_decref(a);
	expect_balance(rig);
	create(rig, "orders", 1);
	daemon_rig_wait_map(rig, 2);
	append(rig, 0, 0, "new", 0, 30);
	expect_records(rig, "orders", 0, "new", 30);
	a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "stream orders, lanes", "deleted"), 120);
	assert_int_equal(daemon_rig_row(a, "stream orders, lanes", "stored"), 30);
	json_decref(a);
	expect_balance(rig);
	daemon_rig_stop_daemon(rig, false);
	daemon_rig_start_daemon(rig);
	expect_records(rig, "orders", 0, "new", 30);
	expect_records(rig, "other", 0, "o", 40);
	expect_balance(rig);
}

static void a_deletion_waits_for_workers_that_still_use_the_old_map(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t id;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 10);
	atomic_store(&rig->frozen, true);
	assert_int_equal(streams_delete(rig->daemon.streams, "orders", &id), 0);
	assert_false(streams_wait_gone(rig->daemon.streams, id, 500));
	json_t *waited = daemon_rig_ask(rig, -1, NULL, "{s:s, s:I}", "op", "stream.gone", "id", (json_int_t)id);
	assert_true(json_is_false(json_object_get(waited, "gone")));
	json_decref(waited);
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", "orders", "shards", 1),
		     "ResourceInUse");
	append(rig, 0, 0, "a", 10, 10); /* a worker that has not seen the new map */
	daemon_rig_stop_daemon(rig, false); /* and penstockd is killed over it */
	daemon_rig_start_daemon(rig);
	assert_false(streams_wait_gone(rig->daemon.streams, id, 300));
	atomic_store(&rig->frozen, false);
	assert_true(streams_wait_gone(rig->daemon.streams, id, 10000));
	json_t *a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "lanes of deleted streams", "deleted"), 20);
	json_decref(a);
	expect_balance(rig);
}

static void a_waiting_reader_does_not_hold_a_deletion_up(void **state)
{
	struct daemon_rig *rig = *state;
	int fd = protocol_connect(rig->config->socket);
	struct message m;
	json_t *request = json_pack("{s:s, s:s, s:i, s:i, s:i}", "op", "read", "stream", "orders", "shard", 0, "sequence", 1,
				    "wait_ms", 30000);
	uint64_t start = clock_monotonic_ms();
	json_t *a;

	create(rig, "orders", 1);
	assert_int_equal(message_send(fd, request, NULL, 0), 0);
	json_decref(request);
	usleep(50000);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.delete", "name", "orders");
	assert_true(json_is_true(json_object_get(a, "gone")));
	json_decref(a);
	assert_int_equal(message_receive(fd, &m), 0);
	message_free(&m);
	assert_true(clock_monotonic_ms() - start < 9000);
	close(fd);
}

static void a_lost_frame_makes_penstockd_unhealthy_within_seconds(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t until = clock_monotonic_ms() + 15000, unaccounted = 0;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 50);
	expect_balance(rig);
	ledger_add(&rig->ports, port_word(0, PORT_RX), 1);
	ledger_commit(&rig->ports);
	while (!unaccounted && clock_monotonic_ms() < until) {
		json_t *a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");

		unaccounted = number(a, "unaccounted");
		if (unaccounted) {
			const char *problem = json_string_value(json_array_get(json_object_get(a, "problems"), 0));

			assert_false(json_is_true(json_object_get(a, "healthy")));
			assert_non_null(strstr(problem, "port east, queues"));
		}
		json_decref(a);
		usleep(50000);
	}
	assert_int_equal(unaccounted, 1);
}

static void the_status_shows_every_part(void **state)
{
	static const char *const keys[] = {"version", "pid", "uptime_seconds", "healthy", "problems", "dataplane", "store",
					   "ports", "workers", "inputs", "streams", "deliveries"};
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 2);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 50);
	expect_balance(rig);
	a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		assert_non_null(json_object_get(a, keys[i]));
	assert_true(json_is_true(json_object_get(a, "healthy")));
	assert_string_equal(json_string_value(json_object_get(json_object_get(a, "dataplane"), "state")), "running");
	assert_int_equal(number(json_array_get(json_object_get(a, "ports"), 0), "rx"), 50);
	assert_int_equal(number(json_array_get(json_object_get(a, "workers"), 0), "appended"), 50);
	assert_int_equal(number(json_array_get(json_object_get(a, "streams"), 0), "stored_records"), 50);
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(a, "deliveries"), 0), "running")));
	json_decref(a);
}

static void requests_that_make_no_sense_are_refused_by_name(void **state)
{
	struct daemon_rig *rig = *state;

	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "fly"), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{}"), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "[i]", 1), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:i}", "op", 4), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", "a/b", "shards", 1),
		     "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", "a", "shards", 0),
		     "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", "a", "shards", 5),
		     "LimitExceeded");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:s}", "op", "stream.create", "name", "a", "shards", "two"),
		     "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:i}", "op", "stream.create", "name", "a", "shards", 1,
			     "retention_seconds", -4), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.delete", "name", "nobody"), "ResourceNotFound");
	create(rig, "a", 1);
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "stream.create", "name", "a", "shards", 1),
		     "ResourceInUse");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i}", "op", "read", "stream", "a", "shard", 0), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:i}", "op", "read", "stream", "a", "shard", 7, "sequence", 1),
		     "ResourceNotFound");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:I}", "op", "read", "stream", "a", "shard", 0, "sequence",
			     (json_int_t)-1), "InvalidArgument");
	expect_error(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s, s:i, s:s}", "op", "read", "stream", "a", "shard", 0, "sequence",
			     "99999999999999999999999"), "InvalidArgument");
}

static void garbage_is_answered_once_and_hung_up_on(void **state)
{
	struct daemon_rig *rig = *state;
	int fd = protocol_connect(rig->config->socket);
	struct message m;

	assert_int_equal(write(fd, "\4\0\0\0\0\0\0\0nope", 12), 12);
	assert_int_equal(message_receive(fd, &m), 0);
	expect_error(m.json, "InvalidArgument");
	assert_int_equal(message_receive(fd, &m), -ECONNRESET);
	close(fd);
	fd = protocol_connect(rig->config->socket);
	assert_int_equal(write(fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), 8);
	assert_int_equal(message_receive(fd, &m), 0);
	expect_error(m.json, "InvalidArgument");
	assert_int_equal(message_receive(fd, &m), -ECONNRESET);
	close(fd);
	fd = protocol_connect(rig->config->socket);
	assert_int_equal(write(fd, "\4\0", 2), 2);
	close(fd);
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status"));
}

static void more_clients_than_there_is_room_for_are_told(void **state)
{
	struct daemon_rig *rig = *state;
	int fds[SERVER_SESSIONS_MAX];
	struct message m;
	int fd;

	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++) {
		fds[i] = protocol_connect(rig->config->socket);
		expect_ok(daemon_rig_ask(rig, fds[i], NULL, "{s:s}", "op", "stream.list"));
	}
	/* On a machine so busy that the first has been idle for long by now, that one gives way: its place is taken then. */
	for (int tries = 0;; tries++) {
		fd = protocol_connect(rig->config->socket);
		if (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 3000) == 1)
			break;
		assert_true(tries < 20);
		close(fds[0]);
		fds[0] = fd;
		for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++)
			expect_ok(daemon_rig_ask(rig, fds[i], NULL, "{s:s}", "op", "stream.list"));
	}
	assert_int_equal(message_receive(fd, &m), 0);
	expect_error(m.json, "LimitExceeded");
	close(fd);
	for (uint32_t i = 0; i < SERVER_SESSIONS_MAX; i++)
		close(fds[i]);
	for (int tries = 0;; tries++) {
		json_t *a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "stream.list");
		bool ok = json_is_true(json_object_get(a, "ok"));

		json_decref(a);
		if (ok)
			break;
		assert_true(tries < 100);
		usleep(20000);
	}
}

static void readers_leave_room_for_those_who_ask_once(void **state)
{
	enum { ROOM = SERVER_SESSIONS_MAX - SERVER_SESSIONS_SHORT };
	static const char read[] = "{s:s, s:s, s:i, s:i}";
	struct daemon_rig *rig = *state;
	int fds[ROOM + 1];

	create(rig, "orders", 1);
	for (uint32_t i = 0; i <= ROOM; i++) {
		fds[i] = protocol_connect(rig->config->socket);
		/* An answer tells that the connection has been taken; the one that created the stream may still be counted. */
		expect_ok(daemon_rig_ask(rig, fds[i], NULL, "{s:s}", "op", "stream.list"));
		if (i == 0)
			usleep(500000);
		if (i < ROOM)
			expect_ok(daemon_rig_ask(rig, fds[i], NULL, read, "op", "read", "stream", "orders", "shard", 0, "sequence", 1));
	}
	expect_error(daemon_rig_ask(rig, fds[ROOM], NULL, read, "op", "read", "stream", "orders", "shard", 0, "sequence", 1),
		     "LimitExceeded");
	expect_ok(daemon_rig_ask(rig, fds[ROOM], NULL, "{s:s}", "op", "status"));
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "ledger"));
	expect_ok(daemon_rig_ask(rig, fds[0], NULL, read, "op", "read", "stream", "orders", "shard", 0, "sequence", 1));
	for (uint32_t i = 0; i <= ROOM; i++)
		close(fds[i]);
}

static void the_socket_is_for_the_group_and_taken_from_the_dead_only(void **state)
{
	struct daemon_rig *rig = *state;
	struct server *second;
	struct stat there;
	char path[100];
	FILE *file;
	int fd;

	assert_int_equal(stat(rig->config->socket, &there), 0);
	assert_int_equal(there.st_mode & 0777, 0660);
	assert_int_equal(server_open(rig->config->socket, &rig->daemon, &second), -EADDRINUSE);
	snprintf(path, sizeof path, "%s/stale", rig->directory);
	struct sockaddr_storage address = {.ss_family = AF_UNIX};
	strcpy((char *)&address + offsetof(struct sockaddr, sa_data), path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, 100), 0);
	close(fd);
	assert_int_equal(server_open(path, &rig->daemon, &second), 0);
	server_close(second);
	assert_int_not_equal(access(path, F_OK), 0);
	file = fopen(path, "w");
	fclose(file);
	assert_int_equal(server_open(path, &rig->daemon, &second), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), 0);
}

static void what_a_stream_held_is_delivered(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t until = clock_monotonic_ms() + 20000, delivered = 0;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 50);
	while (delivered < 50) {
		json_t *a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");

		assert_true(clock_monotonic_ms() < until);
		delivered = number(json_array_get(json_object_get(a, "deliveries"), 0), "delivered");
		json_decref(a);
		usleep(20000);
	}
	expect_balance(rig);
	append(rig, 0, 0, "a", 50, 7);
	daemon_rig_stop_daemon(rig, true); /* flushes */
	daemon_rig_start_daemon(rig);
	json_t *a = daemon_rig_settled_ledger(rig);
	assert_int_equal(daemon_rig_row(a, "delivery lake of stream orders", "delivered"), 57);
	json_decref(a);
	expect_balance(rig);
}

/* Waits until the delivery is or is not running; its problem in the status holds `problem`, NULL: it has none. */
static void expect_delivery(struct daemon_rig *rig, bool running, const char *problem)
{
	uint64_t until = clock_monotonic_ms() + 20000;
	bool seen = false;

	while (!seen) {
		json_t *a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");
		json_t *value;
		size_t i;

		assert_true(clock_monotonic_ms() < until);
		seen = json_is_true(json_object_get(json_array_get(json_object_get(a, "deliveries"), 0), "running")) == running;
		json_array_foreach(json_object_get(a, "problems"), i, value)
			if (seen && strncmp(json_string_value(value), "delivery lake: ", 15) == 0) {
				assert_non_null(problem);
				assert_non_null(strstr(json_string_value(value), problem));
				problem = NULL;
			}
		if (seen)
			assert_null(problem);
		json_decref(a);
		usleep(20000);
	}
}

static void a_delivery_that_cannot_start_is_started_once_it_can(void **state)
{
	struct daemon_rig *rig = *state;
	struct config_delivery *delivery = &rig->config->deliveries[0];
	FILE *file;

	expect_delivery(rig, false, "its stream orders does not exist");
	delivery->destination = DESTINATION_S3;
	strcpy(delivery->s3.endpoint, "http://127.0.0.1:1");
	strcpy(delivery->s3.bucket, "lake");
	snprintf(delivery->s3.access_key_file, CONFIG_PATH_MAX, "%s/key", rig->directory);
	daemon_rig_stop_daemon(rig, false);
	daemon_rig_start_daemon(rig);
	create(rig, "orders", 1);
	expect_delivery(rig, false, "No such file");
	umask(077);
	file = fopen(delivery->s3.access_key_file, "w");
	assert_non_null(file);
	fputs("KEY\nSECRET\n", file);
	fclose(file);
	expect_delivery(rig, true, NULL);
	assert_false(deliveries_left_behind(rig->daemon.deliveries));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_of_the_lanes_are_read_back_through_the_socket),
		TEST(positions_are_found_by_name_time_and_number),
		TEST(the_trim_horizon_never_passes_what_is_on_its_way_to_the_disk),
		TEST(a_reader_at_the_tail_is_woken_by_what_arrives),
		TEST(cursors_are_kept_and_never_ahead_of_the_shard),
		TEST(penstockd_goes_on_where_it_was_killed),
		TEST(a_dataplane_that_comes_back_goes_on_in_its_region),
		TEST(a_region_that_is_given_up_is_drained_before_the_next_is_taken),
		TEST(a_deleted_stream_leaves_its_slot_and_a_balanced_ledger),
		TEST(a_deletion_waits_for_workers_that_still_use_the_old_map),
		TEST(a_waiting_reader_does_not_hold_a_deletion_up),
		TEST(a_lost_frame_makes_penstockd_unhealthy_within_seconds),
		TEST(the_status_shows_every_part),
		TEST(requests_that_make_no_sense_are_refused_by_name),
		TEST(garbage_is_answered_once_and_hung_up_on),
		TEST(more_clients_than_there_is_room_for_are_told),
		TEST(readers_leave_room_for_those_who_ask_once),
		TEST(the_socket_is_for_the_group_and_taken_from_the_dead_only),
		TEST(what_a_stream_held_is_delivered),
		TEST(a_delivery_that_cannot_start_is_started_once_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
