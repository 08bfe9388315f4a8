// A changed configuration's deliveries in place of those that run.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/change.h"
#include "control/clock.h"
#include "control/deliveries_private.h"
#include "control/log.h"

#define DELETION_MS 10000u /* for the main thread to stop a delivery whose stream is being deleted */

struct applying {
	struct deliveries *deliveries;
	const struct config *config;
	struct streams *streams;
	uint32_t timeout_ms;
	struct deliveries_change *out;
	uint32_t count;
};

struct leaver {
	struct applying *applying;
	struct delivery_slot *slot;
	int error;
	pthread_t thread;
	bool threaded;
};

static const struct config_delivery *find(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->deliveries_count; i++)
		if (strcmp(config->deliveries[i].name, name) == 0)
			return &config->deliveries[i];
	return NULL;
}

static struct delivery_slot *find_slot(const struct deliveries *d, const char *name)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (strcmp(d->slots[i]->config.name, name) == 0)
			return d->slots[i];
	return NULL;
}

static bool is_let_go(struct deliveries *d, const struct delivery_slot *slot)
{
	bool let_go;

	pthread_mutex_lock(&d->starting);
	let_go = slot->delivery == NULL && slot->users == 0;
	pthread_mutex_unlock(&d->starting);
	return let_go;
}

/* The stream is held meanwhile: its shards must not be removed below a delivery that no longer stands in its slot. One
 * that cannot be held is being deleted, and then the main thread stops the delivery, if it runs at all. */
static void *leave(void *with)
{
	struct leaver *l = with;
	struct deliveries *d = l->applying->deliveries;
	struct stream *stream = streams_hold(l->applying->streams, l->slot->config.stream);

	if (stream) {
		l->error = deliveries_stop_slot(d, l->slot, true, l->applying->timeout_ms);
		streams_release(l->applying->streams, stream);
	}
	for (uint64_t until = clock_monotonic_ms() + DELETION_MS; !is_let_go(d, l->slot) && clock_monotonic_ms() < until;)
		usleep(10000);
	if (!is_let_go(d, l->slot))
		l->error = -ETIMEDOUT;
	return NULL;
}

/* Marks them first: whoever starts deliveries passes them over from here on. */
static uint32_t mark_leavers(struct applying *a, struct leaver *leavers)
{
	struct deliveries *d = a->deliveries;
	uint32_t count = 0;

	pthread_mutex_lock(&d->starting);
	pthread_rwlock_wrlock(&d->lock);
	for (uint32_t i = 0; i < d->count; i++) {
		const struct config_delivery *next = find(a->config, d->slots[i]->config.name);

		if (d->slots[i]->left || (next && config_same_delivery(next, &d->slots[i]->config)))
			continue;
		d->slots[i]->leaving = true;
		leavers[count++] = (struct leaver){.applying = a, .slot = d->slots[i]};
	}
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_unlock(&d->starting);
	return count;
}

static void note(struct applying *a, int kind, const char *name, int error)
{
	struct deliveries_change *change = &a->out[a->count++];

	*change = (struct deliveries_change){.kind = kind, .error = error};
	snprintf(change->name, sizeof change->name, "%s", name);
}

static void stop_leavers(struct applying *a)
{
	struct leaver leavers[CONFIG_DELIVERIES_MAX];
	struct deliveries *d = a->deliveries;
	uint32_t count = mark_leavers(a, leavers), kept = 0;

	for (uint32_t i = 0; i < count; i++)
		leavers[i].threaded = pthread_create(&leavers[i].thread, NULL, leave, &leavers[i]) == 0;
	for (uint32_t i = 0; i < count; i++) {
		if (leavers[i].threaded)
			pthread_join(leavers[i].thread, NULL);
		else
			leave(&leavers[i]);
		if (!find(a->config, leavers[i].slot->config.name) || leavers[i].error)
			note(a, DELIVERY_STOPPED, leavers[i].slot->config.name, leavers[i].error);
	}
	pthread_mutex_lock(&d->starting);
	pthread_rwlock_wrlock(&d->lock);
	for (uint32_t i = 0; i < count; i++)
		leavers[i].slot->left |= leavers[i].error == -ETIMEDOUT;
	for (uint32_t i = 0; i < d->count; i++)
		if (!d->slots[i]->leaving || d->slots[i]->left)
			d->slots[kept++] = d->slots[i];
	d->count = kept;
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_unlock(&d->starting);
	for (uint32_t i = 0; i < count; i++)
		if (!leavers[i].slot->left)
			free(leavers[i].slot);
}

