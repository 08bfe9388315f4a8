// Runs: usual frames for one input, one after the other, which most frames of most bursts are. Their records are made
// stage by stage, each stage for all of them: hashes, lanes, places, bytes; but see run_beside.h. A part of burst.c, compiled
// once per x86-64 level with it.
#pragma once

#include "dataplane/run_write.h"
#include "dataplane/worker.h"

INLINE uint32_t run_slot(const struct plan_input *plan, struct hash_key hash)
{
	return plan->only_slot != PLAN_NO_SLOT ? plan->only_slot : route_find(plan->router, hash.upper, hash.lower);
}

static inline void tally_flush(struct worker *w, const struct tally *t)
{
	if (t->frames == 0)
		return;
	ledger_add(&w->ledger, input_word(t->input, INPUT_FRAMES), t->frames);
	ledger_add(&w->ledger, input_word(t->input, INPUT_RECORDS), t->records);
	ledger_add(&w->ledger, input_word(t->input, INPUT_BYTES), t->bytes);
	ledger_add(&w->ledger, WORKER_PARSED, t->records);
	ledger_add(&w->ledger, WORKER_PARSED_BYTES, t->bytes);
	if (t->accepted > 0)
		ledger_add(&w->ledger, FRAME_ACCEPTED, t->accepted);
	if (t->frames > t->accepted)
		ledger_add(&w->ledger, FRAME_EMPTY, t->frames - t->accepted);
}

_Static_assert(BURST_MAX % KEY_FLOWS == 0 && BURST_MAX <= JOBS_MAX, "flows are hashed in whole groups");

#define RECORDS_MAX JOBS_MAX
/* More bytes than a lane, of at most 1 GiB, has: what a record without its key asks for, so as not to be made with the others. */
#define BYTES_ALONE UINT32_MAX
#define RECORDS_SLACK 16u /* records cut behind the last that are made together, written as whole vectors */

/* Records of a run that are made together, stage by stage. */
struct batch {
	/* Of each record that is cut out of a frame; a datagram has what its frame has. */
	const uint8_t *record[RECORDS_MAX + RECORDS_SLACK], *origin[RECORDS_MAX + RECORDS_SLACK];
	uint32_t record_length[RECORDS_MAX + RECORDS_SLACK];
	/* of each record */
	const uint8_t *key[RECORDS_MAX]; /* of those with keys that need not begin where they do: see struct records */
	uint32_t key_length[RECORDS_MAX]; /* of those with keys; 0 is a missing one */
	uint64_t hash[RECORDS_MAX]; /* the hash key's upper half */
	uint32_t slot[RECORDS_MAX];
	uint64_t sizes[RECORDS_MAX]; /* the header's first word */
	uint32_t bytes_in_lane[RECORDS_MAX]; /* or BYTES_ALONE */
	uint8_t *at[RECORDS_MAX];    /* its place in the lane */
	/* Bytes of the longest record, one without its key too, key and payload, and of lines the
	 * shortest key, 0 without, and payload. */
	uint32_t longest, longest_key, longest_payload, shortest_key, shortest_payload;
};

#ifdef USUAL16
#define RUN_BATCHES 2u /* one may wait to be appended until the next is hashed: see run_beside.h */
#else
#define RUN_BATCHES 1u
#endif

/* Usual frames for one input, one after the other: decoded, not yet cut; and, when the run ends, their records. */
struct run {
	uint32_t count;
	uint32_t first;   /* frame of the burst; the others follow it */
	uint64_t traffic; /* what they have in common: run_traffic(), or RUN_NONE */
	uint16_t vlan;
	const struct plan_input *plan;
	/* UDP's payload; the origin block lies in front of it and the UDP header's rest. */
	const uint8_t *bytes[BURST_MAX] __rte_cache_aligned;
	uint32_t length[BURST_MAX];
	uint32_t source[BURST_MAX], destination[BURST_MAX], ports[BURST_MAX]; /* the origin's words */
	struct batch batch[RUN_BATCHES]; /* the first is the datagrams' */
#ifdef USUAL16
	uint32_t marked;                              /* a bit for each MARK_FRAMES of them that are marked already */
	struct marks marks[BURST_MAX / MARK_FRAMES]; /* of lines by one of their fields */
#endif
};

INLINE void run_clear(struct run *run)
{
	run->count = 0;
#ifdef USUAL16
	run->marked = 0;
#endif
}

