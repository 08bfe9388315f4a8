// One shard as `penstock read` takes it: one batch in hand and, where the connection is its own, the next one asked for.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/cli/client.h"
#include "dataplane/seam/record.h"

struct source {
	struct client *client; /* one of the reader's; shared with other shards when there are many */
	const char *stream;
	uint32_t shard;
	uint32_t wait_ms;      /* what penstockd may wait at the tail */
	uint64_t next;         /* the sequence to deliver next */
	uint64_t records;      /* data records of the shard in front of `next` */
	uint64_t end;          /* stop here; UINT64_MAX: never */
	uint64_t missed;       /* records that were gone when the batch in hand came, see source_missed() */
	uint64_t not_before;   /* records that arrived earlier are passed over, 0: none are */
	bool tail_checked;     /* that nothing expired between `next` and an empty tail */
	bool asked;            /* an answer is under way */
	bool tail;             /* the last answer said there was no more */
	bool damaged;          /* the batch in hand holds something that is no record */

	struct message batch;  /* in hand while batch.json */
	uint64_t batch_first;  /* sequence of its first record */
	uint64_t batch_next;   /* and what comes after its last one */
	uint64_t stored_ns;
	size_t offset;         /* of the record to look at next */
	uint64_t sequence;     /* and its sequence */
};

// Asks for the batch that holds what comes after the one in hand. 0 or -errno.
int source_ask(struct source *s);

// Waits for the answer and takes it in hand. 1 with a batch; 0 at the tail; -errno the connection broke; -EREMOTEIO the
// answer was an error, said.
int source_take(struct source *s);

// The next record of the batch in hand from `next` on, with its sequence; `next` and `records` move past it. NULL when the
// batch is used up (and given back), or s->end is reached.
const struct record *source_next(struct source *s, uint64_t *sequence);

// Drops the batch in hand, for a fresh start from `next` on another connection.
void source_reset(struct source *s);
