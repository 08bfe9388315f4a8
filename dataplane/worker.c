#include "dataplane/commit.h"

#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/refine.h"

#define GAP_BYTES ((uint32_t)(sizeof(struct record) + sizeof(struct gap)))
#define HOUSEKEEPING_LOOPS 256 /* between looks at what the main thread wants; a few microseconds when idle */

/* x86-64-v4 and v3, by those of their features that every compiler can ask for: no processor has these and lacks the
 * rest (LZCNT, MOVBE, F16C). */
static bool level_v4(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

static bool level_v3(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
	       __builtin_cpu_supports("fma");
}

uint32_t burst_levels(worker_process **levels)
{
	uint32_t count = 0;

	__builtin_cpu_init();
	if (level_v3() && level_v4())
		levels[count++] = burst_process_v4;
	if (level_v3())
		levels[count++] = burst_process_v3;
	levels[count++] = burst_process_v2;
	return count;
}

worker_process *burst_choose(void)
{
	worker_process *levels[BURST_LEVELS];

	burst_levels(levels);
	return levels[0];
}

enum counter_frame worker_answer(struct worker *w, const uint8_t *frame, uint32_t length)
{
	enum counter_frame fate = FRAME_ANSWER_FAILED;
	uint8_t spare[RTE_MBUF_DEFAULT_DATAROOM];
	struct rte_mbuf *reply;
	uint32_t bytes;

	reply = w->can_send ? rte_pktmbuf_alloc(w->port->pool) : NULL;
	if (!reply) /* what it would have been is still counted under its own name */
		return answer_frame(&w->port->host, frame, length, spare, sizeof spare, &fate) ? FRAME_ANSWER_FAILED : fate;
	bytes = answer_frame(&w->port->host, frame, length, rte_pktmbuf_mtod(reply, uint8_t *),
			     rte_pktmbuf_tailroom(reply), &fate);
	if (bytes == 0) {
		rte_pktmbuf_free(reply);
		return fate;
	}
	reply->data_len = (uint16_t)bytes;
	reply->pkt_len = bytes;
	if (rte_eth_tx_burst(w->port_id, w->queue, &reply, 1) != 1) {
		rte_pktmbuf_free(reply);
		return FRAME_ANSWER_FAILED;
	}
	ledger_add(&w->ledger, WORKER_ANSWERS, 1);
	return fate;
}

static void count_fragments(struct worker *w)
{
	uint64_t counts[REASSEMBLY_COUNTS];

	if (!reassembly_take_counts(w->reassembly, counts))
		return;
	for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
		ledger_add(&w->ledger, COUNTER_FRAGMENT_BASE + i, counts[i]);
	w->dirty = true;
}

enum counter_frame worker_reassemble(struct worker *w, const uint8_t **bytes, struct datagram *d)
{
	enum counter_frame fate;
	uint32_t length;

	/* What was put together may carry another fragment, but only in a tunnel further. */
	do {
		uint8_t layers = d->layers;

		fate = reassembly_add(w->reassembly, *bytes, d, w->now_ns, bytes, &length);
		if (fate != FRAME_ACCEPTED)
			break;
		fate = tunnel_packet(*bytes, length, &w->port->host, d);
		if ((fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT) && d->layers == layers)
			fate = FRAME_IPV6_EXTENSION; /* a second fragment header in one chain */
	} while (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT);
	count_fragments(w);
	return fate;
}

/* Gratuitous ARP and unsolicited neighbour advertisements, so that senders need not ask first. */
static void announce(struct worker *w)
{
	for (uint32_t i = 0; w->can_send; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->port->pool);
		uint32_t bytes;

		if (!m)
			return;
		bytes = answer_announce(&w->port->host, i, RECORD_VLAN_NONE, rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_tailroom(m));
		m->data_len = (uint16_t)bytes;
		m->pkt_len = bytes;
		if (bytes == 0 || rte_eth_tx_burst(w->port_id, w->queue, &m, 1) != 1) {
			rte_pktmbuf_free(m);
			return;
		}
	}
}