/* Records that are made together: where what is asked of them lies, in their batch or, of datagrams, in the run. */
struct records {
	struct batch *batch;
	uint32_t count; /* up to RECORDS_MAX */
	const uint8_t *const *bytes;
	const uint32_t *length;
	/* What is stored with each, as long as batch.key_length[] says; the array `bytes` itself when every record begins with its key;
	 * or NULL, of datagrams only. */
	const uint8_t *const *key;
	const uint8_t *const *origin; /* NULL, of datagrams: in front of each one's bytes */
};

#ifdef USUAL16
#define RUN_READS USUAL_READS
#else
#define RUN_READS 0u
#endif

#ifdef USUAL16
/* Whether the next MARK_FRAMES frames are to be marked, if they go on with this run: run_line_fields(). */
INLINE bool run_wants_marks(const struct worker *w, const struct run *run)
{
	const struct plan_input *plan = run->plan;

	return run->traffic != RUN_NONE && plan->codec == CODEC_LINES && plan->key.kind == KEY_FIELD && plan->router &&
	       run->count % MARK_FRAMES == 0 && w->marks_paused[plan->index] == 0;
}
#endif

/* UDP's destination port, as it lies in a frame, and the outer tag. */
INLINE uint64_t run_traffic(const uint8_t *payload, uint16_t vlan)
{
	return wire_raw16(payload - 6) | (uint64_t)vlan << 16;
}

INLINE const uint8_t *run_origin(const struct records *r, uint32_t i)
{
	return r->origin ? r->origin[i] : r->bytes[i] - RUN_ORIGIN_BEFORE;
}

/* A record of a run whose lane is near its limit, or whose key is missing: then `key` has no byte. NULL: its kind has none. */
static __attribute__((cold, noinline)) void run_append_single(struct worker *w, uint16_t vlan, uint32_t slot, struct job *job,
							      const uint8_t *key, uint64_t hash)
{
	if (key && append_key_length(job) == 0)
		job->labels = append_labels(job->plan, vlan) | append_key_kind(RECORD_KEY_HASH);
	append(w, slot, job, key, hash);
}

#ifdef USUAL16
/* Keys of datagrams of at most USUAL_SHORT bytes. A field that is not there is an empty one. */
INLINE void run_short_keys(struct run *run)
{
	struct batch *b = run->batch;
	const struct key_rule *rule = &run->plan->key;
	const __m512i separator = _mm512_set1_epi8((char)rule->separator);

	for (uint32_t i = 0; i < run->count; i++) {
		const uint8_t *bytes = run->bytes[i];
		uint32_t length = run->length[i], start = 0, end;
		uint64_t found = _bzhi_u64(_cvtmask64_u64(_mm512_cmpeq_epi8_mask(separator, _mm512_loadu_si512(bytes))), length);

		for (uint32_t skip = rule->field - 1; skip > 0 && start < length; skip--) {
			start = found ? (uint32_t)__builtin_ctzll(found) + 1 : length;
			found &= found - 1;
		}
		end = found ? (uint32_t)__builtin_ctzll(found) : length;
		b->key[i] = bytes + start;
		b->key_length[i] = end - start;
	}
}
#endif

INLINE void run_find_key(const struct run *run, struct batch *b, uint32_t i, const uint8_t *bytes, uint32_t length)
{
	const struct key_rule *rule = &run->plan->key;
	struct md5_key key;

	if (!key_field(bytes, length, rule->separator, rule->field, &key))
		key = (struct md5_key){bytes, 0};
	b->key[i] = key.bytes;
	b->key_length[i] = key.length;
}

/* True: the upper bits of a hash say which of router->slots it is, and b->slot[] is not set. */
INLINE bool run_exact(const struct plan_input *plan)
{
	return plan->only_slot == PLAN_NO_SLOT && plan->router->exact;
}

#ifdef USUAL16
/* Whether all are lines for run_write_first(). */
INLINE bool run_all_first(const struct records *r)
{
	const struct batch *b = r->batch;

	return r->key == r->bytes && r->origin && b->shortest_key > 0 && b->longest_key <= RUN_FIRST_KEY &&
	       b->longest <= RUN_FIRST && b->longest_payload <= RUN_LINE && b->shortest_payload >= 64;
}
#endif

