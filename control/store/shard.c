// A shard's list of segments, what is known of them, and its counts.
#include "control/store/shard.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"

#define DAMAGES_MAX 4096u

/* Retention takes whole files: several must fit, or nothing could ever go. */
static uint64_t file_bytes(const struct store *store, uint64_t retention_bytes)
{
	uint64_t bytes = store->options.segment_bytes;

	if (retention_bytes && retention_bytes / 8 < bytes)
		bytes = retention_bytes / 8;
	return bytes > store->options.batch_bytes ? bytes : store->options.batch_bytes;
}

int shard_set_retention(struct shard *shard, uint64_t seconds, uint64_t bytes)
{
	int error;

	store_hold(shard->store);
	pthread_mutex_lock(&shard->lock);
	error = shard->removed ? -ESTALE : 0;
	if (!error) {
		shard->identity.retention_seconds = seconds;
		shard->identity.retention_bytes = bytes;
		shard->segment_bytes = file_bytes(shard->store, bytes);
	}
	pthread_mutex_unlock(&shard->lock);
	store_let_go(shard->store);
	return error;
}

struct shard *shard_new(struct store *store, const struct shard_identity *identity)
{
	struct shard *shard = calloc(1, sizeof *shard);
	pthread_condattr_t attributes;

	if (!shard)
		return NULL;
	shard->store = store;
	shard->identity = *identity;
	shard->segment_bytes = file_bytes(store, identity->retention_bytes);
	shard->writable = true;
	for (uint32_t i = 0; i < BUFFERS; i++)
		shard->buffers[i].shard = shard;
	shard->active.fd = shard->active.index.fd = -1;
	shard->leaving.fd = shard->leaving.index.fd = -1;
	shard->durable_sequence = shard->next_sequence = 1;
	pthread_mutex_init(&shard->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&shard->durable, &attributes);
	pthread_condattr_destroy(&attributes);
	return shard;
}

void shard_free(struct shard *shard)
{
	active_abandon(shard, &shard->leaving);
	active_abandon(shard, &shard->active);
	for (uint32_t i = 0; i < BUFFERS; i++)
		buffer_release(&shard->buffers[i]);
	pthread_cond_destroy(&shard->durable);
	pthread_mutex_destroy(&shard->lock);
	free(shard->segments);
	free(shard->damages);
	free(shard);
}

