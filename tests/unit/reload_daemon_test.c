// A changed configuration under a running penstockd, with a dataplane that answers as the test tells it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/clock.h"
#include "tests/support/daemon_rig.h"

#define LAKE "  - {name: lake, stream: orders, destination: {directory: lake}, buffer: {age: 1h}}\n"

static void write_config(const struct daemon_rig *rig, const char *inputs, const char *streams, const char *deliveries)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/main.yaml", rig->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"region: {directory: %s}\nstore: {directory: store}\ncontrol: {socket: sock, log_level: warning}\n"
		"ports:\n  - {name: east, device: net_null0, cores: [1], mode: tap}\n%s%s%s%s%s%s",
		rig->region_directory, inputs[0] ? "inputs:\n" : "", inputs, streams[0] ? "streams:\n" : "", streams,
		deliveries[0] ? "deliveries:\n" : "", deliveries);
	fclose(file);
}

static struct config *load(const struct daemon_rig *rig)
{
	struct config *config;
	char path[128];

	snprintf(path, sizeof path, "%s/main.yaml", rig->directory);
	assert_int_equal(config_load(path, stderr, &config), 0);
	return config;
}

/* The dataplane reads the same file. */
static uint64_t reload_alike(struct daemon_rig *rig)
{
	struct config *config = load(rig);
	uint64_t hash = config_hash(config);

	config_free(config);
	return hash;
}

static uint64_t reload_another(struct daemon_rig *rig)
{
	return reload_alike(rig) + 1;
}

static int set_up(void **state)
{
	struct daemon_rig *rig = malloc(sizeof *rig);

	daemon_rig_open(rig);
	daemon_rig_stop_daemon(rig, false);
	config_free(rig->config);
	write_config(rig, "", "  - {name: orders}\n", LAKE);
	rig->config = load(rig);
	rig->reload = reload_alike;
	atomic_store(&rig->reload_outcome, RELOAD_APPLIED);
	daemon_rig_start_daemon(rig);
	assert_int_equal(streams_create(rig->daemon.streams, "orders", 1, 86400, 0), 0);
	daemon_rig_start_dataplane(rig);
	daemon_rig_wait_map(rig, 1);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	daemon_rig_close(*state);
	free(*state);
	return 0;
}

static json_t *reload(struct daemon_rig *rig, bool dry)
{
	json_t *answer = daemon_rig_ask(rig, -1, NULL, "{s:s, s:b}", "op", "reload", "dry_run", (int)dry);

	assert_true(json_is_true(json_object_get(answer, "ok")));
	return answer;
}

static bool is_true(const json_t *answer, const char *key)
{
	return json_is_true(json_object_get(answer, key));
}

static const char *text(const json_t *answer, const char *key)
{
	return json_string_value(json_object_get(answer, key));
}

/* The delivery of this name as the status shows it; NULL: none. Borrowed from *status. */
static const json_t *delivery_of(struct daemon_rig *rig, const char *name, json_t **status)
{
	const json_t *row;
	size_t i;

	*status = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");
	json_array_foreach(json_object_get(*status, "deliveries"), i, row)
		if (strcmp(text(row, "name"), name) == 0)
			return row;
	return NULL;
}

static bool is_running(struct daemon_rig *rig, const char *name)
{
	json_t *status;
	const json_t *row = delivery_of(rig, name, &status);
	bool running = row && is_true(row, "running");

	json_decref(status);
	return running;
}

static bool has_stream(struct daemon_rig *rig, const char *name)
{
	struct stream *stream = streams_hold(rig->daemon.streams, name);

	if (stream)
		streams_release(rig->daemon.streams, stream);
	return stream != NULL;
}

/* How many objects lie in a folder beneath the rig's directory, at any depth. */
static unsigned count_objects(const struct daemon_rig *rig, const char *folder)
{
	char command[256];
	unsigned count = 0;
	FILE *out;

	snprintf(command, sizeof command, "find %s/%s -type f 2>/dev/null | wc -l", rig->directory, folder);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%u", &count), 1);
	pclose(out);
	return count;
}

static void expect_balance(struct daemon_rig *rig)
{
	json_t *ledger = daemon_rig_settled_ledger(rig);

	assert_true(is_true(ledger, "balanced"));
	json_decref(ledger);
}

