#include "control/ledger/balance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/ledger/section.h"

void balance_free_figures(struct balance_figures *figures)
{
	if (!figures)
		return;
	free(figures->workers);
	free(figures->shards);
	free(figures->deliveries);
	free(figures);
}

static uint64_t accounted(const struct balance_port *p)
{
	return p->rx + p->missed + p->errors + p->no_mbuf + p->down;
}

static bool polls(const struct balance_figures *f, const struct balance_port *p, uint32_t worker)
{
	return worker >= p->first_worker && worker - p->first_worker < p->queues && worker < f->workers_count;
}

static uint64_t polled(const struct balance_figures *f, const struct balance_port *p)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < f->workers_count; w++)
		if (polls(f, p, w))
			sum += f->workers[w].counters[WORKER_POLLED];
	return sum;
}

void balance_remember(struct balance_history *history, const struct balance_figures *figures)
{
	struct balance_past *past = &history->past[history->next++ % BALANCE_HISTORY];

	memset(past, 0, sizeof *past);
	past->taken_ns = figures->taken_ns;
	past->started_ns = figures->started_ns;
	past->generation = figures->generation;
	for (uint32_t i = 0; i < figures->ports_count; i++) {
		const struct balance_port *p = &figures->ports[i];

		past->ports[i].rx = p->rx;
		past->ports[i].polled = polled(figures, p);
	}
}

const struct balance_past *balance_settled(const struct balance_history *history, const struct balance_figures *now)
{
	uint64_t heard = now->heartbeat_ns < now->taken_ns ? now->heartbeat_ns : now->taken_ns;
	const struct balance_past *best = NULL;

	for (uint32_t i = 0; i < BALANCE_HISTORY; i++) {
		const struct balance_past *past = &history->past[i];

		if (past->generation == 0 || past->generation != now->generation || past->started_ns != now->started_ns)
			continue;
		if (past->taken_ns + BALANCE_SETTLE_NS <= heard && (!best || past->taken_ns > best->taken_ns))
			best = past;
	}
	return best;
}

/* How far a lagging pair is beyond what may be in flight: left minus right, 0 when all is well. */
static int64_t beyond(uint64_t left, uint64_t right, uint64_t past_left, uint64_t past_right)
{
	if (past_left > right)
		return (int64_t)(past_left - right);
	return past_right > left ? -(int64_t)(past_right - left) : 0;
}

/* The row that says what of a pair is merely on its way between two looks. */
static void in_flight(struct builder *b, struct balance_section *s, uint64_t left, uint64_t right, int64_t fault)
{
	int64_t moving = (int64_t)(left - right) - fault;

	if (moving > 0)
		section_right(b, s, "in flight", (uint64_t)moving, "seen on the left, not yet counted on the right");
	else
		section_left(b, s, "in flight", -(uint64_t)moving, "counted on the right, not yet on the left");
	section_fault(s, fault);
}

static void add_port(struct builder *b, const struct balance_figures *f, uint32_t index,
		     const struct balance_past *settled)
{
	const struct balance_port *p = &f->ports[index];
	uint64_t sum = accounted(p), taken = polled(f, p), wire = p->wire_counter ? p->wire : sum;
	int64_t fault = 0;
	struct balance_section *s =
		section_open(b, "wire = rx + missed + errors + no_mbuf + down", "port %s%s", p->name,
			     p->accountable ? "" : " (unaccountable: its driver loses frames that no counter shows)");

	if (p->wire_counter && p->exact)
		fault = (int64_t)(wire - sum);
	section_left(b, s, p->wire_counter ? "wire" : "wire, not measured", wire,
		     p->wire_counter ? "frames the interface itself saw arrive" : "the sum of the right: no other count");
	in_flight(b, s, wire, sum, fault);
	section_right(b, s, "rx", p->rx, "frames the driver handed to workers");
	section_right(b, s, "missed", p->missed, "no free descriptor: the workers were too slow");
	section_right(b, s, "errors", p->errors, "damaged on the wire, says the driver");
	section_right(b, s, "no_mbuf", p->no_mbuf, "no free buffer in the pool");
	section_right(b, s, "down", p->down, "arrived while no worker polled the port");
	section_close(b, s);

	s = section_open(b, "rx = polled", "port %s, queues", p->name);
	fault = p->exact ? (int64_t)(p->rx - p->polled) :
		settled ? beyond(p->rx, taken, settled->ports[index].rx, settled->ports[index].polled) : 0;
	section_left(b, s, "rx", p->rx, "frames the driver handed to workers");
	in_flight(b, s, p->rx, taken, fault);
	for (uint32_t w = 0; w < f->workers_count; w++) {
		char label[32];

		snprintf(label, sizeof label, "worker %u", w);
		if (polls(f, p, w))
			section_right(b, s, label, f->workers[w].counters[WORKER_POLLED], "frames it polled");
	}
	section_close(b, s);
}

