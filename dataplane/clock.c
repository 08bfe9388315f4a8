#include "dataplane/clock.h"

#include <time.h>

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The tightest of a few readings: one in which nothing came between counter and clock. */
static void read_pair(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 4; i++) {
		uint64_t before = rte_rdtsc(), now = realtime_ns(), took = rte_rdtsc() - before;

		if (took < best) {
			best = took;
			*tsc = before + took / 2;
			*ns = now;
		}
	}
}

static void set_anchor(struct clock *clock, uint32_t version)
{
	struct clock_anchor *a = &clock->anchor[version & 1];
	uint64_t tsc = 0, ns = 0;

	read_pair(&tsc, &ns);
	/* Release: whoever sees a word of this anchor sees the version before it, too. */
	atomic_store_explicit(&a->ns_per_tick_q32, (uint64_t)((1000000000.0 / (double)rte_get_tsc_hz()) * 4294967296.0),
			      memory_order_release);
	atomic_store_explicit(&a->tsc, tsc, memory_order_release);
	atomic_store_explicit(&a->ns, ns, memory_order_release);
	atomic_store_explicit(&clock->version, version, memory_order_release);
}

void clock_start(struct clock *clock)
{
	set_anchor(clock, 0);
}

void clock_adjust(struct clock *clock)
{
	set_anchor(clock, atomic_load_explicit(&clock->version, memory_order_relaxed) + 1);
}
