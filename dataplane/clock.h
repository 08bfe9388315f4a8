// Wall-clock nanoseconds from the time-stamp counter: no system call, no vDSO fallback, a few cycles.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include <rte_cycles.h>

/*
 * The main thread anchors the counter to CLOCK_REALTIME every 100 ms; workers extrapolate from the last anchor.
 * Two anchors, one valid: the index is stored after the anchor it names (release; partner: clock_now_ns()).
 */
struct clock_anchor {
	_Atomic uint64_t tsc, ns;
	_Atomic uint64_t ns_per_tick_q32; /* nanoseconds per tick, 32.32 fixed point */
};

struct clock {
	struct clock_anchor anchor[2];
	_Atomic uint32_t valid;
};

// Sets the first anchor from DPDK's measured TSC rate.
void clock_start(struct clock *clock);

// Sets a new anchor. Main thread only.
void clock_adjust(struct clock *clock);

static inline uint64_t clock_now_ns(const struct clock *clock)
{
	const struct clock_anchor *a = &clock->anchor[atomic_load_explicit(&clock->valid, memory_order_acquire)];
	uint64_t ticks = rte_rdtsc() - atomic_load_explicit(&a->tsc, memory_order_relaxed);

	return atomic_load_explicit(&a->ns, memory_order_relaxed) +
	       (uint64_t)(((unsigned __int128)ticks *
			   atomic_load_explicit(&a->ns_per_tick_q32, memory_order_relaxed)) >> 32);
}
