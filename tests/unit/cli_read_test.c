#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "tests/support/cli_daemon.h"
#include "tests/support/rounds.h"

static struct cli_daemon d;

// How often each record of "STREAM number" lines in a file stands there, among those below `count`.
static uint8_t *count_records(const char *name, const char *stream, uint64_t count, uint64_t *lines, bool *in_order)
{
	uint8_t *seen = calloc(count + 1, 1);
	char *text = cli_daemon_file(&d, name, NULL), *line = text, *end;
	size_t prefix = strlen(stream);
	uint64_t last = 0;

	*lines = 0;
	*in_order = true;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		uint64_t number;

		if (strncmp(line, stream, prefix) || line[prefix] != ' ')
			fail_msg("torn line: %.60s", line);
		number = strtoull(line + prefix + 1, NULL, 10);
		if (number < count)
			seen[number]++;
		else
			fail_msg("nobody sent %llu", (unsigned long long)number);
		if (*lines && number < last)
			*in_order = false;
		last = number;
		(*lines)++;
	}
	if (*line)
		fail_msg("torn last line: %.60s", line);
	free(text);
	return seen;
}

static void assert_each_once(const char *name, const char *stream, uint64_t first, uint64_t count)
{
	uint64_t lines;
	bool order;
	uint8_t *seen = count_records(name, stream, first + count, &lines, &order);

	for (uint64_t n = 0; n < first + count; n++) {
		if (seen[n] != (n >= first))
			fail_msg("record %llu stands %u times in %s", (unsigned long long)n, seen[n], name);
	}
	free(seen);
}

static void assert_said(const char *name, const char *words)
{
	char *text = cli_daemon_file(&d, name, NULL);

	if (!strstr(text, words))
		fail_msg("\"%s\" is not in %s: %s", words, name, text);
	free(text);
}

static void assert_empty(const char *name)
{
	char *text = cli_daemon_file(&d, name, NULL);

	if (*text)
		fail_msg("%s: %s", name, text);
	free(text);
}

static int start(void **state)
{
	(void)state;
	cli_daemon_start(&d, "");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	return cli_daemon_stop(&d);
}

static void create(const char *name, unsigned shards, const char *more)
{
	assert_int_equal(cli_daemon_run(&d, "stream create %s --shards %u %s", name, shards, more), 0);
}

static void every_record_of_every_shard_comes_once_and_the_limit_is_exact(void **state)
{
	uint64_t lines;
	bool order;

	(void)state;
	create("syslog", 3, "");
	cli_daemon_feed(&d, "syslog", 5000, 40, 50);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog"), 0);
	assert_each_once("out", "syslog", 0, 5000);
	assert_empty("err");
	assert_int_equal(cli_daemon_run(&d, "read syslog --limit 1234"), 0);
	free(count_records("out", "syslog", 5000, &lines, &order));
	assert_int_equal(lines, 1234);
	assert_int_equal(cli_daemon_run(&d, "read syslog --limit 0"), 0);
	assert_empty("out");
	assert_int_equal(cli_daemon_run(&d, "read syslog --shard 1"), 0);
	free(count_records("out", "syslog", 5000, &lines, &order));
	assert_int_equal(lines, 1667);
	assert_true(order);
	assert_int_equal(cli_daemon_run(&d, "read syslog --shard 3"), 1);
	assert_said("err", "stream syslog has no shard 3");
	assert_int_equal(cli_daemon_run(&d, "read nothing"), 1);
	assert_said("err", "there is no stream nothing");
	assert_int_equal(cli_daemon_run(&d, "read syslog --from latest"), 0);
	assert_empty("out");
}

