// penstockd's parts in one place, for those who answer questions about all of them.
#pragma once

#include "config/config.h"
#include "control/deliveries.h"
#include "control/learner.h"
#include "control/ledger/monitor.h"
#include "control/metadata/metadata.h"
#include "control/plane.h"
#include "control/reload.h"
#include "control/replay/replay.h"
#include "control/store/store.h"
#include "control/streams.h"

struct daemon { /* all of it constant once the server runs; what it points to takes care of its own threads */
	const struct config *config; /* penstockd started with it: what cannot change while it runs */
	struct metadata *metadata;
	struct store *store;
	struct streams *streams;
	struct plane *plane;
	struct deliveries *deliveries;
	struct learner *learner;
	struct monitor *monitor;
	struct reload *reload;
	struct replay *replay;
	uint64_t started_ms; /* CLOCK_MONOTONIC */
};
