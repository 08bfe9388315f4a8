// The hot path: a burst of frames to records in lanes. Compiled once per x86-64 level (BURST_ISA); burst_choose() picks.
//
//   frame -> decode -> input -> codec -> key -> (jobs -> keys hashed together ->) slot -> lane
//
// Nothing here blocks, allocates, logs or makes a system call. Frames are counted as they are decoded; commit.h publishes
// that with the lanes' positions in one store.
//
// Most frames are alike (decode_usual(), an input without conditions) and take a short way through everything (run.h,
// run_lines.h); any other takes the general way (jobs.h), to the same records and the same counts.
#include <rte_prefetch.h>

#include "dataplane/commit.h"
#include "dataplane/jobs.h"
#include "dataplane/packet/segments.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/refine.h"
#include "dataplane/run_lines.h"

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define BURST PASTE(burst_process_, BURST_ISA)

/* What the NIC says of the checksums it has looked at; nothing it says of lengths is believed. */
static inline uint32_t verified(uint64_t offload)
{
	uint64_t ip = offload & RTE_MBUF_F_RX_IP_CKSUM_MASK, l4 = offload & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (__builtin_expect((ip | l4) == 0, 1))
		return 0;
	return (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD ? DECODE_IP_CHECKSUM_GOOD : 0) |
	       (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD ? DECODE_IP_CHECKSUM_BAD : 0) |
	       (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? DECODE_L4_CHECKSUM_GOOD : 0) |
	       (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD ? DECODE_L4_CHECKSUM_BAD : 0);
}

/* The general way of a datagram or frame for an input: `family` is of the origin its records keep. */
static __attribute__((noinline)) void add_general(struct worker *w, const struct datagram *d, uint32_t index,
						  uint8_t family, const uint8_t *bytes, uint32_t length,
						  struct frame_origin *origin)
{
	const struct plan_input *plan = &w->plan->inputs[index];
	struct source source = {d->addresses, d->ports != NULL, d->family, origin};
	struct job common = {.sizes = append_sizes(family, 0, 0), .labels = append_labels(plan, d->vlan), .plan = plan};

	if (plan->refine) {
		refine_add(w, plan, d, family, bytes, length);
		return;
	}
	if (w->tally.input != plan->index) {
		tally_flush(w, &w->tally);
		w->tally = (struct tally){.input = plan->index};
	}
	if (!plan->router) {
		jobs_refuse(w, plan, bytes, length, &w->tally);
		return;
	}
	origin->text_length = 0;
	/* Options or extension headers may lie between addresses and ports. */
	datagram_copy_origin(d, origin->block);
	common.origin = origin->block;
	jobs_put_records(w, plan->codec, plan->key.kind, &source, &common, bytes, length, &w->tally);
}

/* A tap keeps the whole frame, whatever is in it; decoding only finds its tag, its tunnel and, for keys, the innermost
 * addresses. */
static void take_frame(struct worker *w, const uint8_t *bytes, uint32_t length, struct frame_origin *origin)
{
	struct datagram d;
	uint32_t input;

	if (length == 0) {
		ledger_add(&w->ledger, FRAME_RUNT, 1);
		return;
	}
	tunnel_enter(bytes, length, &w->port->host,
		     decode_frame(bytes, length, &w->port->host, DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD, &d), &d);
	input = match_find(w->match, &d);
	if (input == INPUT_NONE) {
		ledger_add(&w->ledger, FRAME_NO_INPUT, 1);
		return;
	}
	add_general(w, &d, input, RECORD_ORIGIN_NONE, bytes, length, origin);
}

static void take_datagram(struct worker *w, const uint8_t *bytes, uint32_t length, uint64_t offload,
			  struct frame_origin *origin)
{
	struct datagram d;
	enum counter_frame fate = decode_frame(bytes, length, &w->port->host, verified(offload), &d);
	uint32_t input = INPUT_NONE;

