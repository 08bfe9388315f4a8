// The dataplane as a whole: region, ports, workers and the map they follow. One per process, main thread only.
#pragma once

#include <signal.h>

#include "dataplane/clock.h"
#include "dataplane/port.h"
#include "dataplane/record/rows.h"
#include "dataplane/seam/region.h"
#include "dataplane/worker.h"

struct dataplane {
	const struct config *config;     /* the process started with it: ports, memory, region; not the dataplane's own */
	const struct config *now;        /* whose inputs are in use: `config`, or one reloaded since, which is its own */
	const volatile sig_atomic_t *stopping; /* set by a signal: nothing that takes long is begun or waited for */
	struct rows rows;                /* of the ledger, for the inputs of `now` */
	struct region_writer region;
	const struct control *control;   /* NULL until penstockd has made it */
	uint64_t control_inode;
	struct ledger_writer port_ledger;
	uint64_t port_words[PORT_LINES * LEDGER_LINE_WORDS] __attribute__((aligned(64)));
	struct clock clock;
	uint32_t ports_count, workers_count;
	struct port ports[PORTS_MAX];
	struct worker *workers[WORKERS_MAX];
	struct plan *plan;
	uint64_t serial;                 /* of the plan made last */
	uint64_t bound[SHARDS_MAX / 64]; /* slots whose lanes are populated and bound to every worker */
	struct shard_map map, next_map;  /* the plan's, and room to read one into */
	uint64_t crashed_ns;             /* last sign of life of a predecessor that was killed, else 0 */
	uint64_t refused_version;        /* of a map that could not be taken up */
	uint32_t refused_turns;
	uint64_t asked_ns;               /* when penstockd's last request to reload was followed */
};

// Makes or takes over the region, opens ports and makes workers; nothing polls yet. 0 or -errno, the reason logged.
// `replace` throws away a region of another version instead of refusing. -ECANCELED when *stopping is set in between.
int dataplane_open(struct dataplane *d, const struct config *config, bool replace,
		   const volatile sig_atomic_t *stopping);

// Starts the ports and launches the workers.
int dataplane_start(struct dataplane *d);

// One turn of housekeeping: life sign, clock, shard map, requests to reload, port counters. -ESTALE when penstockd's control region was
// replaced under us (the process must start anew); other errors are logged and live on.
int dataplane_tend(struct dataplane *d);

// Makes a plan of the inputs of `config` (with `rows`) and the map in use. As plan_create(). May take as long as rules may
// take to be compiled; life sign, clock and port counters go on meanwhile. -ECANCELED when *stopping is set.
int dataplane_make_plan(struct dataplane *d, const struct config *config, const struct rows *rows, struct plan **out);

// Publish and quiesce: hands the plan to every worker, waits until all of them work by it, frees the one before.
void dataplane_adopt(struct dataplane *d, struct plan *plan);

// Rewrites what the region says of the ledger's input rows. Those in `hidden` get no name.
void dataplane_describe_inputs(struct dataplane *d, uint64_t hidden);

// True when a map has been applied.
bool dataplane_has_map(const struct dataplane *d);

// Lets workers empty their queues (bounded), stops them, takes the last samples.
void dataplane_stop(struct dataplane *d);

void dataplane_close(struct dataplane *d);
