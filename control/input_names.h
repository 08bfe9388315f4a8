// Names of inputs and tags by the number that records carry: those of every configuration so far, for records stored under one may
// be delivered under the next.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "config/config.h"

#define INPUT_NAMES_MAX 2048u /* more than that in one life of penstockd: the rest goes by number */

struct input_names { /* zero it, then input_names_init() */
	pthread_mutex_t adding;
	_Atomic uint32_t count; /* entries below it are constant */
	struct {
		uint32_t id;
		char name[NAME_MAX_BYTES];
	} entries[INPUT_NAMES_MAX];
};

void input_names_init(struct input_names *names);
void input_names_destroy(struct input_names *names);

// Adds those of the configuration that are not there yet. Any thread.
void input_names_add(struct input_names *names, const struct config *config);

// The name, valid as long as `names` is; NULL: none of this number. Any thread.
const char *input_names_find(const struct input_names *names, uint32_t id);
