// A real penstockd with a stand-in for the dataplane, and `penstock` run against it: for tests of the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dataplane/seam/lane.h"
#include "dataplane/seam/region.h"

#define CLI_DAEMON_SLOTS 16u

struct cli_daemon {
	char build[256];           /* where the programs are: ".." of the test's own folder */
	char directory[64];        /* of configuration, store, socket and outputs */
	char region_directory[64]; /* on tmpfs */
	pid_t pid;                 /* penstockd's */
	struct region_writer writer;
	const struct control *control;
	struct ledger_writer ledger;
	uint64_t *now;
	struct lane_writer lanes[CLI_DAEMON_SLOTS];
	uint64_t fed;              /* records, all streams */
};

// Makes the directories, starts penstockd with `streams` (YAML behind "streams:", may be "") and makes the region. Dies when
// that fails: tests cannot go on.
void cli_daemon_start(struct cli_daemon *d, const char *streams);

// SIGTERM, and everything removed. The exit status.
int cli_daemon_stop(struct cli_daemon *d);

// kill -9 and start again, the region left as it is.
void cli_daemon_crash(struct cli_daemon *d);

// Appends `count` records to the shards of `stream` in turn: "STREAM 0000000042" (the number counts from 0 over all calls
// of this daemon), filled up to `bytes` with letters, `per_commit` of them in each commit. Waits while a lane is full.
void cli_daemon_feed(struct cli_daemon *d, const char *stream, uint64_t count, uint32_t bytes, uint32_t per_commit);

// Appends one record of `codec` with any payload to shard `number` of the stream, from 198.51.100.1, input 7.
void cli_daemon_put(struct cli_daemon *d, const char *stream, uint32_t number, uint8_t codec, const void *payload,
		    uint32_t length);

// Appends a gap record of `count` records to the stream's first shard.
void cli_daemon_gap(struct cli_daemon *d, const char *stream, uint64_t count);

// Waits until everything appended is durable.
void cli_daemon_settle(struct cli_daemon *d);

// Runs `penstock --socket ... ARGUMENTS` through the shell (pipes and redirections allowed behind) in d->directory, with
// stdout in the file "out" and stderr in "err" unless redirected. The exit status.
int cli_daemon_run(struct cli_daemon *d, const char *arguments, ...) __attribute__((format(printf, 2, 3)));

// The same in the background; its pid (of penstock itself).
pid_t cli_daemon_spawn(struct cli_daemon *d, const char *output, const char *arguments, ...)
	__attribute__((format(printf, 3, 4)));

// A file of d->directory, whole, with a terminator behind; the caller frees it. "" when it is not there.
char *cli_daemon_file(const struct cli_daemon *d, const char *name, size_t *length);
