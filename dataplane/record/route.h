// From a 128-bit hash key to the shard it belongs to.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/seam/region.h"

struct router { /* of one stream; constant once made */
	uint32_t shards; /* 1..SHARDS_MAX */
	bool even;       /* ranges of one size: the shard is guessed by a multiplication and then checked */
	bool exact;      /* and their number a power of two above 1: the hash key's upper bits are the shard's number */
	uint8_t shift;   /* `exact`: how far down in the upper 64 bits */
	uint32_t steps;  /* of the binary search: the shards padded to a power of two */
	uint32_t slots[SHARDS_MAX + 1];          /* lane slot of each shard, in the order of their ranges */
	unsigned __int128 first[SHARDS_MAX + 1]; /* lowest hash key of each; padded with what no key exceeds */
};

// Fills `router` from stream `stream` of a map that control_read_map() accepted. 0, or -EINVAL when the map has no such
// stream or its ranges do not cover all hash keys in order (our own bug or theirs: the router is then unusable).
int router_init(struct router *router, const struct shard_map *map, uint32_t stream);

static inline uint32_t route_search(const struct router *router, unsigned __int128 key)
{
	uint32_t at = 0;

	/* Conditional moves only: which way a random key goes is nobody's to predict. */
	for (uint32_t step = router->steps; step; step >>= 1)
		at += key >= router->first[at + step] ? step : 0;
	return at;
}

static inline uint32_t route_guess(const struct router *router, unsigned __int128 key)
{
	uint32_t at = (uint32_t)((unsigned __int128)(uint64_t)(key >> 64) * router->shards >> 64);

	/*
	 * key * shards / 2^128 is never above the shard, because ranges are rounded down, and at most one below it: the
	 * rounding and the lower half of the key together make up less than one shard.
	 */
	return router->exact ? at : at + (key >= router->first[at + 1]);
}

// The lane slot of the shard whose range the hash key (upper and lower 64 bits) lies in.
static inline uint32_t route_find(const struct router *router, uint64_t upper, uint64_t lower)
{
	unsigned __int128 key = (unsigned __int128)upper << 64 | lower;

	return router->slots[router->even ? route_guess(router, key) : route_search(router, key)];
}
