#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/supervisor.h"

/* The programs are shell scripts that write down what happens to them. The supervisor runs in a child of the test, for it
 * takes over signals and every orphan. */
static char directory[64];

static void write_script(const char *name, const char *body)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\ncd %s\n%s\n", directory, body);
	fclose(file);
	chmod(path, 0755);
}

static pid_t supervise(uint32_t stop_ms)
{
	char first[128], second[128];
	pid_t pid = fork();
	int log;

	if (pid)
		return pid;
	snprintf(first, sizeof(first), "%s/one", directory);
	snprintf(second, sizeof(second), "%s/two", directory);
	char *const first_argv[] = {first, NULL}, *const second_argv[] = {second, NULL};
	struct supervised programs[] = {{.name = "one", .argv = first_argv, .stop_ms = stop_ms},
					{.name = "two", .argv = second_argv, .stop_ms = stop_ms, .reloads = true}};

	log = open("/dev/null", O_WRONLY);
	dup2(log, 2);
	_exit(supervisor_run(programs, 2, directory));
}

static size_t read_file(const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;
	size_t length = 0;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	if (file) {
		length = fread(text, 1, size - 1, file);
		fclose(file);
	}
	text[length] = '\0';
	return length;
}

// Waits until file `name` holds `count` lines. The test fails after 20 s.
static void wait_lines(const char *name, unsigned count)
{
	char text[4096];

	for (int i = 0; i < 2000; i++) {
		unsigned lines = 0;

		read_file(name, text, sizeof(text));
		for (char *p = text; *p; p++)
			lines += *p == '\n';
		if (lines >= count)
			return;
		usleep(10000);
	}
	fail_msg("%s never had %u lines: %s", name, count, text);
}

