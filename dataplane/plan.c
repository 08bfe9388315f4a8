#include "dataplane/plan.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/record/md5.h"

static uint64_t big_endian(const uint8_t bytes[8])
{
	uint64_t n;

	memcpy(&n, bytes, sizeof n);
	return __builtin_bswap64(n);
}

static void hash_constant(struct plan_input *input, const char *key)
{
	struct md5_key text = {(const uint8_t *)key, (uint32_t)strlen(key)};
	uint8_t digest[1][16];

	md5_batch(&text, 1, digest);
	input->constant[0] = big_endian(digest[0]);
	input->constant[1] = big_endian(digest[0] + 8);
}

static void bind_input(struct plan *plan, uint32_t index, const struct config_input *config, const struct shard_map *map)
{
	struct plan_input *input = &plan->inputs[index];

	input->only_slot = PLAN_NO_SLOT;
	if (config->key == KEY_CONSTANT)
		hash_constant(input, config->key_constant);
	for (uint32_t s = 0; s < map->streams_count; s++) {
		const struct map_stream *stream = &map->streams[s];

		if (strcmp(stream->name, config->stream) != 0)
			continue;
		input->router = &plan->routers[s];
		if (stream->shards == 1)
			input->only_slot = map->shards[stream->first_shard].slot;
		for (uint32_t i = 0; i < stream->shards; i++) {
			uint32_t slot = map->shards[stream->first_shard + i].slot;

			plan->port_slots[config->port_index][slot / 64] |= 1ull << slot % 64;
		}
	}
}

struct plan *plan_create(const struct config *config, const struct shard_map *map, uint64_t version)
{
	struct plan *plan = calloc(1, sizeof *plan + map->streams_count * sizeof plan->routers[0]);

	if (!plan)
		return NULL;
	plan->version = version;
	for (uint32_t s = 0; s < map->streams_count; s++) {
		if (router_init(&plan->routers[s], map, s) != 0) {
			plan_free(plan);
			return NULL;
		}
		for (uint32_t i = 0; i < map->streams[s].shards; i++) {
			uint32_t slot = map->shards[map->streams[s].first_shard + i].slot;

			plan->slots[slot / 64] |= 1ull << slot % 64;
		}
	}
	for (uint32_t i = 0; i < config->inputs_count; i++)
		bind_input(plan, i, &config->inputs[i], map);
	return plan;
}

void plan_free(struct plan *plan)
{
	free(plan);
}
