// Dead objects put to their destination after all: as they are, once, also when it is cut off.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/delivery/calls.h"
#include "control/delivery/dead_letters.h"
#include "tests/support/delivery_rig.h"

#define BYTES RIG_BYTES
#define WAIT_MS 10000u

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

static void break_destination(void)
{
	fclose(fopen(rig.config.directory, "w"));
}

/* Three objects of shard 0 among the dead letters, the destination mended (or not). */
static void bury_three(bool mend)
{
	break_destination();
	rig.config.retry_seconds = 1;
	for (uint32_t i = 0; i < 3; i++) {
		/* Nobody looks meanwhile, or the ten might come in two objects. */
		if (i > 0)
			assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
		rig_fill(&rig, 0, i * 10, 10, BYTES);
		assert_int_equal(delivery_rig_start(&rig), 0);
		while (rig_status(&rig, 0).failed_records < (i + 1) * 10)
			usleep(10000);
	}
	if (mend)
		unlink(rig.config.directory);
}

static void name_of(uint32_t first, uint32_t last, char *out, size_t room)
{
	snprintf(out, room, "2026/01/000000000000/events-0badcafe-000000000000-%020u-%020u.raw", first, last);
}

static void the_dead_are_listed_in_order_with_what_their_notes_say(void **state)
{
	char **names, name[300];
	uint32_t count;
	json_t *note;

	(void)state;
	bury_three(true);
	assert_int_equal(dead_letters_list(&rig.config, &names, &count), 0);
	assert_int_equal(count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		name_of(i * 10 + 1, i * 10 + 10, name, sizeof name);
		assert_string_equal(names[i], name);
	}
	assert_int_equal(dead_letters_read(&rig.config, names[1], &note), 0);
	assert_int_equal(json_integer_value(json_object_get(note, "records")), 10);
	assert_int_equal(json_integer_value(json_object_get(note, "gaps")), 0);
	json_decref(note);
	assert_int_equal(dead_letters_read(&rig.config, "nobody", &note), -ENOENT);
	assert_int_equal(dead_letters_read(&rig.config, "../../../etc/passwd", &note), -EINVAL);
	dead_letters_free(names, count);
	rig.config.name[0] = 'x'; /* no such folder */
	assert_int_equal(dead_letters_list(&rig.config, &names, &count), 0);
	assert_int_equal(count, 0);
	rig.config.name[0] = 'f';
}

static void a_redriven_object_is_delivered_counted_and_gone_from_the_dead(void **state)
{
	char name[300], reason[512], list[2048];
	struct delivery_status s;
	int temporary;

	(void)state;
	bury_three(true);
	for (uint32_t i = 0; i < 3; i++) {
		name_of(i * 10 + 1, i * 10 + 10, name, sizeof name);
		assert_int_equal(delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason), 0);
		s = rig_status(&rig, 0);
		assert_int_equal(s.delivered_records, (i + 1) * 10);
		assert_int_equal(s.delivered_objects, i + 1);
		assert_int_equal(s.failed_records, 20 - i * 10);
		rig_balances(&s);
		assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 4 - i * 2);
		assert_int_equal(delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason), -ENOENT);
	}
	rig_holds_records(&rig, "out", 0, 0, 30);
	/* And the delivery goes on behind them. */
	rig_fill(&rig, 0, 30, 10, BYTES);
	while (rig_status(&rig, 0).delivered_records < 40)
		usleep(10000);
	rig_holds_records(&rig, "out", 0, 0, 40);
	/* What was counted is counted after a start. */
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	assert_int_equal(delivery_rig_start(&rig), 0);
	s = rig_status(&rig, 0);
	assert_int_equal(s.delivered_records, 40);
	assert_int_equal(s.failed_records, 0);
	rig_balances(&s);
}

static void a_destination_that_still_refuses_leaves_it_where_it_is(void **state)
{
	char name[300], reason[512], list[2048];
	struct delivery_status s;
	int temporary;

	(void)state;
	bury_three(false);
	name_of(1, 10, name, sizeof name);
	assert_int_equal(delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason), -EIO);
	assert_non_null(strstr(reason, "Not a directory"));
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 30);
	assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 6);
}

static void a_journal_that_refuses_counts_nothing_and_the_next_try_finishes(void **state)
{
	char name[300], reason[512];
	struct delivery_status s;

	(void)state;
	bury_three(true);
	name_of(11, 20, name, sizeof name);
	fake_journal_set_error(rig.journal, -ENOSPC);
	assert_int_equal(delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason), -ENOSPC);
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 30);
	fake_journal_set_error(rig.journal, 0);
	assert_int_equal(delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason), 0);
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 20);
	assert_int_equal(s.delivered_records, 10);
	rig_balances(&s);
	rig_holds_records(&rig, "out", 0, 10, 10);
}

