// What changes between a configuration that runs and one that is to follow it, knob by knob, from the table.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum change_kind { CHANGE_CHANGED, CHANGE_ADDED, CHANGE_REMOVED };

struct config_change {
	enum change_kind kind;
	bool live;         /* takes effect at a reload; else `why` says when, or that it does not */
	char list[16];     /* "inputs", "" outside lists */
	char name[NAME_MAX_BYTES > STREAM_NAME_MAX ? NAME_MAX_BYTES : STREAM_NAME_MAX + 1]; /* of the item */
	char *path;        /* "ports[0].queues", "inputs[2]": its place in the new files; a removed item's in the old */
	char *from, *to;   /* CHANGE_CHANGED: the values as people write them */
	const char *why;   /* !live: static */
	char *file;        /* where the new one says it; NULL: a removed item */
	uint32_t line, column;
};

struct config_changes {
	struct config_change *list;
	uint32_t count;
};

// Compares `next` with what runs: `now` is the configuration reloaded last, `start` the one the process started with
// (they may be the same), by which what cannot change while it runs is judged. Items of lists are known by their names.
// 0 with *out (config_free_changes()), or -ENOMEM.
int config_compare(const struct config *start, const struct config *now, const struct config *next,
		   struct config_changes *out);

void config_free_changes(struct config_changes *changes);

// One line without its end: "main.yaml:9:13: ports[0].queues: changed from 1 to 2: takes effect at the next start".
void config_describe_change(const struct config_change *change, char *text, size_t room);

// True when the two items say the same for every knob.
bool config_same_delivery(const struct config_delivery *a, const struct config_delivery *b);

// What tells two configurations apart: XXH64 of every knob's value, 0 never. Both daemons tell theirs.
uint64_t config_hash(const struct config *config);

// Finds each input of `next` its port among those of `start`, which are open: sets port_index, UINT32_MAX where the
// port, its mode or the address wanted is there only after the next start. Such an input is left out, with a warning, when
// `now` has none of its name that works; one that works would stop taking what it takes: that is an error. Both are
// reported as config_load() does.
// 0, or -EINVAL after a report.
int config_place_inputs(const struct config *start, const struct config *now, struct config *next, FILE *errors);
