// The walk over a segment's batches, used by recovery, readers and the making of an index.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "control/store/files.h"
#include "control/store/segment.h"

#define CHUNK_BYTES (64u << 10)
#define RECORD_BYTES_MIN 32u

void walk_init(struct walk *w, int fd, uint64_t offset, uint64_t end, uint64_t sequence, uint64_t records)
{
	*w = (struct walk){.fd = fd,
			   .offset = offset,
			   .end = end,
			   .bound = UINT64_MAX,
			   .sequence = sequence,
			   .records = records,
			   .chunk = CHUNK_BYTES};
}

void walk_shrink(struct walk *w)
{
	if (w->window)
		munmap(w->window, w->window_capacity);
	w->window = NULL;
	w->window_capacity = w->window_length = 0;
}

void walk_close(struct walk *w)
{
	walk_shrink(w);
}

static int grow(struct walk *w, size_t bytes)
{
	void *bigger;

	if (bytes <= w->window_capacity)
		return 0;
	walk_shrink(w);
	bigger = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bigger == MAP_FAILED)
		return -ENOMEM;
	w->window = bigger;
	w->window_capacity = bytes;
	return 0;
}

/* `length` bytes at `at` in the window. 1 with *out; 0 when the file ends before; -errno. */
static int look(struct walk *w, uint64_t at, size_t length, const void **out)
{
	uint64_t start = at & ~(uint64_t)(SEGMENT_BLOCK - 1);
	size_t want = (size_t)((at + length - start + SEGMENT_BLOCK - 1) & ~(uint64_t)(SEGMENT_BLOCK - 1));
	ssize_t got;
	int error;

	if (length > w->end || at > w->end - length)
		return 0;
	if (at < w->window_at || at + length > w->window_at + w->window_length) {
		if (want < w->chunk)
			want = w->chunk;
		w->window_length = 0;
		error = grow(w, want);
		if (error)
			return error;
		got = files_read(w->fd, w->window, want, start);
		if (got < 0)
			return (int)got;
		w->window_at = start;
		/* What lies behind `end` may be on its way to the disk right now: read it again once it is in front. */
		w->window_length = start + (uint64_t)got > w->end ? (size_t)(w->end - start) : (size_t)got;
		if (at + length > w->window_at + w->window_length)
			return 0;
	}
	*out = w->window + (at - w->window_at);
	return 1;
}

/* A header that could stand at `at`; the checksum is another matter. */
static bool shape_possible(const struct walk *w, const struct batch *b, uint64_t at)
{
	return b->magic == BATCH_MAGIC && b->length >= sizeof *b + sizeof(struct span) &&
	       b->length <= BATCH_LENGTH_MAX && b->length <= w->end - at && b->sequences > 0 &&
	       b->records <= b->sequences && batch_prefix(b) + (uint64_t)b->sequences * RECORD_BYTES_MIN <= b->length;
}

static bool expected_here(const struct walk *w, const struct batch *b, uint64_t at)
{
	return shape_possible(w, b, at) && b->first_sequence == w->sequence &&
	       (b->records_before == w->records || w->records == WALK_RECORDS_ANY);
}

static int whole_valid(struct walk *w, uint64_t at, uint32_t length)
{
	const void *bytes;
	int found = look(w, at, length, &bytes);

	if (found <= 0)
		return found;
	return ((const struct batch *)bytes)->length == length && batch_valid(bytes);
}

/* Forgets what was read from `at` on: a page cache may disagree with the disk (direct writes beside buffered reads). */
static void forget(struct walk *w, uint64_t at)
{
	w->window_length = 0;
	posix_fadvise(w->fd, (off_t)(at & ~(uint64_t)(SEGMENT_BLOCK - 1)), 0, POSIX_FADV_DONTNEED);
}

static int whole_valid_twice(struct walk *w, uint64_t at, uint32_t length)
{
	int valid = whole_valid(w, at, length);

	if (valid != 0)
		return valid;
	forget(w, at);
	return whole_valid(w, at, length);
}

