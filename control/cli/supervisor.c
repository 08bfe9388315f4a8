#include "control/cli/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/netns.h"
#include "control/clock.h"

#define DELAY_FIRST_MS 50u
#define DELAY_MAX_MS 1000u
#define LIVED_LONG_MS 5000u
#define KILLED_EVERY_MS 100u /* ten starts a second, whoever kills it */
#define FIRST_START_MS 10000u
#define STATUS_CONFIGURATION 2
#define STATUS_NOT_STARTED 127

uint32_t supervisor_delay(uint64_t lived_ms, uint32_t delay_ms, bool killed)
{
	if (killed)
		return lived_ms < KILLED_EVERY_MS ? KILLED_EVERY_MS - (uint32_t)lived_ms : 0;
	if (lived_ms >= LIVED_LONG_MS)
		return 0;
	if (!delay_ms)
		return DELAY_FIRST_MS;
	return delay_ms * 2 < DELAY_MAX_MS ? delay_ms * 2 : DELAY_MAX_MS;
}

static void write_pid(const struct supervised *p, const char *directory)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	FILE *file;

	if (!directory)
		return;
	snprintf(path, sizeof(path), "%s/%s.pid", directory, p->name);
	if (!p->pid) {
		unlink(path);
		return;
	}
	/* Renamed into place: who reads it sees the old number or the new one, never half of it. */
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "we");
	if (!file || fprintf(file, "%d\n", (int)p->pid) < 0 || fclose(file) || rename(temporary, path))
		fprintf(stderr, "penstock run: cannot write %s: %s\n", path, strerror(errno));
}

// In the child, between fork and exec.
static void become(const struct supervised *p, pid_t parent, const sigset_t *mask)
{
	const char *what;
	int null, error;

	/* A supervisor that is killed takes its programs with it: they are made to be killed at any moment. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(STATUS_NOT_STARTED);
	/* Ctrl-C is for the supervisor, which stops the programs in their order. */
	setpgid(0, 0);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (p->netns) {
		error = netns_enter(p->netns, &what);
		if (error) {
			fprintf(stderr, "penstock run: network namespace %s: %s: %s (ip netns list shows those there are)\n",
				p->netns, what, strerror(-error));
			_exit(STATUS_CONFIGURATION);
		}
	}
	execv(p->argv[0], p->argv);
	fprintf(stderr, "penstock run: cannot start %s: %s\n", p->argv[0], strerror(errno));
	_exit(errno == ENOENT || errno == EACCES ? STATUS_CONFIGURATION : STATUS_NOT_STARTED);
}

static void start(struct supervised *p, const sigset_t *mask, const char *directory)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid)
		become(p, parent, mask);
	if (pid < 0) {
		p->delay_ms = supervisor_delay(0, p->delay_ms, false);
		p->restart_ms = clock_monotonic_ms() + p->delay_ms;
		fprintf(stderr, "penstock run: cannot fork for %s: %s; again in %u ms\n", p->name, strerror(errno), p->delay_ms);
		return;
	}
	p->pid = pid;
	p->started_ms = clock_monotonic_ms();
	fprintf(stderr, "penstock run: %s started, pid %d\n", p->name, (int)pid);
	write_pid(p, directory);
}

static void say_ended(const struct supervised *p, const char *then)
{
	if (WIFSIGNALED(p->status))
		fprintf(stderr, "penstock run: %s was killed by signal %d (%s)%s\n", p->name, WTERMSIG(p->status),
			strsignal(WTERMSIG(p->status)), then);
	else
		fprintf(stderr, "penstock run: %s exited with status %d%s\n", p->name, WEXITSTATUS(p->status), then);
}

// Takes up all that ended, also what the programs left behind (they come to us as to init).
static void reap(struct supervised *programs, unsigned count, const char *directory)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < count; i++) {
			if (programs[i].pid != pid)
				continue;
			programs[i].pid = 0;
			programs[i].status = status;
			write_pid(&programs[i], directory);
		}
	}
}

// Waits for one of the signals until `until_ms`; 0 when time is up. A SIGHUP that somebody sent is one, a SIGHUP that says
// that the terminal has gone is a SIGTERM.
static int wait_signal(const sigset_t *signals, uint64_t until_ms)
{
	uint64_t now = clock_monotonic_ms(), left = until_ms > now ? until_ms - now : 0;
	struct timespec timeout = {(time_t)(left / 1000u), (long)(left % 1000u) * 1000000L};
	siginfo_t info;
	int number = sigtimedwait(signals, &info, &timeout);

	if (number == SIGHUP && info.si_code == SI_KERNEL)
		return SIGTERM;
	return number > 0 ? number : 0;
}

