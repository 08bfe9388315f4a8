// What a shard finds on disk when it starts: names and sizes of all segments, the batches at the end of the last.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define SEQUENCE_JUMP (1ull << 20)

static int compare_segments(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	return x->first_sequence < y->first_sequence ? -1 : x->first_sequence > y->first_sequence;
}

static bool has_segment(const struct shard *shard, uint64_t first_sequence)
{
	return shard->segments_count &&
	       shard->segments[shard_find_segment(shard, first_sequence)].first_sequence == first_sequence;
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

/* Takes up one directory entry; half-made files go. */
static int take_name(struct shard *shard, DIR *directory, const char *name)
{
	struct segment segment = {.records_before = RECORDS_UNKNOWN};
	char path[PATH_MAX];
	struct stat file;

	if (ends_with(name, TEMPORARY_SUFFIX) && files_join(path, shard->directory, name) == 0)
		files.unlink(path);
	if (!segment_parse_name(name, SEGMENT_SUFFIX, &segment.first_sequence))
		return 0;
	if (fstatat(dirfd(directory), name, &file, 0) != 0)
		return -errno;
	if (!S_ISREG(file.st_mode)) {
		log_error("shard %s/%u: %s/%s is not a file: put the segment back, or take it away", shard->identity.stream,
			  shard->identity.number, shard->directory, name);
		return S_ISDIR(file.st_mode) ? -EISDIR : -EINVAL;
	}
	segment.bytes = (uint64_t)file.st_size;
	if (shard->segments_count &&
	    shard->segments[shard->segments_count - 1].first_sequence == segment.first_sequence)
		return 0;
	return shard_add_segment(shard, &segment);
}

/*
 * Says of a segment whose header names another stream or shard that it does not belong here, and puts it aside, so that
 * its name is free. One whose header cannot be read or is damaged is taken for what its name says.
 */
static bool is_foreign(const struct shard *shard, uint64_t first_sequence)
{
	char path[PATH_MAX], aside[PATH_MAX];
	struct segment_header header;
	int fd = segment_open(shard->directory, first_sequence, false), error;
	bool foreign;

	if (fd < 0)
		return false;
	foreign = files_read(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
		  segment_header_valid(&header) &&
		  (header.stream_id != shard->identity.stream_id || header.shard != shard->identity.number);
	close(fd);
	if (!foreign)
		return false;
	error = segment_path(path, shard->directory, first_sequence, SEGMENT_SUFFIX);
	if (!error)
		error = segment_path(aside, shard->directory, first_sequence, FOREIGN_SUFFIX);
	if (!error)
		error = files.rename(path, aside);
	log_error("shard %s/%u: segment %020llu is of stream %llu, shard %u, and does not belong to this one (stream %llu): "
		  "%s%s", shard->identity.stream, shard->identity.number, (unsigned long long)first_sequence,
		  (unsigned long long)header.stream_id, header.shard, (unsigned long long)shard->identity.stream_id,
		  error ? "left out, but it cannot be renamed: " : "left out, and renamed to end in " FOREIGN_SUFFIX,
		  error ? strerror(-error) : "");
	return true;
}

static void leave_out_foreign(struct shard *shard)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < shard->segments_count; i++)
		if (!is_foreign(shard, shard->segments[i].first_sequence))
			shard->segments[kept++] = shard->segments[i];
	shard->segments_count = kept;
}

static int list_segments(struct shard *shard)
{
	DIR *directory = opendir(shard->directory);
	struct dirent *entry;
	int error = 0;

	if (!directory)
		return -errno;
	while (!error && (entry = readdir(directory)) != NULL)
		error = take_name(shard, directory, entry->d_name);
	if (shard->segments_count)
		qsort(shard->segments, shard->segments_count, sizeof *shard->segments, compare_segments);
	if (!error)
		leave_out_foreign(shard);
	rewinddir(directory);
	/* Indexes whose segment has gone: a kill between two unlinks of retention. */
	while (!error && (entry = readdir(directory)) != NULL) {
		char path[PATH_MAX];
		uint64_t first;

		if (segment_parse_name(entry->d_name, INDEX_SUFFIX, &first) && !has_segment(shard, first) &&
		    files_join(path, shard->directory, entry->d_name) == 0)
			files.unlink(path);
	}
	closedir(directory);
	return error;
}

/* What the walk over the last segment finds out. */
struct findings {
	struct segment_header header;
	bool header_valid;
	uint64_t size, end;         /* of the file, and of its last good batch */
	uint64_t sequence, records; /* behind it */
	uint64_t last_stored_ns;
	bool torn;
	bool unreadable; /* somewhere behind `end` */
	struct lane_mark marks[WORKERS_MAX], put;
};

