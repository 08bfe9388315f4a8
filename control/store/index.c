#include "control/store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/store/files.h"

#define INDEX_BYTES_MAX (64u << 20)

static void seal_entry(struct index_entry *e)
{
	e->crc = segment_crc(e, offsetof(struct index_entry, crc));
}

static struct index_header make_header(uint64_t first_sequence)
{
	struct index_header header = {.magic = INDEX_MAGIC, .first_sequence = first_sequence};

	header.crc = segment_crc(&header, offsetof(struct index_header, crc));
	return header;
}

static struct index_entry make_entry(const struct batch *b, uint64_t offset, uint64_t arrival_before_ns, bool marks)
{
	struct index_entry e = {.offset = offset,
				.first_sequence = b->first_sequence,
				.records_before = b->records_before,
				.stored_ns = b->stored_ns,
				.arrival_before_ns = arrival_before_ns,
				.marks = marks};

	seal_entry(&e);
	return e;
}

void index_create(struct index_writer *w, const char *directory, uint64_t first_sequence)
{
	struct index_header header = make_header(first_sequence);
	char path[PATH_MAX];

	*w = (struct index_writer){.fd = -1};
	if (segment_path(path, directory, first_sequence, INDEX_SUFFIX))
		return;
	files.unlink(path); /* of a file by this name that never held a durable batch */
	w->fd = files.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	if (w->fd >= 0 && files_write(w->fd, &header, sizeof header, 0) != 0)
		index_close(w);
	if (w->fd < 0)
		w->fd = -1;
}

void index_add(struct index_writer *w, const struct batch *b, uint64_t offset, uint64_t arrival_before_ns, bool marks)
{
	struct index_entry e = make_entry(b, offset, arrival_before_ns, marks);

	w->last_offset = offset;
	if (w->fd < 0)
		return;
	if (files_write(w->fd, &e, sizeof e, sizeof(struct index_header) + (uint64_t)w->count * sizeof e) != 0)
		index_close(w);
	else
		w->count++;
}

void index_close(struct index_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* How many of `count` entries make sense, in a row from the first. */
static uint32_t count_valid(const struct index_entry *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (entries[i].crc != segment_crc(&entries[i], offsetof(struct index_entry, crc)) ||
		    entries[i].offset % BATCH_ALIGN || entries[i].offset < SEGMENT_DATA ||
		    (i > 0 && (entries[i].offset <= entries[i - 1].offset ||
			       entries[i].first_sequence <= entries[i - 1].first_sequence)))
			return i;
	return count;
}

int index_load(const char *directory, uint64_t first_sequence, struct index *out)
{
	struct index_header header, expected = make_header(first_sequence);
	char path[PATH_MAX];
	ssize_t got;
	off_t size;
	int fd;

	*out = (struct index){0};
	if (segment_path(path, directory, first_sequence, INDEX_SUFFIX))
		return 0;
	fd = files.open(path, O_RDONLY, 0);
	if (fd < 0)
		return 0;
	size = lseek(fd, 0, SEEK_END);
	if (size > (off_t)sizeof header && size <= (off_t)INDEX_BYTES_MAX &&
	    files_read(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
	    memcmp(&header, &expected, sizeof header) == 0) {
		out->entries = malloc((size_t)size);
		got = out->entries ? files_read(fd, out->entries, (size_t)size - sizeof header, sizeof header) : 0;
		if (got > 0)
			out->count = count_valid(out->entries, (uint32_t)((size_t)got / sizeof *out->entries));
	}
	close(fd);
	return 0;
}

void index_free(struct index *index)
{
	free(index->entries);
	*index = (struct index){0};
}

/* Replaces the file: a reader sees the old one or the new one. Failing costs only time later. */
static void write_again(const char *directory, uint64_t first_sequence, const struct index *index)
{
	struct index_header header = make_header(first_sequence);
	char path[PATH_MAX], temporary[PATH_MAX];
	int fd, error;

	if (segment_path(path, directory, first_sequence, INDEX_SUFFIX) ||
	    segment_path(temporary, directory, first_sequence, INDEX_SUFFIX TEMPORARY_SUFFIX))
		return;
	fd = files.open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0640); /* another reader may be at it */
	if (fd < 0)
		return;
	error = files_write(fd, &header, sizeof header, 0);
	if (!error)
		error = files_write(fd, index->entries, index->count * sizeof *index->entries, sizeof header);
	close(fd);
	if (error || files.rename(temporary, path) != 0)
		files.unlink(temporary);
}

static int append(struct index *index, uint32_t *capacity, const struct index_entry *e)
{
	if (index->count == *capacity) {
		uint32_t more = *capacity ? *capacity * 2 : 256;
		struct index_entry *bigger = realloc(index->entries, more * sizeof *bigger);

		if (!bigger)
			return -ENOMEM;
		index->entries = bigger;
		*capacity = more;
	}
	index->entries[index->count++] = *e;
	return 0;
}

/* Walks from the last entry to the end, adding entries. 1 when it added some, 0, -errno. */
static int extend(struct walk *w, struct index *index)
{
	const struct index_entry *last = index->count ? &index->entries[index->count - 1] : NULL;
	uint64_t arrival = last ? last->arrival_before_ns : 0, offset = last ? last->offset : 0;
	uint32_t capacity = index->count, before = index->count;
	int result;

	while ((result = walk_next(w, false)) > 0) {
		struct index_entry e;

		if (result == WALK_DAMAGE)
			continue;
		if (offset == 0 || w->at - offset >= INDEX_STRIDE) {
			e = make_entry(&w->batch, w->at, arrival, false);
			result = append(index, &capacity, &e);
			if (result)
				return result;
			offset = w->at;
		}
		if (w->batch.last_arrival_ns > arrival)
			arrival = w->batch.last_arrival_ns;
	}
	return result < 0 ? result : index->count > before;
}

int index_complete(const char *directory, uint64_t first_sequence, uint64_t records_before, uint64_t end,
		   uint64_t bound, struct index *out)
{
	const struct index_entry *last;
	struct walk walk;
	int result = index_load(directory, first_sequence, out), fd;

	if (result)
		return result;
	last = out->count ? &out->entries[out->count - 1] : NULL;
	if (last && (last->offset >= end || end - last->offset <= INDEX_STRIDE))
		return 0;
	fd = segment_open(directory, first_sequence, false);
	if (fd < 0) {
		index_free(out);
		return fd;
	}
	walk_init(&walk, fd, last ? last->offset : SEGMENT_DATA, end, last ? last->first_sequence : first_sequence,
		  last ? last->records_before : records_before);
	walk.bound = bound;
	result = extend(&walk, out);
	walk_close(&walk);
	close(fd);
	if (result > 0)
		write_again(directory, first_sequence, out);
	if (result < 0)
		index_free(out);
	return result < 0 ? result : 0;
}

const struct index_entry *index_find_sequence(const struct index *index, uint64_t sequence)
{
	uint32_t low = 0, high = index->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->entries[middle].first_sequence <= sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &index->entries[low - 1] : NULL;
}

const struct index_entry *index_find_arrival(const struct index *index, uint64_t ns)
{
	uint32_t low = 0, high = index->count;

	/* The batch lies in front of the first entry that has already seen an arrival as late as `ns`. */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->entries[middle].arrival_before_ns < ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &index->entries[low - 1] : NULL;
}
