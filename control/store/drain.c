// The drain thread: lanes to batches to disk, for all shards, in turn.
#include <time.h>

#include "control/store/files.h"
#include "control/store/shard.h"

#define POLL_BUSY_NS 200000ull
#define POLL_IDLE_NS 1000000ull
#define POLL_DETACHED_NS 5000000ull
#define BUSY_NS 20000000ull /* this long after the last record, the next one is waited for more closely */
#define RETENTION_NS 500000000ull
#define REST_NS 2000000000ull /* an idle shard gives its buffers back */

static void see_epochs(struct store *store)
{
	for (uint32_t w = 0; w < store->workers; w++) {
		/* Partner: the release store in ledger_commit(). What is committed later moves it again. */
		uint64_t epoch = atomic_load_explicit(&store->ledgers[w]->epoch, memory_order_acquire);

		store->moved[w] = epoch != store->epochs[w];
		store->epochs[w] = epoch;
	}
}

static void serve(struct shard *shard, uint64_t now)
{
	struct store *store = shard->store;

	if (shard->puts || (shard->open && shard->open->puts))
		put_gather(shard, now);
	if (store->region)
		gather(shard, now);
	if (shard->open && shard->flights_count == 0 &&
	    (!store->region || shard->open->generation != shard->generation))
		commit_close(shard);
	commit_step(shard, now);
	if (shard->open || shard->flights_count)
		shard->idle_ns = now;
	else if (now - shard->idle_ns > REST_NS)
		commit_rest(shard);
	if (now - shard->idle_ns < BUSY_NS)
		store->busy = true;
}

static void take_ended(struct write_job *ended)
{
	while (ended) {
		struct write_job *next = ended->next;
		struct buffer *b = ended->owner;

		b->done = true;
		commit_step(b->shard, files_monotonic_ns());
		ended = next;
	}
}

static void turn(struct store *store)
{
	uint64_t now = files_monotonic_ns();
	bool expire = now - store->retention_ns > RETENTION_NS;

	store->busy = false;
	if (store->region)
		see_epochs(store);
	for (struct shard *shard = store->shards; shard; shard = shard->next) {
		serve(shard, now);
		if (expire)
			retention_run(shard);
	}
	if (expire)
		store->retention_ns = now;
}

static bool any_writing(const struct store *store)
{
	for (const struct shard *shard = store->shards; shard; shard = shard->next)
		if (commit_writing(shard))
			return true;
	return false;
}

void *drain_run(void *arg)
{
	struct store *store = arg;
	const struct timespec moment = {.tv_nsec = 50000};
	struct write_job *ended = NULL;
	uint64_t wait_ns;
	bool stopping = false;

	for (;;) {
		pthread_mutex_lock(&store->drain_lock);
		take_ended(ended);
		stopping = atomic_load(&store->stop);
		if (stopping && !any_writing(store))
			break;
		if (!stopping)
			turn(store);
		wait_ns = store->busy ? POLL_BUSY_NS : store->region ? POLL_IDLE_NS : POLL_DETACHED_NS;
		pthread_mutex_unlock(&store->drain_lock);
		while (atomic_load(&store->callers) > 0)
			nanosleep(&moment, NULL);
		ended = writer_wait(store->writer, wait_ns);
	}
	pthread_mutex_unlock(&store->drain_lock);
	return NULL;
}
