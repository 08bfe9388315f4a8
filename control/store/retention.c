// Retention: whole segments go, oldest first, when they are too old or there are too many bytes.
#include <errno.h>
#include <string.h>

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
	if (most && s->learned && now > most && s->newest_ns < now - most)
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
	if (why == 'b' && s->newest_ns + promised > now && after != RECORDS_UNKNOWN)
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
	uint64_t first, second = 0;
	bool last;
	char why;

	pthread_mutex_lock(&shard->lock);
	why = shard->segments_count ? verdict(shard, now, retained_bytes(shard)) : 0;
	last = shard->segments_count == 1;
	first = why ? shard->segments[0].first_sequence : 0;
	second = why && !last ? shard->segments[1].first_sequence : 0;
	pthread_mutex_unlock(&shard->lock);
	if (!why)
		return 0;
	/* Something must keep the next sequence and the lanes' marks. */
	if (last && (shard->open || shard->flights_count || shard->pending_count || active_write_floor(shard) != 0))
		return 0;
	if ((second && shard_learn(shard, second) != 0) || shard_learn(shard, first) != 0)
		log_warning("shard %s/%u: cannot read segment %020llu, which expires", shard->identity.stream,
			    shard->identity.number, (unsigned long long)first);
	pthread_mutex_lock(&shard->lock);
	first = take_oldest(shard, why, now);
	pthread_mutex_unlock(&shard->lock);
	unlink_segment(shard, first);
	return 1;
}

void retention_run(struct shard *shard)
{
	uint64_t now = files.now_ns(), oldest = 0;
	bool learned = true;

	end_old_file(shard, now);
	pthread_mutex_lock(&shard->lock);
	if (shard->segments_count) {
		oldest = shard->segments[0].first_sequence;
		learned = shard->segments[0].learned;
	}
	pthread_mutex_unlock(&shard->lock);
	if (!learned)
		shard_learn(shard, oldest);
	while (expire_one(shard, now))
		;
}