/* Where the file ends if the last good batches turn out to have overtaken one in front of them. */
struct overtaken {
	uint64_t end, sequence, records, last_stored_ns;
	unsigned batches; /* seen behind the damage; 0: there is none */
	bool possible;
	struct lane_mark marks[WORKERS_MAX], put;
};

static void take_marks(struct findings *f, const struct batch *b)
{
	const struct span *span = batch_spans(b);

	for (uint32_t i = 0; i < b->spans; i++)
		if (span[i].worker < WORKERS_MAX)
			f->marks[span[i].worker] = span[i].after;
		else if (span[i].worker == SPAN_CONTROL && span[i].after.records >= f->put.records)
			f->put = span[i].after;
}

/* Sets the walk to the last index entry that can be relied on: its batch is whole and says what the entry says. */
static void start_at_index(const struct shard *shard, uint64_t first_sequence, struct walk *w)
{
	struct walk from_start = *w;
	struct index index;

	if (index_load(shard->directory, first_sequence, &index) != 0)
		return;
	for (uint32_t i = index.count; i > 0; i--) {
		const struct index_entry *e = &index.entries[i - 1];

		if (!e->marks || e->offset >= w->end)
			continue;
		w->offset = e->offset;
		w->sequence = e->first_sequence;
		w->records = e->records_before;
		if (walk_next(w, true) == WALK_BATCH && w->at == e->offset) {
			w->offset = e->offset;
			w->sequence = e->first_sequence;
			w->records = e->records_before;
			index_free(&index);
			return;
		}
		w->offset = from_start.offset;
		w->sequence = from_start.sequence;
		w->records = from_start.records;
	}
	index_free(&index);
}

static int walk_batches(struct walk *w, struct findings *f, struct overtaken *o)
{
	uint64_t end = w->offset, sequence = w->sequence, records = w->records;
	const struct batch *b;
	int result;

	while ((result = walk_next(w, true)) > 0) {
		if (result == WALK_DAMAGE) {
			*o = (struct overtaken){end, sequence, records, f->last_stored_ns, 0, true, {{0}}, f->put};
			memcpy(o->marks, f->marks, sizeof o->marks);
			continue;
		}
		result = walk_load(w, &b);
		if (result)
			return result;
		o->possible = o->possible && b->overlapped >= ++o->batches;
		take_marks(f, b);
		f->last_stored_ns = b->stored_ns;
		end = w->offset;
		sequence = w->sequence;
		records = w->records;
	}
	return result;
}

/*
 * What nothing good follows is cut: a torn write. A bad batch with good ones behind it was durable once, stays, and
 * costs its readers a gap; unless all behind it say that it was not yet durable when they were made: then none of them
 * was ever acknowledged, the lanes still have them, and all are cut.
 */
static int walk_last(struct walk *w, struct findings *f)
{
	struct overtaken o = {0};
	int result = walk_batches(w, f, &o);

	if (result == -EIO) {
		/* Whatever sequences the rest of the file may hold are not given again. */
		f->unreadable = true;
		f->end = f->size;
		f->sequence = w->sequence + (f->size > w->offset ? f->size - w->offset : 0) / sizeof(struct record);
		f->records = w->records == WALK_RECORDS_ANY ? 0 : w->records;
		return 0;
	}
	f->torn = w->torn || o.possible;
	f->end = o.possible ? o.end : w->offset;
	f->sequence = o.possible ? o.sequence : w->sequence;
	f->records = o.possible ? o.records : w->records;
	if (o.possible) {
		memcpy(f->marks, o.marks, sizeof f->marks);
		f->put = o.put;
		f->last_stored_ns = o.last_stored_ns;
	}
	if (f->records == WALK_RECORDS_ANY)
		f->records = 0;
	if (f->end > f->size)
		f->end = f->size;
	return result;
}

/* Where the last written byte may be: behind it, what was only reserved reads as zeros and need not be read. */
static uint64_t written_bytes(int fd, uint64_t size)
{
	off_t end = 0, data;

	while ((data = lseek(fd, end, SEEK_DATA)) >= 0 && (uint64_t)data < size)
		end = lseek(fd, data, SEEK_HOLE);
	return end > 0 && (uint64_t)end < size ? (uint64_t)end : size;
}