static void a_sequence_number_of_a_json_line_is_a_place_to_start(void **state)
{
	char sequence[64];
	json_t *line;
	char *text;
	uint64_t lines;
	bool order;

	(void)state;
	create("syslog", 2, "");
	cli_daemon_feed(&d, "syslog", 100, 30, 7);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --shard 1 --format jsonl --limit 11"), 0);
	text = cli_daemon_file(&d, "out", NULL);
	for (char *p = strchr(text, '\n'); p[1]; p = strchr(text, '\n'))
		memmove(text, p + 1, strlen(p));
	line = json_loads(text, 0, NULL);
	assert_non_null(line);
	snprintf(sequence, sizeof(sequence), "%s", json_string_value(json_object_get(line, "sequence")));
	assert_string_equal(json_string_value(json_object_get(line, "data")), "syslog 0000000021xxxxxxxxxxxxx");
	json_decref(line);
	free(text);
	assert_int_equal(cli_daemon_run(&d, "read syslog --from %s", sequence), 0);
	free(count_records("out", "syslog", 100, &lines, &order));
	assert_int_equal(lines, 40);
	assert_said("out", "syslog 0000000021");
	assert_int_equal(cli_daemon_run(&d, "read syslog --shard 0 --from %s", sequence), 2);
}

static void a_sequence_number_nobody_gave_yet_is_refused(void **state)
{
	(void)state;
	create("syslog", 1, "");
	cli_daemon_feed(&d, "syslog", 10, 30, 10);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --from 47244640256"), 0); /* 11: the next one */
	assert_empty("out");
	assert_empty("err");
	assert_int_equal(cli_daemon_run(&d, "read syslog --from 51539607552"), 1); /* 12 */
	assert_empty("out");
	assert_said("err", "has no sequence number 51539607552 yet, the next one will be 47244640256");
}

static void a_time_leaves_out_what_arrived_before(void **state)
{
	struct timespec between;

	(void)state;
	create("syslog", 2, "");
	cli_daemon_feed(&d, "syslog", 500, 30, 10);
	usleep(3000);
	clock_gettime(CLOCK_REALTIME, &between);
	usleep(3000);
	cli_daemon_feed(&d, "syslog", 700, 30, 10);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --from %lld.%09ld", (long long)between.tv_sec, between.tv_nsec), 0);
	assert_each_once("out", "syslog", 500, 700);
	assert_int_equal(cli_daemon_run(&d, "read syslog --from -1h"), 0);
	assert_each_once("out", "syslog", 0, 1200);
}

static void delimiters_and_gaps_come_as_the_format_says(void **state)
{
	char *text;
	size_t length;

	(void)state;
	create("syslog", 1, "");
	cli_daemon_feed(&d, "syslog", 3, 0, 3);
	cli_daemon_gap(&d, "syslog", 17);
	cli_daemon_feed(&d, "syslog", 1, 0, 1);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --delimiter ''"), 0);
	text = cli_daemon_file(&d, "out", &length);
	assert_string_equal(text, "syslog 0000000000syslog 0000000001syslog 0000000002syslog 0000000003");
	free(text);
	assert_said("err", "stream syslog shard 0: gap: 17 records missing here (lane_full)");
	assert_int_equal(cli_daemon_run(&d, "read syslog --delimiter '\\r\\n' --limit 1"), 0);
	text = cli_daemon_file(&d, "out", &length);
	assert_string_equal(text, "syslog 0000000000\r\n");
	free(text);
	assert_int_equal(cli_daemon_run(&d, "read syslog --format jsonl"), 0);
	assert_said("out", "\"reason\":\"lane_full\",\"scope\":\"shard\",\"count\":17");
	assert_empty("err");
	assert_int_equal(cli_daemon_run(&d, "read syslog --format pcapng"), 0);
	text = cli_daemon_file(&d, "out", &length);
	assert_true(length > 100 && !memcmp(text, "\n\r\r\n", 4));
	free(text);
}

