// `penstock delivery` against a real penstockd whose destination is a file in the way, and then is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <jansson.h>
#include <cmocka.h>

#include "tests/support/cli_daemon.h"

static struct cli_daemon d;

static char *output(const char *name)
{
	return cli_daemon_file(&d, name, NULL);
}

static json_t *json_output(void)
{
	char *text = output("out");
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	free(text);
	return json;
}

static json_int_t number(const json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

/* Waits until so many records of the delivery are counted under `key`. */
static void await(const char *key, json_int_t wanted)
{
	for (int tries = 0;; tries++) {
		json_t *all;
		json_int_t now;

		assert_int_equal(cli_daemon_run(&d, "delivery list --json"), 0);
		all = json_output();
		now = number(json_array_get(all, 0), key);
		json_decref(all);
		if (now == wanted)
			return;
		assert_true(tries < 200);
		usleep(100000);
	}
}

static void what_is_refused_is_shown_and_redriven_once(void **state)
{
	char path[200], *text;
	json_t *json;

	(void)state;
	cli_daemon_feed(&d, "events", 120, 100, 10);
	cli_daemon_settle(&d);
	await("failed", 120);
	assert_int_equal(cli_daemon_run(&d, "delivery list"), 0);
	text = output("out");
	assert_non_null(strstr(text, "files"));
	assert_non_null(strstr(text, "120"));
	free(text);

	assert_int_equal(cli_daemon_run(&d, "delivery show files --json"), 0);
	json = json_output();
	assert_int_equal(number(json, "failed"), 120);
	assert_int_equal(json_array_size(json_object_get(json, "shards")), 2);
	assert_true(number(json_object_get(json, "dead"), "objects") >= 2);
	assert_true(number(json_object_get(json, "dead"), "bytes") > 120 * 100);
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "delivery show files"), 0);
	text = output("out");
	assert_non_null(strstr(text, "  dead "));
	assert_non_null(strstr(text, "raw, compression none"));
	free(text);

	assert_int_equal(cli_daemon_run(&d, "delivery dead-letters files --json"), 0);
	json = json_output();
	assert_true(json_array_size(json) >= 2);
	assert_non_null(strstr(json_string_value(json_object_get(json_array_get(json, 0), "reason")), "Not a directory"));
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "delivery dead-letters files --limit 1 --json"), 0);
	json = json_output();
	assert_int_equal(json_array_size(json), 1);
	json_decref(json);

	/* Still in the way: nothing moves, and the status says so. */
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files"), 1);
	text = output("err");
	assert_non_null(strstr(text, "Not a directory"));
	free(text);
	await("failed", 120);

	snprintf(path, sizeof path, "%s/delivered", d.directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files --limit 1 --json"), 0);
	json = json_output();
	assert_int_equal(json_array_size(json_object_get(json, "delivered")), 1);
	assert_int_equal(number(json, "left"), 0);
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files"), 0);
	text = output("out");
	assert_non_null(strstr(text, " 0 left among the dead letters"));
	free(text);
	await("failed", 0);
	await("delivered", 120);
	assert_int_equal(cli_daemon_run(&d, "delivery dead-letters files --json"), 0);
	json = json_output();
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files"), 0);
	assert_int_equal(cli_daemon_run(&d, "ledger"), 0);
}

static void what_is_not_there_is_said(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(cli_daemon_run(&d, "delivery show nobody"), 1);
	text = output("err");
	assert_non_null(strstr(text, "there is no delivery nobody"));
	free(text);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive nobody --object x"), 1);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files --object x"), 1);
	text = output("err");
	assert_non_null(strstr(text, "has no dead letter x"));
	free(text);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files --object ../../x"), 1);
	assert_int_equal(cli_daemon_run(&d, "delivery"), 2);
	assert_int_equal(cli_daemon_run(&d, "delivery eat"), 2);
	assert_int_equal(cli_daemon_run(&d, "delivery show"), 2);
	assert_int_equal(cli_daemon_run(&d, "delivery redrive files --limit 0"), 2);
	for (const char *const *of = (const char *const[]){"", "list", "show", "dead-letters", "redrive", NULL}; *of; of++) {
		assert_int_equal(cli_daemon_run(&d, "delivery %s --help", *of), 0);
		text = output("out");
		assert_non_null(strstr(text, "Usage: penstock delivery"));
		free(text);
	}
}

static int set_up(void **state)
{
	char path[200];

	(void)state;
	cli_daemon_start(&d, "streams:\n  - {name: events, shards: 2}\n"
			     "deliveries:\n  - {name: files, stream: events, destination: {directory: delivered}, prefix: \"\",\n"
			     "     buffer: {age: 1s}, format: raw, retry: 1s, dead_letter: dead}\n");
	snprintf(path, sizeof path, "%s/delivered", d.directory);
	fclose(fopen(path, "w"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return cli_daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused_is_shown_and_redriven_once),
		cmocka_unit_test(what_is_not_there_is_said),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
