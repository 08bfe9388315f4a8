// Finding a place in a shard by time or by count.
#include <errno.h>
#include <unistd.h>

#include "control/store/files.h"
#include "control/store/shard.h"

/* The first segment from `sequence` on (by its name), or with `any` the one it lies in. False when there is none. */
static bool next_segment(struct shard *shard, uint64_t sequence, struct segment *out, uint64_t *bound)
{
	bool found = false;

	pthread_mutex_lock(&shard->lock);
	for (uint32_t i = shard->segments_count ? shard_find_segment(shard, sequence) : 0; i < shard->segments_count;
	     i++) {
		if (shard->segments[i].first_sequence < sequence)
			continue;
		*out = shard->segments[i];
		*bound = i + 1 < shard->segments_count ? shard->segments[i + 1].first_sequence : UINT64_MAX;
		found = true;
		break;
	}
	pthread_mutex_unlock(&shard->lock);
	return found;
}

/* The first batch of this segment with an arrival at or after `ns`. 1, 0 or -errno. */
static int find_in_segment(struct shard *shard, const struct segment *s, uint64_t bound, uint64_t ns,
			   uint64_t *sequence)
{
	const struct index_entry *e = NULL;
	struct index index = {0};
	struct walk walk;
	int result, fd = segment_open(shard->directory, s->first_sequence, false);

	if (fd < 0)
		return fd;
	result = s->active ? index_load(shard->directory, s->first_sequence, &index)
			   : index_complete(shard->directory, s->first_sequence, s->records_before, s->bytes, bound,
					    &index);
	if (result == 0)
		e = index_find_arrival(&index, ns);
	walk_init(&walk, fd, e ? e->offset : SEGMENT_DATA, s->bytes, e ? e->first_sequence : s->first_sequence,
		  e ? e->records_before : s->records_before);
	walk.bound = bound;
	index_free(&index);
	while ((result = walk_next(&walk, false)) > 0) {
		if (result == WALK_BATCH && walk.batch.last_arrival_ns >= ns) {
			*sequence = walk.batch.first_sequence;
			break;
		}
	}
	walk_close(&walk);
	close(fd);
	return result > 0 ? 1 : result;
}

/* A segment that can be looked at: 0; -ENOENT it has expired; -errno nothing can be said of it. */
static int know_segment(struct shard *shard, struct segment *s, uint64_t *bound)
{
	uint64_t first = s->first_sequence;
	int error = s->learned ? 0 : shard_learn(shard, first);

	if (error || s->learned)
		return error;
	return next_segment(shard, first, s, bound) && s->first_sequence == first ? 0 : -ENOENT;
}

/*
 * What cannot be read may hold that time: then its beginning is the answer, and whoever reads on is told by a gap and
 * passes over what is older. Unless one that follows it is older still: records come about in the order they arrived.
 */
static bool find_time(struct shard *shard, uint64_t ns, uint64_t *sequence)
{
	uint64_t from = 0, found = 0, bound;
	bool unreadable = false;
	struct segment s;
	int result;

	while (next_segment(shard, from, &s, &bound)) {
		from = s.first_sequence + 1;
		result = know_segment(shard, &s, &bound);
		if (result == 0 && s.arrival_max_ns < ns) {
			unreadable = false;
			continue;
		}
		if (result == 0)
			result = find_in_segment(shard, &s, bound, ns, &found);
		if (result == 0 || result == -ENOENT)
			continue;
		if (!unreadable)
			*sequence = result > 0 ? found : s.first_sequence;
		if (result > 0)
			return true;
		unreadable = true;
	}
	return unreadable;
}

int shard_find_time(struct shard *shard, uint64_t ns, uint64_t *sequence)
{
	bool found = find_time(shard, ns, sequence), removed;

	pthread_mutex_lock(&shard->lock);
	if (!found)
		*sequence = shard->durable_sequence;
	removed = shard->removed;
	pthread_mutex_unlock(&shard->lock);
	return removed ? -ESTALE : 0;
}

static uint64_t count_data(const struct store_batch *b, uint64_t sequences)
{
	uint64_t records = 0;
	size_t at = 0;

	for (uint64_t n = 0; n < sequences && at < b->length; n++) {
		const struct record *r = (const struct record *)(b->bytes + at);
		uint32_t bytes = record_check(r, b->length - at);

		if (bytes == 0)
			break;
		records += record_is_data(r);
		at += bytes;
	}
	return records;
}

int shard_records_before(struct shard *shard, uint64_t sequence, uint64_t *records)
{
	struct shard_reader *reader;
	struct store_batch b;
	int result = shard_reader_open(shard, &reader);

	if (result)
		return result;
	result = shard_read(reader, sequence, &b);
	if (result > 0) {
		*records = b.records_before;
		if (sequence > b.first_sequence)
			*records += count_data(&b, sequence - b.first_sequence);
	} else if (result == 0) {
		pthread_mutex_lock(&shard->lock);
		*records = shard->stored_records;
		pthread_mutex_unlock(&shard->lock);
	}
	shard_reader_close(reader);
	return result < 0 ? result : 0;
}