/* Writes records [from, to) to their places. */
INLINE void run_write(const struct records *r, const struct run_head *head, uint32_t from, uint32_t to)
{
	const struct batch *b = r->batch;

	if (!r->key && b->longest <= RUN_SMALL) {
#pragma GCC unroll 2
		for (uint32_t i = from; i < to; i++)
			run_write_plain(b->at[i], head, &b->sizes[i], &b->hash[i], r->bytes[i], r->length[i], true);
		return;
	}
#ifdef USUAL16
	if (r->key && !r->origin && b->longest <= RUN_SMALL_KEYED) {
		for (uint32_t i = from; i < to; i++)
			run_write_keyed(b->at[i], head, &b->sizes[i], &b->hash[i], r->key[i], b->key_length[i],
					r->bytes[i]);
		return;
	}
	if (run_all_first(r)) {
		bool brief = b->longest_payload <= RUN_BRIEF;

		for (uint32_t i = from; i < to; i++)
			run_write_first(b->at[i], head, &b->sizes[i], &b->hash[i], r->origin[i], b->key_length[i], r->bytes[i],
					r->length[i], brief);
		return;
	}
	if (r->key && r->origin && b->longest_key <= RUN_LINE_KEY && b->longest_payload <= RUN_LINE) {
		for (uint32_t i = from; i < to; i++)
			run_write_line(b->at[i], head, &b->sizes[i], &b->hash[i], r->origin[i], r->key[i],
				       b->key_length[i], r->bytes[i], r->length[i]);
		return;
	}
#endif
	for (uint32_t i = from; i < to; i++) {
		uint8_t *at = b->at[i];

		if (!r->key) {
			run_write_plain(at, head, &b->sizes[i], &b->hash[i], r->bytes[i], r->length[i], false);
			continue;
		}
		if (r->origin)
			append_prefetch(at + b->bytes_in_lane[i], b->bytes_in_lane[i]);
		run_origin_write(at, head, &b->sizes[i], &b->hash[i], run_origin(r, i));
		at += HEAD_KEY;
		copy_over(at, r->key[i], b->key_length[i]);
		at += b->key_length[i];
		copy_over(at, r->bytes[i], r->length[i]);
	}
}

/* What the records are long, which vectors find out together; their payload's bytes. */
INLINE uint32_t run_sizes(const struct records *r)
{
	struct batch *b = r->batch;
	uint32_t total = 0, longest = 0, longest_key = 0, longest_payload = 0;
	uint32_t shortest_key = UINT32_MAX, shortest_payload = UINT32_MAX;

	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t length = r->length[i], key_length = r->key ? b->key_length[i] : 0;
		uint32_t bytes = record_bytes(RECORD_ORIGIN_IPV4, key_length, length);

		total += length;
		longest = bytes > longest ? bytes : longest;
		longest_key = key_length > longest_key ? key_length : longest_key;
		longest_payload = length > longest_payload ? length : longest_payload;
		if (r->origin) {
			shortest_key = key_length < shortest_key ? key_length : shortest_key;
			shortest_payload = length < shortest_payload ? length : shortest_payload;
		}
		b->sizes[i] = append_sizes(RECORD_ORIGIN_IPV4, key_length, length);
		b->bytes_in_lane[i] = r->key && key_length == 0 ? BYTES_ALONE : bytes;
	}
	b->longest = longest;
	b->longest_key = longest_key;
	b->longest_payload = longest_payload;
	b->shortest_key = shortest_key;
	b->shortest_payload = shortest_payload;
	return total;
}

/* Finds places for the records from `i` on, all before any is written: none then waits for where the one before it goes.
 * The first one that is not just written, or their count. Calls nothing, so that all it uses stays in registers. */
INLINE uint32_t run_reserve(struct worker *w, const struct run *run, const struct records *r, bool exact, uint32_t i)
{
	struct batch *b = r->batch;
	const struct router *router = run->plan->router;
	const uint32_t *slots = router->slots, shift = router->shift;
	uint64_t one = append_moved(0);

	__asm__("" : "+r"(one)); /* or it is made anew for each record */
#pragma GCC unroll 2
	for (; i < r->count; i++) {
		uint32_t slot = exact ? slots[b->hash[i] >> shift] : b->slot[i], bytes = b->bytes_in_lane[i];

		if (__builtin_expect(!append_reserve(w, slot, bytes, one + r->length[i], &b->at[i]), 0))
			break;
		if (r->key && !r->origin) /* the other writers do it: then not all are asked for at once */
			append_prefetch(b->at[i] + bytes, bytes);
	}
	return i;
}

/* Appends records whose sizes are known to their lanes. One that is not just written comes after those before it, which write
 * beyond their ends. */
INLINE void run_append_sized(struct worker *w, const struct run *run, const struct records *r, uint64_t labels, bool exact)
{
	const struct batch *b = r->batch;
	uint32_t written = 0;
	struct run_head head;

	run_head_init(&head, w->now_ns, labels);
	for (;;) {
		uint32_t i = run_reserve(w, run, r, exact, written);

		run_write(r, &head, written, i);
		if (__builtin_expect(i == r->count, 1))
			return;
		/* Never a pointer to `r`: everybody else would read it again behind every store. */
		run_append_single(w, run->vlan, exact ? route_find(run->plan->router, b->hash[i], 0) : b->slot[i],
				  &(struct job){.payload = r->bytes[i],
						.origin = run_origin(r, i),
						.sizes = b->sizes[i],
						.labels = labels,
						.plan = run->plan},
				  r->key ? r->key[i] : NULL, b->hash[i]);
		written = i + 1;
	}
}