	if (w->port->host.tunnels != 0)
		fate = tunnel_enter(bytes, length, &w->port->host, fate, &d);
	if (w->reassembly && (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT)) {
		jobs_append(w); /* they may point into the packet that the next one replaces */
		if (w->refining)
			refine_flush(w);
		fate = worker_reassemble(w, &bytes, &d);
	}
	if (fate == FRAME_ANSWERED)
		fate = worker_answer(w, bytes, length);
	else if (fate == FRAME_ACCEPTED && (input = match_find(w->match, &d)) == INPUT_NONE)
		fate = FRAME_NO_INPUT;
	if (input == INPUT_NONE)
		ledger_add(&w->ledger, fate, 1);
	else
		add_general(w, &d, input, d.family, bytes + d.payload, d.length, origin);
}

static bool next_segment(void *chain, struct segment *out)
{
	struct rte_mbuf **next = chain, *m = *next;

	if (!m)
		return false;
	*out = (struct segment){rte_pktmbuf_mtod(m, const uint8_t *), m->data_len};
	*next = m->next;
	return true;
}

/* Frames in several segments are rare. The scratch is used again, so what points into it is appended first. */
static bool gather(struct worker *w, struct rte_mbuf *m, uint32_t *length)
{
	struct rte_mbuf *chain = m;
	enum counter_frame fate;

	jobs_append(w);
	if (w->refining)
		refine_flush(w);
	fate = segments_copy(next_segment, &chain, w->scratch, length);
	/* Drivers that count segments in 16 bits (net_pcap) hand out a longer frame cut, with its true length beside. */
	if (fate == FRAME_ACCEPTED && *length != m->pkt_len)
		fate = FRAME_TOO_LONG;
	if (fate != FRAME_ACCEPTED)
		ledger_add(&w->ledger, fate, 1);
	return fate == FRAME_ACCEPTED;
}

/* The general way of a frame. */
static __attribute__((noinline)) void take(struct worker *w, struct rte_mbuf *m, struct frame_origin *origin)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t length = m->data_len;

	if (m->nb_segs != 1) {
		if (!gather(w, m, &length))
			return;
		bytes = w->scratch;
	}
	if (w->tap)
		take_frame(w, bytes, length, origin);
	else
		take_datagram(w, bytes, length, m->ol_flags, origin);
}

INLINE void run_loop(struct worker *w, const struct run *run, uint8_t codec, enum config_key kind)
{
	const struct plan_input *plan = run->plan;
	struct tally tally = {.input = plan->index};
	uint64_t labels = append_labels(plan, run->vlan);

	for (uint32_t i = 0; i < run->count; i++) {
		const uint8_t *origin = run->bytes[i] - RUN_ORIGIN_BEFORE;
		struct source source = {origin, true, RECORD_ORIGIN_IPV4, &w->origins[run->first + i]};
		struct job common = {
			.origin = origin, .sizes = append_sizes(RECORD_ORIGIN_IPV4, 0, 0), .labels = labels, .plan = plan};

		if (kind == KEY_SOURCE)
			source.origin->text_length = 0;
		jobs_put_records(w, codec, kind, &source, &common, run->bytes[i], run->length[i], &tally);
	}
	tally_flush(w, &tally);
}

INLINE void run_codec(struct worker *w, const struct run *run, uint8_t codec)
{
	switch (run->plan->key.kind) {
	case KEY_CONSTANT:
		run_loop(w, run, codec, KEY_CONSTANT);
		break;
	case KEY_SOURCE:
		run_loop(w, run, codec, KEY_SOURCE);
		break;
	case KEY_FLOW:
		run_loop(w, run, codec, KEY_FLOW);
		break;
	case KEY_FIELD:
		run_loop(w, run, codec, KEY_FIELD);
		break;
	case KEY_RANDOM:
	default:
		run_loop(w, run, codec, KEY_RANDOM);
		break;
	}
}

