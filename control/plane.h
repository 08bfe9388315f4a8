// penstockd's hold on the dataplane: its region, the control region that answers it, and the map published there.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/metadata/metadata.h"
#include "control/store/store.h"
#include "control/streams.h"
#include "dataplane/seam/region.h"

struct plane; /* opaque */

struct plane_options {
	const char *region_directory; /* outlives the plane */
	struct metadata *metadata;
	struct store *store;
	struct streams *streams;
};

int plane_open(const struct plane_options *options, struct plane **out);

// Everything the hold needs every 100 ms at most: says we are alive, finds a region or sees that it has gone, publishes
// the map when streams changed, moves deletions on. Main thread only; blocks only while an old region is drained.
void plane_tick(struct plane *plane);

// Stops draining (everything published is made durable first, within timeout_ms) and lets go of the region.
// 0 or what store_detach() says. Frees nothing else: samples then say "detached".
int plane_detach(struct plane *plane, uint32_t timeout_ms);
void plane_close(struct plane *plane);

/* ---- looking, from any thread ---- */

struct region_sample {             /* one look at the region; all of it copied, none of it believed */
	bool attached;
	char problem[256];         /* why there is none, or what is wrong with it; "" when all is well */
	uint64_t taken_ns;         /* between the ports' copy and the workers' */
	uint64_t generation, heartbeat_ns, started_ns;
	uint32_t pid, state;
	bool alive;                /* heard within the last second */
	uint64_t map_version;      /* every worker works by it */
	uint64_t published_version;
	uint64_t config_hash;      /* of the dataplane's configuration, 0: it has not told */
	struct region_geometry geometry;
	uint32_t ports_count, inputs_count;
	struct region_port ports[PORTS_MAX];
	struct region_input inputs[INPUTS_MAX];
	uint64_t port_words[PORT_LINES * LEDGER_LINE_WORDS];
	uint32_t words_per_worker;
	uint64_t *words;           /* geometry.workers x words_per_worker: one consistent copy each */
	struct {                   /* of the lane slots */
		uint64_t stream_id;
		uint64_t base;     /* what its shard had stored from lanes when it first met this region */
		bool known;
	} slots[SHARDS_MAX];
};

// A sample, malloc'ed; free it with plane_free_sample(). 0; -EAGAIN the dataplane is too busy to be copied; -ENOMEM.
// The ports are copied before the workers, so what a worker took of what a port had counted is seen.
int plane_sample(struct plane *plane, struct region_sample **out);
void plane_free_sample(struct region_sample *sample);

static inline const uint64_t *sample_worker(const struct region_sample *s, uint32_t worker)
{
	return s->words + (size_t)worker * s->words_per_worker;
}

// A name for region.state.
const char *plane_state_name(const struct region_sample *sample);

/* ---- a reload, from any thread ---- */

struct plane_reload {
	bool alive;                 /* there is a dataplane that would answer */
	uint64_t request;           /* answered last */
	enum reload_outcome outcome;
	uint64_t config_hash;       /* what it works by */
};

// Asks the dataplane to look at its configuration file again. 0 with the number of the request, or -ENOTCONN.
int plane_request_reload(struct plane *plane, uint64_t *request);

void plane_get_reload(struct plane *plane, struct plane_reload *out);

// True when every worker works by a map that has all that streams_changes() had counted as `changes`.
bool plane_has_map(struct plane *plane, uint64_t changes);
