// Dead letters taken again: out of their stream, through the configuration as it is, into the streams it says. Each once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/metadata/metadata.h"
#include "control/reload.h"
#include "control/store/store.h"
#include "control/streams.h"

struct replay; /* opaque; any thread may call, one step at a time, others wait */

/*
 * A step takes some dead letters of one shard:
 *
 *   read, reworked -> planned: the records made of them, whole, with the place behind the letters, in one transaction
 *   -> put into their shards, each part under its own mark (store_put()) -> finished: the place moves, the plan goes
 *
 * A crash in front of the plan leaves nothing; one behind it has the same bytes put again under the same marks, which the
 * shards that have them know. So every record made of a dead letter is stored exactly once, whatever is killed whenever and
 * however the configuration changes in between. What a plan was to put into a stream that was deleted since goes with that
 * stream. The one exception is a disk that loses what it had called durable: see control/store/README.md.
 *
 * A letter that is dead again goes into the dead-letter stream its input names, with its new reason; one whose input there is
 * no more goes back into the stream it came from. Both are behind everything this replay takes, for the next one.
 */

struct replay_parts {
	struct metadata *metadata;
	struct store *store;
	struct streams *streams;
	struct reload *reload;
	uint64_t batch_bytes; /* of the store */
};

struct replay_result { /* of one step */
	uint64_t letters;    /* taken */
	uint64_t records;    /* stored from them (would be, when dry) */
	uint64_t dead;       /* dead letters again, those without an input included */
	uint64_t orphans;    /* of these, those whose input there is no more */
	uint64_t dropped;    /* records dropped by rules and inputs */
	uint64_t unreadable; /* records of the stream that are no dead letters: passed over */
	uint64_t gone;       /* records whose stream was deleted after they had been planned */
	uint64_t next;       /* sequence to go on with */
	bool done;           /* `end` is reached */
};

int replay_open(const struct replay_parts *parts, struct replay **out); /* 0 or -ENOMEM */
void replay_close(struct replay *replay);                               /* NULL is fine */

struct replay_request {
	struct stream *stream; /* held by the caller */
	uint32_t shard;
	uint64_t from;         /* sequence to begin with; 0: where the last replay ended */
	uint64_t end;          /* sequence to end in front of */
	uint64_t limit;        /* letters, at most */
	bool dry;              /* says what would become of them, and does nothing */
};

// One step. 0 with *out; -ENOENT: `reason` names a stream that does not exist or cannot be opened, and nothing was taken;
// -EINVAL: `reason` says what is wrong with an input's rules; -EINPROGRESS, -ETIMEDOUT: the disk does not take it now, or
// (`reason` says so) one of its streams cannot be opened now: the next step goes on with it; -errno.
int replay_step(struct replay *replay, const struct replay_request *request, struct replay_result *out, char *reason,
		size_t room);