static void streams_and_deliveries_come_and_go(void **state)
{
	struct daemon_rig *rig = *state;
	json_t *answer;

	assert_true(is_running(rig, "lake"));
	for (int i = 0; i < 20; i++)
		assert_true(daemon_rig_append(rig, 0, 0, "text"));
	expect_balance(rig);
	assert_int_equal(count_objects(rig, "lake"), 0); /* waits for an hour */
	write_config(rig, "", "  - {name: orders}\n  - {name: more, shards: 2}\n",
		     "  - {name: sea, stream: more, destination: {directory: sea}}\n");
	answer = reload(rig, false);
	assert_true(is_true(answer, "complete"));
	assert_string_equal(text(answer, "dataplane"), "works");
	assert_string_equal(text(answer, "hash"), text(answer, "dataplane_hash"));
	json_decref(answer);
	assert_int_equal(atomic_load(&rig->reloads), 1);
	assert_true(has_stream(rig, "more"));
	assert_true(is_running(rig, "sea"));
	assert_false(is_running(rig, "lake"));
	assert_int_equal(count_objects(rig, "lake"), 1); /* what was durable is delivered before it goes */
	expect_balance(rig);

	/* It comes back where it was, and has the 20 behind it. */
	write_config(rig, "", "  - {name: orders}\n", LAKE);
	answer = reload(rig, false);
	assert_true(is_true(answer, "complete"));
	json_decref(answer);
	json_t *status;
	const json_t *row = delivery_of(rig, "lake", &status);
	assert_int_equal(json_integer_value(json_object_get(row, "delivered")), 20);
	json_decref(status);
	assert_true(has_stream(rig, "more")); /* it stays, with its records */
	expect_balance(rig);
}

static void a_changed_delivery_goes_on_where_it_was(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t until = clock_monotonic_ms() + 20000;
	json_int_t delivered = 0;
	json_t *answer;

	for (int i = 0; i < 20; i++)
		assert_true(daemon_rig_append(rig, 0, 0, "text"));
	expect_balance(rig);
	write_config(rig, "", "  - {name: orders, retention: 48h}\n",
		     "  - {name: lake, stream: orders, destination: {directory: other}, buffer: {age: 1s}}\n");
	answer = reload(rig, false);
	assert_true(is_true(answer, "complete"));
	assert_int_equal(json_array_size(json_object_get(answer, "changes")), 3);
	json_decref(answer);
	for (int i = 0; i < 7; i++)
		assert_true(daemon_rig_append(rig, 0, 1, "text"));
	while (delivered < 27) {
		json_t *status;

		delivered = json_integer_value(json_object_get(delivery_of(rig, "lake", &status), "delivered"));
		json_decref(status);
		assert_true(clock_monotonic_ms() < until);
		usleep(20000);
	}
	assert_int_equal(delivered, 27);
	assert_int_equal(count_objects(rig, "lake"), 1);
	assert_int_equal(count_objects(rig, "other"), 1);
	struct stream *stream = streams_hold(rig->daemon.streams, "orders");
	assert_int_equal(stream->info.retention_seconds, 48 * 3600);
	streams_release(rig->daemon.streams, stream);
	expect_balance(rig);
}

static void an_error_changes_nothing(void **state)
{
	struct daemon_rig *rig = *state;
	bool busy;
	uint64_t before = reload_hash(rig->daemon.reload, &busy);
	json_t *answer;

	write_config(rig, "", "  - {name: new}\n  - {name: orders, shards: none}\n", "");
	answer = reload(rig, false);
	assert_true(is_true(answer, "refused"));
	assert_false(is_true(answer, "complete"));
	assert_non_null(strstr(text(answer, "report"), "main.yaml:8:28: error: expected a number"));
	json_decref(answer);
	assert_false(has_stream(rig, "new"));
	assert_true(is_running(rig, "lake"));
	assert_true(reload_hash(rig->daemon.reload, &busy) == before);
	assert_int_equal(atomic_load(&rig->reloads), 0);
}

/* Hyperscan's, which the dataplane has: penstockd must not take up what the dataplane is going to refuse. */
static void a_pattern_that_cannot_be_compiled_changes_nothing(void **state)
{
	static const char inputs[] = "  - {name: in, port: east, codec: frame, stream: orders}\n"
				     "matching: {cache: cache}\n"
				     "rules:\n  - {name: twice, input: in, pattern: '(a)\\1', verdict: drop}\n";
	struct daemon_rig *rig = *state;
	bool busy;
	uint64_t before = reload_hash(rig->daemon.reload, &busy);

	write_config(rig, inputs, "  - {name: orders}\n  - {name: new}\n", "");
	for (int dry = 1; dry >= 0; dry--) {
		json_t *answer = reload(rig, dry);

		assert_true(is_true(answer, "refused"));
		assert_false(is_true(answer, "complete"));
		assert_non_null(strstr(text(answer, "report"), "rule 'twice': the pattern cannot be used"));
		assert_string_equal(text(answer, "dataplane"), "not_asked");
		json_decref(answer);
	}
	assert_false(has_stream(rig, "new"));
	assert_true(is_running(rig, "lake"));
	assert_true(reload_hash(rig->daemon.reload, &busy) == before);
	assert_int_equal(atomic_load(&rig->reloads), 0);
}

