#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/config.h"
#include "config/knobs.h"
#include "config/value.h"

#define FILES_MAX 256u

static int walk(struct loading *l, uint32_t parent, const struct node *mapping, void *base, uint32_t item);

// Defaults of all knobs below `list` (KNOB_NONE: outside lists) for the item at `base`.
static void set_defaults(struct loading *l, uint32_t list, void *base)
{
	size_t length = list == KNOB_NONE ? 0 : strlen(knobs[list].path);

	for (uint32_t i = 0; i < knobs_count; i++) {
		const struct knob *k = &knobs[i];
		bool inside = list == KNOB_NONE
				      ? !strchr(k->path, '[')
				      : strncmp(k->path, knobs[list].path, length) == 0 && k->path[length] == '[';
		struct node node = {.kind = NODE_SCALAR, .plain = true};

		if (!inside || k->type == KNOB_SECTION || k->type == KNOB_ITEMS || !k->fallback)
			continue;
		if (k->type == KNOB_ARGUMENTS || k->type == KNOB_ADDRESSES || k->type == KNOB_NUMBERS ||
		    k->type == KNOB_CHOICES)
			continue; /* none, and the member is zero */
		node.text = (char *)(uintptr_t)k->fallback;
		node.length = strlen(k->fallback);
		if (value_store(k, &node, l->origin->directory, base, &l->reports) != 0) {
			fprintf(stderr, "config: the default of %s is not one\n", k->path);
			abort();
		}
	}
}

static int take_items(struct loading *l, uint32_t index, const struct node *list)
{
	const struct knob *k = &knobs[index];
	uint32_t *count = (uint32_t *)((uint8_t *)l->config + k->extra);
	int error = 0;

	for (uint32_t i = 0; i < list->count && error == 0; i++) {
		const struct node *node = list->children[i];
		uint32_t item = *count;
		void *base = (uint8_t *)l->config + k->offset + (size_t)item * k->size;

		if (item == (uint32_t)k->most) {
			report_node(&l->reports, SEVERITY_ERROR, node, "more than %u %s", item, k->path);
			break;
		}
		if (node->kind != NODE_MAPPING) {
			report_node(&l->reports, SEVERITY_ERROR, node, "expected a mapping that begins with 'name:'");
			l->incomplete = true;
			continue;
		}
		++*count;
		origin_place(l->origin, index, item)->node = node;
		set_defaults(l, index, base);
		error = walk(l, index, node, base, item);
	}
	return error;
}

static int take_value(struct loading *l, uint32_t index, const struct node *node, void *base, uint32_t item)
{
	const struct knob *k = &knobs[index];
	struct place *place = origin_place(l->origin, index, item);
	bool container = k->type == KNOB_SECTION || k->type == KNOB_ITEMS;
	char expected[256];
	int error;

	if (k->type != KNOB_ITEMS)
		place->node = node;
	if (!container) {
		error = value_store(k, node, l->origin->directory, base, &l->reports);
		place->bad |= error != 0;
		return error == -ENOMEM ? error : 0;
	}
	if (node_is_null(node) && k->fallback)
		return 0; /* everything below it is a comment */
	if (k->type == KNOB_SECTION && node->kind == NODE_MAPPING)
		return walk(l, index, node, base, item);
	if (k->type == KNOB_SECTION && k->brief && node->kind == NODE_SCALAR)
		return take_value(l, knob_child(index, k->brief), node, base, item);
	if (k->type == KNOB_ITEMS && node->kind == NODE_LIST)
		return take_items(l, index, node);
	knob_expect(k, expected, sizeof expected);
	report_node(&l->reports, SEVERITY_ERROR, node, "expected %s", expected);
	place->bad = true;
	l->incomplete |= k->type == KNOB_ITEMS;
	return 0;
}

static void report_unknown(struct loading *l, uint32_t parent, const struct node *key)
{
	const char *like = knob_suggest(parent, key->text);
	const char *where = parent == KNOB_NONE ? "the configuration" : knobs[parent].path;

	if (like)
		report_node(&l->reports, SEVERITY_ERROR, key, "unknown key '%.64s' in %s: did you mean '%s'?",
			    key->text, where, like);
	else if (strcmp(key->text, "<<") == 0)
		report_node(&l->reports, SEVERITY_ERROR, key, "merge keys (<<) are not part of YAML 1.2");
	else
		report_node(&l->reports, SEVERITY_ERROR, key, "unknown key '%.64s' in %s", key->text, where);
}

