#include "dataplane/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/refine.h"
#include "dataplane/seam/record.h"

#define ALIGNMENT 64u

uint32_t plan_feed(struct plan *plan, uint32_t port, const struct shard_map *map, const char *name)
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

static void bind_input(struct plan *plan, struct plan_input *input, const struct config_input *config, uint32_t row,
		       const struct shard_map *map)
{
	const struct codec *codec = codec_by_id(config->codec);
	uint32_t stream = plan_feed(plan, config->port_index, map, config->stream);

	plan_feed(plan, config->port_index, map, config->dead_letter);
	input->only_slot = PLAN_NO_SLOT;
	input->codec = codec && codec->cut == split_lines ? CODEC_LINES : CODEC_DATAGRAM;
	input->index = (uint8_t)row;
	input->labels = input_id(config->name) | (uint64_t)config->codec << 48;
	key_rule_init(&input->key, config);
	if (stream == PLAN_NO_STREAM)
		return;
	input->router = &plan->routers[stream];
	if (map->streams[stream].shards == 1)
		input->only_slot = map->shards[map->streams[stream].first_shard].slot;
}

/* What the inputs ask for that burst.c does not do. */
static int bind_refine(struct plan *plan, uint32_t index, const struct config *config, const struct shard_map *map)
{
	if (!refine_needed(config, index))
		return 0;
	if (!plan->refines)
		plan->refines = calloc(config->inputs_count, sizeof *plan->refines);
	if (!plan->refines)
		return -ENOMEM;
	plan->inputs[index].refine = &plan->refines[index];
	return refine_init(&plan->refines[index], &config->inputs[index], plan, map);
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
	for (uint32_t i = 0; i < config->inputs_count && !error; i++) {
		uint32_t row = rows ? rows->of[i] : i;

		if (row == ROW_NONE)
			continue;
		bind_input(plan, &plan->inputs[i], &config->inputs[i], row, map);
		error = bind_refine(plan, i, config, map);
	}
	if (error) {
		plan_free(plan);
		return error;
	}
	*out = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	refine_set_detach(plan);
	free(plan->refines);
	free(plan->matches);
	free(plan);
}