static void cursors_go_on_where_they_were_and_do_not_disturb_each_other(void **state)
{
	(void)state;
	create("syslog", 2, "");
	cli_daemon_feed(&d, "syslog", 3000, 30, 30);
	cli_daemon_settle(&d);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cli_daemon_run(&d, "read syslog --cursor one --limit 700 >>one"), 0);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor two --limit 100 >>two"), 0);
	assert_int_equal(cli_daemon_run(&d, "read syslog >all"), 0);
	/* --from is for the first use only. */
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor one --from trim-horizon >>one"), 0);
	assert_said("err", "cursor one is there already: --from is ignored");
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor two >>two"), 0);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor one >>one"), 0);
	assert_each_once("one", "syslog", 0, 3000);
	assert_each_once("two", "syslog", 0, 3000);
	assert_each_once("all", "syslog", 0, 3000);
	/* A cursor first used at the end has what comes after. */
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor late --from latest >late"), 0);
	cli_daemon_feed(&d, "syslog", 50, 30, 30);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor late --from trim-horizon >>late"), 0);
	assert_each_once("late", "syslog", 3000, 50);
	assert_int_equal(cli_daemon_run(&d, "stream describe syslog --json"), 0);
	assert_said("out", "\"behind\": 0");
	assert_int_equal(cli_daemon_run(&d, "cursor list syslog"), 0);
	assert_said("out", "two");
	assert_int_equal(cli_daemon_run(&d, "cursor delete syslog two"), 0);
	assert_int_equal(cli_daemon_run(&d, "cursor list syslog --json | grep -c two"), 1);
	assert_int_equal(cli_daemon_run(&d, "cursor delete syslog two"), 1);
	assert_said("err", "stream syslog has no cursor two");
}

static void a_reader_killed_at_random_moments_loses_nothing_and_repeats_only_what_was_not_committed(void **state)
{
	const uint64_t count = ROUNDS(200000);
	uint64_t lines, repeated = 0;
	unsigned kills = 0;
	uint8_t *seen;
	bool order;

	(void)state;
	create("syslog", 2, "");
	cli_daemon_feed(&d, "syslog", count, 60, 200);
	cli_daemon_settle(&d);
	for (; kills < 30 / STEP(3); kills++) {
		pid_t pid = cli_daemon_spawn(&d, "pieces", "read syslog --cursor one --format raw");
		int status;

		usleep((useconds_t)(rand() % 40000));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (WIFEXITED(status))
			break;
		/* What a kill cut off in the middle of a write is no record: a reader of the file knows it by its missing end. */
		assert_int_equal(cli_daemon_run(&d, "--version; sed -i -e '/^syslog [0-9]\\{10\\}x*$/!d' pieces; "
						    "[ -z \"$(tail -c1 pieces)\" ] || sed -i '$d' pieces"), 0);
	}
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor one >>pieces"), 0);
	seen = count_records("pieces", "syslog", count, &lines, &order);
	for (uint64_t n = 0; n < count; n++) {
		if (!seen[n])
			fail_msg("record %llu is lost", (unsigned long long)n);
		repeated += seen[n] - 1u;
	}
	free(seen);
	assert_true(repeated <= kills * 33000ull); /* what a commit may lag behind, see CURSOR_AHEAD_MAX and the output's marks */
	print_message("# %u kills, %llu of %llu records repeated\n", kills, (unsigned long long)repeated, (unsigned long long)count);
}

