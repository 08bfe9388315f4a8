// A directory on tmpfs for regions, and a shard map to publish there.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/seam/hash_ranges.h"
#include "dataplane/seam/region.h"

#define LANE_BYTES (256ull << 10)

static const struct region_geometry geometry = {.workers = 2, .shards = 3, .lane_bytes = LANE_BYTES};
static char directory[64];

static inline const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static inline int new_directory(void **state)
{
	(void)state;
	strcpy(directory, "/dev/shm/penstock-region-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static inline int remove_directory(void **state)
{
	(void)state;
	unlink(path_of("data"));
	unlink(path_of("data.new"));
	unlink(path_of("control"));
	return rmdir(directory);
}

static inline struct region_writer create(void)
{
	struct region_writer region;

	assert_int_equal(region_create(directory, &geometry, &region), 0);
	return region;
}

/* A map of two streams, three shards and one. */
static inline void fill_map(struct shard_map *map)
{
	memset(map, 0, sizeof *map);
	map->streams_count = 2;
	map->shards_count = 4;
	for (uint32_t s = 0, shard = 0; s < 2; s++) {
		snprintf(map->streams[s].name, sizeof map->streams[s].name, "stream-%u", s);
		map->streams[s].first_shard = shard;
		map->streams[s].shards = s ? 1 : 3;
		for (uint32_t i = 0; i < map->streams[s].shards; i++, shard++) {
			hash_range_even(i, map->streams[s].shards, map->shards[shard].first_hash,
					map->shards[shard].last_hash);
			map->shards[shard].slot = 7 - shard;
			map->shards[shard].stream = s;
		}
	}
}

#define REGION_TEST(name) cmocka_unit_test_setup_teardown(name, new_directory, remove_directory)
