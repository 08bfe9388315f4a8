#include "dataplane/rule/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/rule/compiler_child.h"

extern char **environ;

static int write_request(int file, const struct image_group *groups, uint32_t count, enum compile_mode mode,
			 const struct compile_budget *budget, const struct image_key *key)
{
	struct compile_request request = {mode, count, budget->seconds, 0, budget->memory_bytes, *key};
	FILE *out = fdopen(dup(file), "w");
	int error;

	if (!out)
		return -errno;
	fwrite(&request, sizeof request, 1, out);
	for (uint32_t g = 0; g < count; g++) {
		fwrite(&groups[g].count, sizeof groups[g].count, 1, out);
		for (uint32_t i = 0; i < groups[g].count; i++) {
			const struct image_pattern *p = &groups[g].patterns[i];
			uint32_t words[2] = {p->flags, (uint32_t)strlen(p->text) + 1};

			fwrite(words, sizeof words, 1, out);
			fwrite(p->text, 1, words[1], out);
		}
	}
	error = ferror(out) ? -ENOMEM : 0;
	return fclose(out) != 0 || error ? -ENOMEM : 0;
}

static int spawn(int request, int response, pid_t *pid)
{
	char name[] = COMPILER_NAME, *arguments[] = {name, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	/* Neither end is below 3: what is moved onto another is not lost. */
	posix_spawn_file_actions_adddup2(&actions, request, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, response, STDOUT_FILENO);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

static int end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return status;
}

// Waits for its end, `seconds` at most, then makes it end. Returns waitpid()'s status, or -errno.
static int await(pid_t pid, uint32_t seconds, const struct rule_wait *wait)
{
	struct timespec pause = {0, 1000000};
	uint64_t waited = 0;

	for (;;) {
		int status;
		pid_t ended = waitpid(pid, &status, WNOHANG);

		if (ended == pid)
			return status;
		if (ended < 0 && errno != EINTR)
			return -errno;
		if (waited > seconds * UINT64_C(1000000000))
			return end(pid);
		if (wait && !wait->turn(wait->arg)) {
			end(pid);
			return -ECANCELED;
		}
		nanosleep(&pause, NULL);
		waited += (uint64_t)pause.tv_nsec;
		pause.tv_nsec = pause.tv_nsec < 16000000 ? pause.tv_nsec * 2 : pause.tv_nsec;
	}
}

// Runs the compiler once. 0: it came to an end, and *status is waitpid()'s; what it wrote is in `response`.
static int run_once(const struct image_group *groups, uint32_t count, enum compile_mode mode,
		    const struct compile_budget *budget, const struct image_key *key, const struct rule_wait *wait,
		    int response, int *status)
{
	int request = memfd_create("rules", MFD_CLOEXEC), error;
	pid_t pid;

	if (request < 0)
		return -errno;
	error = write_request(request, groups, count, mode, budget, key);
	if (error == 0 && lseek(request, 0, SEEK_SET) != 0)
		error = -errno;
	if (error == 0)
		error = spawn(request, response, &pid);
	close(request);
	if (error)
		return error;
	*status = await(pid, budget->seconds + 1, wait); /* processor time is up before, unless it was not given any */
	return *status < 0 ? *status : 0;
}

static void read_report(int response, struct compile_report *report)
{
	memset(report, 0, sizeof *report);
	if (pread(response, report, sizeof *report, 0) != (ssize_t)sizeof *report ||
	    report->magic != COMPILE_REPORT_MAGIC || report->faults_count > COMPILE_FAULTS_MAX)
		memset(report, 0, sizeof *report);
	for (uint32_t i = 0; i < COMPILE_FAULTS_MAX; i++)
		report->faults[i].text[sizeof report->faults[i].text - 1] = '\0';
}

static void add_budget_fault(struct compile_report *report, const struct compile_budget *budget, uint32_t group,
			     uint32_t pattern)
{
	struct compile_fault *fault = &report->faults[report->faults_count++];

	*fault = (struct compile_fault){group, pattern, COMPILE_NO_PATTERN, ""};
	snprintf(fault->text, sizeof fault->text, "compiling %s takes more than %u s or %" PRIu64 " MiB",
		 pattern == COMPILE_NO_PATTERN ? "the patterns together" : "it", budget->seconds,
		 budget->memory_bytes >> 20);
}

// Something went over the budget: every pattern is compiled alone to tell which.
static int find_culprit(const struct image_group *groups, uint32_t count, const struct compile_budget *budget,
			const struct image_key *key, const struct rule_wait *wait, int response,
			struct compile_report *report)
{
	int status, error = run_once(groups, count, COMPILE_ALONE, budget, key, wait, response, &status);

	if (error)
		return error;
	read_report(response, report);
	if (report->faults_count == 0) {
		bool ended = WIFEXITED(status);

		add_budget_fault(report, budget, ended ? 0 : report->group,
				 ended ? COMPILE_NO_PATTERN : report->pattern);
	}
	return -EINVAL;
}

int compiler_run(const struct image_group *groups, uint32_t count, const struct compile_budget *budget,
		 const struct image_key *key, const struct rule_wait *wait, uint8_t **image, size_t *length,
		 struct compile_report *report)
{
	int response = memfd_create("rules", MFD_CLOEXEC), status, error;

	if (response < 0)
		return -errno;
	error = run_once(groups, count, COMPILE_ALL, budget, key, wait, response, &status);
	if (error == 0 && WIFEXITED(status) && WEXITSTATUS(status) == COMPILE_DONE) {
		error = image_read(response, image, length);
	} else if (error == 0) {
		read_report(response, report);
		if (report->faults_count)
			error = -EINVAL;
		else if (WIFEXITED(status) && WEXITSTATUS(status) != COMPILE_OVER)
			error = -EIO; /* it could not read or write: no pattern's fault */
		else
			error = find_culprit(groups, count, budget, key, wait, response, report);
	}
	close(response);
	return error;
}

// glibc hands a constructor what main() gets. In front of main(), so that any program that compiles rules is also their
// compiler, tests and fuzz targets included, and none can start itself without an end.
__attribute__((constructor)) static void become_compiler(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], COMPILER_NAME) == 0)
		compiler_child_run();
}
