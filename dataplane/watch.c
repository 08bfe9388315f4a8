#include "dataplane/watch.h"

#include <sched.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#define QUIET_WAIT_US 1000
#define SETTLE_PATIENCE_S 2
#define MISSED_GATHER_NS 1000000000ull
#define SPINS_BEFORE_YIELD 1000 /* a worker may share this core: then it must be let run to answer */

/* Asks every worker of the port for an instant with an empty queue. False when one stays busy. */
static bool wait_quiet(struct worker **workers, uint32_t count, uint64_t *polled)
{
	uint64_t deadline = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * QUIET_WAIT_US;

	*polled = 0;
	for (uint32_t i = 0; i < count; i++)
		atomic_fetch_add_explicit(&workers[i]->quiet.asked, 1, memory_order_release); /* partner: answer_quiet */
	for (uint32_t i = 0; i < count; i++) {
		struct quiet *q = &workers[i]->quiet;
		uint64_t asked = atomic_load_explicit(&q->asked, memory_order_relaxed);
		uint32_t spins = 0;

		while (atomic_load_explicit(&q->answered, memory_order_acquire) != asked) {
			if (rte_rdtsc() > deadline)
				return false;
			if (++spins < SPINS_BEFORE_YIELD)
				rte_pause();
			else
				sched_yield();
		}
		*polled += atomic_load_explicit(&q->polled, memory_order_relaxed);
	}
	return true;
}

static uint64_t committed_polled(struct worker **workers, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t line[LEDGER_LINE_WORDS];

		if (ledger_read(workers[i]->ledger.shared, workers[i]->ledger.lines, WORKER_POLLED / LEDGER_LINE_WORDS, 1,
				line))
			sum += line[WORKER_POLLED % LEDGER_LINE_WORDS];
	}
	return sum;
}

/* What the driver missed since it was last said, once a second: a hole in the streams, though nobody knows in which. */
static void tell_missed(struct port *port, struct worker *first, const struct port_sample *s)
{
	uint64_t missed = s->missed + s->errors + s->no_mbuf, now = clock_now_ns(first->clock);

	if (missed == atomic_load_explicit(&first->missed.frames, memory_order_relaxed)) {
		port->missed_since_ns = now;
		return;
	}
	if (now - port->missed_since_ns < MISSED_GATHER_NS)
		return;
	atomic_store_explicit(&first->missed.first_ns, port->missed_since_ns, memory_order_relaxed);
	atomic_store_explicit(&first->missed.last_ns, now, memory_order_relaxed);
	atomic_store_explicit(&first->missed.frames, missed, memory_order_release); /* partner: tell_hole */
}

static void sample_port(struct port *port, struct worker **workers, uint32_t count, const struct ledger_writer *ledger,
			struct port_sample *out)
{
	uint64_t before, after, raw = 0, now;
	bool oracle = port->oracle.fd >= 0 && oracle_read(&port->oracle, &raw) == 0;
	bool quiet = wait_quiet(workers, count, &before);

	out->valid = port_read(port, ledger, out) == 0;
	out->exact = out->valid && quiet && wait_quiet(workers, count, &after) && after == before;
	if (out->exact && oracle)
		out->exact = out->wire_raw == raw && oracle_read(&port->oracle, &now) == 0 && now == raw;
	out->polled = out->exact ? before : committed_polled(workers, count);
}

/*
 * What the wire carried and neither the driver nor a worker ever saw arrived while there was no worker. An exact sample
 * says how much that was. Under a load without a quiet instant the rings may hold up to their size of what the wire has
 * already counted: after a while the rest is told, and what is missing from it at the first exact sample.
 */
static void settle(struct port *port, struct worker *first, struct ledger_writer *ledger, const struct port_sample *s)
{
	uint64_t down = ledger->now[port_word(port->index, PORT_DOWN)];
	uint64_t seen = s->rx + s->missed + s->errors + s->no_mbuf + down, in_rings = 0;

	if (s->exact)
		port->settling = false;
	else if (rte_rdtsc() - port->started_tsc < rte_get_tsc_hz() * SETTLE_PATIENCE_S)
		return;
	else
		in_rings = port->config->queues * (2ull * port->config->rx_descriptors + BURST_MAX);
	if (s->wire > seen + in_rings)
		down += s->wire - seen - in_rings;
	ledger_set(ledger, port_word(port->index, PORT_DOWN), down);
	atomic_store_explicit(&first->down.first_ns, port->down_since_ns, memory_order_relaxed);
	atomic_store_explicit(&first->down.last_ns, clock_now_ns(first->clock), memory_order_relaxed);
	atomic_store_explicit(&first->down.frames, down, memory_order_release); /* partner: tell_hole */
}

void watch_port(struct port *port, struct worker **workers, uint32_t count, struct ledger_writer *ledger)
{
	struct port_sample sample = {0};

	sample_port(port, workers, count, ledger, &sample);
	if (!sample.valid)
		return; /* the driver gave no counters this time: the last ones stand */
	if (port->settling && sample.wire_valid)
		settle(port, workers[0], ledger, &sample);
	tell_missed(port, workers[0], &sample);
	ledger_set(ledger, port_word(port->index, PORT_SETTLING), port->settling);
	port_record(port, ledger, &sample);
	ledger_commit(ledger);
}

void watch_port_stopped(struct port *port, struct worker **workers, uint32_t count, struct ledger_writer *ledger)
{
	struct port_sample sample = {0};

	if (port_read(port, ledger, &sample) != 0)
		return;
	sample.polled = committed_polled(workers, count);
	port_record(port, ledger, &sample);
	ledger_commit(ledger);
}
