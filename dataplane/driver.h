// What is known of DPDK's drivers: whether a frame one loses shows in some counter, and how its mbufs must lie.
#pragma once

#include <stdbool.h>

struct driver {
	const char *name;
	bool accountable;
	bool paged;      /* no mbuf may lie across a page's end */
	const char *why; /* for people, when it is not accountable */
};

// What is known of the driver called `name` (as rte_eth_dev_info says); a driver nobody measured counts as accountable.
const struct driver *driver_find(const char *name);