/* Brings the records of a run to lanes or to the queue, by code made for this codec and kind of key. */
static __attribute__((noinline)) void run_end(struct worker *w, struct run *run)
{
	if (run->count == 0)
		return;
	if (__builtin_expect(!run->plan->router, 0)) {
		struct tally tally = {.input = run->plan->index};

		for (uint32_t i = 0; i < run->count; i++)
			jobs_refuse(w, run->plan, run->bytes[i], run->length[i], &tally);
		tally_flush(w, &tally);
	} else if (run->plan->key.kind == KEY_FLOW && run->plan->codec != CODEC_LINES && w->jobs_count == 0) {
		run_flows(w, run);
	} else if (run->plan->key.kind == KEY_FIELD && run->plan->codec != CODEC_LINES && w->jobs_count == 0) {
		run_fields(w, run);
	} else if (run->plan->key.kind == KEY_FIELD && w->jobs_count == 0) {
		run_line_fields(w, run);
	} else if (run->plan->codec == CODEC_LINES) {
		run_codec(w, run, CODEC_LINES);
	} else {
		run_codec(w, run, CODEC_DATAGRAM);
	}
	run_clear(run);
}

/* Ends the run and begins one with frame `first` for other traffic. False when that has no input or one with conditions. */
static __attribute__((noinline)) bool run_turn(struct worker *w, struct run *run, uint64_t traffic, uint32_t first)
{
	uint32_t index = match_port(w->match, (uint16_t)traffic);

	run_end(w, run);
	run->traffic = index == INPUT_NONE ? RUN_NONE : traffic;
	run->vlan = (uint16_t)(traffic >> 16);
	run->first = first;
	run->plan = index == INPUT_NONE ? NULL : &w->plan->inputs[index];
	if (index != INPUT_NONE && run->plan->refine) { /* the general way, each of them */
		run->traffic = RUN_NONE;
		return false;
	}
	return index != INPUT_NONE;
}

/* A frame that goes the general way ends the run: what came before it must be in front of it. */
static __attribute__((noinline)) void run_interrupt(struct worker *w, struct run *run, struct rte_mbuf *m, uint32_t frame)
{
	run_end(w, run);
	run->traffic = RUN_NONE;
	take(w, m, &w->origins[frame]);
}

#define USUAL_OFFLOAD (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK)
#define USUAL_GOOD (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD)
#define MBUF_FOREIGN (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL) /* its bytes lie elsewhere */

/* Adds a usual frame for an input without conditions to the run. False for any other. */
INLINE bool run_add(struct worker *w, struct run *run, const struct rte_mbuf *m, uint32_t frame)
{
	const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t offload = m->ol_flags & USUAL_OFFLOAD, traffic;
	uint32_t i;
	struct datagram d;

	/* What a NIC has found bad, or looked at in part, is not usual; nor is a frame so near its buffer's end. */
	if (m->nb_segs != 1 || m->data_off + RUN_READS > m->buf_len || (offload != 0 && offload != USUAL_GOOD) ||
	    !decode_usual(bytes, m->data_len, &w->port->host, offload ? DECODE_ALL_GOOD : 0, &d))
		return false;
	bytes += d.payload;
	traffic = run_traffic(bytes, d.vlan);
	if (__builtin_expect(traffic != run->traffic, 0) && !run_turn(w, run, traffic, frame))
		return false;
	i = run->count++;
	run->bytes[i] = bytes;
	run->length[i] = d.length;
	run->source[i] = wire_raw32(bytes - 16);
	run->destination[i] = wire_raw32(bytes - 12);
	run->ports[i] = wire_raw32(bytes - 8);
	return true;
}

/* A frame by itself. True when it is whole, unshared and of this pool. */
INLINE bool take_one(struct worker *w, struct run *run, struct rte_mbuf *m, const struct rte_mempool *pool, uint32_t frame)
{
	if (__builtin_expect(w->tap, 0) || __builtin_expect(!run_add(w, run, m, frame), 0))
		run_interrupt(w, run, m, frame);
	return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && m->pool == pool && !(m->ol_flags & MBUF_FOREIGN);
}

