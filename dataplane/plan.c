#include "dataplane/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/seam/record.h"

#define ALIGNMENT 64u

static void bind_input(struct plan *plan, struct plan_input *input, const struct config_input *config, uint32_t row,
		       const struct shard_map *map)
{
	input->only_slot = PLAN_NO_SLOT;
	input->codec = config->codec;
	input->index = (uint8_t)row;
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

static int make_routers(struct plan *plan, const struct shard_map *map)
{
	for (uint32_t s = 0; s < map->streams_count; s++) {
		if (router_init(&plan->routers[s], map, s) != 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < map->streams[s].shards; i++) {
			uint32_t slot = map->shards[map->streams[s].first_shard + i].slot;

			plan->slots[slot / 64] |= 1ull << slot % 64;
		}
	}
	return 0;
}

static int make_matches(struct plan *plan, const struct config *config, uint32_t ports)
{
	size_t bytes = ((ports ? ports : 1) * sizeof *plan->matches + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	int error = 0;

	plan->matches = aligned_alloc(ALIGNMENT, bytes);
	if (!plan->matches)
		return -ENOMEM;
	for (uint32_t p = 0; p < ports && !error; p++)
		error = match_init(&plan->matches[p], config->inputs, config->inputs_count, p);
	return error;
}

int plan_create(const struct config *config, const struct rows *rows, uint32_t ports, const struct shard_map *map,
		uint64_t version, struct plan **out)
{
	struct plan *plan = calloc(1, sizeof *plan + map->streams_count * sizeof plan->routers[0]);
	int error;

	if (!plan)
		return -ENOMEM;
	plan->version = version;
	plan->fresh = rows ? rows->fresh : 0;
	error = make_routers(plan, map);
	if (!error)
		error = make_matches(plan, config, ports);
	if (error) {
		plan_free(plan);
		return error;
	}
	for (uint32_t i = 0; i < config->inputs_count; i++) {
		uint32_t row = rows ? rows->of[i] : i;

		if (row != ROW_NONE)
			bind_input(plan, &plan->inputs[i], &config->inputs[i], row, map);
	}
	*out = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->matches);
	free(plan);
}
