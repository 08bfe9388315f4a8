// One worker: a thread pinned to a core that polls one queue and appends its records to lanes.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/clock.h"
#include "dataplane/plan.h"
#include "dataplane/port.h"
#include "dataplane/record/key.h"
#include "dataplane/record/md5.h"
#include "dataplane/record/split.h"
#include "dataplane/seam/lane.h"

#define BURST_MAX 64
#define JOBS_MAX 512u /* records routed together: enough to fill MD5's lanes, few enough to stay in the first-level cache */

/* A record on its way from a frame to its lane: one cache line. Pointers are into the frame, the scratch or the plan. */
struct job {
	const uint8_t *payload;
	const uint8_t *key;       /* the partition key's text, when the rule has one */
	const uint8_t *origin;    /* the record's origin block, or NULL */
	struct hash_key hash;     /* unless `digest` says where it comes from */
	uint32_t length;
	uint16_t key_length;
	uint16_t vlan;
	uint16_t digest;          /* index into digests[], or JOB_HASHED */
	uint8_t input;
	uint8_t origin_kind;      /* enum record_origin */
	uint8_t key_kind;         /* enum record_key_kind */
};
_Static_assert(sizeof(struct job) <= 64, "a job is a cache line");

#define JOB_HASHED UINT16_MAX

struct frame_origin { /* where a frame came from, made once for all its records */
	uint8_t block[sizeof(struct origin6)];
	uint8_t text_length; /* 0: not yet made */
	char text[KEY_SCRATCH];
};

struct worker_lane {
	struct lane_writer lane;
	uint64_t *row;  /* its line of the ledger's private copy: always up to date, touched at the first append of a burst */
	bool touched;
};

/* What a burst adds to counters that every frame or record moves: kept here, added to the ledger once. */
struct tally {
	uint32_t input;  /* whose frames these are; changes rarely within a burst */
	uint64_t frames, records, bytes;
	uint64_t appended, appended_bytes;
};

/* Frames of the port that no worker polled, found by the main thread. The worker tells the streams the port feeds what
 * its own ledger (WORKER_DOWN_TOLD) has not told yet, so that a kill in between neither forgets nor repeats it. */
struct hole {
	_Atomic uint64_t frames; /* since the region was made; stored last */
	_Atomic uint64_t first_ns, last_ns;
};

/* The main thread asks for an instant at which the queue is empty; the worker answers with what it has polled. */
struct quiet {
	_Atomic uint64_t asked, answered;
	_Atomic uint64_t polled;
};

struct worker {
	/* constant while running */
	uint32_t index;
	uint16_t port_id, queue;
	uint16_t burst;
	bool tap, can_send;
	unsigned lcore;
	int node;
	uint64_t crashed_ns; /* last sign of life of a predecessor that did not stop in order, 0: none such, or counted outside */
	const struct config *config;
	const struct port *port;
	const struct clock *clock;
	void (*process)(struct worker *w, struct rte_mbuf **frames, uint16_t count); /* burst_choose() */

	/* shared with the main thread */
	_Atomic(const struct plan *) next_plan; /* main stores, worker takes between bursts */
	_Atomic uint64_t acknowledged;          /* version of the plan in use */
	_Atomic bool stop;
	struct hole hole;
	struct quiet quiet;

	/* the worker's own */
	const struct plan *plan __rte_cache_aligned;
	struct ledger_writer ledger;
	uint64_t now_ns;
	struct tally tally;
	uint64_t accepted;                 /* frames, in this burst */
	uint16_t touched[SHARDS_MAX]; /* slots appended to in this burst */
	uint32_t touched_count, keys_count;
	uint32_t jobs_count;
	bool dirty;                        /* something to commit */
	uint32_t input_ids[INPUTS_MAX];    /* as records carry them */
	struct key_random random;
	struct worker_lane lanes[SHARDS_MAX];
	struct job jobs[JOBS_MAX] __rte_cache_aligned;
	struct slice slices[JOBS_MAX];
	struct md5_key keys[JOBS_MAX];
	uint8_t digests[JOBS_MAX][16];
	struct frame_origin origins[BURST_MAX];
	uint8_t scratch[RECORD_PAYLOAD_MAX];
};

// The thread: polls until `stop`, then flushes what it holds. For rte_eal_remote_launch(); 0.
int worker_run(void *worker);

// A burst of frames to records in lanes and counts in the ledger, not yet committed. burst.c, compiled once per x86-64
// level; the frames stay the caller's.
typedef void worker_process(struct worker *w, struct rte_mbuf **frames, uint16_t count);
worker_process burst_process_v2, burst_process_v3, burst_process_v4;

// The widest of them that this CPU runs.
worker_process *burst_choose(void);

// Notes that a lane's line of the ledger changes in this burst.
static inline void worker_touch(struct worker *w, uint32_t slot)
{
	if (w->lanes[slot].touched)
		return;
	w->lanes[slot].touched = true;
	w->touched[w->touched_count++] = (uint16_t)slot;
}

// Publishes the burst: its records, and every counter it moved, in one store.
void worker_commit(struct worker *w);

// Answers ARP, neighbour discovery or echo. What to count the frame as.
enum counter_frame worker_answer(struct worker *w, const uint8_t *frame, uint32_t length);

// Appends a gap record for what the lane has refused since the last one. False when there is no room for it yet.
bool worker_tell_gap(struct worker *w, uint32_t slot);