static void a_dry_run_says_and_does_nothing(void **state)
{
	struct daemon_rig *rig = *state;
	const json_t *change;
	json_t *answer;

	write_config(rig, "", "  - {name: orders}\n  - {name: new}\n", "");
	answer = reload(rig, true);
	assert_true(is_true(answer, "complete"));
	assert_int_equal(json_array_size(json_object_get(answer, "changes")), 2);
	change = json_array_get(json_object_get(answer, "changes"), 0);
	assert_string_equal(text(change, "path"), "streams[1]");
	assert_string_equal(text(change, "kind"), "added");
	assert_string_equal(text(change, "name"), "new");
	assert_string_equal(text(answer, "dataplane"), "not_asked");
	json_decref(answer);
	assert_false(has_stream(rig, "new"));
	assert_true(is_running(rig, "lake"));
	assert_int_equal(atomic_load(&rig->reloads), 0);
}

static void expect_dataplane(struct daemon_rig *rig, const char *state)
{
	json_t *answer = reload(rig, false);

	assert_string_equal(text(answer, "dataplane"), state);
	assert_int_equal(is_true(answer, "complete"), strcmp(state, "works") == 0);
	json_decref(answer);
}

static bool has_problem(struct daemon_rig *rig, const char *beginning)
{
	json_t *status = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "status");
	const json_t *problem;
	bool has = false;
	size_t i;

	json_array_foreach(json_object_get(status, "problems"), i, problem)
		has |= strncmp(json_string_value(problem), beginning, strlen(beginning)) == 0;
	json_decref(status);
	return has;
}

static void what_the_dataplane_says_is_told(void **state)
{
	struct daemon_rig *rig = *state;

	expect_dataplane(rig, "works");
	assert_false(has_problem(rig, "configuration: "));
	rig->reload = reload_another;
	expect_dataplane(rig, "differs");
	assert_true(has_problem(rig, "configuration: penstockd works by one, the dataplane by another"));
	atomic_store(&rig->reload_outcome, RELOAD_REFUSED);
	expect_dataplane(rig, "refused");
	atomic_store(&rig->reload_outcome, RELOAD_FAILED);
	expect_dataplane(rig, "failed");
	rig->reload = reload_alike;
	atomic_store(&rig->reload_outcome, RELOAD_APPLIED);
	expect_dataplane(rig, "works");
	assert_false(has_problem(rig, "configuration: "));
	daemon_rig_stop_dataplane(rig);
	for (uint64_t until = clock_monotonic_ms() + 1500; clock_monotonic_ms() < until;)
		usleep(10000);
	expect_dataplane(rig, "down");
}

static void *delete_stream(void *with)
{
	struct daemon_rig *rig = with;

	json_decref(daemon_rig_ask(rig, -1, NULL, "{s:s, s:s}", "op", "stream.delete", "name", "more"));
	return NULL;
}

static void a_stream_may_be_deleted_while_its_delivery_goes(void **state)
{
	static const char *const with = "  - {name: sea, stream: more, destination: {directory: sea}, buffer: {age: 1h}}\n" LAKE;
	struct daemon_rig *rig = *state;

	for (int turn = 0; turn < 6; turn++) {
		pthread_t thread;

		write_config(rig, "", "  - {name: orders}\n  - {name: more}\n", with);
		expect_dataplane(rig, "works");
		assert_true(is_running(rig, "sea"));
		write_config(rig, "", "  - {name: orders}\n", LAKE);
		assert_int_equal(pthread_create(&thread, NULL, delete_stream, rig), 0);
		usleep((useconds_t)turn * 10000);
		expect_dataplane(rig, "works");
		pthread_join(thread, NULL);
		assert_false(has_stream(rig, "more"));
	}
	expect_balance(rig);
}

static void a_signal_does_the_same(void **state)
{
	struct daemon_rig *rig = *state;
	uint64_t until = clock_monotonic_ms() + 20000;

	write_config(rig, "", "  - {name: orders}\n  - {name: more}\n", LAKE);
	reload_run_soon(rig->daemon.reload);
	while (atomic_load(&rig->reloads) == 0 || !has_stream(rig, "more")) {
		assert_true(clock_monotonic_ms() < until);
		usleep(10000);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(streams_and_deliveries_come_and_go),
		TEST(a_changed_delivery_goes_on_where_it_was),
		TEST(an_error_changes_nothing),
		TEST(a_pattern_that_cannot_be_compiled_changes_nothing),
		TEST(a_dry_run_says_and_does_nothing),
		TEST(what_the_dataplane_says_is_told),
		TEST(a_stream_may_be_deleted_while_its_delivery_goes),
		TEST(a_signal_does_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
