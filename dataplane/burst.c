// The hot path: a burst of frames to records in lanes. Compiled once per x86-64 level (BURST_ISA); burst_choose() picks.
//
//   frame -> decode -> input -> codec -> jobs -> keys hashed together -> slot -> lane
//
// Nothing here blocks, allocates, logs or makes a system call. Frames are counted as they are decoded, records as they
// are appended or refused; worker.c commits all of it with the lanes' positions in one store.
#include <string.h>

#include <rte_ethdev.h>
#include <rte_prefetch.h>

#include "dataplane/copy.h"
#include "dataplane/packet/decode.h"
#include "dataplane/packet/segments.h"
#include "dataplane/worker.h"

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define PREFETCH_AHEAD 4   /* frames */
#define RECORD_PREFETCH 128 /* bytes behind the start of a record: where a lane's next one ends, mostly */

#define BURST PASTE(burst_process_, BURST_ISA)

/* What the NIC says of the checksums it has looked at; nothing it says of lengths is believed. */
static inline uint32_t verified(uint64_t offload)
{
	uint64_t ip = offload & RTE_MBUF_F_RX_IP_CKSUM_MASK, l4 = offload & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	return (ip == RTE_MBUF_F_RX_IP_CKSUM_GOOD ? DECODE_IP_CHECKSUM_GOOD : 0) |
	       (ip == RTE_MBUF_F_RX_IP_CKSUM_BAD ? DECODE_IP_CHECKSUM_BAD : 0) |
	       (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD ? DECODE_L4_CHECKSUM_GOOD : 0) |
	       (l4 == RTE_MBUF_F_RX_L4_CKSUM_BAD ? DECODE_L4_CHECKSUM_BAD : 0);
}

static __attribute__((cold, noinline)) void refuse(struct worker *w, uint32_t slot, const struct job *job)
{
	uint64_t *row = w->lanes[slot].row;

	row[LANE_DROPPED]++;
	if (row[LANE_GAP_COUNT]++ == 0)
		row[LANE_GAP_FIRST_NS] = w->now_ns;
	row[LANE_GAP_BYTES] += job->length;
	row[LANE_GAP_LAST_NS] = w->now_ns;
	worker_touch(w, slot);
	ledger_add(&w->ledger, RECORD_LANE_FULL, 1);
	ledger_add(&w->ledger, input_word(job->input, INPUT_REFUSED), 1);
}

static inline void write_record(uint8_t *at, const struct worker *w, const struct job *job, uint64_t hash,
				uint32_t key_length)
{
	/* Whole words, straight to their place: a header put together byte by byte on the stack and then copied waits for
	 * the bytes to leave the store buffer, 10 ns a record. */
	uint64_t words[4] = {job->length | (uint64_t)key_length << 32 | (uint64_t)RECORD_DATA << 48 |
				     (uint64_t)job->origin_kind << 56,
			     w->now_ns,
			     w->input_ids[job->input] | (uint64_t)job->vlan << 32 |
				     (uint64_t)w->plan->inputs[job->input].codec << 48 | (uint64_t)job->key_kind << 56,
			     hash};

	for (int i = 0; i < 4; i++)
		memcpy(at + 8 * i, &words[i], 8);
	at += sizeof(struct record);
	if (job->origin_kind == RECORD_ORIGIN_IPV4) {
		memcpy(at, job->origin, sizeof(struct origin4));
		at += sizeof(struct origin4);
	} else if (job->origin_kind == RECORD_ORIGIN_IPV6) {
		memcpy(at, job->origin, sizeof(struct origin6));
		at += sizeof(struct origin6);
	}
	if (key_length > 0) {
		copy_bytes(at, job->key, key_length);
		at += key_length;
	}
	copy_bytes(at, job->payload, job->length);
}

static inline void append(struct worker *w, uint32_t slot, const struct job *job, uint64_t hash)
{
	uint32_t key_length = job->key_kind == RECORD_KEY_STORED ? job->key_length : 0;
	struct worker_lane *l = &w->lanes[slot];
	uint8_t *at = NULL;

	/* A hole is told before the records after it, or the lane stays shut. */
	if (__builtin_expect(l->row[LANE_GAP_COUNT] == 0, 1) || worker_tell_gap(w, slot))
		at = lane_reserve(&l->lane, record_bytes(job->origin_kind, key_length, job->length));
	if (__builtin_expect(!at, 0)) {
		refuse(w, slot, job);
		return;
	}
	write_record(at, w, job, hash, key_length);
	/* The lane's next line, before it is needed: 39 ns a frame became 63 without. */
	__builtin_prefetch(at + RECORD_PREFETCH, 1);
	l->row[LANE_POSITION] = l->lane.position;
	l->row[LANE_RECORDS]++;
	l->row[LANE_BYTES] += job->length;
	w->tally.appended++;
	w->tally.appended_bytes += job->length;
	worker_touch(w, slot);
}

