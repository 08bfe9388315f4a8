#include "dataplane/clock.h"

#include <time.h>

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set_anchor(struct clock *clock, uint32_t which)
{
	struct clock_anchor *a = &clock->anchor[which];

	atomic_store_explicit(&a->ns_per_tick_q32, (uint64_t)((1000000000.0 / (double)rte_get_tsc_hz()) * 4294967296.0),
			      memory_order_relaxed);
	atomic_store_explicit(&a->tsc, rte_rdtsc(), memory_order_relaxed);
	atomic_store_explicit(&a->ns, realtime_ns(), memory_order_relaxed);
	atomic_store_explicit(&clock->valid, which, memory_order_release);
}

void clock_start(struct clock *clock)
{
	set_anchor(clock, 0);
}

void clock_adjust(struct clock *clock)
{
	set_anchor(clock, !atomic_load_explicit(&clock->valid, memory_order_relaxed));
}
