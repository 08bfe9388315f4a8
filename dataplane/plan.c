#include "dataplane/plan.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/seam/record.h"

static void bind_input(struct plan *plan, uint32_t index, const struct config_input *config, const struct shard_map *map)
{
	struct plan_input *input = &plan->inputs[index];

	input->only_slot = PLAN_NO_SLOT;
	input->codec = config->codec;
	input->index = (uint8_t)index;
	input->labels = input_id(config->name) | (uint64_t)config->codec << 48;
	key_rule_init(&input->key, config);
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
