// Writing records into lanes. The inner part of burst.c, compiled once per x86-64 level with it.
#pragma once

#include <string.h>

#include "dataplane/copy.h"
#include "dataplane/worker.h"

#define APPEND_PREFETCH 320 /* bytes ahead of a lane's end */

/* A record's header words that its fields are put together in: see struct record. */
static inline uint64_t append_sizes(uint8_t origin, uint32_t key_length, uint32_t length)
{
	return length | (uint64_t)key_length << 32 | (uint64_t)RECORD_DATA << 48 | (uint64_t)origin << 56;
}

static inline uint64_t append_labels(const struct plan_input *plan, uint16_t vlan)
{
	return plan->labels | (uint64_t)vlan << 32;
}

static inline uint64_t append_key_kind(uint8_t kind)
{
	return (uint64_t)kind << 56;
}

static inline uint32_t append_length(const struct job *job)
{
	return (uint32_t)job->sizes;
}

static inline uint16_t append_key_length(const struct job *job)
{
	return (uint16_t)(job->sizes >> 32);
}

static inline uint8_t append_origin(const struct job *job)
{
	return (uint8_t)(job->sizes >> 56);
}

/* What a record adds to worker.moved. */
static inline uint64_t append_moved(uint32_t length)
{
	return (1ull << 32) + length;
}

/* `copy` is one of copy.h's. Whole words, straight to their place: a header put together byte by byte on the stack and
 * then copied waits for the bytes to leave the store buffer, 10 ns a record. */
static inline __attribute__((always_inline)) void
append_write(uint8_t *at, uint64_t now_ns, const struct job *job, const uint8_t *key, uint64_t hash,
	     void (*copy)(uint8_t *at, const uint8_t *from, uint32_t length))
{
	memcpy(at, &job->sizes, 8);
	memcpy(at + 8, &now_ns, 8);
	memcpy(at + 16, &job->labels, 8);
	memcpy(at + 24, &hash, 8);
	at += sizeof(struct record);
	if (append_origin(job) == RECORD_ORIGIN_IPV4) {
		/* One move of 16 bytes: what is behind an origin is a frame's or a worker's, and the 4 bytes too many
		 * are written over by key and payload, or padding. */
		COPY_MOVE(struct copy16, at, job->origin);
		at += sizeof(struct origin4);
	} else if (append_origin(job) == RECORD_ORIGIN_IPV6) {
		memcpy(at, job->origin, sizeof(struct origin6));
		at += sizeof(struct origin6);
	}
	if (append_key_length(job) > 0) {
		copy(at, key, append_key_length(job));
		at += append_key_length(job);
	}
	copy(at, job->payload, append_length(job));
}

static __attribute__((cold, noinline)) void append_refuse(struct worker *w, uint32_t slot, const struct job *job)
{
	uint64_t *row = worker_row(w, slot);

	row[LANE_DROPPED]++;
	if (row[LANE_GAP_COUNT]++ == 0)
		row[LANE_GAP_FIRST_NS] = w->now_ns;
	row[LANE_GAP_BYTES] += append_length(job);
	row[LANE_GAP_LAST_NS] = w->now_ns;
	w->lanes[slot].roomy = 0;
	worker_touch(w, slot);
	ledger_add(&w->ledger, RECORD_LANE_FULL, 1);
	ledger_add(&w->ledger, input_word(job->plan->index, INPUT_REFUSED), 1);
}

/* How far records are just written, which may write COPY_OVER bytes beyond their ends. */
static inline void append_set_roomy(struct worker_lane *l)
{
	l->roomy = l->lane.limit > COPY_OVER ? l->lane.limit - COPY_OVER : 0;
}

/* For a lane near its limit, or with a gap to tell. Whether there was room. */
static __attribute__((cold, noinline)) bool append_carefully(struct worker *w, uint32_t slot, const struct job *job,
							     const uint8_t *key, uint64_t hash)
{
	struct worker_lane *l = &w->lanes[slot];
	uint8_t *at = NULL;

	/* A hole is told before the records after it, or the lane stays shut. */
	if (worker_row(w, slot)[LANE_GAP_COUNT] == 0 || worker_tell_gap(w, slot))
		at = lane_reserve(&l->lane,
				  record_bytes(append_origin(job), append_key_length(job), append_length(job)));
	if (!at) {
		append_refuse(w, slot, job);
		return false;
	}
	append_write(at, w->now_ns, job, key, hash, copy_bytes);
	w->moved[slot] += append_moved(append_length(job));
	append_set_roomy(l);
	return true;
}

/* Where a record goes that its lane has room for, counted there. `bytes`: record_bytes(), `moved`: append_moved(). */
static inline __attribute__((always_inline)) uint8_t *append_take(struct worker *w, uint32_t slot, uint32_t bytes, uint64_t moved)
{
	struct lane_writer *lane = &w->lanes[slot].lane;
	uint64_t position = lane->position;

	lane->position = position + bytes;
	w->moved[slot] += moved;
	return lane->bytes + (position & lane->mask);
}

/* The same of any lane; without room, append_carefully() is for it. */
static inline __attribute__((always_inline)) bool append_reserve(struct worker *w, uint32_t slot, uint32_t bytes,
								 uint64_t moved, uint8_t **at)
{
	const struct worker_lane *l = &w->lanes[slot];

	if (__builtin_expect(l->lane.position + bytes > l->roomy, 0))
		return false;
	*at = append_take(w, slot, bytes, moved);
	return true;
}

/* The lane's next lines, before they are needed: as many as this record took, so that none is left out. */
static inline __attribute__((always_inline)) void append_prefetch(const uint8_t *end, uint32_t bytes)
{
	end += APPEND_PREFETCH;
	lane_prefetch(end);
	lane_prefetch(end + 64);
	if (bytes > 128) {
		lane_prefetch(end + 128);
		for (uint32_t done = 192; __builtin_expect(done < bytes, 0); done += 64)
			lane_prefetch(end + done);
	}
}

/* Whether the lane had room for it. */
static inline __attribute__((always_inline)) bool append(struct worker *w, uint32_t slot, const struct job *job,
							 const uint8_t *key, uint64_t hash)
{
	uint32_t bytes = record_bytes(append_origin(job), append_key_length(job), append_length(job));
	uint8_t *at;

	if (!append_reserve(w, slot, bytes, append_moved(append_length(job)), &at))
		return append_carefully(w, slot, job, key, hash);
	append_write(at, w->now_ns, job, key, hash, copy_over);
	append_prefetch(at + bytes, bytes);
	return true;
}
