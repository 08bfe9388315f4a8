// The ledger's equations over one set of figures: a pure function, so that every one of them can be broken by a test.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/seam/region.h"

/*
 *   wire   = rx + missed + errors + no_mbuf + down         per port, when its snapshot says exact
 *   rx     = sum of polled                                 per port, when its snapshot says exact; else lagging
 *   polled = sum of FRAME rows                             per worker, exact
 *   fragment_held = sum of FRAGMENT rows                   per worker, exact
 *   parsed = sum of RECORD rows                            per worker, exact
 *   appended  = sum of lane records                        per worker, exact
 *   lane_full = sum of lane drops                          per worker, exact
 *   lane records + put = stored + waiting + deleted        per shard, exact but for what waits
 *   told drops = gap records                               per shard, exact whenever its lanes are empty
 *   stored = retained + expired + lost                     per shard; a definition of retained, it cannot fail
 *   taken  = delivered + pending + failed + expired        per delivery and shard, exact
 *
 * Exact equations hold in every consistent copy of one writer's figures: a difference of 1 is a fault at once.
 *
 * A port's snapshot is exact when the dataplane read it at an instant when the queues were empty and nothing arrived:
 * then all of its rows belong together and a difference of 1 is a fault at once. Between two such instants wire is
 * that of the last one and cannot be judged; what came since is in flight.
 *
 * rx = polled can be judged under load, too, as a lagging pair of two writers: each side only grows and catches up with
 * the other within BALANCE_SETTLE_NS. So with L, R now and L', R' at least that long ago, L' <= R and R' <= L must hold,
 * and what exceeds that is unaccounted: a leak is found once it is larger than the traffic of that time, and of any size
 * at the first quiet instant. A dataplane that crashed or stopped leaves lagging figures where they were; they are
 * judged again when the next one runs (and has settled), not before.
 */

#define BALANCE_SETTLE_NS 2000000000ull

struct balance_port {
	char name[NAME_MAX_BYTES];
	bool accountable, wire_counter;
	bool exact;                /* all rows and `polled` were read at one quiet instant */
	uint64_t wire, rx, missed, errors, no_mbuf, down;
	uint64_t polled;           /* by the port's workers at that instant; only when exact */
	uint32_t first_worker, queues;
};

struct balance_worker { /* one consistent copy of its ledger */
	uint64_t counters[COUNTERS_MAX];
	uint64_t lane_records, lane_dropped; /* summed over its lanes */
};

struct balance_shard { /* one lane slot, summed over workers, with the shard that owns it now */
	char stream[STREAM_NAME_MAX + 8];  /* "" for a slot that no shard owns */
	uint32_t number, slot;
	bool lanes;                /* the region's part below is filled in; without a region it is not */
	bool told;                 /* the gap figures below can be compared */
	uint64_t appended;         /* LANE_RECORDS, copied after `drained` */
	uint64_t drained;          /* records the drain counted as it copied them */
	uint64_t waiting_bytes;    /* LANE_POSITION minus the drain's, copied after it */
	uint64_t deleted;          /* records of this slot thrown away with their streams */
	uint64_t stored_first, stored_last; /* stored from these lanes, and put, copied before and after `drained` */
	uint64_t put_first, put;   /* of these: appended by penstockd itself, ever; copied with them */
	uint64_t dropped, untold;  /* LANE_DROPPED; of those not yet in a gap record */
	uint64_t told_first;       /* told before we began to count gap records */
	uint64_t gap_records;      /* what the gap records since then say */
	uint64_t stored, retained, expired, expired_early, lost; /* ever; early is a part of expired */
};

struct balance_delivery {
	char name[64];
	char stream[STREAM_NAME_MAX + 8];
	uint32_t shard;
	uint64_t taken, delivered, pending, failed, expired;
};

struct balance_figures {
	uint64_t taken_ns;         /* when the workers' ledgers were copied, after the ports' */
	uint64_t heartbeat_ns, started_ns, generation; /* of the dataplane; 0: no region */
	bool running;              /* alive: figures that lag catch up */
	uint32_t ports_count, workers_count, shards_count, deliveries_count;
	struct balance_port ports[PORTS_MAX];
	struct balance_worker *workers;
	struct balance_shard *shards;
	struct balance_delivery *deliveries;
};

// Frees the arrays and the figures. NULL is fine.
void balance_free_figures(struct balance_figures *figures);

struct balance_past { /* what the lagging equation needs to know of an earlier moment */
	uint64_t taken_ns, started_ns, generation;
	struct {
		uint64_t rx, polled;
	} ports[PORTS_MAX];
};

#define BALANCE_HISTORY 16u

struct balance_history { /* zero it */
	struct balance_past past[BALANCE_HISTORY];
	uint32_t next;
};

// Remembers these figures.
void balance_remember(struct balance_history *history, const struct balance_figures *figures);

// The latest moment old enough to be settled by now, of the same run of the dataplane. NULL when there is none.
const struct balance_past *balance_settled(const struct balance_history *history, const struct balance_figures *now);

struct balance_row {
	char label[STREAM_NAME_MAX + 40];
	uint64_t value;
	const char *text;          /* one sentence; static */
};

struct balance_section {
	char title[STREAM_NAME_MAX + NAME_MAX_BYTES + 40];
	const char *equation;      /* static */
	struct balance_row *rows;  /* left ones first */
	uint32_t left_count, right_count;
	uint64_t left, right;      /* the sums of the rows */
	int64_t difference;        /* left - right; or, when errors of several workers or shards cancel out, their size */
	uint64_t unaccounted;
};

struct balance_table {
	struct balance_section *sections;
	uint32_t sections_count;
	uint64_t unaccounted;
};

// Evaluates every equation. `settled` may be NULL: then lagging equations are not judged.
// 0, or -ENOMEM (then *out holds nothing). Free *out with balance_free_table().
int balance_evaluate(const struct balance_figures *now, const struct balance_past *settled, struct balance_table *out);

void balance_free_table(struct balance_table *table);
