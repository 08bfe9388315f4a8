// The keys of a batch of lines hashed while the batch before it is written: MD5 keeps the vector units busy and leaves the
// ways to memory idle, and writing does the reverse. Beside each other they take an eighth less of all that a frame of ten lines
// costs (tests/bench/dpdk/burst_bench v4 100000 l). A part of burst.c, compiled with it for x86-64-v4.
#pragma once

#include "dataplane/record/md5_tiny.h"
#include "dataplane/run.h"

#define BESIDE_SHARDS 64u /* of a stream whose lanes' room is looked at for each batch */
#define BESIDE_STEPS 4u   /* of MD5 between which some records are written */
#define BESIDE_RECORDS (RECORDS_MAX / (64 / BESIDE_STEPS))
_Static_assert(RECORDS_MAX == MD5_GROUPS * MD5_LANES, "the keys of a batch are hashed at once");
_Static_assert(64 % BESIDE_STEPS == 0 && RECORDS_MAX % (64 / BESIDE_STEPS) == 0, "all are written by the end");

struct beside { /* what is written meanwhile */
	const struct batch *batch;
	bool brief;
	struct run_head head;
};

INLINE uint64_t beside_room(const struct worker_lane *l)
{
	return l->roomy > l->lane.position ? l->roomy - l->lane.position : 0;
}

/* A lane that seems to be near its limit: most often it has been read long since, and nobody has looked. */
static __attribute__((cold, noinline)) bool beside_look_again(struct worker *w, uint32_t slot, uint64_t bytes)
{
	struct worker_lane *l = &w->lanes[slot];

	if (worker_row(w, slot)[LANE_GAP_COUNT] > 0 || !lane_refresh(&l->lane)) /* a gap is told first: append_carefully() */
		return false;
	append_set_roomy(l);
	return beside_room(l) >= bytes;
}

/* Whether all lanes have room for a whole batch, wherever its records go: so that none need be asked. */
INLINE bool beside_all_roomy(struct worker *w, const struct router *router, const struct batch *b)
{
	uint64_t bytes = (uint64_t)RECORDS_MAX * b->longest;

	for (uint32_t i = 0; i < router->shards; i++) {
		uint32_t slot = router->slots[i];

		if (__builtin_expect(beside_room(&w->lanes[slot]) < bytes, 0) && !beside_look_again(w, slot, bytes))
			return false;
	}
	return true;
}

/* Places for a whole batch in lanes that have room for it. All are found before any record is written: none then waits for where
 * the one before it goes. */
INLINE void beside_take_places(struct worker *w, const struct router *router, struct batch *b)
{
	const uint32_t *slots = router->slots, shift = router->shift;

#pragma GCC unroll 2
	for (uint32_t i = 0; i < RECORDS_MAX; i++)
		b->at[i] = append_take(w, slots[b->hash[i] >> shift], b->bytes_in_lane[i], append_moved(b->record_length[i]));
}

/* Not unrolled: hashing and writing are to stay in the first-level cache. */
INLINE void beside_write(const struct beside *beside, uint32_t from)
{
	const struct batch *b = beside->batch;

#pragma GCC unroll 1
	for (uint32_t i = from; i < from + BESIDE_RECORDS; i++)
		run_write_first(b->at[i], &beside->head, &b->sizes[i], &b->hash[i], b->origin[i], b->key_length[i], b->record[i],
				b->record_length[i], beside->brief);
}

#define BESIDE_STEP(f, a, b, c, d, w, s, n, k)              \
	MD5_STEP_5(f, a, b, c, d, w, s, n, k)               \
	if ((n) % BESIDE_STEPS == BESIDE_STEPS - 1)         \
		beside_write(&beside, (n) / BESIDE_STEPS * BESIDE_RECORDS);

/* Whether records that are hashed and sized, of a plan that is run_exact(), may wait for the next: the kind of which there are most
 * often more, and which the next can then be hashed beside. */
INLINE bool beside_can_wait(const struct router *router, const struct records *r)
{
	return r->count == RECORDS_MAX && run_all_first(r) && r->batch->longest_key <= MD5_TINY && router->shards <= BESIDE_SHARDS;
}

/* Hashes up to RECORDS_MAX lines that begin with their keys, and appends a batch that waited. False, and nothing done, when they do
 * not, a key has more than MD5_TINY bytes or is missing, or a lane may be without room. */
static __attribute__((noinline)) bool beside_hash_and_append(struct worker *w, const struct router *router,
							      const struct records *next, struct batch *waiting, uint64_t labels)
{
	static const __mmask16 active[MD5_GROUPS] = {0xffff, 0xffff, 0xffff, 0xffff, 0xffff};
	struct beside beside = {.batch = waiting, .brief = waiting->longest_payload <= RUN_BRIEF};
	struct batch *b = next->batch;
	const uint32_t *constants = md5_constants_table();
	const bool tiny = true; /* MD5_STEP() takes this and `constants` by name, MD5_FINISH() `active` */
	struct md5_group g[MD5_GROUPS];
	struct md5_tiny keys;
	uint32_t missing = 0;

	if (next->key != next->bytes || !md5_tiny_take(&keys, b->record, b->key_length, next->count, MD5_GROUPS))
		return false;
	for (uint32_t n = 0; n < MD5_GROUPS; n++)
		missing |= _mm512_mask_testn_epi32_mask((__mmask16)_bzhi_u32(0xffff, md5_in_group(next->count, n)), keys.lengths[n],
							keys.lengths[n]);
	if (__builtin_expect(missing != 0, 0) || !beside_all_roomy(w, router, waiting))
		return false;
	run_head_init(&beside.head, w->now_ns, labels);
	beside_take_places(w, router, waiting);
#pragma GCC unroll 5
	for (uint32_t n = 0; n < MD5_GROUPS; n++) {
		md5_start_group(g + n);
		md5_tiny_load(g + n, keys.from[n], keys.lengths[n]);
	}
	{
		MD5_EACH_5(MD5_TAKE)
		MD5_STEPS(BESIDE_STEP)
		MD5_EACH_5(MD5_FINISH)
	}
#pragma GCC unroll 5
	for (uint32_t n = 0; n < MD5_GROUPS; n++)
		md5_store_hashes(g + n, b->hash + n * MD5_LANES);
	return true;
}