static void one_of_another_stream_of_that_name_is_delivered_and_counted_nowhere(void **state)
{
	char name[300], other[300], from[400], to[400], reason[512];
	struct delivery_status s;

	(void)state;
	bury_three(true);
	name_of(1, 10, name, sizeof name);
	snprintf(other, sizeof other, "%s", name);
	memcpy(strstr(other, "0badcafe"), "deadbeef", 8);
	for (int i = 0; i < 2; i++) {
		snprintf(from, sizeof from, "%s/dead/files/%s%s", rig.directory, name, i ? ".json" : "");
		snprintf(to, sizeof to, "%s/dead/files/%s%s", rig.directory, other, i ? ".json" : "");
		assert_int_equal(rename(from, to), 0);
	}
	assert_int_equal(delivery_redrive(rig.delivery, other, WAIT_MS, reason, sizeof reason), 0);
	s = rig_status(&rig, 0);
	assert_int_equal(s.failed_records, 30);
	assert_int_equal(s.delivered_records, 0);
	rig_balances(&s);
	rig_holds_records(&rig, "out", 0, 0, 10);
}

/* ---- killed at every call it makes of the kernel, and at every change of the journal ---- */

static int points, die_at;

static void point(void)
{
	if (++points == die_at)
		_exit(77);
}

static struct delivery_calls real;

static int dying_rename(int from_directory, const char *from, int to_directory, const char *to)
{
	int result;

	point();
	result = real.renameat(from_directory, from, to_directory, to);
	point();
	return result;
}

static int dying_unlink(int directory, const char *path, int flags)
{
	int result;

	point();
	result = real.unlinkat(directory, path, flags);
	point();
	return result;
}

static int dying_fsync(int fd)
{
	point();
	return real.fsync(fd);
}

static ssize_t dying_write(int fd, const void *bytes, size_t length)
{
	point();
	return real.write(fd, bytes, length);
}

static void redrive_in_child(const char *directory, const char *name)
{
	struct rig child;
	char reason[512];

	rig_init(&child, directory);
	real = delivery_calls;
	delivery_calls.renameat = dying_rename;
	delivery_calls.unlinkat = dying_unlink;
	delivery_calls.fsync = dying_fsync;
	delivery_calls.write = dying_write;
	rig_fill(&child, 0, 0, 30, BYTES);
	if (delivery_rig_start(&child) != 0)
		_exit(1);
	points = 0;
	fake_journal_point = point;
	(void)delivery_redrive(child.delivery, name, WAIT_MS, reason, sizeof reason);
	_exit(points < die_at ? 0 : 1);
}

static void copy_tree(const char *from, const char *to)
{
	char command[300];

	snprintf(command, sizeof command, "cp -r '%s/.' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

/* The rig on a copy of what lay in `directory` when nothing ran there. */
static void start_from(const char *directory)
{
	char copy[] = "/tmp/penstock-redrive-XXXXXX";

	assert_non_null(mkdtemp(copy));
	copy_tree(directory, copy);
	rig_init(&rig, copy);
	rig_fill(&rig, 0, 0, 30, BYTES);
}

static void killed_anywhere_it_is_delivered_and_counted_once(void **state)
{
	char buried[] = "/tmp/penstock-buried-XXXXXX";
	int deaths = 0;

	(void)state;
	/* Once: an object dies only when trying again has lasted for a second. */
	bury_three(true);
	assert_int_equal(delivery_rig_stop(&rig, false, 0), 0);
	assert_non_null(mkdtemp(buried));
	copy_tree(rig.directory, buried);
	rig_end(&rig);
	for (int at = 1;; at++) {
		char name[300], reason[512], list[2048];
		struct delivery_status s;
		int status, temporary, result;
		pid_t child;

		start_from(buried);
		name_of(11, 20, name, sizeof name);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			die_at = at;
			redrive_in_child(rig.directory, name);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 0)
			break; /* it came to its end before that point */
		assert_int_equal(WEXITSTATUS(status), 77);
		deaths++;
		fake_journal_close(rig.journal);
		snprintf(list, sizeof list, "%s/journal", rig.directory);
		rig.journal = fake_journal_open(list);
		assert_int_equal(delivery_rig_start(&rig), 0);
		result = delivery_redrive(rig.delivery, name, WAIT_MS, reason, sizeof reason);
		assert_true(result == 0 || result == -ENOENT); /* all was done, the very last step, too */
		s = rig_status(&rig, 0);
		assert_int_equal(s.delivered_records, 10);
		assert_int_equal(s.failed_records, 20);
		rig_balances(&s);
		assert_int_equal(rig_list(&rig, "dead", list, sizeof list, &temporary), 4);
		rig_holds_records(&rig, "out", 0, 10, 10);
		rig_end(&rig);
	}
	rig_remove_tree(buried);
	assert_true(deaths >= 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_dead_are_listed_in_order_with_what_their_notes_say),
		TEST(a_redriven_object_is_delivered_counted_and_gone_from_the_dead),
		TEST(a_destination_that_still_refuses_leaves_it_where_it_is),
		TEST(a_journal_that_refuses_counts_nothing_and_the_next_try_finishes),
		TEST(one_of_another_stream_of_that_name_is_delivered_and_counted_nowhere),
		TEST(killed_anywhere_it_is_delivered_and_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