/* Reads from the disk itself: what a page cache shows after a failed write-back may never have got there. */
static int read_last(struct shard *shard, const struct segment *last, struct findings *f)
{
	void *header = NULL;
	struct walk walk;
	int fd = segment_open(shard->directory, last->first_sequence, true), result;
	ssize_t got;

	if (fd < 0)
		return fd;
	f->size = written_bytes(fd, last->bytes);
	if (posix_memalign(&header, SEGMENT_BLOCK, sizeof f->header) != 0) {
		close(fd);
		return -ENOMEM;
	}
	got = files_read(fd, header, sizeof f->header, 0);
	if (got == (ssize_t)sizeof f->header) {
		memcpy(&f->header, header, sizeof f->header);
		f->header_valid = segment_header_valid(&f->header) && f->header.first_sequence == last->first_sequence;
	}
	free(header);
	if (f->header_valid) {
		memcpy(f->marks, f->header.lanes, sizeof f->marks);
		f->put = f->header.put;
	} else {
		log_warning(
			"shard %s/%u: the header of segment %020llu is damaged: lanes start where penstockd left them",
			shard->identity.stream, shard->identity.number, (unsigned long long)last->first_sequence);
	}
	walk_init(&walk, fd, SEGMENT_DATA, f->size, last->first_sequence,
		  f->header_valid ? f->header.records_before : WALK_RECORDS_ANY);
	walk.chunk = 1u << 20;
	start_at_index(shard, last->first_sequence, &walk);
	result = walk_last(&walk, f);
	walk_close(&walk);
	close(fd);
	/* Nothing of it could be read: it cannot be told how many records the shard has stored. Another time, maybe. */
	if (!result && got < 0 && f->last_stored_ns == 0)
		result = (int)got;
	return result;
}

/* Cuts what no batch is. Also waits for direct writes of a killed predecessor that are still on their way. */
static void cut(struct shard *shard, const struct segment *last, const struct findings *f)
{
	char path[PATH_MAX];
	int error = segment_path(path, shard->directory, last->first_sequence, SEGMENT_SUFFIX), fd;

	if (error)
		return;
	fd = files.open(path, O_WRONLY, 0);
	error = fd < 0 ? fd : files.ftruncate(fd, f->end);
	if (!error)
		error = files.fdatasync(fd);
	if (fd >= 0)
		close(fd);
	/* The next segment's name bounds this one, so what could not be cut does no harm. */
	if (error)
		log_warning("shard %s/%u: cannot cut segment %020llu to %llu bytes: %s", shard->identity.stream,
			    shard->identity.number, (unsigned long long)last->first_sequence,
			    (unsigned long long)f->end, strerror(-error));
	if (f->torn)
		log_warning("shard %s/%u: the last write was torn: segment %020llu cut from %llu to %llu bytes",
			    shard->identity.stream, shard->identity.number, (unsigned long long)last->first_sequence,
			    (unsigned long long)f->size, (unsigned long long)f->end);
}

static void take_findings(struct shard *shard, const struct findings *f)
{
	struct segment *last = &shard->segments[shard->segments_count - 1];

	last->bytes = f->end;
	shard->next_sequence = shard->durable_sequence = f->sequence;
	shard->stored_records = shard->next_records = f->records;
	shard->last_stored_ns = f->last_stored_ns;
	shard->put = shard->put_durable = f->put;
	shard->generation = f->header_valid ? f->header.generation : 0;
	for (uint32_t w = 0; w < WORKERS_MAX && shard->generation; w++) {
		shard->lanes[w].durable = f->marks[w];
		shard->lanes[w].reader.position = f->marks[w].position;
		shard->lanes[w].reader.records = f->marks[w].records;
	}
}

/* An empty segment behind others has seen no batch: the time of the last one stands in the one before. */
static void take_older_time(struct shard *shard)
{
	struct segment *s = shard->segments + shard->segments_count - 1;

	if (shard->last_stored_ns || shard->segments_count < 2)
		return;
	if (shard_learn(shard, s[-1].first_sequence) == 0)
		shard->last_stored_ns = s[-1].newest_ns;
}

int shard_recover(struct shard *shard)
{
	struct segment *last;
	struct findings *f;
	int error = list_segments(shard);

	if (error || shard->segments_count == 0)
		return error;
	last = &shard->segments[shard->segments_count - 1];
	f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	error = read_last(shard, last, f);
	if (!error) {
		if (f->unreadable)
			log_error("shard %s/%u: the end of segment %020llu cannot be read: what it holds may be lost",
				  shard->identity.stream, shard->identity.number,
				  (unsigned long long)last->first_sequence);
		else
			cut(shard, last, f);
		take_findings(shard, f);
		take_older_time(shard);
		shard->next_stored_ns = shard->last_stored_ns;
		shard_learn(shard, last->first_sequence);
		shard_learn(shard, shard->segments[0].first_sequence);
	}
	if (!error && (f->torn || f->unreadable)) {
		/* A disk that tore a write may have lost others it said it had: these sequences are never given again.
		 */
		shard->next_sequence = shard->durable_sequence += SEQUENCE_JUMP;
		if (active_write_floor(shard) != 0)
			log_warning("shard %s/%u: cannot write down its next sequence %llu", shard->identity.stream,
				    shard->identity.number, (unsigned long long)shard->next_sequence);
	}
	free(f);
	return error;
}
