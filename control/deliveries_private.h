// The deliveries' insides, shared by their two files.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "control/deliveries.h"
#include "control/input_names.h"

struct delivery_slot {
	struct config_delivery config; /* (i) a copy: its thread looks at it as long as it runs */
	struct delivery *delivery;
	int failed;
	bool leaving;    /* being stopped for good: it is not started any more, nor shown */
	bool left;       /* its thread is left behind: it stays, so that no second one of its name starts beside that */
	uint32_t users;  /* who stop it at this moment, under `starting` */
	bool stream;     /* it exists: what follows is of it, under `starting` */
	uint32_t identity, shards_count;
	struct delivery_shard shards[SHARDS_MAX];
	uint64_t due_ms; /* when a start that failed is tried again, 0: never */
	uint64_t wait_ms;
};

struct deliveries {
	struct metadata *metadata;
	struct delivery_flows flows;
	char spool[CONFIG_PATH_MAX + 8];
	struct input_names names;
	pthread_rwlock_t lock; /* of the slots: a delivery is freed only under the writing side */
	pthread_mutex_t starting; /* taken before `lock`: who starts, who takes a stream away, who changes which there are */
	pthread_cond_t wake;
	pthread_t thread; /* starts again what could not be started */
	bool threaded, stopping;
	_Atomic bool left_behind;
	uint32_t count;
	struct delivery_slot *slots[CONFIG_DELIVERIES_MAX]; /* changed with both locks held */
};

// A slot for this delivery, not yet running. NULL: no memory.
struct delivery_slot *deliveries_make_slot(const struct config_delivery *config);

// Binds it to its stream and starts it. With `starting` held. 0 or -errno, logged and tried again.
int deliveries_start_slot(struct deliveries *deliveries, struct delivery_slot *slot, const struct stream *stream);

// Stops it. 0; -EAGAIN not all that was due could be delivered; -ETIMEDOUT its thread is left behind; both logged.
int deliveries_stop_slot(struct deliveries *deliveries, struct delivery_slot *slot, bool flush, uint32_t timeout_ms);
