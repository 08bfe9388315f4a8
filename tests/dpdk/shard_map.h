// A shard map made stream by stream, each one's shards in the next slots.
#pragma once

#include <stdint.h>
#include <string.h>

#include "dataplane/seam/region.h"

// Ranges begin where the lower half is 0: the upper half of a hash alone says whose it is.
static inline void shard_map_add(struct shard_map *map, const char *name, uint32_t shards)
{
	struct map_stream *stream = &map->streams[map->streams_count++];
	uint64_t step = shards == 1 ? 0 : UINT64_MAX / shards + 1;

	strcpy(stream->name, name);
	stream->first_shard = map->shards_count;
	stream->shards = shards;
	for (uint32_t i = 0; i < shards; i++) {
		struct map_shard *shard = &map->shards[map->shards_count];

		shard->first_hash[0] = step * i;
		shard->last_hash[0] = i + 1 == shards ? UINT64_MAX : step * (i + 1) - 1;
		shard->last_hash[1] = UINT64_MAX;
		shard->slot = map->shards_count++;
	}
}
