// Metadata in a directory of its own.
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/metadata/metadata.h"
#include "tests/support/log_rig.h"

struct scene {
	char directory[64], path[128];
	struct metadata *m;
};

static inline int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	strcpy(scene->directory, "/tmp/penstock-metadata-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	snprintf(scene->path, sizeof scene->path, "%s/metadata.db", scene->directory);
	assert_int_equal(metadata_open(scene->directory, &scene->m), 0);
	*state = scene;
	return 0;
}

static inline int tear_down(void **state)
{
	struct scene *scene = *state;
	char command[128];

	metadata_close(scene->m);
	snprintf(command, sizeof command, "rm -rf %s", scene->directory);
	assert_int_equal(system(command), 0);
	free(scene);
	return 0;
}

static inline void reopen(struct scene *scene)
{
	metadata_close(scene->m);
	scene->m = NULL;
	assert_int_equal(metadata_open(scene->directory, &scene->m), 0);
}

static inline int create(struct scene *scene, const char *name, uint32_t shards, uint32_t slots, uint64_t *id)
{
	struct metadata_stream stream = {.shards = shards, .retention_seconds = 86400, .created_ns = 1234567890123456789};

	memcpy(stream.name, name, strlen(name));
	return metadata_create_stream(scene->m, &stream, slots, id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