static void a_signal_or_a_closed_pipe_commits_exactly_what_went_out(void **state)
{
	const uint64_t count = ROUNDS(100000);
	pid_t pid;
	int status;

	(void)state;
	create("syslog", 2, "");
	cli_daemon_feed(&d, "syslog", count, 60, 200);
	cli_daemon_settle(&d);
	for (int i = 0; i < 10 / STEP(2); i++) {
		pid = cli_daemon_spawn(&d, "pieces", "read syslog --cursor one --follow");
		usleep(20000 + (useconds_t)(rand() % 20000));
		kill(pid, i % 2 ? SIGTERM : SIGINT);
		waitpid(pid, &status, 0);
		/* On a busy machine the signal may come before the program has got to its first line, and then it just ends. */
		if (!WIFSIGNALED(status))
			assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor one >>pieces"), 0);
	assert_each_once("pieces", "syslog", 0, count);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor two | head -n 3"), 0);
	assert_empty("err");
}

static void wait_for_bytes(const char *name, size_t bytes)
{
	for (int i = 0; i < 2000; i++) {
		size_t length;

		free(cli_daemon_file(&d, name, &length));
		if (length >= bytes)
			return;
		usleep(10000);
	}
	fail_msg("%s never had %zu bytes", name, bytes);
}

static void a_follower_outlives_penstockd(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	create("syslog", 2, "");
	pid = cli_daemon_spawn(&d, "follow", "read syslog --cursor one --follow");
	cli_daemon_feed(&d, "syslog", 2000, 30, 20);
	wait_for_bytes("follow", 2000 * 31);
	for (int i = 0; i < 3; i++) {
		cli_daemon_feed(&d, "syslog", 2000, 30, 20);
		cli_daemon_crash(&d);
		cli_daemon_feed(&d, "syslog", 2000, 30, 20);
	}
	cli_daemon_settle(&d);
	wait_for_bytes("follow", 14000 * 31);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("status %x: %s", status, cli_daemon_file(&d, "follow.err", NULL));
	assert_each_once("follow", "syslog", 0, 14000);
}

static void a_lapped_cursor_is_told_how_many_records_it_missed(void **state)
{
	uint64_t lines, missed = 0;
	bool order;
	char *text;

	(void)state;
	create("syslog", 1, "--retention-bytes 20MiB");
	cli_daemon_feed(&d, "syslog", 1000, 1000, 10);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor slow --limit 400"), 0);
	cli_daemon_feed(&d, "syslog", 79000, 1000, 50);
	cli_daemon_settle(&d);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(cli_daemon_run(&d, "read syslog --limit 1"), 0);
		text = cli_daemon_file(&d, "out", NULL);
		missed = strtoull(text + 7, NULL, 10);
		free(text);
		if (missed > 400)
			break;
		usleep(20000);
	}
	assert_int_equal(cli_daemon_run(&d, "read syslog --from 4294967296 --limit 1"), 0); /* 1 */
	assert_said("err", "shard 0: sequence number 4294967296 has expired, and ");
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor slow"), 0);
	text = cli_daemon_file(&d, "err", NULL);
	assert_non_null(strstr(text, "penstock: cursor slow on stream syslog shard 0 was lapped: "));
	missed = 0;
	for (char *p = text; (p = strstr(p, "lapped: ")); p++) /* once more when more expires while it reads */
		missed += strtoull(p + 8, NULL, 10);
	free(text);
	free(count_records("out", "syslog", 80000, &lines, &order));
	assert_true(order);
	assert_true(missed > 0);
	assert_int_equal(400 + missed + lines, 80000);
	assert_int_equal(cli_daemon_run(&d, "read syslog --cursor slow"), 0);
	assert_empty("out");
	assert_empty("err");
}

#define AT(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT(every_record_of_every_shard_comes_once_and_the_limit_is_exact),
		AT(a_sequence_number_of_a_json_line_is_a_place_to_start),
		AT(a_sequence_number_nobody_gave_yet_is_refused),
		AT(a_time_leaves_out_what_arrived_before),
		AT(delimiters_and_gaps_come_as_the_format_says),
		AT(cursors_go_on_where_they_were_and_do_not_disturb_each_other),
		AT(a_reader_killed_at_random_moments_loses_nothing_and_repeats_only_what_was_not_committed),
		AT(a_signal_or_a_closed_pipe_commits_exactly_what_went_out),
		AT(a_follower_outlives_penstockd),
		AT(a_lapped_cursor_is_told_how_many_records_it_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