/* Hashes the keys gathered so far, as many at once as the vectors take, and appends every job to its lane. */
static void append_jobs(struct worker *w)
{
	if (w->keys_count > 0)
		md5_batch(w->keys, w->keys_count, w->digests);
	for (uint32_t i = 0; i < w->jobs_count; i++) {
		const struct job *job = &w->jobs[i];
		const struct plan_input *input = &w->plan->inputs[job->input];
		struct hash_key hash = job->hash;
		uint32_t slot = input->only_slot;

		if (job->digest != JOB_HASHED)
			hash = hash_key_of_digest(w->digests[job->digest]);
		if (slot == PLAN_NO_SLOT)
			slot = route_find(input->router, hash.upper, hash.lower);
		append(w, slot, job, hash.upper);
	}
	w->jobs_count = w->keys_count = 0;
}

/* The key's text is hashed with those of the other jobs; but one shard takes everything, whatever the hash. */
static inline void hash_later(struct worker *w, struct job *job, const struct plan_input *plan)
{
	if (plan->only_slot != PLAN_NO_SLOT)
		return;
	job->digest = (uint16_t)w->keys_count;
	w->keys[w->keys_count++] = (struct md5_key){job->key, job->key_length};
}

static inline void set_text(struct job *job, const void *text, uint32_t length, uint8_t kind)
{
	job->key = text;
	job->key_length = (uint16_t)length;
	job->key_kind = kind;
}

/* Gives a job its key by its input's rule. `d` may lack addresses or ports (a tap's frames of other protocols). */
static inline void set_key(struct worker *w, struct job *job, const struct plan_input *plan, const struct datagram *d,
			   struct frame_origin *origin)
{
	struct md5_key field;

	job->digest = JOB_HASHED;
	job->hash = (struct hash_key){0, 0};
	switch (plan->key.kind) {
	case KEY_CONSTANT:
		set_text(job, plan->key.constant.bytes, plan->key.constant.length, RECORD_KEY_STORED);
		job->hash = plan->key.constant_hash;
		return;
	case KEY_SOURCE:
		if (!d->addresses)
			break;
		if (origin->text_length == 0)
			origin->text_length = (uint8_t)(d->family == RECORD_ORIGIN_IPV4
								? address4_text(d->addresses, origin->text)
								: address6_text(d->addresses, origin->text));
		/* A tap's record keeps no origin to read the text from again. */
		set_text(job, origin->text, origin->text_length, job->origin ? RECORD_KEY_SOURCE : RECORD_KEY_STORED);
		hash_later(w, job, plan);
		return;
	case KEY_FLOW:
		if (!d->ports)
			break;
		job->key_kind = job->origin ? RECORD_KEY_FLOW : RECORD_KEY_HASH;
		job->hash.upper = key_flow_hash(origin->block, record_origin_bytes(d->family));
		return;
	case KEY_FIELD:
		if (!key_field(job->payload, job->length, plan->key.separator, plan->key.field, &field))
			break;
		set_text(job, field.bytes, field.length, RECORD_KEY_STORED);
		hash_later(w, job, plan);
		return;
	case KEY_RANDOM:
		break;
	}
	/* Random, or a record without what its rule asks for: it goes anywhere. */
	job->key_kind = RECORD_KEY_HASH;
	job->hash.upper = key_random_next(&w->random);
}

static inline void flush_tally(struct worker *w)
{
	struct tally *t = &w->tally;

	if (t->frames > 0) {
		ledger_add(&w->ledger, input_word(t->input, INPUT_FRAMES), t->frames);
		ledger_add(&w->ledger, input_word(t->input, INPUT_RECORDS), t->records);
		ledger_add(&w->ledger, input_word(t->input, INPUT_BYTES), t->bytes);
		ledger_add(&w->ledger, WORKER_PARSED, t->records);
		ledger_add(&w->ledger, WORKER_PARSED_BYTES, t->bytes);
	}
	t->frames = t->records = t->bytes = 0;
}

/* Cuts a datagram or frame for `input` into records and queues them as jobs. */
static inline void add_records(struct worker *w, const struct datagram *d, uint32_t index, bool keep_origin,
			       const uint8_t *bytes, uint32_t length, struct frame_origin *origin)
{
	const struct plan_input *plan = &w->plan->inputs[index];
	struct slice whole = {0, length}, *slices = &whole;
	uint64_t records = 0, payload = 0;

	datagram_copy_origin(d, origin->block);
	if (__builtin_expect(w->tally.input != index, 0)) {
		flush_tally(w);
		w->tally.input = index;
	}
	while (length > 0) {
		uint32_t count = 1, consumed = length;

		if (w->jobs_count == JOBS_MAX)
			append_jobs(w);
		if (plan->codec == CODEC_LINES) {
			slices = w->slices;
			count = split_lines(bytes, length, slices, JOBS_MAX - w->jobs_count, &consumed);
		}
		for (uint32_t i = 0; i < count; i++) {
			struct job *job = &w->jobs[w->jobs_count];

			payload += slices[i].length;
			if (__builtin_expect(!plan->router, 0))
				continue;
			w->jobs_count++;
			job->payload = bytes + slices[i].offset;
			job->length = slices[i].length;
			job->origin = keep_origin ? origin->block : NULL;
			job->origin_kind = keep_origin ? d->family : RECORD_ORIGIN_NONE;
			job->vlan = d->vlan;
			job->input = (uint8_t)index;
			set_key(w, job, plan, d, origin);
		}
		records += count;
		bytes += consumed;
		length -= consumed;
	}
	w->tally.frames++;
	w->tally.records += records;
	w->tally.bytes += payload;
	if (__builtin_expect(records == 0, 0))
		ledger_add(&w->ledger, FRAME_EMPTY, 1);
	else
		w->accepted++;
	if (__builtin_expect(!plan->router, 0)) {
		ledger_add(&w->ledger, RECORD_NO_STREAM, records);
		ledger_add(&w->ledger, input_word(index, INPUT_REFUSED), records);
	}
}

