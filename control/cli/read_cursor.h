// Named cursors of `penstock read`: what was printed and flushed is made durable behind the printing, never ahead of it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/cli/client.h"

#define CURSOR_COMMIT_RECORDS 1000u
#define CURSOR_COMMIT_MS 200u
#define CURSOR_AHEAD_MAX 16384u /* records printed while a commit is under way; then the printing waits for it */

struct cursor_place { /* one shard's */
	uint32_t shard;
	uint64_t sequence, records;   /* flushed up to here */
	uint64_t durable;             /* sequence penstockd has answered for, UINT64_MAX: none */
	uint64_t sent;                /* sequence in the request under way */
};

struct cursors {
	struct client client;
	const char *stream, *name;
	struct cursor_place *places;
	uint32_t count;
	uint32_t turn;         /* whose place was looked at last */
	uint32_t left;         /* places still to be looked at in this round of commits */
	bool asked;            /* a request is under way */
	uint64_t printed;      /* data records since the last commit began */
	uint64_t committed_ms; /* when it began, CLOCK_MONOTONIC */
};

// The stored cursor of `place`'s shard. 1 with sequence and records; 0 absent; -errno; -EREMOTEIO said.
int cursors_get(struct cursors *c, struct cursor_place *place);

// True when 1,000 records or 200 ms of output wait to be committed and no round is under way: flush, then cursors_begin().
bool cursors_due(const struct cursors *c);

// Begins a round: every place that is not its durable one is sent, one at a time. 0; -errno.
int cursors_begin(struct cursors *c);

// Takes an answer that has come (waits only when more than CURSOR_AHEAD_MAX records were printed meanwhile), and goes on
// with the round. 0; -errno; -EREMOTEIO said.
int cursors_step(struct cursors *c);

// Commits every place and waits for the last answer. 0; -errno; -EREMOTEIO said.
int cursors_finish(struct cursors *c);

// After the connection broke: `client` is a new one; what was under way is sent again.
void cursors_reset(struct cursors *c);
