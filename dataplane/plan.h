// What workers do with an input's records: a shard map made ready for the hot path. Immutable once published.
#pragma once

#include "config/config.h"
#include "dataplane/record/key.h"
#include "dataplane/record/route.h"
#include "dataplane/seam/region.h"

#define PLAN_NO_SLOT UINT32_MAX

struct refine;

struct plan_input {
	const struct router *router; /* NULL: the stream does not exist (yet) */
	uint32_t only_slot;          /* its one shard's lane slot, or PLAN_NO_SLOT when there are several */
	uint64_t labels;             /* the third word of its records' headers: input and codec; the rest 0 */
	uint8_t codec;               /* how burst.c cuts: CODEC_LINES, or anything else for whole datagrams */
	uint8_t index;               /* row of the ledger's inputs */
	struct key_rule key;
	const struct refine *refine; /* what else is asked of its records, or NULL: refine.h */
};

struct plan {
	uint64_t version;            /* of the shard map */
	struct plan_input inputs[INPUTS_MAX];
	struct refine *refines;      /* of those inputs that need it; NULL when none does */
	uint64_t slots[SHARDS_MAX / 64];                 /* bitmap: every slot in use */
	uint64_t port_slots[PORTS_MAX][SHARDS_MAX / 64]; /* of those, the ones a port's inputs feed */
	struct router routers[];     /* one per stream of the map */
};

// Makes a plan from a checked map. NULL: no memory. Freed with plan_free() once every worker has acknowledged a newer one.
struct plan *plan_create(const struct config *config, const struct shard_map *map, uint64_t version);

void plan_free(struct plan *plan);

static inline bool plan_bit(const uint64_t *bits, uint32_t slot)
{
	return bits[slot / 64] >> slot % 64 & 1;
}
