// Wall-clock nanoseconds from the time-stamp counter: no system call, no vDSO fallback, a few cycles.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include <rte_cycles.h>

/*
 * The main thread anchors the counter to CLOCK_REALTIME at every turn; workers extrapolate from the last anchor.
 * Two anchors, one valid by the version's parity, stored after the anchor it names (release; partner: clock_now_ns()).
 */
struct clock_anchor {
	_Atomic uint64_t tsc, ns;
	_Atomic uint64_t ns_per_tick_q32; /* nanoseconds per tick, 32.32 fixed point */
};

struct clock {
	struct clock_anchor anchor[2];
	_Atomic uint32_t version;
};

// Sets the first anchor from DPDK's measured TSC rate.
void clock_start(struct clock *clock);

// Sets a new anchor. Main thread only.
void clock_adjust(struct clock *clock);

static inline uint64_t clock_now_ns(const struct clock *clock)
{
	for (;;) {
		uint32_t version = atomic_load_explicit(&clock->version, memory_order_acquire);
		const struct clock_anchor *a = &clock->anchor[version & 1];
		/* Acquire: a word of a later anchor is not seen without the later version. */
		uint64_t tsc = atomic_load_explicit(&a->tsc, memory_order_acquire);
		uint64_t ns = atomic_load_explicit(&a->ns, memory_order_acquire);
		uint64_t rate = atomic_load_explicit(&a->ns_per_tick_q32, memory_order_acquire);

		/* A reader that slept through two anchors may have read a half-written one. */
		if (atomic_load_explicit(&clock->version, memory_order_relaxed) == version)
			return ns + (uint64_t)(((unsigned __int128)(rte_rdtsc() - tsc) * rate) >> 32);
	}
}
