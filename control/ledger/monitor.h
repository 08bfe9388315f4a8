// The ledger, evaluated every second and on request.
#pragma once

#include "control/deliveries.h"
#include "control/ledger/balance.h"
#include "control/metadata/metadata.h"
#include "control/plane.h"
#include "control/store/store.h"
#include "control/streams.h"

struct monitor; /* opaque; any thread may call */

struct monitor_parts { /* outlive the monitor */
	struct metadata *metadata;
	struct store *store;
	struct streams *streams;
	struct plane *plane;
	struct deliveries *deliveries;
};

int monitor_open(const struct monitor_parts *parts, struct monitor **out);
void monitor_close(struct monitor *monitor);

// Takes the figures, evaluates them against what was remembered. 0, free *out with balance_free_table(); -EAGAIN streams
// come and go, or workers commit, faster than they can be copied: ask again; -ENOMEM; -errno of the metadata.
int monitor_evaluate(struct monitor *monitor, struct balance_table *out);

// To be called every second: evaluates, remembers the figures, logs when the balance is lost or found again.
void monitor_tick(struct monitor *monitor);

struct monitor_verdict {
	uint64_t unaccounted;
	char problem[576]; /* how much in which sections, or why nothing could be evaluated; "": all is well */
};

// What the last tick found. Never waits for one that is under way, so it answers while the disk does not.
void monitor_last(struct monitor *monitor, struct monitor_verdict *out);