int shard_add_segment(struct shard *shard, const struct segment *segment)
{
	struct segment *last = shard->segments_count ? &shard->segments[shard->segments_count - 1] : NULL;

	if (last && last->first_sequence == segment->first_sequence) {
		*last = *segment;
		return 0;
	}
	if (shard->segments_count == shard->segments_capacity) {
		uint32_t more = shard->segments_capacity ? shard->segments_capacity * 2 : 16;
		struct segment *bigger = realloc(shard->segments, more * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		shard->segments = bigger;
		shard->segments_capacity = more;
	}
	shard->segments[shard->segments_count++] = *segment;
	return 0;
}

uint32_t shard_find_segment(const struct shard *shard, uint64_t sequence)
{
	uint32_t low = 0, high = shard->segments_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (shard->segments[middle].first_sequence <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

/* The segment with exactly this first sequence, or NULL. Under the lock. */
static struct segment *find_exact(struct shard *shard, uint64_t first_sequence)
{
	struct segment *s;

	if (shard->segments_count == 0)
		return NULL;
	s = &shard->segments[shard_find_segment(shard, first_sequence)];
	return s->first_sequence == first_sequence ? s : NULL;
}

/* Reads header, first batch and what lies behind the last index entry of a sealed file. */
static int read_segment(struct shard *shard, struct segment *s, uint64_t bound)
{
	struct segment_header header;
	const struct index_entry *last;
	struct index index = {0};
	struct walk walk;
	int fd = segment_open(shard->directory, s->first_sequence, false), result;
	bool first = true;

	if (fd < 0)
		return fd;
	if (files_read(fd, &header, sizeof header, 0) == (ssize_t)sizeof header && segment_header_valid(&header))
		s->records_before = header.records_before;
	walk_init(&walk, fd, SEGMENT_DATA, s->bytes, s->first_sequence, s->records_before);
	walk.bound = bound;
	s->arrival_max_ns = s->newest_ns = s->oldest_ns = 0;
	while ((result = walk_next(&walk, false)) > 0) {
		if (result == WALK_DAMAGE)
			continue;
		if (walk.batch.last_arrival_ns > s->arrival_max_ns)
			s->arrival_max_ns = walk.batch.last_arrival_ns;
		if (walk.batch.stored_ns > s->newest_ns)
			s->newest_ns = walk.batch.stored_ns;
		if (!first)
			continue;
		first = false;
		s->oldest_ns = walk.batch.stored_ns;
		if (s->records_before == RECORDS_UNKNOWN)
			s->records_before = walk.batch.records_before;
		result = index_complete(shard->directory, s->first_sequence, walk.batch.records_before, s->bytes, bound,
					&index);
		last = !result && index.count ? &index.entries[index.count - 1] : NULL;
		if (last && last->offset > walk.at) {
			s->arrival_max_ns = last->arrival_before_ns;
			s->newest_ns = last->stored_ns;
			walk.offset = last->offset;
			walk.sequence = last->first_sequence;
			walk.records = last->records_before;
		}
		index_free(&index);
	}
	walk_close(&walk);
	close(fd);
	return result;
}

int shard_learn(struct shard *shard, uint64_t first_sequence)
{
	struct segment copy, *s;
	uint64_t bound;
	int error;

	pthread_mutex_lock(&shard->lock);
	s = find_exact(shard, first_sequence);
	if (!s || s->learned) {
		pthread_mutex_unlock(&shard->lock);
		return s ? 0 : -ENOENT;
	}
	copy = *s;
	bound = s + 1 < shard->segments + shard->segments_count ? s[1].first_sequence : UINT64_MAX;
	pthread_mutex_unlock(&shard->lock);
	error = read_segment(shard, &copy, bound);
	pthread_mutex_lock(&shard->lock);
	s = find_exact(shard, first_sequence);
	if (!error && s && !s->learned) {
		copy.lost_records = s->lost_records;
		copy.dated = s->dated && copy.newest_ns == 0;
		if (copy.dated)
			copy.newest_ns = s->newest_ns;
		copy.learned = true;
		*s = copy;
	}
	error = s ? error : -ENOENT;
	pthread_mutex_unlock(&shard->lock);
	return error;
}

bool shard_report_damage(struct shard *shard, uint64_t segment, uint64_t first_sequence, uint64_t sequences,
			 uint64_t records)
{
	struct damage *bigger;
	struct segment *s;
	bool is_new = true;

	pthread_mutex_lock(&shard->lock);
	for (uint32_t i = 0; i < shard->damages_count && is_new; i++)
		is_new = shard->damages[i].first_sequence != first_sequence;
	s = find_exact(shard, segment);
	bigger = is_new && s && shard->damages_count < DAMAGES_MAX
			 ? realloc(shard->damages, (shard->damages_count + 1) * sizeof *bigger)
			 : NULL;
	if (bigger) {
		shard->damages = bigger;
		shard->damages[shard->damages_count++] = (struct damage){first_sequence, segment};
		s->lost_records += records;
	}
	pthread_mutex_unlock(&shard->lock);
	if (bigger)
		log_error(
			"shard %s/%u: a batch of segment %020llu is damaged: %llu records from sequence %llu on (%llu "
			"sequences) are lost; readers get a gap",
			shard->identity.stream, shard->identity.number, (unsigned long long)segment,
			(unsigned long long)records, (unsigned long long)first_sequence, (unsigned long long)sequences);
	return bigger != NULL;
}

void shard_show_marks(struct shard *shard)
{
	uint64_t records = 0;

	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		records += shard->lanes[w].durable.records;
	pthread_mutex_lock(&shard->lock);
	shard->lane_generation = shard->generation;
	shard->lane_records = records;
	pthread_mutex_unlock(&shard->lock);
}

void shard_queue_gap(struct shard *shard, const struct gap *gap)
{
	struct gap *last;

	if (shard->pending_count < GAPS_PENDING_MAX) {
		shard->pending[shard->pending_count++] = *gap;
		return;
	}
	last = &shard->pending[shard->pending_count - 1];
	if (last->count == GAP_COUNT_UNKNOWN || gap->count == GAP_COUNT_UNKNOWN)
		last->count = GAP_COUNT_UNKNOWN;
	else
		last->count += gap->count;
	last->bytes += gap->bytes;
	last->last_ns = gap->last_ns;
}

void shard_destroy(struct shard *shard)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	char *slash;

	if (snprintf(path, sizeof path, "%s.removed", shard->directory) >= (int)sizeof path)
		path[0] = 0;
	directory = opendir(path);
	while (directory && (entry = readdir(directory)) != NULL) {
		char file[PATH_MAX];

		if (entry->d_name[0] != '.' && files_join(file, path, entry->d_name) == 0)
			files.unlink(file);
	}
	if (directory)
		closedir(directory);
	if (rmdir(path) != 0 && errno != ENOENT)
		log_warning("store: cannot delete %s: %s", path, strerror(errno));
	slash = strrchr(path, '/');
	if (slash) {
		*slash = 0;
		rmdir(path); /* the stream's, when this was its last shard */
	}
	shard_free(shard);
}

void shard_get_status(struct shard *shard, struct shard_status *out)
{
	const struct segment *first, *last;
	uint64_t before = 0, lost = 0;

	memset(out, 0, sizeof *out);
	pthread_mutex_lock(&shard->lock);
	first = shard->segments;
	last = first ? first + shard->segments_count : first; /* without segments there is no array */
	out->next_sequence = shard->next_sequence;
	out->durable_sequence = shard->durable_sequence;
	out->stored_records = shard->stored_records;
	out->put_records = shard->put_durable.records;
	out->gaps = shard->gaps;
	out->gap_records = shard->gap_records;
	out->lane_gap_records = shard->lane_gap_records;
	out->expired_early_records = shard->expired_early;
	out->segments = shard->segments_count;
	out->writable = shard->writable;
	out->generation = shard->lane_generation;
	out->lane_records = shard->lane_records;
	for (const struct segment *s = first; s < last; s++) {
		out->retained_bytes += s->bytes;
		lost += s->lost_records;
	}
	out->trim_sequence = first < last ? first->first_sequence : shard->durable_sequence;
	if (first < last && first->records_before != RECORDS_UNKNOWN)
		before = first->records_before;
	else if (first == last)
		before = shard->stored_records;
	out->lost_records = lost + shard->expired_lost;
	out->expired_records = before - shard->expired_lost;
	out->retained_records = shard->stored_records - before - lost;
	if (out->retained_records > 0 || (first < last && first->oldest_ns)) {
		out->oldest_ns = first < last ? first->oldest_ns : 0;
		out->newest_ns = shard->last_stored_ns;
	}
	pthread_mutex_unlock(&shard->lock);
}

int shard_wait(struct shard *shard, uint64_t sequence, uint32_t timeout_ms)
{
	uint64_t until = files_monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
	struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
	int there;

	pthread_mutex_lock(&shard->lock);
	while (shard->durable_sequence <= sequence && !shard->removed &&
	       pthread_cond_timedwait(&shard->durable, &shard->lock, &deadline) == 0)
		;
	there = shard->durable_sequence > sequence || shard->removed;
	pthread_mutex_unlock(&shard->lock);
	return there;
}

uint64_t shard_get_marks(struct shard *shard, struct lane_mark *marks)
{
	uint64_t generation;

	store_hold(shard->store);
	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		marks[w] = shard->lanes[w].durable;
	generation = shard->generation;
	store_let_go(shard->store);
	return generation;
}
