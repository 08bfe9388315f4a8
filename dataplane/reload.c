#include "dataplane/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/change.h"
#include "dataplane/log.h"

#define ASKED_APART_NS 100000000ull /* a penstockd that asks without end does not keep us from everything else */
#define ANSWER_SHIFT 8

static void say_left(struct dataplane *d, const struct config *next)
{
	struct config_changes changes;
	char line[1024];

	if (config_compare(d->config, d->now, next, &changes) != 0)
		return;
	for (uint32_t i = 0; i < changes.count; i++) {
		if (changes.list[i].live)
			continue;
		config_describe_change(&changes.list[i], line, sizeof line);
		LOG_WARNING("configuration: %s\n", line);
	}
	config_free_changes(&changes);
}

/* The old configuration is freed when no worker works by it any more: dataplane_adopt() returns then, and not before. */
static int take_up(struct dataplane *d, struct config *next)
{
	struct region *region = d->region.region;
	const struct config *old = d->now;
	struct rows rows;
	struct plan *plan;
	int error;

	rows_assign(&rows, region->inputs, region->inputs_count, next);
	error = dataplane_make_plan(d, next, &rows, &plan);
	if (error)
		return error;
	/* While some workers have cleared a row and others not, it is nobody's. */
	if (rows.fresh)
		dataplane_describe_inputs(d, rows.fresh);
	dataplane_adopt(d, plan);
	rows.fresh = 0;
	d->rows = rows;
	d->now = next;
	dataplane_describe_inputs(d, 0);
	if (old != d->config)
		config_free((struct config *)old);
	return 0;
}

enum reload_outcome dataplane_reload(struct dataplane *d)
{
	struct config *next;
	int error = config_load(d->config->path, stderr, &next);

	if (!error)
		error = config_place_inputs(d->config, d->now, next, stderr);
	if (error) {
		LOG_ERROR("%s: not taken, the configuration in use stays: %s\n", d->config->path,
			  error == -EINVAL ? "it has errors" : strerror(-error));
		config_free(next);
		return error == -ENOMEM ? RELOAD_FAILED : RELOAD_REFUSED;
	}
	say_left(d, next);
	error = take_up(d, next);
	if (error) {
		LOG_ERROR("%s: not taken, the configuration in use stays: %s\n", d->config->path,
			  error == -EINVAL ? "its rules have errors" : strerror(-error));
		config_free(next);
		return error == -EINVAL ? RELOAD_REFUSED : RELOAD_FAILED;
	}
	log_set_level(next->log_level);
	atomic_store_explicit(&d->region.region->config_hash, config_hash(next), memory_order_release);
	LOG_INFO("%s: read again, %u inputs in use\n", d->config->path, next->inputs_count);
	return RELOAD_APPLIED;
}

void reload_follow(struct dataplane *d)
{
	_Atomic uint64_t *answer = &d->region.region->reload_answer;
	uint64_t asked, now_ns = clock_now_ns(&d->clock);

	if (!d->control)
		return;
	asked = atomic_load_explicit(&d->control->reload_request, memory_order_acquire);
	asked &= UINT64_MAX >> ANSWER_SHIFT;
	if (asked == atomic_load_explicit(answer, memory_order_relaxed) >> ANSWER_SHIFT ||
	    now_ns - d->asked_ns < ASKED_APART_NS)
		return;
	d->asked_ns = now_ns;
	/* Partner: plane_reload_answer() in penstockd, which then reads the hash. */
	atomic_store_explicit(answer, asked << ANSWER_SHIFT | dataplane_reload(d), memory_order_release);
}

void reload_forget(struct dataplane *d)
{
	if (d->now != d->config)
		config_free((struct config *)d->now);
	d->now = d->config;
}