static void report_missing(struct loading *l, uint32_t parent, const struct node *mapping, uint32_t item)
{
	char expected[256];
	const char *name;

	for (uint32_t i = 0; i < knobs_count; i++) {
		struct place *place = origin_place(l->origin, i, item);

		if (knobs[i].fallback || !knob_in(parent, i, &name) || place->node)
			continue;
		knob_expect(&knobs[i], expected, sizeof expected);
		report_node(&l->reports, SEVERITY_ERROR, mapping, "'%s' is missing: %s", name, expected);
		place->bad = true;
	}
}

static int walk(struct loading *l, uint32_t parent, const struct node *mapping, void *base, uint32_t item)
{
	int error = 0;

	for (uint32_t i = 0; i < mapping->count && error == 0; i++) {
		const struct node *key = mapping->children[2 * i];
		uint32_t index = knob_child(parent, key->text);

		if (index == KNOB_NONE)
			report_unknown(l, parent, key);
		else
			error = take_value(l, index, mapping->children[2 * i + 1], base, item);
	}
	if (error == 0 && parent != KNOB_NONE)
		report_missing(l, parent, mapping, item);
	return error;
}

static void place_item(const struct config *config, const char *list, uint32_t item, const char **file, uint32_t *line,
		       uint32_t *column)
{
	const struct node *node = origin_place(config->origin, knob_find(list), item)->node;

	*file = node->source->name;
	*line = node->line;
	*column = node->column;
}

// Where a pattern's characters stand, so that what is wrong at one of them can be pointed at.
static void place_pattern(struct config *c, uint32_t item)
{
	const struct node *node = origin_place(c->origin, knob_find("rules[].pattern"), item)->node;
	struct config_rule *rule = &c->rules[item];
	const char *text;

	if (!node)
		return;
	rule->pattern_line = node->line;
	rule->pattern_column = node->column;
	text = source_at(node->source, node->line, node->column);
	if (*text == '\'' || *text == '"') {
		rule->pattern_column++;
		text++;
	}
	rule->pattern_as_written = strncmp(text, rule->pattern, strlen(rule->pattern)) == 0;
}