#ifdef USUAL16
#define GROUP USUAL16
_Static_assert(USUAL16_BYTES <= RUN_READS, "what is read of a frame lies in its buffer: see group_look()");

/* data_off, refcnt and nb_segs of a whole, unshared frame at the place where nearly every driver puts it. */
#define REARM_USUAL (RTE_PKTMBUF_HEADROOM | 1ull << 16 | 1ull << 32)
#define REARM_CARE 0xffffffffffffull /* behind them is the port */
_Static_assert(offsetof(struct rte_mbuf, rearm_data) == 16 && offsetof(struct rte_mbuf, data_off) == 16 &&
		       offsetof(struct rte_mbuf, refcnt) == 18 && offsetof(struct rte_mbuf, nb_segs) == 20 &&
		       offsetof(struct rte_mbuf, ol_flags) == 24 && offsetof(struct rte_mbuf, pkt_len) == 36 &&
		       offsetof(struct rte_mbuf, buf_len) == 54 && offsetof(struct rte_mbuf, pool) == 56,
	       "an mbuf's first line as group_look() has it");

/* Looks at 16 mbufs: what is asked of them lies in their first line. False when any is not whole, unshared and of this pool,
 * their buffers are not alike or too small for RUN_READS, or not for all its NIC says the same of the checksums: nothing, or that
 * they are right (`verified`). */
INLINE bool group_look(struct rte_mbuf **frames, const struct rte_mempool *pool, const uint8_t *buffers[GROUP],
		       uint32_t lengths[GROUP], bool *verified, uint64_t *total)
{
	uint64_t offload = frames[0]->ol_flags & USUAL_OFFLOAD;
	uint64_t room = frames[0]->buf_len;
	const __m512i care = _mm512_set_epi64(-1, (long long)(0xffffull << 48), 0, 0, USUAL_OFFLOAD | MBUF_FOREIGN, REARM_CARE, 0, 0);
	const __m512i usual = _mm512_set_epi64((long long)(uintptr_t)pool, (long long)(room << 48), 0, 0, (long long)offload,
					       REARM_USUAL, 0, 0);
	__m512i differ = _mm512_setzero_si512(), sum = differ;

#pragma GCC unroll 16
	for (uint32_t i = 0; i < GROUP; i++) {
		const struct rte_mbuf *m = frames[i];
		__m512i line = _mm512_loadu_si512(m);

		differ = _mm512_or_si512(differ, _mm512_ternarylogic_epi64(line, usual, care, 0x28)); /* (a ^ b) & c */
		sum = _mm512_add_epi32(sum, line);
		buffers[i] = m->buf_addr;
		lengths[i] = m->data_len;
	}
	*total += (uint32_t)_mm_extract_epi32(_mm512_extracti32x4_epi32(sum, 2), 1); /* pkt_len: the tenth word */
	*verified = offload != 0;
	return _mm512_test_epi64_mask(differ, differ) == 0 && (offload == 0 || offload == USUAL_GOOD) &&
	       room >= RTE_PKTMBUF_HEADROOM + RUN_READS;
}