static bool append_gap(struct worker *w, uint32_t slot, const struct gap *gap)
{
	uint8_t *at = lane_reserve(&w->lanes[slot].lane, record_bytes(RECORD_ORIGIN_NONE, 0, sizeof *gap));
	struct record header = {.length = sizeof *gap, .kind = RECORD_GAP, .arrival_ns = w->now_ns,
				.vlan = RECORD_VLAN_NONE, .key_kind = RECORD_KEY_HASH};

	if (!at)
		return false;
	memcpy(at, &header, sizeof header);
	memcpy(at + sizeof header, gap, sizeof *gap);
	worker_touch(w, slot);
	w->dirty = true;
	ledger_add(&w->ledger, WORKER_GAPS, 1);
	return true;
}

bool worker_tell_gap(struct worker *w, uint32_t slot)
{
	uint64_t *row = worker_row(w, slot);
	struct gap gap = {.count = row[LANE_GAP_COUNT],
			  .bytes = row[LANE_GAP_BYTES],
			  .first_ns = row[LANE_GAP_FIRST_NS],
			  .last_ns = row[LANE_GAP_LAST_NS],
			  .reason = GAP_LANE_FULL,
			  .scope = GAP_SCOPE_SHARD,
			  .worker = (uint16_t)w->index};

	if (!append_gap(w, slot, &gap))
		return false;
	row[LANE_GAP_COUNT] = row[LANE_GAP_BYTES] = row[LANE_GAP_FIRST_NS] = row[LANE_GAP_LAST_NS] = 0;
	return true;
}

void worker_commit(struct worker *w)
{
	commit_burst(w);
}

/* Gaps whose lane has room again, so that a stream that fell silent after a loss still tells of it. */
static void tell_gaps(struct worker *w)
{
	for (uint32_t group = 0; group < SHARDS_MAX / 64; group++)
		for (uint64_t set = w->plan->slots[group]; set; set &= set - 1) {
			uint32_t slot = group * 64 + (uint32_t)__builtin_ctzll(set);

			if (w->ledger.now[lane_word(slot, LANE_GAP_COUNT)] != 0)
				worker_tell_gap(w, slot);
		}
}

/* Whether every shard that the port feeds has room for a gap. False as long as there is no such shard. */
static bool all_have_room(struct worker *w, const uint64_t *slots)
{
	uint32_t shards = 0, room = 0;

	for (uint32_t slot = 0; slot < SHARDS_MAX; slot++) {
		struct lane_writer *lane = &w->lanes[slot].lane;

		if (!plan_bit(slots, slot))
			continue;
		shards++;
		room += lane_refresh(lane) && lane->limit - lane->position >= GAP_BYTES;
	}
	return shards > 0 && room == shards;
}

/*
 * A hole in the port concerns every shard that its inputs feed, and nobody knows which of them missed what. All of them are
 * told in one commit, which also notes that they were: so it waits until each has room.
 */
static bool tell_port(struct worker *w, uint32_t reason, uint64_t count, uint64_t first_ns, uint64_t last_ns)
{
	const uint64_t *slots = w->plan->port_slots[w->port->index];
	struct gap gap = {.count = count,
			  .first_ns = first_ns,
			  .last_ns = last_ns,
			  .reason = reason,
			  .scope = GAP_SCOPE_PORT,
			  .worker = (uint16_t)w->index};

	if (!all_have_room(w, slots))
		return false;
	for (uint32_t slot = 0; slot < SHARDS_MAX; slot++)
		if (plan_bit(slots, slot))
			append_gap(w, slot, &gap);
	w->dirty = true;
	return true;
}

/* Frames that somebody counted and no worker met. `told` is the worker's counter of those told already. */
static void tell_hole(struct worker *w, const struct hole *hole, uint32_t told, uint32_t reason)
{
	uint64_t frames = atomic_load_explicit(&hole->frames, memory_order_acquire); /* partner: watch.c */
	uint64_t before = w->ledger.now[told];

	if (frames > before &&
	    tell_port(w, reason, frames - before, atomic_load_explicit(&hole->first_ns, memory_order_relaxed),
		      atomic_load_explicit(&hole->last_ns, memory_order_relaxed)))
		ledger_set(&w->ledger, told, frames);
}

