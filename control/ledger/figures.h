// Copying the figures of one moment out of the region, the store and the deliveries. Private to control/ledger/.
#pragma once

#include "control/ledger/monitor.h"

struct told { /* of one lane slot: what had been told by gap records before we began to count them */
	uint64_t stream_id, generation, records;
	bool known;
};

// Fills *out (free with balance_free_figures()). `told` has SHARDS_MAX entries and is brought up to date.
// 0; -EAGAIN something changed meanwhile; -ENOMEM; -errno.
int figures_take(const struct monitor_parts *parts, struct told *told, struct balance_figures **out);
