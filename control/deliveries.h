// The deliveries of the configuration, each running while its stream exists.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/delivery/delivery.h"
#include "control/metadata/metadata.h"
#include "control/streams.h"

struct deliveries; /* opaque; any thread may call */

// `config` and `metadata` outlive it. 0 or -ENOMEM. A thread of its own tries starts that failed again.
int deliveries_open(const struct config *config, struct metadata *metadata, struct deliveries **out);

// Starts those of `stream`. 0 or the first -errno (the others run all the same; what failed is logged, reported
// and, but for -EINVAL, tried again: after 1 s, then twice as long each time, up to 60 s).
int deliveries_add_stream(struct deliveries *deliveries, const struct stream *stream);

// Stops those of `stream` where they are; they use its shards no more.
void deliveries_remove_stream(struct deliveries *deliveries, const struct stream *stream);

// Delivers what is durable now, within timeout_ms for all of them, and stops. The rest stays pending.
void deliveries_stop(struct deliveries *deliveries, uint32_t timeout_ms);
void deliveries_close(struct deliveries *deliveries);

// Whether a stop came to its end without a delivery's thread, which a destination holds: that thread may still look at the
// configuration, the metadata and the store, so none of them is to be freed; the process is to end without it.
bool deliveries_left_behind(const struct deliveries *deliveries);

// delivery_redrive() of the delivery `name`. Also -ENODEV: no such delivery, or it does not run now.
int deliveries_redrive(struct deliveries *deliveries, const char *name, const char *object, uint32_t timeout_ms, char *reason,
		       size_t room);

struct delivery_row {
	const struct config_delivery *config;
	int failed;               /* why it could not be started, 0: it runs or its stream does not exist */
	bool running;
	bool stream_absent;       /* its stream does not exist */
	uint32_t shards_count;
	struct delivery_status *shards;
};

// What every configured delivery is doing, in the configuration's order. Free with deliveries_free_rows(). 0 or -ENOMEM.
int deliveries_list(struct deliveries *deliveries, struct delivery_row **out, uint32_t *count);
void deliveries_free_rows(struct delivery_row *rows, uint32_t count);
