// Records on their way to lanes: keys hashed together, as in jobs.h, but each record to a stream of its own.
#include "dataplane/append.h"
#include "dataplane/refiner.h"

/* Hashes the keys of the jobs that wait for it, as many at once as the vectors take. */
static void hash_keys(struct refiner *r)
{
	uint16_t of[JOBS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->jobs_count; i++)
		if (!r->jobs[i].hashed) {
			r->waiting[count] = r->keys[i];
			of[count++] = (uint16_t)i;
		}
	if (count == 0)
		return;
	md5_batch(r->waiting, count, r->digests);
	for (uint32_t i = 0; i < count; i++)
		r->jobs[of[i]].hash = hash_key_of_digest(r->digests[i]);
}

static void count_fate(struct worker *w, uint8_t fate)
{
	if (fate & REFINE_DEAD)
		ledger_add(&w->ledger, WORKER_DEAD_LETTERS, 1);
	if (fate & REFINE_ROUTED)
		ledger_add(&w->ledger, WORKER_ROUTED, 1);
	if (fate & REFINE_TAGGED)
		ledger_add(&w->ledger, WORKER_TAGGED, 1);
}

void refine_append_jobs(struct worker *w)
{
	struct refiner *r = w->refiner;

	hash_keys(r);
	for (uint32_t i = 0; i < r->jobs_count; i++) {
		const struct refine_target *target = r->targets[i];
		struct hash_key hash = r->jobs[i].hash;

		r->jobs[i].slot = target->only_slot != PLAN_NO_SLOT
					  ? target->only_slot
					  : route_find(target->router, hash.upper, hash.lower);
	}
	for (uint32_t i = 0; i < r->jobs_count; i++)
		if (append(w, r->jobs[i].slot, &r->jobs[i], r->stored[i], r->jobs[i].hash.upper))
			count_fate(w, r->fates[i]);
	r->jobs_count = r->keys_used = r->dead_used = 0;
}

void refine_queue(struct worker *w, const struct refine_target *target, const struct job *job, struct md5_key key,
		  const uint8_t *stored, uint8_t fate)
{
	struct refiner *r = w->refiner;
	uint32_t i = r->jobs_count;

	if (!target->router) {
		refine_drop(w, job->plan, RECORD_NO_STREAM);
		return;
	}
	r->jobs[i] = *job;
	if (!job->hashed && target->only_slot != PLAN_NO_SLOT) {
		/* One shard takes everything, whatever the hash. */
		r->jobs[i].hashed = true;
		r->jobs[i].hash = (struct hash_key){0, 0};
	}
	r->targets[i] = target;
	r->keys[i] = key;
	r->stored[i] = stored;
	r->fates[i] = fate;
	r->jobs_count = i + 1;
	if (i + 1 == JOBS_MAX)
		refine_append_jobs(w);
}
