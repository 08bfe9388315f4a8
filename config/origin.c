#include "config/origin.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/knobs.h"

struct place *origin_place(struct config_origin *origin, uint32_t knob, uint32_t item)
{
	return &origin->places[(size_t)knob * ITEMS_MAX + item];
}

bool origin_bad(const struct config *config, const char *path, uint32_t item)
{
	return origin_place(config->origin, knob_find(path), item)->bad;
}

bool origin_given(const struct config *config, const char *path, uint32_t item)
{
	const struct place *place = origin_place(config->origin, knob_find(path), item);

	return place->node && !place->bad;
}

const struct node *origin_node(const struct config *config, const char *path, uint32_t item)
{
	char around[128];

	snprintf(around, sizeof around, "%s", path);
	for (;;) {
		const struct place *place = origin_place(config->origin, knob_find(around), item);
		char *dot = strrchr(around, '.');

		if (place->node || !dot)
			return place->node;
		*dot = '\0';
		if (dot - around > 2 && strcmp(dot - 2, "[]") == 0)
			dot[-2] = '\0';
	}
}

void origin_report(const struct config *config, struct reports *reports, enum severity severity, const char *path,
		   uint32_t item, const char *format, ...)
{
	const struct node *node = origin_node(config, path, item);
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	if (node)
		report_node(reports, severity, node, "%s", message);
	else
		report_at(reports, severity, &config->origin->trees[0].source, 0, 0, "%s", message);
}

void origin_free(struct config_origin *origin)
{
	if (!origin)
		return;
	for (uint32_t i = 0; i < origin->trees_count; i++)
		tree_free(&origin->trees[i]);
	free(origin->trees);
	free(origin->places);
	free(origin->directory);
	free(origin);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (uint32_t i = 0; config->eal && i < config->eal_count; i++)
		free(config->eal[i]);
	free(config->eal);
	origin_free(config->origin);
	free(config);
}

void config_complain(const struct config *config, FILE *errors, const char *severity, const char *file, uint32_t line,
		     uint32_t column, const char *format, ...)
{
	const struct source *source = NULL;
	char message[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	for (uint32_t i = 0; i < config->origin->trees_count; i++)
		if (file && strcmp(config->origin->trees[i].source.name, file) == 0)
			source = &config->origin->trees[i].source;
	report_print_one(errors, file ? file : config->path, source, line, column, 1, severity, message);
}

uint32_t config_workers(const struct config *config)
{
	uint32_t workers = 0;

	for (uint32_t i = 0; i < config->ports_count; i++)
		workers += config->ports[i].queues;
	return workers;
}
