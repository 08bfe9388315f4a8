#include "dataplane/record/route.h"

#include <errno.h>
#include <string.h>

#include "dataplane/seam/hash_ranges.h"

static unsigned __int128 hash_key(const uint64_t limbs[2])
{
	return (unsigned __int128)limbs[0] << 64 | limbs[1];
}

/* True when the shards are divided as a new stream's are. */
static bool even_ranges(const struct map_shard *shard, uint32_t shards)
{
	for (uint32_t i = 0; i < shards; i++) {
		uint64_t first[2], last[2];

		hash_range_even(i, shards, first, last);
		if (memcmp(first, shard[i].first_hash, sizeof first) != 0)
			return false;
	}
	return true;
}

int router_init(struct router *router, const struct shard_map *map, uint32_t stream)
{
	const struct map_stream *row = stream < map->streams_count ? &map->streams[stream] : NULL;
	const struct map_shard *shard;
	unsigned __int128 next = 0;

	if (!row || row->shards == 0 || row->shards > SHARDS_MAX || row->first_shard > SHARDS_MAX - row->shards)
		return -EINVAL;
	shard = map->shards + row->first_shard;
	memset(router, 0, sizeof *router);
	for (uint32_t i = 0; i < row->shards; i++) {
		if ((i > 0 && next == 0) || hash_key(shard[i].first_hash) != next || hash_key(shard[i].last_hash) < next)
			return -EINVAL;
		router->slots[i] = shard[i].slot;
		router->first[i] = next;
		next = hash_key(shard[i].last_hash) + 1;
	}
	if (next != 0) /* 2^128 */
		return -EINVAL;
	router->shards = row->shards;
	router->even = even_ranges(shard, row->shards);
	router->exact = router->even && row->shards > 1 && (row->shards & (row->shards - 1)) == 0;
	router->shift = (uint8_t)(64 - __builtin_ctz(row->shards));
	/*
	 * Padding leads astray one key only, the highest, which equals the pad: repeating the last slot behind it makes
	 * that harmless.
	 */
	for (uint32_t i = row->shards; i <= SHARDS_MAX; i++) {
		router->first[i] = ~(unsigned __int128)0;
		router->slots[i] = router->slots[row->shards - 1];
	}
	for (router->steps = 1; router->steps * 2 < row->shards;)
		router->steps *= 2;
	if (row->shards == 1)
		router->steps = 0;
	return 0;
}
