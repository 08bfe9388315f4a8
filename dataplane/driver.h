// What is known of DPDK's drivers: whether a frame one loses shows in some counter.
#pragma once

#include <stdbool.h>

struct driver {
	const char *name;
	bool accountable;
	const char *why; /* for people, when it is not */
};

// What is known of the driver called `name` (as rte_eth_dev_info says); a driver nobody measured counts as accountable.
const struct driver *driver_find(const char *name);
