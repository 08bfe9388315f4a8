// What is written for one knob, made into what programs use. Private to config/.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/knobs.h"
#include "config/tree.h"

struct reports;

// Stores what `node` says for `knob` in its member at `base` (struct config, or the item). Relative paths start at
// `directory`. 0; -EINVAL after a report that says what was expected; -ENOMEM. Sections and items are not values.
int value_store(const struct knob *knob, const struct node *node, const char *directory, void *base,
		struct reports *reports);

// Reads "10.0.0.1/8" or "2001:db8::1"; the prefix length is that of a single address when there is none. 0 or -EINVAL.
int value_address(const char *text, struct config_address *out);

// An address as text, without its prefix length. `text` has room for INET6_ADDRSTRLEN bytes.
void value_format_address(const struct config_address *address, char *text);

// Writes the value of `knob` at `base` (struct config, or the item) as a person would: two that differ are written
// differently. Control characters come escaped. Sections and items are not values.
void value_show(const struct knob *knob, const void *base, FILE *out);
