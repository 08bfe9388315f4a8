// Records that penstockd itself appends: its own lane into a shard.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/store/files.h"
#include "control/store/shard.h"

struct put { /* one call, until its records are in the open batch */
	const uint8_t *bytes; /* the caller's, who waits */
	size_t length;
	uint32_t records;
	uint64_t first_arrival_ns, last_arrival_ns;
	uint64_t mark;
	bool placed;           /* (l) with what follows: the drain is done with it */
	uint64_t records_then; /* data records put into the shard up to and with these */
	struct put *next;
};

/* Whole data records from end to end, and what a batch wants to know of them. */
static bool look(struct put *p)
{
	p->first_arrival_ns = UINT64_MAX;
	for (size_t at = 0; at < p->length;) {
		const struct record *r = (const struct record *)(p->bytes + at);
		uint32_t bytes = record_check(r, p->length - at);

		if (bytes == 0 || r->kind == RECORD_GAP)
			return false;
		if (r->arrival_ns < p->first_arrival_ns)
			p->first_arrival_ns = r->arrival_ns;
		if (r->arrival_ns > p->last_arrival_ns)
			p->last_arrival_ns = r->arrival_ns;
		p->records++;
		at += bytes;
	}
	return p->records > 0;
}

/* All in one batch, so that a crash keeps all or none. */
static void place(struct shard *shard, struct put *p)
{
	struct buffer *b = shard->open;

	shard->put.records += p->records;
	if (p->mark)
		shard->put.position = p->mark;
	memcpy(buffer_end(b), p->bytes, p->length);
	buffer_add_put(b, p->length, p->records, shard->put);
	buffer_see_arrival(b, p->first_arrival_ns);
	buffer_see_arrival(b, p->last_arrival_ns);
	pthread_mutex_lock(&shard->lock);
	p->records_then = shard->put.records;
	p->placed = true;
	pthread_mutex_unlock(&shard->lock);
}

void put_gather(struct shard *shard, uint64_t now)
{
	struct store *store = shard->store;

	while (shard->puts) {
		struct put *p = shard->puts;

		if (!shard->open && !gather_open(shard, now))
			return;
		if (shard->open->generation != shard->generation)
			return; /* the rest of a region that is gone: written first */
		if (buffer_room(shard->open) < p->length || !buffer_spans_left(shard->open, store->workers + 4)) {
			if (shard->flights_count == FLIGHTS_MAX)
				return;
			commit_close(shard);
			continue;
		}
		shard->puts = p->next; /* before it is placed: from then on it may be gone */
		place(shard, p);
	}
	/* What lanes bring is closed by gather(); where there are none, or nothing comes, nobody else would close it. */
	if (shard->open && shard->open->puts && shard->flights_count == 0 &&
	    now - shard->open->opened_ns >= store->options.commit_ms * 1000000ull)
		commit_close(shard);
}

/* Puts it behind those that wait already. Drain held. */
static void queue(struct shard *shard, struct put *p)
{
	struct put **end = &shard->puts;

	while (*end)
		end = &(*end)->next;
	*end = p;
}

static void take_back(struct shard *shard, const struct put *p)
{
	struct put **link = &shard->puts;

	while (*link && *link != p)
		link = &(*link)->next;
	if (*link)
		*link = p->next;
}

/* Under the lock: until `records` put records are durable, those of `p` once it is placed. 0, -ESTALE or -ETIMEDOUT. */
static int await(struct shard *shard, const struct put *p, uint64_t records, const struct timespec *until)
{
	int error = 0;

	while (!shard->removed && (p ? !p->placed || shard->put_durable.records < p->records_then :
					shard->put_durable.records < records)) {
		error = pthread_cond_timedwait(&shard->durable, &shard->lock, until);
		if (error)
			return -error;
	}
	return shard->removed ? -ESTALE : 0;
}

static struct timespec deadline(uint32_t timeout_ms)
{
	uint64_t until = files_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;

	return (struct timespec){.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
}

int store_put(struct shard *shard, const void *records, size_t length, uint64_t mark, uint32_t timeout_ms)
{
	struct put p = {.bytes = records, .length = length, .mark = mark};
	struct timespec until = deadline(timeout_ms);
	uint64_t known = 0;
	bool done;
	int error;

	if (length > shard->store->options.batch_bytes)
		return -EMSGSIZE;
	if (!look(&p))
		return -EINVAL;
	store_hold(shard->store);
	done = mark && mark <= shard->put.position;
	if (done)
		known = shard->put.records;
	else
		queue(shard, &p);
	store_let_go(shard->store);
	pthread_mutex_lock(&shard->lock);
	error = await(shard, done ? NULL : &p, known, &until);
	pthread_mutex_unlock(&shard->lock);
	if (done)
		return error == -ETIMEDOUT ? -EINPROGRESS : error ? error : -EALREADY;
	if (!error)
		return 0;
	store_hold(shard->store);
	take_back(shard, &p);
	if (p.placed)
		error = error == -ETIMEDOUT ? -EINPROGRESS : error;
	store_let_go(shard->store);
	return error;
}

uint64_t shard_put_mark(struct shard *shard)
{
	uint64_t mark;

	pthread_mutex_lock(&shard->lock);
	mark = shard->put_durable.position;
	pthread_mutex_unlock(&shard->lock);
	return mark;
}