static void pass_on_hangup(const struct supervised *programs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (programs[i].reloads && programs[i].pid)
			kill(programs[i].pid, SIGHUP);
}

// Kills what is left of the programs' own children. /proc names them, and all of them are ours (we are their subreaper).
static void kill_leftovers(void)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	int pid;

	if (!children)
		return;
	while (fscanf(children, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(children);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

static void stop(struct supervised *programs, unsigned count, const sigset_t *signals, const char *directory)
{
	bool hurry = false;

	for (unsigned i = 0; i < count; i++) {
		struct supervised *p = &programs[i];
		uint64_t deadline = clock_monotonic_ms() + p->stop_ms;

		if (!p->pid)
			continue;
		kill(p->pid, hurry ? SIGKILL : SIGTERM);
		while (p->pid) {
			int number = wait_signal(signals, deadline);

			reap(programs, count, directory);
			if (!p->pid)
				break;
			if (number && number != SIGCHLD && number != SIGHUP)
				hurry = true;
			if (!hurry && clock_monotonic_ms() < deadline)
				continue;
			fprintf(stderr, "penstock run: %s did not stop within %u ms%s: killed\n", p->name, p->stop_ms,
				hurry ? " (asked twice)" : "");
			kill(p->pid, SIGKILL);
			deadline = clock_monotonic_ms() + 1000;
		}
		say_ended(p, "");
	}
}

// Starts what is to be started. The time of the next start, or far away.
static uint64_t start_due(struct supervised *programs, unsigned count, const sigset_t *mask, const char *directory)
{
	uint64_t next = clock_monotonic_ms() + 3600u * 1000u;

	for (unsigned i = 0; i < count; i++) {
		struct supervised *p = &programs[i];

		if (!p->pid && p->restart_ms <= clock_monotonic_ms())
			start(p, mask, directory);
		if (!p->pid && p->restart_ms < next)
			next = p->restart_ms;
	}
	return next;
}

// Plans the restart of those that ended. Not 0 when one of them cannot be helped by that: what to exit with.
static int plan_restarts(struct supervised *programs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct supervised *p = &programs[i];
		char then[64];

		if (p->pid || p->restart_ms > clock_monotonic_ms() || !p->started_ms)
			continue;
		if (WIFEXITED(p->status) && WEXITSTATUS(p->status) == STATUS_CONFIGURATION) {
			say_ended(p, ": its configuration is wrong, nothing is restarted");
			return STATUS_CONFIGURATION;
		}
		/* What fails at its very first start has something wrong that starting again will not mend. */
		if (!p->was_up && WIFEXITED(p->status) && WEXITSTATUS(p->status) != 0 &&
		    clock_monotonic_ms() - p->started_ms < FIRST_START_MS) {
			say_ended(p, " at its first start: nothing is restarted");
			return WEXITSTATUS(p->status);
		}
		p->was_up = true;
		p->delay_ms = supervisor_delay(clock_monotonic_ms() - p->started_ms, p->delay_ms,
					       WIFSIGNALED(p->status) && WTERMSIG(p->status) == SIGKILL);
		p->restart_ms = clock_monotonic_ms() + p->delay_ms;
		p->started_ms = 0;
		snprintf(then, sizeof(then), p->delay_ms ? "; restarted in %u ms" : "; restarted", p->delay_ms);
		say_ended(p, then);
	}
	return 0;
}

int supervisor_run(struct supervised *programs, unsigned count, const char *pid_directory)
{
	sigset_t signals, mask;
	int status = 0;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (;;) {
		uint64_t next = start_due(programs, count, &mask, pid_directory);
		int number = wait_signal(&signals, next);

		if (number == SIGHUP) {
			pass_on_hangup(programs, count);
			continue;
		}
		if (number && number != SIGCHLD) {
			fprintf(stderr, "penstock run: %s: stopping\n", strsignal(number));
			break;
		}
		reap(programs, count, pid_directory);
		status = plan_restarts(programs, count);
		if (status)
			break;
	}
	stop(programs, count, &signals, pid_directory);
	kill_leftovers();
	for (unsigned i = 0; i < count && !status; i++) {
		if (!WIFEXITED(programs[i].status) || WEXITSTATUS(programs[i].status))
			status = 1;
	}
	return status;
}