/* A predecessor that was killed, on a port without an outside count: what was lost with it nobody can know. */
static void tell_crash(struct worker *w)
{
	if (w->crashed_ns != 0 && w->ledger.now[WORKER_CRASH_TOLD] != w->crashed_ns &&
	    tell_port(w, GAP_DATAPLANE_DOWN, GAP_COUNT_UNKNOWN, w->crashed_ns, w->now_ns))
		ledger_set(&w->ledger, WORKER_CRASH_TOLD, w->crashed_ns);
}

/* What a deleted stream's lane had still to tell is not the business of the next one in its slot. */
static void forget_gaps(struct worker *w, const struct plan *next)
{
	for (uint32_t slot = 0; slot < SHARDS_MAX; slot++) {
		uint64_t *row = w->ledger.now + lane_word(slot, 0);

		if (!plan_bit(w->plan->slots, slot) || plan_bit(next->slots, slot) || row[LANE_GAP_COUNT] == 0)
			continue;
		row[LANE_GAP_COUNT] = row[LANE_GAP_BYTES] = row[LANE_GAP_FIRST_NS] = row[LANE_GAP_LAST_NS] = 0;
		worker_touch(w, slot);
		w->dirty = true;
	}
}

/* Rows that counted for another input begin at 0, in the commit that comes before the acknowledgement. */
static void clear_rows(struct worker *w, uint64_t fresh)
{
	for (; fresh; fresh &= fresh - 1) {
		uint32_t row = (uint32_t)__builtin_ctzll(fresh);

		for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i++)
			ledger_set(&w->ledger, input_word(row, 0) + i, 0);
		w->dirty = true;
	}
}

static void housekeep(struct worker *w)
{
	const struct plan *next = atomic_load_explicit(&w->next_plan, memory_order_acquire);

	if (next != w->plan) {
		if (w->plan)
			forget_gaps(w, next);
		clear_rows(w, next->fresh);
		worker_take_plan(w, next);
	}
	w->now_ns = clock_now_ns(w->clock);
	w->dirty |= refine_expire(w);
	tell_gaps(w);
	tell_hole(w, &w->down, WORKER_DOWN_TOLD, GAP_DATAPLANE_DOWN);
	tell_hole(w, &w->missed, WORKER_MISSED_TOLD, GAP_PORT_MISSED);
	tell_crash(w);
	if (w->reassembly) {
		reassembly_expire(w->reassembly, w->now_ns);
		count_fragments(w);
	}
	if (w->dirty)
		worker_commit(w);
	/* What the old plan brought is committed, and so is what the new one began with: the old one may go. */
	if (atomic_load_explicit(&w->acknowledged, memory_order_relaxed) != next->serial)
		atomic_store_explicit(&w->acknowledged, next->serial, memory_order_release);
}

/* The queue was empty just now, and everything before is committed. */
static inline void answer_quiet(struct worker *w)
{
	uint64_t asked = atomic_load_explicit(&w->quiet.asked, memory_order_acquire);

	if (asked == atomic_load_explicit(&w->quiet.answered, memory_order_relaxed))
		return;
	atomic_store_explicit(&w->quiet.polled, w->ledger.now[WORKER_POLLED], memory_order_relaxed);
	atomic_store_explicit(&w->quiet.answered, asked, memory_order_release); /* partner: watch.c */
}

/* `plain`: what process() said. A whole frame has no next segment, so its mbuf is in the state that pools keep. */
static inline void give_back(struct rte_mbuf **frames, uint32_t count, bool plain)
{
	if (__builtin_expect(plain, 1))
		rte_mempool_put_bulk(frames[0]->pool, (void **)frames, count);
	else
		rte_pktmbuf_free_bulk(frames, count);
}

int worker_run(void *argument)
{
	struct worker *w = argument;
	struct rte_mbuf *frames[BURST_MAX];
	uint32_t loops = 0;

	w->dirty |= refine_begin(w);
	housekeep(w);
	announce(w);
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		uint16_t count = rte_eth_rx_burst(w->port_id, w->queue, frames, w->burst);

		if (count > 0) {
			bool plain;

			w->now_ns = clock_now_ns(w->clock);
			plain = w->process(w, frames, count);
			give_back(frames, count, plain);
		} else {
			answer_quiet(w);
			rte_pause();
		}
		if (++loops % HOUSEKEEPING_LOOPS == 0)
			housekeep(w);
	}
	w->dirty |= refine_end(w);
	housekeep(w);
	return 0;
}
