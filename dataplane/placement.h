// Where a port's worker runs and where its memory lies: on the port's NUMA node, or said.
#pragma once

#include <stddef.h>

#include "config/config.h"

// Checks that core `core` exists and lies on `node` (-1: the port has none). 0; -EINVAL with the reason logged when the
// core does not exist, or lies elsewhere and `strict`.
int placement_check(const struct config_port *port, unsigned core, int node, bool strict);

// `bytes` of zeroed memory on the node of `core`, populated; NULL when there is none. For placement_free().
void *placement_allocate(size_t bytes, unsigned core);

void placement_free(void *memory, size_t bytes);

// The NUMA node of a core, -1 where the machine has no NUMA.
int placement_node(unsigned core);