/* One equation of the workers' counters: `total` against the rows from `first` to `end`. */
static void add_counters(struct builder *b, const struct balance_figures *f, const char *equation, const char *title,
			 unsigned total, unsigned first, unsigned end)
{
	struct balance_section *s = section_open(b, equation, "%s", title);
	uint64_t sum = 0;

	for (uint32_t w = 0; w < f->workers_count; w++) {
		uint64_t right = 0;

		for (unsigned c = first; c < end; c++)
			right += f->workers[w].counters[c];
		section_pair(s, f->workers[w].counters[total], right);
		sum += f->workers[w].counters[total];
	}
	section_left(b, s, counter_label(total), sum, counter_text(total));
	for (unsigned c = first; c < end; c++) {
		uint64_t value = 0;

		for (uint32_t w = 0; w < f->workers_count; w++)
			value += f->workers[w].counters[c];
		section_right(b, s, counter_label(c), value, counter_text(c));
	}
	section_close(b, s);
}

/* A counter of the workers against what their lanes say, worker by worker. */
static void add_lane_sum(struct builder *b, const struct balance_figures *f, const char *equation, const char *title,
			 unsigned counter, bool dropped)
{
	struct balance_section *s = section_open(b, equation, "%s", title);
	uint64_t sum = 0, lanes = 0;

	for (uint32_t w = 0; w < f->workers_count; w++) {
		const struct balance_worker *worker = &f->workers[w];
		uint64_t in_lanes = dropped ? worker->lane_dropped : worker->lane_records;

		section_pair(s, worker->counters[counter], in_lanes);
		sum += worker->counters[counter];
		lanes += in_lanes;
	}
	section_left(b, s, counter_label(counter), sum, counter_text(counter));
	section_right(b, s, "in lanes", lanes, dropped ? "refused by lanes, shard by shard" : "records of all lanes");
	section_close(b, s);
}

int balance_evaluate(const struct balance_figures *now, const struct balance_past *settled, struct balance_table *out)
{
	struct builder b = {0};

	if (!now->running)
		settled = NULL;
	for (uint32_t i = 0; i < now->ports_count; i++)
		add_port(&b, now, i, settled);
	if (now->workers_count) {
		add_counters(&b, now, "polled = every fate of a frame", "frames", WORKER_POLLED, COUNTER_FRAME_BASE,
			     COUNTER_FRAME_END);
		add_counters(&b, now, "fragment_held = every fate of a held fragment", "fragments", FRAME_FRAGMENT_HELD,
			     COUNTER_FRAGMENT_BASE, COUNTER_FRAGMENT_END);
		add_counters(&b, now, "parsed = every fate of a record", "records", WORKER_PARSED, COUNTER_RECORD_BASE,
			     COUNTER_RECORD_END);
		add_lane_sum(&b, now, "appended = records of the lanes", "appended", RECORD_APPENDED, false);
		add_lane_sum(&b, now, "lane_full = drops of the lanes", "lane full", RECORD_LANE_FULL, true);
	}
	balance_add_streams(&b, now);
	balance_add_deliveries(&b, now);
	if (b.failed) {
		balance_free_table(&b.table);
		return -ENOMEM;
	}
	*out = b.table;
	return 0;
}

void balance_free_table(struct balance_table *table)
{
	for (uint32_t i = 0; i < table->sections_count; i++)
		free(table->sections[i].rows);
	free(table->sections);
	*table = (struct balance_table){0};
}