static pid_t pid_of(const char *name)
{
	char text[64], file[32];

	snprintf(file, sizeof(file), "%s.pid", name);
	read_file(file, text, sizeof(text));
	return (pid_t)atoi(text);
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char steady[] = "trap 'echo %s >>stops; exit 0' TERM; echo start >>%s.log; while :; do sleep 0.05; done";

static void write_steady(const char *name)
{
	char body[256];

	snprintf(body, sizeof(body), steady, name, name);
	write_script(name, body);
}

static int fresh_directory(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/penstock-supervisor-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void a_hangup_that_somebody_sends_is_passed_on_to_who_reloads(void **state)
{
	pid_t supervisor;

	(void)state;
	write_script("one", "trap 'echo one >>hangups' HUP; trap 'exit 0' TERM; echo start >>one.log; while :; do sleep 0.05; done");
	write_script("two", "trap 'echo two >>hangups' HUP; trap 'exit 0' TERM; echo start >>two.log; while :; do sleep 0.05; done");
	supervisor = supervise(5000);
	wait_lines("one.log", 1);
	wait_lines("two.log", 1);
	for (unsigned i = 1; i <= 3; i++) {
		kill(supervisor, SIGHUP);
		wait_lines("hangups", i);
	}
	kill(supervisor, SIGTERM);
	assert_int_equal(status_of(supervisor), 0);
	char text[64];
	read_file("hangups", text, sizeof(text));
	assert_string_equal(text, "two\ntwo\ntwo\n");
}

static void a_program_that_dies_is_back_at_once_and_its_pid_file_with_it(void **state)
{
	struct timespec before, after;
	pid_t supervisor, first;

	(void)state;
	write_steady("one");
	write_steady("two");
	supervisor = supervise(5000);
	wait_lines("one.log", 1);
	wait_lines("two.log", 1);
	first = pid_of("one");
	assert_true(first > 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	kill(first, SIGKILL);
	wait_lines("one.log", 2);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 5);
	assert_true(pid_of("one") > 0 && pid_of("one") != first);
	kill(supervisor, SIGTERM);
	assert_int_equal(status_of(supervisor), 0);
	assert_int_equal(pid_of("one"), 0);
}

static void programs_stop_in_their_order(void **state)
{
	char text[64];
	pid_t supervisor;

	(void)state;
	write_script("one", "trap 'sleep 0.3; echo one >>stops; exit 0' TERM; echo start >>one.log; while :; do sleep 0.05; done");
	write_steady("two");
	supervisor = supervise(5000);
	wait_lines("one.log", 1);
	wait_lines("two.log", 1);
	kill(supervisor, SIGINT);
	assert_int_equal(status_of(supervisor), 0);
	read_file("stops", text, sizeof(text));
	assert_string_equal(text, "one\ntwo\n");
}

static void a_program_that_will_not_stop_is_killed_and_told_by_the_status(void **state)
{
	pid_t supervisor;

	(void)state;
	write_script("one", "trap '' TERM; echo start >>one.log; while :; do sleep 0.05; done");
	write_steady("two");
	supervisor = supervise(300);
	wait_lines("one.log", 1);
	wait_lines("two.log", 1);
	kill(supervisor, SIGTERM);
	assert_int_equal(status_of(supervisor), 1);
}

static void a_wrong_configuration_ends_it_all_with_2(void **state)
{
	char text[64];

	(void)state;
	write_script("one", "while [ ! -e two.log ]; do sleep 0.02; done; exit 2");
	write_steady("two");
	assert_int_equal(status_of(supervise(5000)), 2);
	read_file("stops", text, sizeof(text));
	assert_string_equal(text, "two\n");
}

static void no_orphan_outlives_a_killed_supervisor(void **state)
{
	pid_t supervisor, first, second;

	(void)state;
	write_steady("one");
	write_steady("two");
	supervisor = supervise(5000);
	wait_lines("one.log", 1);
	wait_lines("two.log", 1);
	first = pid_of("one");
	second = pid_of("two");
	kill(supervisor, SIGKILL);
	assert_int_equal(status_of(supervisor), 128 + SIGKILL);
	for (int i = 0; i < 500 && (!kill(first, 0) || !kill(second, 0)); i++)
		usleep(10000);
	assert_int_equal(kill(first, 0), -1);
	assert_int_equal(kill(second, 0), -1);
}

static void the_pause_doubles_to_a_second_and_is_forgotten(void **state)
{
	static const uint32_t expected[] = {50, 100, 200, 400, 800, 1000, 1000};
	uint32_t delay = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		delay = supervisor_delay(10, delay, false);
		assert_int_equal(delay, expected[i]);
	}
	assert_int_equal(supervisor_delay(5000, delay, false), 0);
}

static void who_was_killed_is_back_at_once_however_often(void **state)
{
	uint32_t delay = 1000;

	(void)state;
	for (int i = 0; i < 50; i++) {
		delay = supervisor_delay(300, delay, true);
		assert_int_equal(delay, 0);
	}
	assert_int_equal(supervisor_delay(0, 0, true), 100);
	assert_int_equal(supervisor_delay(99, 1000, true), 1);
	assert_int_equal(supervisor_delay(10, 0, false), 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hangup_that_somebody_sends_is_passed_on_to_who_reloads, fresh_directory,
						remove_directory),
		cmocka_unit_test_setup_teardown(a_program_that_dies_is_back_at_once_and_its_pid_file_with_it, fresh_directory,
						remove_directory),
		cmocka_unit_test_setup_teardown(programs_stop_in_their_order, fresh_directory, remove_directory),
		cmocka_unit_test_setup_teardown(a_program_that_will_not_stop_is_killed_and_told_by_the_status, fresh_directory,
						remove_directory),
		cmocka_unit_test_setup_teardown(a_wrong_configuration_ends_it_all_with_2, fresh_directory, remove_directory),
		cmocka_unit_test_setup_teardown(no_orphan_outlives_a_killed_supervisor, fresh_directory, remove_directory),
		cmocka_unit_test(the_pause_doubles_to_a_second_and_is_forgotten),
		cmocka_unit_test(who_was_killed_is_back_at_once_however_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