// Where the items stand, and what follows from other values.
static void complete(struct config *c)
{
	for (uint32_t i = 0; i < c->ports_count; i++)
		place_item(c, "ports", i, &c->ports[i].file, &c->ports[i].line, &c->ports[i].column);
	for (uint32_t i = 0; i < c->inputs_count; i++) {
		place_item(c, "inputs", i, &c->inputs[i].file, &c->inputs[i].line, &c->inputs[i].column);
		if (c->inputs[i].codec == CODEC_KPL && !origin_place(c->origin, knob_find("inputs[].key.from"), i)->node)
			c->inputs[i].key = KEY_OWN;
	}
	for (uint32_t i = 0; i < c->rules_count; i++) {
		place_item(c, "rules", i, &c->rules[i].file, &c->rules[i].line, &c->rules[i].column);
		place_pattern(c, i);
	}
	for (uint32_t i = 0; i < c->streams_count; i++)
		place_item(c, "streams", i, &c->streams[i].file, &c->streams[i].line, &c->streams[i].column);
	for (uint32_t i = 0; i < c->deliveries_count; i++) {
		struct config_delivery *d = &c->deliveries[i];

		place_item(c, "deliveries", i, &d->file, &d->line, &d->column);
		d->destination = origin_place(c->origin, knob_find("deliveries[].destination.s3"), i)->node
					 ? DESTINATION_S3
					 : DESTINATION_DIRECTORY;
	}
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_yaml(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static int read_one(struct loading *l, const char *path)
{
	struct tree *tree = &l->origin->trees[l->origin->trees_count];
	int error = source_read(&tree->source, path, l->origin->trees_count++);

	if (error == -EFBIG)
		report_at(&l->reports, SEVERITY_ERROR, &tree->source, 0, 0, "larger than %u bytes", SOURCE_BYTES_MAX);
	else if (error && tree->source.name)
		report_at(&l->reports, SEVERITY_ERROR, &tree->source, 0, 0, "cannot be read: %s", strerror(-error));
	return error;
}

// Reads the main file and conf.d beside it. Files are named in errors as the main file was.
static int read_files(struct loading *l, const char *path)
{
	char pattern[PATH_MAX], name[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int prefix = slash ? (int)(slash + 1 - path) : 0;
	struct dirent **entries = NULL;
	int count, error, unlisted;

	snprintf(pattern, sizeof pattern, "%.*sconf.d", prefix, path);
	count = scandir(pattern, &entries, is_yaml, by_name);
	unlisted = count >= 0                            ? (count >= (int)FILES_MAX ? -E2BIG : 0)
		   : errno == ENOENT || errno == ENOTDIR ? 0
							 : -errno;
	l->origin->trees = calloc(FILES_MAX, sizeof *l->origin->trees);
	error = l->origin->trees ? read_one(l, path) : -ENOMEM;
	if (error == 0 && unlisted) {
		error = unlisted;
		report_at(&l->reports, SEVERITY_ERROR, &l->origin->trees[0].source, 0, 0, "%s cannot be read: %s",
			  pattern, strerror(-error));
	}
	for (int i = 0; i < count; i++) {
		if (error == 0 && snprintf(name, sizeof name, "%s/%s", pattern, entries[i]->d_name) < (int)sizeof name)
			error = read_one(l, name);
		free(entries[i]);
	}
	free(entries);
	return error;
}

// The main file's directory without symbolic links, and with it the main file's absolute path.
static int find_directory(struct loading *l, const char *path)
{
	char copy[PATH_MAX], *base;

	if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
		return -ENAMETOOLONG;
	l->origin->directory = realpath(dirname(copy), NULL);
	if (!l->origin->directory)
		return -errno;
	snprintf(copy, sizeof copy, "%s", path);
	base = basename(copy);
	if (snprintf(l->config->path, sizeof l->config->path, "%s/%s",
		     l->origin->directory[1] ? l->origin->directory : "", base) >= (int)sizeof l->config->path)
		return -ENAMETOOLONG;
	return 0;
}

static int take_files(struct loading *l)
{
	int error = 0;

	set_defaults(l, KNOB_NONE, l->config);
	for (uint32_t i = 0; i < l->origin->trees_count && error == 0; i++) {
		struct tree *tree = &l->origin->trees[i];

		error = tree_parse(tree, &l->reports);
		if (error == -EINVAL) {
			l->incomplete = true;
			error = 0;
		} else if (error == 0 && tree->root && tree->root->kind == NODE_MAPPING) {
			error = walk(l, KNOB_NONE, tree->root, l->config, 0);
		} else if (error == 0 && tree->root && !node_is_null(tree->root)) {
			report_node(&l->reports, SEVERITY_ERROR, tree->root,
				    "expected a mapping of dpdk, region, store, matching, control, ports, inputs, rules, "
				    "streams, deliveries");
			l->incomplete = true;
		}
	}
	return error;
}

static int load(struct loading *l, const char *path, FILE *errors)
{
	int error = find_directory(l, path);

	if (error) {
		fprintf(errors, "%s: error: cannot be read: %s\n", path, strerror(-error));
		return error;
	}
	error = read_files(l, path);
	if (error == 0)
		error = take_files(l);
	if (error == 0) {
		complete(l->config);
		check_ports(l);
		check_inputs(l);
		check_rules(l);
		check_streams(l);
		check_deliveries(l);
		check_limits(l);
	}
	report_print(&l->reports, errors);
	return error ? error : l->reports.errors ? -EINVAL : 0;
}

int config_load(const char *path, FILE *errors, struct config **out)
{
	struct loading l = {0};
	int error = -ENOMEM;

	*out = NULL;
	l.config = calloc(1, sizeof *l.config);
	l.origin = calloc(1, sizeof *l.origin);
	if (l.config && l.origin) {
		l.config->origin = l.origin;
		l.origin->places = calloc((size_t)knobs_count * ITEMS_MAX, sizeof *l.origin->places);
		if (l.origin->places)
			error = load(&l, path, errors);
	} else {
		free(l.origin);
	}
	if (error == -ENOMEM)
		fprintf(errors, "%s: error: out of memory\n", path);
	report_free(&l.reports);
	if (error)
		config_free(l.config);
	else
		*out = l.config;
	return error;
}