/* Sixteen usual frames for the same input at once; frames of any other group one by one. True as take_one(). */
INLINE bool take_group(struct worker *w, struct run *run, struct rte_mbuf **frames, uint32_t first, uint32_t count,
		       const struct rte_mempool *pool, uint64_t *total)
{
	const uint8_t *buffers[GROUP];
	uint32_t lengths[GROUP], at, n = count - first < GROUP ? count - first : GROUP;
	uint64_t traffic;
	struct marks *marks = NULL;
	struct usual16 usual;
	bool verified;

	frames += first;
	if (n < GROUP || __builtin_expect(w->tap, 0)) {
		for (uint32_t i = 0; i < n; i++)
			*total += frames[i]->pkt_len;
		goto one_by_one;
	}
	/* If they go on with the run. */
	if (run_wants_marks(w, run))
		marks = &run->marks[run->count / MARK_FRAMES];
	if (!group_look(frames, pool, buffers, lengths, &verified, total) ||
	    usual16_decode(buffers, RTE_PKTMBUF_HEADROOM, lengths, &w->port->host, verified ? 0xffff : 0, marks, &usual) != 0xffff)
		goto one_by_one;
	/* As run_traffic() has it, for the first; the others are to be the same. */
	traffic = usual.ports[0] >> 16 | (uint64_t)RECORD_VLAN_NONE << 16;
	if (_mm512_cmpneq_epi32_mask(_mm512_srli_epi32(_mm512_loadu_si512(usual.ports), 16),
				     _mm512_set1_epi32((int)(usual.ports[0] >> 16))) != 0)
		goto one_by_one;
	if (__builtin_expect(traffic != run->traffic, 0)) {
		if (!run_turn(w, run, traffic, first))
			goto one_by_one;
	} else if (usual.marked) {
		run->marked |= 1u << run->count / MARK_FRAMES;
	}
	at = run->count;
	run->count += GROUP;
	for (uint32_t i = 0; i < GROUP; i += 8)
		_mm512_storeu_si512(run->bytes + at + i, _mm512_add_epi64(_mm512_loadu_si512(buffers + i),
				    _mm512_set1_epi64(RTE_PKTMBUF_HEADROOM + DECODE_USUAL_HEADERS)));
	_mm512_storeu_si512(run->length + at, _mm512_loadu_si512(usual.length));
	_mm512_storeu_si512(run->source + at, _mm512_loadu_si512(usual.source));
	_mm512_storeu_si512(run->destination + at, _mm512_loadu_si512(usual.destination));
	_mm512_storeu_si512(run->ports + at, _mm512_loadu_si512(usual.ports));
	return true;

one_by_one:
	{
		bool plain = true;

		for (uint32_t i = 0; i < n; i++)
			plain &= take_one(w, run, frames[i], pool, first + i);
		return plain;
	}
}
#else
#define GROUP 1u
INLINE bool take_group(struct worker *w, struct run *run, struct rte_mbuf **frames, uint32_t first, uint32_t count,
		       const struct rte_mempool *pool, uint64_t *total)
{
	(void)count;
	*total += frames[first]->pkt_len;
	return take_one(w, run, frames[first], pool, first);
}
#endif

/* Frames of a pool have their bytes at one distance from their mbufs, which need not be read to know where to prefetch: a wrong
 * guess costs nothing else. */
INLINE void prefetch_frames(struct rte_mbuf **frames, uint32_t count)
{
	uintptr_t distance = rte_pktmbuf_mtod(frames[0], uintptr_t) - (uintptr_t)frames[0];

#pragma GCC unroll 8
	for (uint32_t i = 0; i < count; i++)
		rte_prefetch0((const void *)((uintptr_t)frames[i] + distance));
}

bool BURST(struct worker *w, struct rte_mbuf **frames, uint32_t count)
{
	const struct rte_mempool *pool = frames[0]->pool;
	bool plain = true;
	struct run run;
	uint64_t total = 0;

	run_clear(&run);
	run.first = 0;
	run.traffic = w->run_traffic;
	run.vlan = (uint16_t)(run.traffic >> 16);
	run.plan = w->run_plan;
	/* Those of the first group are all read at once right away. */
	if (count > GROUP)
		prefetch_frames(frames + GROUP, count - GROUP);
	for (uint32_t i = 0; i < count; i += GROUP)
		plain &= take_group(w, &run, frames, i, count, pool, &total);
	run_end(w, &run);
	w->run_traffic = run.traffic;
	w->run_plan = run.plan;
	if (w->jobs_count > 0)
		jobs_append(w);
	if (__builtin_expect(w->refining, 0))
		refine_flush(w);
	tally_flush(w, &w->tally);
	w->tally = (struct tally){0};
	ledger_add(&w->ledger, WORKER_POLLED, count);
	ledger_add(&w->ledger, WORKER_POLLED_BYTES, total);
	ledger_add(&w->ledger, WORKER_BURSTS, 1);
	commit_burst(w);
	return plain;
}
