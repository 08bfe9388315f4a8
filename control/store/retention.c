// Retention: whole segments go, oldest first, when they are too old or there are too many bytes.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

/* Ends an active file that holds old records and gets no new ones, so that they can expire. */
static void end_old_file(struct shard *shard, uint64_t now)
{
	uint64_t part = shard->identity.retention_seconds * 1000000000u / AGE_ROLL_PART;

	if (shard->active.fd >= 0 && !shard->flights_count && part && now > shard->active.created_ns + part)
		active_seal(shard, &shard->active);
}

/* Why the oldest segment must go: 't' too old, 'b' too many bytes, 0 it stays. Under the lock. */
static char verdict(const struct shard *shard, uint64_t now, uint64_t bytes)
{
	const struct segment *s = shard->segments;
	uint64_t most = shard->identity.retention_seconds * 1000000000u;

	if (s->active || (shard->segments_count == 1 && s->newest_ns == 0))
		return 0; /* the active one, or the empty one that keeps the next sequence */
	if (most && (s->learned || s->dated) && s->newest_ns && now > most && s->newest_ns < now - most)
		return 't';
	return shard->identity.retention_bytes && bytes > shard->identity.retention_bytes ? 'b' : 0;
}

static void unlink_segment(struct shard *shard, uint64_t first_sequence)
{
	char path[PATH_MAX];
	int error = segment_path(path, shard->directory, first_sequence, SEGMENT_SUFFIX);

	/* The index last: without its segment, recovery takes it away. */
	if (!error)
		error = files.unlink(path);
	if (error)
		log_warning("shard %s/%u: cannot delete expired segment %020llu: %s", shard->identity.stream,
			    shard->identity.number, (unsigned long long)first_sequence, strerror(-error));
	if (segment_path(path, shard->directory, first_sequence, INDEX_SUFFIX) == 0)
		files.unlink(path);
}

static uint64_t retained_bytes(const struct shard *shard)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < shard->segments_count; i++)
		bytes += shard->segments[i].bytes;
	return bytes;
}

/* Takes the oldest segment out of the list and counts what went with it. Under the lock. */
static uint64_t take_oldest(struct shard *shard, char why, uint64_t now)
{
	struct segment *s = shard->segments;
	uint64_t first = s->first_sequence, promised = shard->identity.retention_seconds * 1000000000u, after, kept = 0;

	after = shard->segments_count > 1 ? s[1].records_before : shard->stored_records;
	shard->expired_lost += s->lost_records;
	if (why == 'b' && s->newest_ns + promised > now && after != RECORDS_UNKNOWN &&
	    s->records_before != RECORDS_UNKNOWN)
		shard->expired_early += after - s->records_before - s->lost_records;
	for (uint32_t i = 0; i < shard->damages_count; i++)
		if (shard->damages[i].segment != first)
			shard->damages[kept++] = shard->damages[i];
	shard->damages_count = (uint32_t)kept;
	memmove(s, s + 1, --shard->segments_count * sizeof *s);
	return first;
}

/* 1 when the oldest segment went. */
static int expire_one(struct shard *shard, uint64_t now)
{
	uint64_t first, second;
	bool last;
	char why;

	pthread_mutex_lock(&shard->lock);
	why = shard->segments_count ? verdict(shard, now, retained_bytes(shard)) : 0;
	last = shard->segments_count == 1;
	second = why && !last ? shard->segments[1].first_sequence : 0;
	pthread_mutex_unlock(&shard->lock);
	if (!why)
		return 0;
	/* Something must keep the next sequence and the lanes' marks. */
	if (last && (shard->open || shard->flights_count || shard->pending_count || active_write_floor(shard) != 0))
		return 0;
	if (second)
		shard_learn(shard, second); /* its count of records is where the shard begins from now on */
	pthread_mutex_lock(&shard->lock);
	first = take_oldest(shard, why, now);
	pthread_mutex_unlock(&shard->lock);
	unlink_segment(shard, first);
	return 1;
}

/* When the file was written to last; now, when even that cannot be had: then its time begins here. */
static uint64_t file_time(const struct shard *shard, uint64_t first_sequence, uint64_t now)
{
	char path[PATH_MAX];
	struct stat file;

	if (segment_path(path, shard->directory, first_sequence, SEGMENT_SUFFIX) != 0 || stat(path, &file) != 0)
		return now;
	return (uint64_t)file.st_mtim.tv_sec * 1000000000u + (uint64_t)file.st_mtim.tv_nsec;
}

/*
 * The oldest segment does not tell its age: it cannot be read, or no batch in it can. What it holds is not younger than
 * the start of the next one. Neither may it stop the shard's retention, nor go before its time.
 */
static void date_oldest(struct shard *shard, uint64_t first, uint64_t second, int error, uint64_t now)
{
	uint64_t newest = 0;

	if (second)
		shard_learn(shard, second);
	pthread_mutex_lock(&shard->lock);
	if (second && shard->segments_count > 1 && shard->segments[1].first_sequence == second)
		newest = shard->segments[1].oldest_ns;
	pthread_mutex_unlock(&shard->lock);
	if (newest == 0)
		newest = file_time(shard, first, now);
	if (newest > now)
		newest = now;
	pthread_mutex_lock(&shard->lock);
	if (shard->segments_count && shard->segments[0].first_sequence == first && !shard->segments[0].dated) {
		shard->segments[0].newest_ns = newest;
		shard->segments[0].dated = true;
	}
	pthread_mutex_unlock(&shard->lock);
	if (error)
		log_warning("shard %s/%u: segment %020llu cannot be read: %s; it expires with what follows it",
			    shard->identity.stream, shard->identity.number, (unsigned long long)first, strerror(-error));
}

/* Makes sure that the oldest segment has a time to be judged by. */
static void learn_oldest(struct shard *shard, uint64_t now)
{
	uint64_t first = 0, second = 0;
	bool ready = true, empty;
	int error;

	pthread_mutex_lock(&shard->lock);
	if (shard->segments_count) {
		const struct segment *s = shard->segments;

		first = s->first_sequence;
		second = shard->segments_count > 1 ? s[1].first_sequence : 0;
		ready = s->active || s->dated || (s->learned && (s->newest_ns || !second));
	}
	pthread_mutex_unlock(&shard->lock);
	if (ready)
		return;
	error = shard_learn(shard, first);
	pthread_mutex_lock(&shard->lock);
	empty = shard->segments_count && shard->segments[0].first_sequence == first &&
		shard->segments[0].newest_ns == 0;
	pthread_mutex_unlock(&shard->lock);
	if (empty)
		date_oldest(shard, first, second, error, now);
}

void retention_run(struct shard *shard)
{
	uint64_t now = files.now_ns();

	end_old_file(shard, now);
	do
		learn_oldest(shard, now);
	while (expire_one(shard, now));
}