/* The list in the configuration's order, new ones among them, and behind it what is left of others. */
static void insert_new(struct applying *a, struct delivery_slot **fresh)
{
	struct delivery_slot *all[CONFIG_DELIVERIES_MAX];
	struct deliveries *d = a->deliveries;
	uint32_t count = 0;

	pthread_mutex_lock(&d->starting);
	for (uint32_t i = 0; i < a->config->deliveries_count; i++) {
		struct delivery_slot *slot = find_slot(d, a->config->deliveries[i].name);

		if (!slot)
			slot = fresh[i] = deliveries_make_slot(&a->config->deliveries[i]);
		if (slot)
			all[count++] = slot;
		else
			note(a, DELIVERY_STARTED, a->config->deliveries[i].name, -ENOMEM);
	}
	/* No more than fit: a thread that was left behind needs no row. */
	for (uint32_t i = 0; i < d->count && count < CONFIG_DELIVERIES_MAX; i++)
		if (!find(a->config, d->slots[i]->config.name))
			all[count++] = d->slots[i];
	pthread_rwlock_wrlock(&d->lock);
	memcpy(d->slots, all, count * sizeof all[0]);
	d->count = count;
	pthread_rwlock_unlock(&d->lock);
	pthread_mutex_unlock(&d->starting);
}

/* A stream marked as deleted is taken away from its deliveries after `starting` was let go, or was before it was taken. */
static int start_new(struct applying *a, struct delivery_slot *slot)
{
	struct deliveries *d = a->deliveries;
	struct stream *stream = streams_hold(a->streams, slot->config.stream);
	int error = 0;

	if (!stream)
		return 0; /* started when there is one: a problem in the status meanwhile */
	pthread_mutex_lock(&d->starting);
	if (!slot->stream && !streams_is_deleting(a->streams, stream)) {
		error = deliveries_start_slot(d, slot, stream);
		pthread_cond_signal(&d->wake);
	}
	pthread_mutex_unlock(&d->starting);
	streams_release(a->streams, stream);
	return error;
}

uint32_t deliveries_apply(struct deliveries *d, const struct config *config, struct streams *streams, uint32_t timeout_ms,
			  struct deliveries_change *out)
{
	struct applying a = {d, config, streams, timeout_ms, out, 0};
	struct delivery_slot *fresh[CONFIG_DELIVERIES_MAX] = {NULL};
	char before[CONFIG_DELIVERIES_MAX][NAME_MAX_BYTES];
	uint32_t before_count = d->count;

	for (uint32_t i = 0; i < before_count; i++) /* only we change which there are */
		memcpy(before[i], d->slots[i]->config.name, NAME_MAX_BYTES);
	input_names_add(&d->names, config);
	stop_leavers(&a);
	insert_new(&a, fresh);
	for (uint32_t i = 0; i < config->deliveries_count; i++) {
		int kind = DELIVERY_STARTED;

		if (!fresh[i])
			continue;
		for (uint32_t b = 0; b < before_count; b++)
			if (strcmp(before[b], fresh[i]->config.name) == 0)
				kind = DELIVERY_RESTARTED;
		note(&a, kind, fresh[i]->config.name, start_new(&a, fresh[i]));
	}
	return a.count;
}
