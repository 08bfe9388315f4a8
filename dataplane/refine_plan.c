// What refining an input needs, made ready by the main thread.
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/placement.h"
#include "dataplane/refiner.h"

bool refine_needed(const struct config *config, uint32_t index)
{
	const struct config_input *input = &config->inputs[index];
	const struct codec *codec = codec_by_id(input->codec);

	for (uint32_t i = 0; i < config->rules_count; i++)
		if (config->rules[i].input_index == index)
			return true;
	if (input->codec == CODEC_GELF || input->codec == CODEC_KPL ||
	    (codec && codec->cut && codec->cut != split_lines))
		return true;
	return input->key == KEY_PATH || input->key == KEY_CAPTURE || input->key == KEY_OWN ||
	       input->missing != MISSING_RANDOM || input->invalid != INVALID_KEEP;
}

struct refine_target refine_target_find(const struct plan *plan, const struct shard_map *map, const char *name)
{
	for (uint32_t s = 0; s < map->streams_count; s++)
		if (strcmp(map->streams[s].name, name) == 0)
			return (struct refine_target){&plan->routers[s],
						      map->streams[s].shards == 1
							      ? map->shards[map->streams[s].first_shard].slot
							      : PLAN_NO_SLOT};
	return (struct refine_target){NULL, PLAN_NO_SLOT};
}

int refine_init(struct refine *out, const struct config_input *input, const struct plan *plan,
		const struct shard_map *map)
{
	memset(out, 0, sizeof *out);
	out->codec = codec_by_id(input->codec);
	if (!out->codec)
		return -EINVAL;
	out->stream = refine_target_find(plan, map, input->stream);
	out->has_dead_letter = input->dead_letter[0] != '\0';
	out->dead_letter = refine_target_find(plan, map, input->dead_letter);
	out->missing = input->missing;
	out->invalid = input->invalid;
	out->missing_key = key_for_missing(input);
	return input->key == KEY_PATH ? field_path_parse(input->key_path, &out->path) : 0;
}

static size_t refiner_bytes(size_t *gelf_offset)
{
	*gelf_offset = (sizeof(struct refiner) + 63) & ~(size_t)63;
	return *gelf_offset + gelf_assembly_bytes(REFINE_GELF_MESSAGES, REFINE_GELF_BYTES);
}

struct refiner *refiner_new(unsigned core)
{
	size_t gelf_offset, bytes = refiner_bytes(&gelf_offset);
	struct refiner *r = placement_allocate(bytes, core);
	uint8_t secret[16];

	if (!r)
		return NULL;
	r->capture = rule_capture_scratch_new();
	if (!r->capture || getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret ||
	    !refine_gelf_init(r, (uint8_t *)r + gelf_offset, secret)) {
		refiner_free(r);
		return NULL;
	}
	return r;
}

void refiner_free(struct refiner *r)
{
	size_t gelf_offset;

	if (!r)
		return;
	rule_capture_scratch_free(r->capture);
	placement_free(r, refiner_bytes(&gelf_offset));
}
