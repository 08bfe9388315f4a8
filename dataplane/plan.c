#include "dataplane/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/refine.h"
#include "dataplane/seam/record.h"

#define PLAN_NO_STREAM UINT32_MAX

/* Notes that the port feeds this stream, when there is one. Its number in the map. */
static uint32_t feed(struct plan *plan, uint32_t port, const struct shard_map *map, const char *name)
{
	for (uint32_t s = 0; s < map->streams_count; s++) {
		const struct map_stream *stream = &map->streams[s];

		if (strcmp(stream->name, name) != 0)
			continue;
		for (uint32_t i = 0; i < stream->shards; i++) {
			uint32_t slot = map->shards[stream->first_shard + i].slot;

			plan->port_slots[port][slot / 64] |= 1ull << slot % 64;
		}
		return s;
	}
	return PLAN_NO_STREAM;
}

static void bind_input(struct plan *plan, uint32_t index, const struct config_input *config, const struct shard_map *map)
{
	struct plan_input *input = &plan->inputs[index];
	uint32_t stream;

	input->only_slot = PLAN_NO_SLOT;
	input->codec = codec_by_id(config->codec) && codec_by_id(config->codec)->cut == split_lines ? CODEC_LINES : CODEC_DATAGRAM;
	input->index = (uint8_t)index;
	input->labels = input_id(config->name) | (uint64_t)config->codec << 48;
	key_rule_init(&input->key, config);
	feed(plan, config->port_index, map, config->dead_letter);
	stream = feed(plan, config->port_index, map, config->stream);
	if (stream == PLAN_NO_STREAM)
		return;
	input->router = &plan->routers[stream];
	if (map->streams[stream].shards == 1)
		input->only_slot = map->shards[map->streams[stream].first_shard].slot;
}

/* What the inputs ask for that burst.c does not do. */
static int bind_refines(struct plan *plan, const struct config *config, const struct shard_map *map)
{
	for (uint32_t i = 0; i < config->inputs_count; i++) {
		int error;

		if (!refine_needed(&config->inputs[i]))
			continue;
		if (!plan->refines)
			plan->refines = calloc(config->inputs_count, sizeof *plan->refines);
		if (!plan->refines)
			return -ENOMEM;
		error = refine_init(&plan->refines[i], &config->inputs[i], plan, map);
		if (error)
			return error;
		plan->inputs[i].refine = &plan->refines[i];
	}
	return 0;
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
	if (bind_refines(plan, config, map) != 0) {
		plan_free(plan);
		return NULL;
	}
	return plan;
}

void plan_free(struct plan *plan)
{
	free(plan->refines);
	free(plan);
}
