// Records one by one, the general way: each by its input's kind of key to its lane, or to the queue of those whose keys are
// hashed together. One whose hash is known goes straight to its lane, unless one before it still waits: then it queues behind
// it. A part of burst.c, compiled once per x86-64 level with it.
#pragma once

#include "dataplane/append.h"
#include "dataplane/run.h"

INLINE void jobs_write(const struct worker *w, uint8_t *const *at, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		append_write(at[i], w->now_ns, &w->jobs[i], w->keys[i].bytes, w->jobs[i].hash.upper, copy_over);
}

/* Hashes the keys gathered so far, as many at once as the vectors take, and appends every job to its lane. */
static __attribute__((noinline)) void jobs_append(struct worker *w)
{
	uint32_t count = w->jobs_count, written = 0;
	uint8_t *at[JOBS_MAX];

	if (count == 0)
		return;
	md5_batch(w->keys, count, w->digests);
	/* All slots first: an append whose lane is known does not hold up the next one. */
	for (uint32_t i = 0; i < count; i++) {
		struct job *job = &w->jobs[i];

		if (__builtin_expect(!job->hashed, 1))
			job->hash = hash_key_of_digest(w->digests[i]);
		job->slot = run_slot(job->plan, job->hash);
	}
	/* Then all places: see run_reserve(). */
	for (uint32_t i = 0; i < count; i++) {
		const struct job *job = &w->jobs[i];
		uint32_t bytes = record_bytes(append_origin(job), append_key_length(job), append_length(job));

		if (__builtin_expect(append_reserve(w, job->slot, bytes, append_moved(append_length(job)), &at[i]), 1)) {
			append_prefetch(at[i] + bytes, bytes);
			continue;
		}
		jobs_write(w, at, written, i);
		append(w, job->slot, job, w->keys[i].bytes, job->hash.upper);
		written = i + 1;
	}
	jobs_write(w, at, written, count);
	w->jobs_count = 0;
}

/* Queues a record behind those that wait for their keys' MD5. */
INLINE void jobs_queue(struct worker *w, const struct job *job, struct md5_key key)
{
	uint32_t i = w->jobs_count;

	w->jobs[i].payload = job->payload;
	w->jobs[i].origin = job->origin;
	w->jobs[i].sizes = job->sizes;
	w->jobs[i].labels = job->labels;
	w->jobs[i].plan = job->plan;
	w->jobs[i].hashed = job->hashed;
	if (job->hashed)
		w->jobs[i].hash = job->hash;
	w->keys[i] = key;
	w->jobs_count = i + 1;
	if (__builtin_expect(i + 1 == JOBS_MAX, 0))
		jobs_append(w);
}

/* A record whose hash key is known. `key` is stored as far as job->sizes says. */
INLINE void jobs_put_hashed(struct worker *w, struct job *job, struct md5_key key, struct hash_key hash)
{
	job->hashed = true;
	job->hash = hash;
	if (__builtin_expect(w->jobs_count == 0, 1))
		append(w, run_slot(job->plan, hash), job, key.bytes, hash.upper);
	else
		jobs_queue(w, job, key);
}

/* A record whose key is text to be hashed; but one shard takes everything, whatever the hash. */
INLINE void jobs_put_text(struct worker *w, struct job *job, struct md5_key key)
{
	if (__builtin_expect(job->plan->only_slot != PLAN_NO_SLOT, 0)) {
		jobs_put_hashed(w, job, key, (struct hash_key){0, 0});
		return;
	}
	job->hashed = false;
	jobs_queue(w, job, key);
}

INLINE void jobs_put_random(struct worker *w, struct job *job)
{
	struct hash_key hash = {key_random_next(&w->random), 0};

	job->labels |= append_key_kind(RECORD_KEY_HASH);
	jobs_put_hashed(w, job, (struct md5_key){NULL, 0}, hash);
}

/* Where a frame came from, as its records tell. */
struct source {
	const uint8_t *addresses;    /* or NULL */
	bool ports;                  /* common.origin is then its origin block */
	uint8_t family;
	struct frame_origin *origin; /* room for the address's text */
};