/* The same of any records; their payload's bytes. */
INLINE uint32_t run_append_to(struct worker *w, const struct run *run, const struct records *r, uint64_t labels, bool exact)
{
	uint32_t total = run_sizes(r);

	run_append_sized(w, run, r, labels, exact);
	return total;
}

INLINE uint32_t run_append(struct worker *w, const struct run *run, const struct records *r, uint64_t labels)
{
	return run_exact(run->plan) ? run_append_to(w, run, r, labels, true) : run_append_to(w, run, r, labels, false);
}

/* Hashes of records by their keys, and their lanes unless run_exact(); one without a key goes anywhere. */
INLINE void run_hash_keys(struct worker *w, struct run *run, const struct records *r)
{
	struct batch *b = r->batch;
	bool one_lane = run->plan->only_slot != PLAN_NO_SLOT; /* whatever the hash */

	if (run_exact(run->plan)) {
		uint32_t missing = 0;

		md5_upper(r->key, b->key_length, r->count, b->hash);
		for (uint32_t i = 0; i < r->count; i++)
			missing |= b->key_length[i] == 0;
		for (uint32_t i = 0; missing && i < r->count; i++)
			if (b->key_length[i] == 0)
				b->hash[i] = key_random_next(&w->random);
		return;
	}
	if (!one_lane) {
		for (uint32_t i = 0; i < r->count; i++)
			w->keys[i] = (struct md5_key){r->key[i], b->key_length[i]};
		md5_batch(w->keys, r->count, w->digests);
	}
	for (uint32_t i = 0; i < r->count; i++) {
		struct hash_key hash = {0, 0};

		if (b->key_length[i] == 0)
			hash.upper = key_random_next(&w->random);
		else if (!one_lane)
			hash = hash_key_of_digest(w->digests[i]);
		b->hash[i] = hash.upper;
		b->slot[i] = run_slot(run->plan, hash);
	}
}

INLINE uint64_t run_field_labels(const struct run *run)
{
	return append_labels(run->plan, run->vlan) | append_key_kind(RECORD_KEY_STORED);
}

_Static_assert(RECORDS_MAX % MD5_GROUP == 0, "keys are hashed in whole groups");

INLINE struct records run_datagrams(struct run *run, const uint8_t *const *key)
{
	return (struct records){.batch = run->batch, .count = run->count, .bytes = run->bytes, .length = run->length, .key = key};
}

INLINE void run_tally(struct worker *w, const struct run *run, uint32_t bytes)
{
	tally_flush(w, &(struct tally){.input = run->plan->index,
				       .frames = run->count,
				       .records = run->count,
				       .accepted = run->count,
				       .bytes = bytes});
}

/* Datagrams by flow. */
static __attribute__((noinline)) void run_flows(struct worker *w, struct run *run)
{
	struct records r = run_datagrams(run, NULL);

	key_flow_hashes(run->source, run->destination, run->ports, run->count, run->batch->hash);
	if (!run_exact(run->plan))
		for (uint32_t i = 0; i < run->count; i++)
			run->batch->slot[i] = run_slot(run->plan, (struct hash_key){run->batch->hash[i], 0});
	run_tally(w, run,
			run_append(w, run, &r, append_labels(run->plan, run->vlan) | append_key_kind(RECORD_KEY_FLOW)));
}

INLINE void run_find_keys(struct run *run)
{
#ifdef USUAL16
	uint32_t longest = 0;

	for (uint32_t i = 0; i < run->count; i++)
		longest = run->length[i] > longest ? run->length[i] : longest;
	if (longest <= USUAL_SHORT) {
		run_short_keys(run);
		return;
	}
#endif
	for (uint32_t i = 0; i < run->count; i++)
		run_find_key(run, run->batch, i, run->bytes[i], run->length[i]);
}

/* Datagrams by one of their fields. */
static __attribute__((noinline)) void run_fields(struct worker *w, struct run *run)
{
	struct records r = run_datagrams(run, run->batch->key);

	_Static_assert(BURST_MAX <= RECORDS_MAX, "a run's datagrams find room");
	run_find_keys(run);
	run_hash_keys(w, run, &r);
	run_tally(w, run, run_append(w, run, &r, run_field_labels(run)));
}
