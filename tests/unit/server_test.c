// penstockd's socket: requests that make sense and others, clients that come and go, what the status shows.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "control/metadata/database.h"
#include "control/store/shard.h"
#include "tests/support/server_rig.h"

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

static void *hold_the_drain(void *store)
{
	store_hold(store);
	sleep(4);
	store_let_go(store);
	return NULL;
}

static void the_status_answers_while_the_disk_does_not(void **state)
{
	struct daemon_rig *rig = *state;
	pthread_t holder;
	uint64_t began;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	assert_int_equal(pthread_create(&holder, NULL, hold_the_drain, rig->daemon.store), 0);
	usleep(1000000); /* an evaluation waits by now */
	began = clock_monotonic_ms();
	expect_ok(daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status"));
	assert_true(clock_monotonic_ms() < began + 2000);
	pthread_join(holder, NULL);
}

static void change_database(struct daemon_rig *rig, const char *sql)
{
	struct metadata *m = rig->daemon.metadata;

	pthread_mutex_lock(&m->lock);
	assert_int_equal(sqlite3_exec(m->db, sql, NULL, NULL, NULL), SQLITE_OK);
	pthread_mutex_unlock(&m->lock);
}

static void await_problem(struct daemon_rig *rig, const char *problem)
{
	uint64_t until = clock_monotonic_ms() + 15000;
	struct monitor_verdict verdict;

	do {
		assert_true(clock_monotonic_ms() < until);
		usleep(50000);
		monitor_last(rig->daemon.monitor, &verdict);
	} while (*problem ? !strstr(verdict.problem, problem) : verdict.problem[0]);
}

static void a_ledger_that_cannot_be_evaluated_is_a_problem(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *a;

	create(rig, "orders", 1);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	append(rig, 0, 0, "a", 0, 50);
	expect_balance(rig);
	change_database(rig, "ALTER TABLE discarded RENAME TO mislaid");
	await_problem(rig, "not evaluated: ");
	a = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");
	assert_false(json_is_true(json_object_get(a, "healthy")));
	json_decref(a);
	change_database(rig, "ALTER TABLE mislaid RENAME TO discarded");
	await_problem(rig, "");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_status_shows_every_part),
		TEST(a_lost_frame_makes_penstockd_unhealthy_within_seconds),
		TEST(the_status_answers_while_the_disk_does_not),
		TEST(a_ledger_that_cannot_be_evaluated_is_a_problem),
		TEST(requests_that_make_no_sense_are_refused_by_name),
		TEST(garbage_is_answered_once_and_hung_up_on),
		TEST(more_clients_than_there_is_room_for_are_told),
		TEST(readers_leave_room_for_those_who_ask_once),
		TEST(the_socket_is_for_the_group_and_taken_from_the_dead_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