/*
 * The header at the walk's offset, or on the next block, and whether it is the one expected; then the offset is put
 * there. 1, 0: the file ends before it, -errno.
 */
static int look_header(struct walk *w, struct batch *b, bool *possible)
{
	const void *bytes;
	int found;

	for (int tries = 0; tries < 4; tries++) {
		uint64_t at = tries % 2 ? block_round(w->offset) : w->offset;

		if (tries == 2)
			forget(w, w->offset);
		found = look(w, at, sizeof *b, &bytes);
		if (found < 0)
			return found;
		if (found > 0)
			memcpy(b, bytes, sizeof *b);
		*possible = found > 0 && expected_here(w, b, at);
		if (*possible) {
			w->offset = at;
			break;
		}
	}
	return found;
}

static int take(struct walk *w, const struct batch *b, uint64_t at)
{
	w->at = at;
	w->batch = *b;
	w->offset = at + batch_round(b->length);
	w->sequence = b->first_sequence + b->sequences;
	w->records = b->records_before + b->records;
	return WALK_BATCH;
}

/* No more records can be missing than the bytes passed over could have held: a forged batch inside a payload gets no
 * further. */
static bool follows_damage(const struct walk *w, const struct batch *b, uint64_t at)
{
	uint64_t most = (at - w->offset) / RECORD_BYTES_MIN;

	return shape_possible(w, b, at) && b->first_sequence >= w->sequence &&
	       b->first_sequence - w->sequence <= most && b->first_sequence < w->bound &&
	       (w->records == WALK_RECORDS_ANY ||
		(b->records_before >= w->records && b->records_before - w->records <= most));
}

/* Looks for the next whole batch from `from` on. */
static int resync(struct walk *w, uint64_t from)
{
	bool zeros = true;

	for (uint64_t at = w->offset; at < w->end; at += BATCH_ALIGN) {
		size_t left = w->end - at < BATCH_ALIGN ? (size_t)(w->end - at) : BATCH_ALIGN;
		const void *bytes;
		struct batch b;
		int found = look(w, at, left, &bytes);

		if (found <= 0) {
			if (found < 0)
				return found;
			break;
		}
		for (size_t i = 0; zeros && i < left; i++)
			zeros = ((const uint8_t *)bytes)[i] == 0;
		if (at < from || left < BATCH_ALIGN)
			continue;
		memcpy(&b, bytes, sizeof b);
		if (b.magic != BATCH_MAGIC || !follows_damage(w, &b, at))
			continue;
		found = whole_valid(w, at, b.length);
		if (found < 0)
			return found;
		if (found) {
			w->missing_sequences = b.first_sequence - w->sequence;
			w->missing_records = w->records == WALK_RECORDS_ANY ? 0 : b.records_before - w->records;
			w->offset = at;
			w->sequence = b.first_sequence;
			w->records = b.records_before;
			return WALK_DAMAGE;
		}
	}
	w->torn = !zeros;
	return WALK_END;
}

int walk_next(struct walk *w, bool whole)
{
	struct batch b;
	bool possible;
	int found;

	w->torn = false;
	if (w->sequence >= w->bound)
		return WALK_END;
	found = look_header(w, &b, &possible);
	if (found < 0)
		return found;
	if (found == 0)
		return resync(w, w->end); /* only to see whether the few bytes left are zeros */
	if (possible && !whole)
		return take(w, &b, w->offset);
	if (possible) {
		found = whole_valid_twice(w, w->offset, b.length);
		if (found < 0)
			return found;
		if (found)
			return take(w, &b, w->offset);
	}
	/* A header that fits tells where the next batch stands better than the payload, which anyone on the wire may
	 * shape. */
	return resync(w, w->offset + (possible ? batch_round(b.length) : BATCH_ALIGN));
}

int walk_load(struct walk *w, const struct batch **out)
{
	const void *bytes;
	int found = whole_valid_twice(w, w->at, w->batch.length);

	if (found > 0)
		found = look(w, w->at, w->batch.length, &bytes);
	if (found <= 0)
		return found < 0 ? found : -EBADMSG;
	*out = bytes;
	return 0;
}
