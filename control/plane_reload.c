// Asking the dataplane to look at its configuration again, and what it answers.
#include <errno.h>

#include "control/clock.h"
#include "control/plane_private.h"

#define ALIVE_NS 1000000000ull
#define ANSWER_SHIFT 8

/* With the plane's lock for reading. */
static bool is_alive(const struct plane *plane)
{
	const struct region *region = plane->region.region;

	return plane->attached && atomic_load_explicit(&region->state, memory_order_acquire) < REGION_STOPPED &&
	       atomic_load_explicit(&region->heartbeat_ns, memory_order_acquire) + ALIVE_NS > clock_realtime_ns();
}

int plane_request_reload(struct plane *plane, uint64_t *request)
{
	int error = -ENOTCONN;

	pthread_rwlock_rdlock(&plane->lock);
	if (is_alive(plane)) {
		uint64_t answered = atomic_load_explicit(&plane->region.region->reload_answer, memory_order_acquire);
		uint64_t asked = atomic_load_explicit(&plane->control->reload_request, memory_order_relaxed);

		/* A control region made anew counts from 0, the data region remembers: never a number that was answered. */
		answered >>= ANSWER_SHIFT;
		*request = ((asked > answered ? asked : answered) + 1) & (UINT64_MAX >> ANSWER_SHIFT);
		atomic_store_explicit(&plane->control->reload_request, *request, memory_order_release);
		error = 0;
	}
	pthread_rwlock_unlock(&plane->lock);
	return error;
}

void plane_get_reload(struct plane *plane, struct plane_reload *out)
{
	*out = (struct plane_reload){0};
	pthread_rwlock_rdlock(&plane->lock);
	if (plane->attached) {
		uint64_t answer = atomic_load_explicit(&plane->region.region->reload_answer, memory_order_acquire);

		out->alive = is_alive(plane);
		out->request = answer >> ANSWER_SHIFT;
		out->outcome = (enum reload_outcome)(answer & ((1u << ANSWER_SHIFT) - 1));
		out->config_hash = atomic_load_explicit(&plane->region.region->config_hash, memory_order_acquire);
	}
	pthread_rwlock_unlock(&plane->lock);
}

bool plane_has_map(struct plane *plane, uint64_t changes)
{
	bool has = false;

	pthread_rwlock_rdlock(&plane->lock);
	if (plane->attached && plane->map_changes >= changes) {
		uint64_t published = atomic_load_explicit(&plane->control->map_version, memory_order_acquire);

		has = atomic_load_explicit(&plane->region.region->map_version, memory_order_acquire) == published;
	}
	pthread_rwlock_unlock(&plane->lock);
	return has;
}
