// Where a port's worker runs and where its memory lies: on the port's NUMA node, or said.
#pragma once

#include <stddef.h>

#include "config/config.h"

enum { PLACEMENT_ANYWHERE = -1, PLACEMENT_NOWHERE = -2 };

// The NUMA node of a core; PLACEMENT_ANYWHERE where the machine has no NUMA, PLACEMENT_NOWHERE for a core it does not have.
int placement_node(unsigned core);

// Checks that core `core` exists and that the node it lies on, from placement_node(), is `node` (-1: the port has none). 0;
// -EINVAL with the reason logged when the core does not exist, or lies elsewhere and `strict`.
int placement_check(const struct config_port *port, unsigned core, int core_node, int node, bool strict);

// `bytes` of zeroed memory on the node of `core`, populated; NULL when there is none. For placement_free().
void *placement_allocate(size_t bytes, unsigned core);

void placement_free(void *memory, size_t bytes);
