// One worker: a thread pinned to a core that polls one queue and appends its records to lanes.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "dataplane/clock.h"
#include "dataplane/packet/decode.h"
#include "dataplane/plan.h"
#include "dataplane/port.h"
#include "dataplane/record/key.h"
#include "dataplane/record/md5.h"
#include "dataplane/record/split.h"
#include "dataplane/seam/lane.h"

#define BURST_MAX 64
#define JOBS_MAX 80u   /* keys hashed together: a multiple of what MD5's lanes take, few enough for the first-level cache */
#define SLICES_MAX 512u /* records cut at a time */

/* A record on its way from a frame to its lane: one cache line, its key is the one of the same number in keys[]. Pointers
 * are into the frame, the scratch or the plan. */
struct job {
	const uint8_t *payload;
	const uint8_t *origin;         /* the record's origin block, or NULL */
	uint64_t sizes, labels;        /* the header's first and third word */
	struct hash_key hash;          /* when `hashed` */
	const struct plan_input *plan;
	uint32_t slot;                 /* of the lane, or PLAN_NO_SLOT: the hash says */
	bool hashed;                   /* else by its key's MD5 */
};
_Static_assert(sizeof(struct job) <= 64, "a job is a cache line");

struct frame_origin { /* where a frame came from, for all its records; what is not just part of the frame */
	uint8_t block[sizeof(struct origin6)];
	uint8_t text_length; /* 0: not yet made */
	char text[KEY_SCRATCH];
};

/* A lane as an append sees it: one cache line. What it got is in worker.moved. */
struct worker_lane {
	struct lane_writer lane;
	uint64_t roomy; /* a record that ends at or below it is just written; else the lane is looked at. 0 while a gap is
			 * to be told first */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct worker_lane) == 64, "a worker's lane is a cache line");

/* What a burst adds to counters that every frame moves: kept here, added to the ledger once. */
struct tally {
	uint32_t input;  /* the row of the input whose frames these are; changes rarely within a burst */
	uint64_t frames, records, bytes;
	uint64_t accepted;
};

/* Frames of the port that no worker met, found by the main thread. The worker tells the streams the port feeds what its
 * own ledger (WORKER_DOWN_TOLD, WORKER_MISSED_TOLD) has not told yet, so that a kill in between neither forgets nor
 * repeats it. */
struct hole {
	_Atomic uint64_t frames; /* since the region was made; stored last */
	_Atomic uint64_t first_ns, last_ns;
};

/* The main thread asks for an instant at which the queue is empty; the worker answers with what it has polled. */
struct quiet {
	_Atomic uint64_t asked, answered;
	_Atomic uint64_t polled;
};

struct reassembly;

#define RUN_NONE UINT64_MAX /* no traffic: run_traffic() never says so */

struct worker {
	/* constant while running */
	uint32_t index;
	uint16_t port_id, queue;
	uint16_t burst;
	bool tap, can_send;
	unsigned lcore;
	int node;
	uint64_t crashed_ns; /* last sign of life of a predecessor that did not stop in order, 0: none such, or counted outside */
	const struct port *port;
	const struct clock *clock;
	bool (*process)(struct worker *w, struct rte_mbuf **frames, uint32_t count); /* burst_choose() */

	/* shared with the main thread */
	_Atomic(const struct plan *) next_plan; /* main stores, worker takes between bursts */
	_Atomic uint64_t acknowledged;          /* serial of the plan in use */
	_Atomic bool stop;
	struct hole down;   /* arrived while nobody polled */
	struct hole missed; /* the driver had no room for them, or found them damaged */
	struct quiet quiet;

	/* the worker's own */
	const struct plan *plan __rte_cache_aligned;
	const struct match *match; /* the plan's, of this port */
	uint64_t run_traffic;      /* of the last run, and its input: most often the next burst's first run too. Or RUN_NONE */
	const struct plan_input *run_plan;
	struct ledger_writer ledger;
	struct reassembly *reassembly; /* NULL: fragments are dropped */
	uint64_t now_ns;
	struct tally tally;
	uint32_t jobs_count;
	uint8_t marks_paused[INPUTS_MAX];  /* groups of an input's frames whose lines are not marked: run_lines.h */
	bool dirty;                        /* something to commit */
	bool refining;                     /* refine_add() was called since the last refine_flush() */
	struct refiner *refiner;           /* made by the main thread before a plan that needs it; refine.h */
	struct key_random random;
	struct worker_lane lanes[SHARDS_MAX];
	/* What each lane got since the last commit: records << 32 | their payload bytes (64 frames have less than 2^32). */
	uint64_t moved[SHARDS_MAX] __rte_cache_aligned;
	struct job jobs[JOBS_MAX] __rte_cache_aligned;
	struct md5_key keys[JOBS_MAX];
	uint8_t digests[JOBS_MAX][16];
	struct slice slices[SLICES_MAX];
	struct frame_origin origins[BURST_MAX];
	uint8_t scratch[RECORD_PAYLOAD_MAX];
};

// The thread: polls until `stop`, then flushes what it holds. For rte_eal_remote_launch(); 0.
int worker_run(void *worker);

// From here on the worker works by `plan`. The worker's own, between two bursts, or before it runs.
static inline void worker_take_plan(struct worker *w, const struct plan *plan)
{
	w->plan = plan;
	w->match = &plan->matches[w->port->index];
	w->run_traffic = RUN_NONE;
}

// A burst of 1..BURST_MAX frames to records in lanes and counts in the ledger, published. burst.c, compiled once per x86-64
// level; the frames stay the caller's. True when all are whole, unshared and of the first one's pool.
typedef bool worker_process(struct worker *w, struct rte_mbuf **frames, uint32_t count);
worker_process burst_process_v2, burst_process_v3, burst_process_v4;

#define BURST_LEVELS 3u

// Those of them that this CPU runs, the widest first, into `levels` (BURST_LEVELS). How many.
uint32_t burst_levels(worker_process **levels);

// The widest.
worker_process *burst_choose(void);

// A lane's line of the ledger's private copy. Its position, records and bytes are brought up to date by the next commit when
// records came, its position by worker_touch() as well.
static inline uint64_t *worker_row(struct worker *w, uint32_t slot)
{
	return w->ledger.now + lane_word(slot, 0);
}

// Takes a lane's line into the next commit for something else than records (a gap, a refusal, a gap forgotten), with its
// position, which a gap has moved. The lane is bound: of any other the position is 0.
static inline void worker_touch(struct worker *w, uint32_t slot)
{
	ledger_set(&w->ledger, lane_word(slot, LANE_POSITION), w->lanes[slot].lane.position);
}

// Publishes what was appended and counted beside bursts, in one store.
void worker_commit(struct worker *w);

// Answers ARP, neighbour discovery or echo. What to count the frame as.
enum counter_frame worker_answer(struct worker *w, const uint8_t *frame, uint32_t length);

// Takes the fragment that `d` describes. What to count its frame as; FRAME_ACCEPTED when it made its datagram whole: then
// *bytes and `d` are of that, until the next call.
enum counter_frame worker_reassemble(struct worker *w, const uint8_t **bytes, struct datagram *d);

// Appends a gap record for what the lane has refused since the last one. False when there is no room for it yet.
bool worker_tell_gap(struct worker *w, uint32_t slot);
