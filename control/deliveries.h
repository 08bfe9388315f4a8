// The deliveries of the configuration, each running while its stream exists.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/delivery/delivery.h"
#include "control/input_names.h"
#include "control/learner.h"
#include "control/metadata/metadata.h"
#include "control/streams.h"

struct deliveries; /* opaque; any thread may call */

// `metadata` and `learner` outlive it; of `config` it keeps copies. 0 or -ENOMEM. A thread of its own tries starts that failed again.
int deliveries_open(const struct config *config, struct metadata *metadata, struct learner *learner,
		    struct deliveries **out);

// Starts those of `stream`. 0 or the first -errno (the others run all the same; what failed is logged, reported
// and, but for -EINVAL, tried again: after 1 s, then twice as long each time, up to 60 s).
int deliveries_add_stream(struct deliveries *deliveries, const struct stream *stream);

// Stops those of `stream` where they are; they use its shards no more.
void deliveries_remove_stream(struct deliveries *deliveries, const struct stream *stream);

// Names of the inputs and tags of every configuration so far; there as long as `deliveries` is.
const struct input_names *deliveries_input_names(const struct deliveries *deliveries);

struct deliveries_change { /* of one delivery */
	enum { DELIVERY_STARTED, DELIVERY_STOPPED, DELIVERY_RESTARTED } kind;
	char name[NAME_MAX_BYTES];
	int error; /* of the start, or of the stop: -EAGAIN not all that was due could be delivered within the time (what is left
		      is delivered when one of its name starts again), -ETIMEDOUT its destination does not let go */
};

// Takes up the deliveries of a changed configuration. Those that are no longer there, or are there differently, deliver
// what is durable now and stop, all at once and within timeout_ms; those added or changed start, as far as their streams
// exist. Others go on. One caller at a time, holding no lock. How many changed, into *out (CONFIG_DELIVERIES_MAX * 2).
uint32_t deliveries_apply(struct deliveries *deliveries, const struct config *config, struct streams *streams,
			  uint32_t timeout_ms, struct deliveries_change *out);

// Delivers what is durable now, within timeout_ms for all of them, and stops. The rest stays pending.
void deliveries_stop(struct deliveries *deliveries, uint32_t timeout_ms);
void deliveries_close(struct deliveries *deliveries);

// Whether a stop came to its end without a delivery's thread, which a destination holds: that thread may still look at the
// metadata and the store, so none of them is to be freed; the process is to end without it.
bool deliveries_left_behind(const struct deliveries *deliveries);

// delivery_redrive() of the delivery `name`. Also -ENODEV: no such delivery, or it does not run now.
int deliveries_redrive(struct deliveries *deliveries, const char *name, const char *object, uint32_t timeout_ms, char *reason,
		       size_t room);

struct delivery_row {
	struct config_delivery *config; /* a copy, the row's */
	int failed;               /* why it could not be started, 0: it runs or its stream does not exist */
	bool running;
	bool stream_absent;       /* its stream does not exist */
	uint32_t shards_count;
	struct delivery_status *shards;
};

// What every configured delivery is doing, in the configuration's order. Free with deliveries_free_rows(). 0 or -ENOMEM.
int deliveries_list(struct deliveries *deliveries, struct delivery_row **out, uint32_t *count);
void deliveries_free_rows(struct delivery_row *rows, uint32_t count);
