// Streams that are deleted under readers and workers, and what is delivered of them.
#include <sys/stat.h>

#include "tests/support/server_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_deleted_stream_leaves_its_slot_and_a_balanced_ledger),
		TEST(a_deletion_waits_for_workers_that_still_use_the_old_map),
		TEST(a_waiting_reader_does_not_hold_a_deletion_up),
		TEST(what_a_stream_held_is_delivered),
		TEST(a_delivery_that_cannot_start_is_started_once_it_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
