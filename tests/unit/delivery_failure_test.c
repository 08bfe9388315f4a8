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

static bool retrying(const struct delivery_status *s)
{
	return s->attempts >= 2 && s->retrying_since_ns > 0 && s->error[0] != '\0';
}

static void a_destination_that_comes_back_gets_everything_once(void **state)
{
	struct delivery_status s;
	char aside[128];
	FILE *file;
	char *line;
	int times = 0;

	(void)state;
	snprintf(aside, sizeof aside, "%s/aside", rig.directory);
	mkdir(rig.config.directory, 0700);
	rename(rig.config.directory, aside);
	file = fopen(rig.config.directory, "w"); /* a file in its place: root is refused, too */
	fclose(file);
	rig_fill(&rig, 0, 0, 40, BYTES);
	rig_fill(&rig, 1, 0, 40, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, retrying));
	s = rig_status(&rig, 0);
	assert_int_equal(s.delivered_records, 0);
	assert_non_null(strstr(s.error, "Not a directory"));
	rig_balances(&s);
	unlink(rig.config.directory);
	rename(aside, rig.config.directory);
	assert_true(rig_wait(&rig, 0, rig_settled) && rig_wait(&rig, 1, rig_settled));
	s = rig_status(&rig, 0);
	assert_string_equal(s.error, "");
	assert_int_equal(s.retrying_since_ns, 0);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	rig_holds_records(&rig, "out", 0, 0, 40);
	rig_holds_records(&rig, "out", 1, 0, 40);
	/* One line down, one line up, however many attempts. */
	for (line = rig.said; *line != '\0'; line = strchr(line, '\n') + 1)
		times++;
	if (times != 2)
		fail_msg("said %d lines:\n%s", times, rig.said);
}

static void a_budget_that_ends_sends_the_object_to_the_dead_letters(void **state)
{
	char list[2048], path[300];
	struct delivery_status s;
	int temporary;
	json_t *note;
	FILE *file;

	(void)state;
	file = fopen(rig.config.directory, "w");
	fclose(file);
	rig.config.retry_seconds = 1;
	rig_fill(&rig, 0, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 20);
	assert_int_equal(s.delivered_records, 0);
	rig_balances(&s);
	assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 2);
	assert_int_equal(temporary, 0);
	rig_holds_records(&rig, "dead", 0, 0, 20);
	snprintf(path, sizeof path, "%s/dead/files/2026/01/000000000000/events-0badcafe-000000000000-%020d-%020d.raw.json",
		 rig.directory, 1, 20);
	note = json_load_file(path, 0, NULL);
	assert_non_null(note);
	assert_string_equal(json_string_value(json_object_get(note, "delivery")), "files");
	assert_string_equal(json_string_value(json_object_get(note, "stream")), "events");
	assert_int_equal(json_integer_value(json_object_get(note, "last_sequence")), 20);
	assert_int_equal(json_integer_value(json_object_get(note, "records")), 20);
	assert_true(json_integer_value(json_object_get(note, "attempts")) >= 2);
	assert_non_null(strstr(json_string_value(json_object_get(note, "reason")), "Not a directory"));
	json_decref(note);
	/* The next one is delivered as if nothing had been. */
	unlink(rig.config.directory);
	rig_fill(&rig, 0, 20, 20, BYTES);
	while (rig_status(&rig, 0).delivered_records < 20)
		usleep(10000);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	rig_holds_records(&rig, "out", 0, 20, 20);
}

static void an_outage_has_one_budget_not_one_for_each_object(void **state)
{
	struct delivery_status s;
	char path[300];
	json_t *note;
	FILE *file;

	(void)state;
	file = fopen(rig.config.directory, "w");
	fclose(file);
	rig.config.retry_seconds = 2;
	rig_fill(&rig, 0, 0, 200, BYTES); /* ten objects: 20 s were it a budget for each, and rig_wait() gives ten */
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 200);
	rig_balances(&s);
	snprintf(path, sizeof path, "%s/dead/files/2026/01/000000000000/events-0badcafe-000000000000-%020d-%020d.raw.json",
		 rig.directory, 181, 200);
	note = json_load_file(path, 0, NULL);
	assert_non_null(note);
	assert_int_equal(json_integer_value(json_object_get(note, "attempts")), 1);
	json_decref(note);
}

static bool full(const struct delivery_status *s)
{
	return s->attempts >= 2 && strstr(s->error, "dead_letter_bytes") != NULL;
}

static void full_dead_letters_let_the_object_wait(void **state)
{
	char list[2048], path[300];
	struct delivery_status s;
	int temporary;
	FILE *file;

	(void)state;
	file = fopen(rig.config.directory, "w");
	fclose(file);
	rig.config.retry_seconds = 0;
	rig.config.dead_letter_bytes = 2000; /* one object of 1020 bytes and its note */
	rig_fill(&rig, 0, 0, 40, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, full));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 20);
	assert_int_equal(s.pending_records, 20);
	assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 2);
	/* Room is made: it goes there after all. */
	snprintf(path, sizeof path, "%s/dead/files", rig.directory);
	rig_remove_tree(path);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 40);
	rig_balances(&s);
}

