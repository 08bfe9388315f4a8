// Keeps two programs running: restarts the one that died, stops both in order, leaves nothing behind.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct supervised {
	const char *name;    /* "dataplane": of its messages and its file in the directory of pids */
	char *const *argv;   /* argv[0] is the program's path */
	const char *netns;   /* run inside this network namespace, or NULL */
	uint32_t stop_ms;    /* from SIGTERM until it is killed */
	bool reloads;        /* gets the SIGHUP that somebody sends to the supervisor */

	pid_t pid;           /* 0 while it does not run; these are the supervisor's own */
	uint64_t started_ms; /* CLOCK_MONOTONIC */
	uint64_t restart_ms; /* when to start it again, while it does not run */
	uint32_t delay_ms;   /* waited before the last start */
	int status;          /* of wait(), of the last one that ended */
	bool was_up;         /* it has once lived long enough, or died of a signal: from then on it is always restarted */
};

// What to wait, in ms, before starting a program again that ran for `lived_ms` and had waited `delay_ms` before that.
// Who ends by itself waits longer each time, up to a second; who was `killed` (SIGKILL: nothing does that to itself) is
// back at once, at most 100 ms later.
uint32_t supervisor_delay(uint64_t lived_ms, uint32_t delay_ms, bool killed);

// Runs them until SIGTERM, SIGINT or the terminal goes, or until one of them exits with status 2 (its configuration is wrong) or
// fails at its very first start. Then stops them in the order given, each fully before the next. `pid_directory` (or
// NULL) gets NAME.pid for each. Only for a process with one thread. Returns the exit status: 0 when all exited with 0, else 1, or the status that ended it.
int supervisor_run(struct supervised *programs, unsigned count, const char *pid_directory);
