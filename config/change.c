#include "config/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/knobs.h"
#include "config/origin.h"
#include "config/value.h"

#define NEXT_START "takes effect at the next start"

static uint32_t items_count(const struct config *config, const struct knob *list)
{
	return *(const uint32_t *)((const uint8_t *)config + list->extra);
}

static const void *item_at(const struct config *config, const struct knob *list, uint32_t item)
{
	return (const uint8_t *)config + list->offset + (size_t)item * list->size;
}

// A value of an item of `list`, or with KNOB_NONE one outside lists: not a section, nor a list itself.
static bool is_value_of(uint32_t list, uint32_t index)
{
	const struct knob *k = &knobs[index];
	size_t length = list == KNOB_NONE ? 0 : strlen(knobs[list].path);

	if (k->type == KNOB_SECTION || k->type == KNOB_ITEMS)
		return false;
	return list == KNOB_NONE ? !strchr(k->path, '[') :
				   strncmp(k->path, knobs[list].path, length) == 0 && k->path[length] == '[';
}

static char *show(const struct knob *knob, const void *base)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	value_show(knob, base, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static const char *name_of(const struct config *config, const struct knob *list, uint32_t item)
{
	char path[64];

	snprintf(path, sizeof path, "%s[].name", list->path);
	return (const char *)item_at(config, list, item) + knobs[knob_find(path)].offset;
}

// KNOB_NONE: there is none of that name.
static uint32_t find_item(const struct config *config, const struct knob *list, const char *name)
{
	for (uint32_t i = 0; i < items_count(config, list); i++)
		if (strcmp(name_of(config, list, i), name) == 0)
			return i;
	return KNOB_NONE;
}

struct comparison {
	const struct config *start, *now, *next;
	struct config_changes *changes;
	uint32_t room;
};

static struct config_change *add(struct comparison *c, enum change_kind kind, uint32_t index)
{
	struct config_changes *changes = c->changes;
	enum knob_live live = knob_live(index);
	struct config_change *change;

	if (changes->count == c->room) {
		uint32_t room = c->room ? 2 * c->room : 16;
		struct config_change *list = realloc(changes->list, room * sizeof *list);

		if (!list)
			return NULL;
		changes->list = list;
		c->room = room;
	}
	change = &changes->list[changes->count++];
	*change = (struct config_change){.kind = kind, .live = live == KNOB_LIVE};
	change->why = live == KNOB_NEVER ? knobs[index].stays : NEXT_START;
	if (kind == CHANGE_REMOVED && change->live && knobs[index].stays) {
		change->live = false;
		change->why = knobs[index].stays;
	}
	return change;
}

static int set_place(struct config_change *change, const struct config *next, uint32_t index, uint32_t item)
{
	const struct node *node = knobs[index].type == KNOB_ITEMS ? origin_place(next->origin, index, item)->node :
								    origin_node(next, knobs[index].path, item);

	change->file = strdup(node ? node->source->name : next->path);
	change->line = node ? node->line : 0;
	change->column = node ? node->column : 0;
	return change->file ? 0 : -ENOMEM;
}

// "ports[].queues" and 0: "ports[0].queues"; a list itself: "ports[0]".
static int set_path(struct config_change *change, const struct knob *knob, const struct knob *list, uint32_t item)
{
	int n;

	if (!list) {
		change->path = strdup(knob->path);
		return change->path ? 0 : -ENOMEM;
	}
	n = asprintf(&change->path, "%s[%u]%s", list->path, item,
		     knob == list ? "" : knob->path + strlen(list->path) + 2);
	if (n < 0)
		change->path = NULL;
	snprintf(change->list, sizeof change->list, "%s", list->path);
	return n < 0 ? -ENOMEM : 0;
}

static int compare_value(struct comparison *c, uint32_t index, const struct knob *list, const void *before, const void *after,
			 uint32_t item)
{
	char *from = show(&knobs[index], before), *to = show(&knobs[index], after);
	struct config_change *change = NULL;
	int error = from && to ? 0 : -ENOMEM;

	if (!error && strcmp(from, to) != 0) {
		change = add(c, CHANGE_CHANGED, index);
		error = change ? 0 : -ENOMEM;
	}
	if (change) {
		change->from = from;
		change->to = to;
		if (list)
			snprintf(change->name, sizeof change->name, "%s", name_of(c->next, list, item));
		error = set_path(change, &knobs[index], list, item);
		return error ? error : set_place(change, c->next, index, item);
	}
	free(from);
	free(to);
	return error;
}

static int compare_item(struct comparison *c, uint32_t list, const struct config *base, uint32_t item)
{
	const char *name = name_of(c->next, &knobs[list], item);
	uint32_t before = find_item(base, &knobs[list], name);
	int error = 0;

	if (before == KNOB_NONE) {
		struct config_change *change = add(c, CHANGE_ADDED, list);

		if (!change)
			return -ENOMEM;
		snprintf(change->name, sizeof change->name, "%s", name);
		error = set_path(change, &knobs[list], &knobs[list], item);
		return error ? error : set_place(change, c->next, list, item);
	}
	for (uint32_t i = 0; i < knobs_count && !error; i++)
		if (is_value_of(list, i))
			error = compare_value(c, i, &knobs[list], item_at(base, &knobs[list], before),
					      item_at(c->next, &knobs[list], item), item);
	return error;
}

static int compare_list(struct comparison *c, uint32_t list)
{
	const struct config *base = knob_live(list) == KNOB_LIVE ? c->now : c->start;
	int error = 0;

	for (uint32_t i = 0; i < items_count(c->next, &knobs[list]) && !error; i++)
		error = compare_item(c, list, base, i);
	for (uint32_t i = 0; i < items_count(base, &knobs[list]) && !error; i++) {
		const char *name = name_of(base, &knobs[list], i);
		struct config_change *change;

		if (find_item(c->next, &knobs[list], name) != KNOB_NONE)
			continue;
		change = add(c, CHANGE_REMOVED, list);
		if (!change)
			return -ENOMEM;
		snprintf(change->name, sizeof change->name, "%s", name);
		error = set_path(change, &knobs[list], &knobs[list], i);
	}
	return error;
}

int config_compare(const struct config *start, const struct config *now, const struct config *next,
		   struct config_changes *out)
{
	struct comparison c = {.start = start, .now = now, .next = next, .changes = out};
	int error = 0;

	*out = (struct config_changes){0};
	for (uint32_t i = 0; i < knobs_count && !error; i++) {
		if (knobs[i].type == KNOB_ITEMS && !strchr(knobs[i].path, '['))
			error = compare_list(&c, i);
		else if (is_value_of(KNOB_NONE, i))
			error = compare_value(&c, i, NULL, knob_live(i) == KNOB_LIVE ? now : start, next, 0);
	}
	if (error)
		config_free_changes(out);
	return error;
}

void config_free_changes(struct config_changes *changes)
{
	for (uint32_t i = 0; i < changes->count; i++) {
		free(changes->list[i].path);
		free(changes->list[i].from);
		free(changes->list[i].to);
		free(changes->list[i].file);
	}
	free(changes->list);
	*changes = (struct config_changes){0};
}

void config_describe_change(const struct config_change *change, char *text, size_t room)
{
	size_t at = 0;

	text[0] = '\0';
	if (change->file && change->line)
		at = (size_t)snprintf(text, room, "%s:%u:%u: ", change->file, change->line, change->column);
	else if (change->file)
		at = (size_t)snprintf(text, room, "%s: ", change->file);
	if (at < room && change->kind == CHANGE_CHANGED)
		at += (size_t)snprintf(text + at, room - at, "%s: changed from %.200s to %.200s", change->path, change->from,
				       change->to);
	else if (at < room)
		at += (size_t)snprintf(text + at, room - at, "%s: '%s' %s", change->path, change->name,
				       change->kind == CHANGE_ADDED ? "added" : "removed");
	if (at < room && !change->live)
		snprintf(text + at, room - at, ": %s", change->why);
}

bool config_same_delivery(const struct config_delivery *a, const struct config_delivery *b)
{
	uint32_t list = knob_find("deliveries");
	bool same = true;

	for (uint32_t i = 0; i < knobs_count && same; i++) {
		char *left, *right;

		if (!is_value_of(list, i))
			continue;
		left = show(&knobs[i], a);
		right = show(&knobs[i], b);
		same = left && right && strcmp(left, right) == 0;
		free(left);
		free(right);
	}
	return same;
}

static void hash_value(XXH64_state_t *state, const struct knob *knob, const void *base)
{
	char *text = show(knob, base);

	XXH64_update(state, knob->path, strlen(knob->path) + 1);
	if (text)
		XXH64_update(state, text, strlen(text) + 1);
	free(text);
}

uint64_t config_hash(const struct config *config)
{
	XXH64_state_t *state = XXH64_createState();
	uint64_t hash;

	if (!state)
		return 1;
	XXH64_reset(state, 0);
	for (uint32_t i = 0; i < knobs_count; i++) {
		if (is_value_of(KNOB_NONE, i))
			hash_value(state, &knobs[i], config);
		if (knobs[i].type != KNOB_ITEMS || strchr(knobs[i].path, '['))
			continue;
		for (uint32_t item = 0; item < items_count(config, &knobs[i]); item++)
			for (uint32_t v = 0; v < knobs_count; v++)
				if (is_value_of(i, v))
					hash_value(state, &knobs[v], item_at(config, &knobs[i], item));
	}
	hash = XXH64_digest(state);
	XXH64_freeState(state);
	return hash ? hash : 1;
}

// Why the input cannot work on the ports that are open; NULL: it can.
static const char *misfit(const struct config_port *port, const struct config_input *in)
{
	if (!port)
		return "its port is opened";
	if ((in->codec == CODEC_FRAME) != port->tap)
		return "its port changes its mode";
	if (in->any_destination || port->tap)
		return NULL;
	for (uint32_t a = 0; a < port->addresses_count; a++)
		if (port->addresses[a].family == in->destination.family &&
		    memcmp(port->addresses[a].bytes, in->destination.bytes, sizeof in->destination.bytes) == 0)
			return NULL;
	return "its port answers for that destination";
}

// True when `config` has an input of that name that takes records.
static bool works(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->inputs_count; i++)
		if (strcmp(config->inputs[i].name, name) == 0)
			return config->inputs[i].port_index != UINT32_MAX;
	return false;
}

int config_place_inputs(const struct config *start, const struct config *now, struct config *next, FILE *errors)
{
	int error = 0;

	for (uint32_t i = 0; i < next->inputs_count; i++) {
		struct config_input *in = &next->inputs[i];
		const struct config_port *port = NULL;
		const char *what;

		in->port_index = UINT32_MAX;
		for (uint32_t p = 0; p < start->ports_count; p++)
			if (strcmp(start->ports[p].name, in->port) == 0)
				port = &start->ports[p];
		what = misfit(port, in);
		if (!what) {
			in->port_index = (uint32_t)(port - start->ports);
		} else if (works(now, in->name)) {
			config_complain(next, errors, "error", in->file, in->line, in->column,
					"input '%s' cannot change like this while it runs: %s only at the next start of "
					"penstock-dataplane; restart it instead", in->name, what);
			error = -EINVAL;
		} else {
			config_complain(next, errors, "warning", in->file, in->line, in->column,
					"input '%s' waits: %s only at the next start of penstock-dataplane", in->name, what);
		}
	}
	return error;
}
