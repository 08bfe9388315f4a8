// What workers do with a port's datagrams: the inputs and a shard map made ready for the hot path. Immutable once published.
#pragma once

#include "config/config.h"
#include "dataplane/packet/match.h"
#include "dataplane/record/key.h"
#include "dataplane/record/route.h"
#include "dataplane/record/rows.h"
#include "dataplane/seam/region.h"

#define PLAN_NO_SLOT UINT32_MAX
#define PLAN_NO_STREAM UINT32_MAX

struct refine;
struct refine_set;
struct refine_target;
struct rule_scratch;

struct plan_input {
	const struct router *router; /* NULL: the stream does not exist (yet) */
	uint32_t only_slot;          /* its one shard's lane slot, or PLAN_NO_SLOT when there are several */
	uint64_t labels;             /* the third word of its records' headers: input and codec; the rest 0 */
	uint8_t codec;               /* how burst.c cuts: CODEC_LINES, or anything else for whole datagrams */
	uint8_t index;               /* row of the ledger's inputs: another number than its place in inputs[] */
	struct key_rule key;
	const struct refine *refine; /* what else is asked of its records, or NULL: refine.h */
};

struct plan {
	uint64_t serial;             /* of all plans of this process */
	uint64_t version;            /* of the shard map */
	uint64_t fresh;              /* bitmap: input rows that counted for another input; a worker zeroes its own */
	struct match *matches;       /* by port; they find places in inputs[] */
	struct plan_input inputs[INPUTS_MAX];            /* in the order of the configuration */
	struct refine *refines;      /* of those inputs that need it, by place; NULL when none does */
	struct refine_set *set;      /* their rules; NULL: none */
	struct refine_target *routes;           /* by place of the rule */
	struct rule_scratch *scratch[WORKERS_MAX];
	uint64_t slots[SHARDS_MAX / 64];                 /* bitmap: every slot in use */
	uint64_t port_slots[PORTS_MAX][SHARDS_MAX / 64]; /* of those, the ones a port's inputs feed */
	struct router routers[];     /* one per stream of the map */
};

// Makes a plan of the inputs of `config` that have a row, and a checked map. `port_index` of an input is below `ports`, how
// many are open. `rows` NULL: an input's row is its place. 0; -ENOMEM; -EINVAL when an input makes no sense.
// Freed with plan_free() once every worker has acknowledged a newer one; `config` outlives it.
int plan_create(const struct config *config, const struct rows *rows, uint32_t ports, const struct shard_map *map,
		uint64_t version, struct plan **out);

// Notes that a port feeds a stream, when there is one of that name. Its number in the map, or PLAN_NO_STREAM. For what is
// made beside plan_create().
uint32_t plan_feed(struct plan *plan, uint32_t port, const struct shard_map *map, const char *stream);

// NULL is fine.
void plan_free(struct plan *plan);

static inline bool plan_bit(const uint64_t *bits, uint32_t slot)
{
	return bits[slot / 64] >> slot % 64 & 1;
}
