#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/client.h"
#include "tests/support/cli_daemon.h"

static struct cli_daemon d;

static void assert_said(const char *name, const char *words)
{
	char *text = cli_daemon_file(&d, name, NULL);

	if (!strstr(text, words))
		fail_msg("\"%s\" is not in %s: %s", words, name, text);
	free(text);
}

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void wait_for_words(const char *name, const char *words)
{
	for (int i = 0; i < 2000; i++) {
		char *text = cli_daemon_file(&d, name, NULL);
		bool there = strstr(text, words) != NULL;

		free(text);
		if (there)
			return;
		usleep(10000);
	}
	assert_said(name, words);
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

static int ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_stopped_penstockd_is_named_within_seconds(void **state)
{
	time_t began = now_s();
	char who[64];
	pid_t status, doctor, read;

	(void)state;
	assert_int_equal(cli_daemon_run(&d, "stream create syslog --shards 1"), 0);
	assert_int_equal(kill(d.pid, SIGSTOP), 0);
	status = cli_daemon_spawn(&d, "status", "status");
	doctor = cli_daemon_spawn(&d, "doctor", "doctor");
	read = cli_daemon_spawn(&d, "read", "read syslog --cursor c");
	assert_int_equal(ended(status), 1);
	assert_int_equal(ended(doctor), 1);
	assert_int_equal(ended(read), 1);
	assert_true(now_s() - began < 15);
	assert_int_equal(kill(d.pid, SIGCONT), 0);
	snprintf(who, sizeof(who), "penstockd (process %d) at ", (int)d.pid);
	assert_said("status.err", who);
	assert_said("status.err", "penstockd.sock does not answer");
	assert_said("doctor.err", who);
	assert_said("read.err", who);
	assert_said("read.err", "kill -CONT");
	assert_int_equal(cli_daemon_run(&d, "status"), 0);
}

static void a_follower_waits_until_penstockd_answers_again(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(cli_daemon_run(&d, "stream create syslog --shards 1"), 0);
	pid = cli_daemon_spawn(&d, "follow", "read syslog --follow");
	cli_daemon_feed(&d, "syslog", 10, 30, 10);
	wait_for_words("follow", "syslog 0000000009");
	assert_int_equal(kill(d.pid, SIGSTOP), 0);
	usleep(200000);
	assert_int_equal(kill(d.pid, SIGCONT), 0);
	cli_daemon_feed(&d, "syslog", 10, 30, 10);
	wait_for_words("follow", "syslog 0000000019");
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(ended(pid), 0);
}

/* Nobody takes from this backlog, and it is full: not even connecting succeeds. */
static void a_full_backlog_ends_the_waiting_too(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), first;
	time_t began;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/deaf", d.directory);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	first = protocol_connect(address.sun_path);
	assert_true(first >= 0);
	began = now_s();
	assert_int_equal(cli_daemon_run(&d, "--socket %s status", address.sun_path), 1);
	assert_true(now_s() - began < 10);
	assert_said("err", "/deaf does not answer");
	close(first);
	close(listener);
}

#define AT(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT(a_stopped_penstockd_is_named_within_seconds),
		AT(a_follower_waits_until_penstockd_answers_again),
		AT(a_full_backlog_ends_the_waiting_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