INLINE struct md5_key source_text(const struct source *source)
{
	struct frame_origin *o = source->origin;

	if (o->text_length == 0)
		o->text_length = (uint8_t)(source->family == RECORD_ORIGIN_IPV4 ? address4_text(source->addresses, o->text)
									     : address6_text(source->addresses, o->text));
	return (struct md5_key){(const uint8_t *)o->text, o->text_length};
}

/* One record of a rule of this kind: `common` has all but its own bytes and key. */
INLINE void jobs_put_record(struct worker *w, enum config_key kind, const struct source *source, struct job common,
		       const uint8_t *payload, uint32_t length)
{
	const struct key_rule *rule = &common.plan->key;
	struct md5_key key = {NULL, 0};
	bool stored;

	common.payload = payload;
	common.sizes |= length;
	switch (kind) {
	case KEY_CONSTANT:
		key = rule->constant;
		common.sizes |= (uint64_t)key.length << 32;
		common.labels |= append_key_kind(RECORD_KEY_STORED);
		jobs_put_hashed(w, &common, key, rule->constant_hash);
		return;
	case KEY_SOURCE:
		if (!source->addresses)
			break;
		key = source_text(source);
		/* A tap's record keeps no origin to read the text from again. */
		stored = append_origin(&common) == RECORD_ORIGIN_NONE;
		common.sizes |= stored ? (uint64_t)key.length << 32 : 0;
		common.labels |= append_key_kind(stored ? RECORD_KEY_STORED : RECORD_KEY_SOURCE);
		jobs_put_text(w, &common, key);
		return;
	case KEY_FLOW:
		if (!source->ports)
			break;
		common.labels |= append_key_kind(append_origin(&common) ? RECORD_KEY_FLOW : RECORD_KEY_HASH);
		jobs_put_hashed(w, &common, key, (struct hash_key){
			key_flow_hash(common.origin, record_origin_bytes(source->family)), 0});
		return;
	case KEY_FIELD:
		if (!key_field(payload, length, rule->separator, rule->field, &key))
			break;
		common.sizes |= (uint64_t)key.length << 32;
		common.labels |= append_key_kind(RECORD_KEY_STORED);
		jobs_put_text(w, &common, key);
		return;
	case KEY_RANDOM:
	default:
		break;
	}
	/* Random, or a record without what its rule asks for: it goes anywhere. */
	jobs_put_random(w, &common);
}

/* Cuts the bytes of a datagram or frame for an input into records and puts them into lanes or the queue to them; without a
 * `source` they are only counted. How many. */
INLINE uint64_t jobs_put_records(struct worker *w, uint8_t codec, enum config_key kind, const struct source *source,
				 const struct job *common, const uint8_t *bytes, uint32_t length, struct tally *tally)
{
	uint64_t records = length > 0, payload = length;

	if (codec != CODEC_LINES) {
		if (source && length > 0)
			jobs_put_record(w, kind, source, *common, bytes, length);
	} else {
		records = payload = 0;
		while (length > 0) {
			uint32_t consumed, count = split_lines(bytes, length, w->slices, SLICES_MAX, &consumed);

			for (uint32_t i = 0; i < count; i++) {
				payload += w->slices[i].length;
				if (source)
					jobs_put_record(w, kind, source, *common, bytes + w->slices[i].offset, w->slices[i].length);
			}
			records += count;
			bytes += consumed;
			length -= consumed;
		}
	}
	tally->frames++;
	tally->records += records;
	tally->bytes += payload;
	tally->accepted += records > 0;
	return records;
}

/* For an input whose stream does not exist (yet): the records are cut, to be counted. */
static __attribute__((cold, noinline)) void jobs_refuse(struct worker *w, const struct plan_input *plan,
							const uint8_t *bytes, uint32_t length, struct tally *tally)
{
	uint64_t records = jobs_put_records(w, plan->codec, plan->key.kind, NULL, NULL, bytes, length, tally);

	ledger_add(&w->ledger, RECORD_NO_STREAM, records);
	ledger_add(&w->ledger, input_word(plan->index, INPUT_REFUSED), records);
}
