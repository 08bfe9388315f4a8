#include "control/input_names.h"

#include <stdio.h>

void input_names_init(struct input_names *names)
{
	pthread_mutex_init(&names->adding, NULL);
	atomic_init(&names->count, 0);
}

void input_names_destroy(struct input_names *names)
{
	pthread_mutex_destroy(&names->adding);
}

const char *input_names_find(const struct input_names *names, uint32_t id)
{
	uint32_t count = atomic_load_explicit(&names->count, memory_order_acquire);

	/* The latest first: nearly all records are of inputs that are still there. */
	for (uint32_t i = count; i-- > 0;)
		if (names->entries[i].id == id)
			return names->entries[i].name;
	return NULL;
}

static void add(struct input_names *names, const char *name)
{
	uint32_t count = atomic_load_explicit(&names->count, memory_order_relaxed), id = input_id(name);

	if (count == INPUT_NAMES_MAX || input_names_find(names, id))
		return;
	names->entries[count].id = id;
	snprintf(names->entries[count].name, sizeof names->entries[count].name, "%s", name);
	atomic_store_explicit(&names->count, count + 1, memory_order_release);
}

void input_names_add(struct input_names *names, const struct config *config)
{
	pthread_mutex_lock(&names->adding);
	for (uint32_t i = 0; i < config->inputs_count; i++)
		add(names, config->inputs[i].name);
	for (uint32_t i = 0; i < config->rules_count; i++)
		if (config->rules[i].verdict == VERDICT_TAG)
			add(names, config->rules[i].name);
	pthread_mutex_unlock(&names->adding);
}