static void an_object_that_fits_nowhere_waits(void **state)
{
	struct delivery_status s;
	FILE *file;

	(void)state;
	file = fopen(rig.config.directory, "w");
	fclose(file);
	file = fopen(rig.config.dead_letter, "w");
	fclose(file);
	rig.config.retry_seconds = 0;
	rig_fill(&rig, 0, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, retrying));
	s = rig_status(&rig, 0);
	assert_int_equal(s.pending_records, 20);
	assert_non_null(strstr(s.error, "dead-letter directory"));
	unlink(rig.config.dead_letter);
	assert_true(rig_wait(&rig, 0, rig_settled));
	assert_int_equal(rig_status(&rig, 0).failed_records, 20);
}

static void a_journal_that_refuses_changes_nothing_and_is_asked_again(void **state)
{
	struct delivery_status s;

	(void)state;
	rig_fill(&rig, 0, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	fake_journal_set_error(rig.journal, -EIO);
	rig_fill(&rig, 0, 20, 20, BYTES);
	usleep(500000);
	s = rig_status(&rig, 0);
	assert_int_equal(s.pending_records, 20);
	assert_string_not_equal(s.error, "");
	fake_journal_set_error(rig.journal, 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	s = rig_status(&rig, 0);
	assert_int_equal(s.delivered_records, 40);
	rig_balances(&s);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	rig_holds_records(&rig, "out", 0, 0, 40);
}

static void a_shard_that_cannot_be_read_costs_no_budget(void **state)
{
	(void)state;
	rig.config.retry_seconds = 0;
	rig_fill(&rig, 0, 0, 20, BYTES);
	rig_fill(&rig, 1, 0, 20, BYTES);
	assert_int_equal(delivery_rig_start(&rig), 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	fake_shard_set_error(rig.shards[0], -EIO);
	rig_fill(&rig, 0, 20, 20, BYTES);
	usleep(400000);
	assert_true(rig_wait(&rig, 1, rig_settled)); /* the other shard goes on */
	assert_int_equal(rig_status(&rig, 0).failed_records, 0);
	fake_shard_set_error(rig.shards[0], 0);
	assert_true(rig_wait(&rig, 0, rig_settled));
	assert_int_equal(rig_status(&rig, 0).delivered_records, 40);
	/* A stream that was deleted is left alone. */
	fake_shard_set_error(rig.shards[0], -ESTALE);
	rig_fill(&rig, 0, 40, 20, BYTES);
	usleep(400000);
	assert_string_equal(rig_status(&rig, 0).error, "the stream was deleted");
	assert_int_equal(delivery_rig_stop(&rig, true, 5000), 0);
}

/* The n-th of these calls fails, once; the disk is full, or broken. */
static _Atomic int calls_left;

static bool fails_now(void)
{
	return atomic_fetch_sub(&calls_left, 1) == 1;
}

static struct delivery_calls real;

static int failing_openat2(int directory, const char *path, struct open_how *how)
{
	errno = EROFS;
	return fails_now() ? -1 : real.openat2(directory, path, how);
}

static int failing_mkdirat(int directory, const char *path, mode_t mode)
{
	errno = ENOSPC;
	return fails_now() ? -1 : real.mkdirat(directory, path, mode);
}

static ssize_t failing_write(int fd, const void *bytes, size_t length)
{
	errno = ENOSPC;
	return fails_now() ? -1 : real.write(fd, bytes, length);
}

static int failing_fsync(int fd)
{
	errno = EIO;
	return fails_now() ? -1 : real.fsync(fd);
}

static int failing_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	errno = EIO;
	return fails_now() ? -1 : real.renameat(from_directory, from, to_directory, to);
}

static void any_call_may_fail_and_every_record_is_there_once(void **state)
{
	uint32_t next = 0;
	char list[8192];
	int temporary;

	(void)state;
	real = delivery_calls;
	delivery_calls.openat2 = failing_openat2;
	delivery_calls.mkdirat = failing_mkdirat;
	delivery_calls.write = failing_write;
	delivery_calls.fsync = failing_fsync;
	delivery_calls.renameat = failing_renameat;
	for (int n = 1; n <= 24; n++, next += 7) {
		rig_fill(&rig, 0, next, 7, BYTES);
		atomic_store(&calls_left, n);
		assert_int_equal(delivery_rig_start(&rig), 0);
		assert_int_equal(delivery_rig_stop(&rig, true, 10000), 0);
	}
	delivery_calls = real;
	assert_int_equal(rig_list(&rig, "out", list, sizeof list, &temporary), 24);
	assert_int_equal(temporary, 0);
	rig_holds_records(&rig, "out", 0, 0, next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_destination_that_comes_back_gets_everything_once),
		TEST(a_budget_that_ends_sends_the_object_to_the_dead_letters),
		TEST(an_outage_has_one_budget_not_one_for_each_object),
		TEST(full_dead_letters_let_the_object_wait),
		TEST(an_object_that_fits_nowhere_waits),
		TEST(a_journal_that_refuses_changes_nothing_and_is_asked_again),
		TEST(a_shard_that_cannot_be_read_costs_no_budget),
		TEST(any_call_may_fail_and_every_record_is_there_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