/* A tap keeps the whole frame, whatever is in it; decoding only finds its tag and, for keys, its addresses. */
static __attribute__((noinline)) void take_frame(struct worker *w, const uint8_t *bytes, uint32_t length,
						 struct frame_origin *origin)
{
	struct datagram d;
	uint32_t input;

	if (length == 0) {
		ledger_add(&w->ledger, FRAME_RUNT, 1);
		return;
	}
	decode_frame(bytes, length, &w->port->host, DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD, &d);
	input = match_find(&w->port->match, &d);
	if (input == INPUT_NONE) {
		ledger_add(&w->ledger, FRAME_NO_INPUT, 1);
		return;
	}
	add_records(w, &d, input, false, bytes, length, origin);
}

static __attribute__((cold, noinline)) void drop(struct worker *w, const uint8_t *bytes, uint32_t length,
						 enum counter_frame fate)
{
	if (fate == FRAME_ANSWERED)
		fate = worker_answer(w, bytes, length);
	ledger_add(&w->ledger, fate, 1);
}

static inline __attribute__((flatten)) void take_datagram(struct worker *w, const uint8_t *bytes, uint32_t length,
							  uint64_t offload, struct frame_origin *origin)
{
	struct datagram d;
	enum counter_frame fate = decode_frame(bytes, length, &w->port->host, verified(offload), &d);
	uint32_t input;

	if (__builtin_expect(fate != FRAME_ACCEPTED, 0)) {
		drop(w, bytes, length, fate);
		return;
	}
	input = match_find(&w->port->match, &d);
	if (__builtin_expect(input == INPUT_NONE, 0)) {
		drop(w, bytes, length, FRAME_NO_INPUT);
		return;
	}
	add_records(w, &d, input, true, bytes + d.payload, d.length, origin);
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
static __attribute__((noinline)) bool gather(struct worker *w, struct rte_mbuf *m, uint32_t *length)
{
	struct rte_mbuf *chain = m;
	enum counter_frame fate;

	append_jobs(w);
	fate = segments_copy(next_segment, &chain, w->scratch, length);
	/* Drivers that count segments in 16 bits (net_pcap) hand out a longer frame cut, with its true length beside. */
	if (fate == FRAME_ACCEPTED && *length != m->pkt_len)
		fate = FRAME_TOO_LONG;
	if (fate != FRAME_ACCEPTED)
		ledger_add(&w->ledger, fate, 1);
	return fate == FRAME_ACCEPTED;
}

void BURST(struct worker *w, struct rte_mbuf **frames, uint16_t count)
{
	uint64_t total = 0;

	for (uint16_t i = 0; i < count && i < PREFETCH_AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (uint16_t i = 0; i < count; i++) {
		struct rte_mbuf *m = frames[i];
		const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);
		uint32_t length = m->data_len;

		if (i + PREFETCH_AHEAD < count)
			rte_prefetch0(rte_pktmbuf_mtod(frames[i + PREFETCH_AHEAD], void *));
		total += m->pkt_len;
		w->origins[i].text_length = 0;
		if (__builtin_expect(m->nb_segs != 1, 0)) {
			if (!gather(w, m, &length))
				continue;
			bytes = w->scratch;
		}
		if (__builtin_expect(w->tap, 0))
			take_frame(w, bytes, length, &w->origins[i]);
		else
			take_datagram(w, bytes, length, m->ol_flags, &w->origins[i]);
	}
	append_jobs(w);
	flush_tally(w);
	if (w->accepted > 0)
		ledger_add(&w->ledger, FRAME_ACCEPTED, w->accepted);
	if (w->tally.appended > 0) {
		ledger_add(&w->ledger, RECORD_APPENDED, w->tally.appended);
		ledger_add(&w->ledger, WORKER_APPENDED_BYTES, w->tally.appended_bytes);
	}
	w->accepted = w->tally.appended = w->tally.appended_bytes = 0;
	ledger_add(&w->ledger, WORKER_POLLED, count);
	ledger_add(&w->ledger, WORKER_POLLED_BYTES, total);
	ledger_add(&w->ledger, WORKER_BURSTS, 1);
}
