// The active file of a shard: made under a temporary name, filled, given up or sealed.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/log.h"
#include "control/store/files.h"
#include "control/store/shard.h"

#define ALLOCATE_MIN (1u << 20)
#define ALLOCATE_MAX (64u << 20)

static int temporary_path(const struct shard *shard, uint64_t first_sequence, char *path)
{
	return segment_path(path, shard->directory, first_sequence, SEGMENT_SUFFIX TEMPORARY_SUFFIX);
}

/* O_DIRECT wants its blocks: true when ours are good enough. A kernel that does not say is taken to want 4,096. */
static bool block_fits(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 && (x.stx_mask & STATX_DIOALIGN))
		return x.stx_dio_offset_align && SEGMENT_BLOCK % x.stx_dio_offset_align == 0 &&
		       SEGMENT_BLOCK % x.stx_dio_mem_align == 0;
#else
	(void)fd;
#endif
	return true;
}

static void go_buffered(struct store *store)
{
	if (atomic_exchange(&store->direct, false))
		log_warning("store: %s does not take direct writes: batches go through the page cache",
			    store->directory);
}

static int open_temporary(struct shard *shard, const char *path)
{
	int flags = O_RDWR | O_CREAT | O_TRUNC, fd;

	if (!atomic_load(&shard->store->direct))
		return files.open(path, flags, 0640);
	fd = files.open(path, flags | O_DIRECT, 0640);
	if (fd != -EINVAL && (fd < 0 || block_fits(fd)))
		return fd;
	if (fd >= 0)
		close(fd);
	go_buffered(shard->store);
	return files.open(path, flags, 0640);
}

static void fill_header(const struct shard *shard, uint64_t first_sequence, uint64_t records, uint64_t generation,
			const struct lane_mark *marks, struct lane_mark put, struct segment_header *header)
{
	memset(header, 0, sizeof *header);
	header->magic = SEGMENT_MAGIC;
	header->version = SEGMENT_VERSION;
	header->shard = shard->identity.number;
	header->stream_id = shard->identity.stream_id;
	header->first_sequence = first_sequence;
	header->records_before = records;
	header->generation = generation;
	header->created_ns = files.now_ns();
	memcpy(header->lanes, marks, sizeof header->lanes);
	header->put = put;
	segment_header_seal(header);
}

/* Asks for room ahead of the writes, more the longer the file has grown; what is left goes back when it is sealed. */
static int allocate(struct active *active, uint64_t end)
{
	uint64_t step = active->offset, want;
	int error;

	if (end <= active->allocated)
		return 0;
	step = step < ALLOCATE_MIN ? ALLOCATE_MIN : step > ALLOCATE_MAX ? ALLOCATE_MAX : step;
	want = end + step - active->allocated;
	/* The size grows with it: writes that extend a file wait for each other, writes inside it do not. */
	error = files.fallocate(active->fd, 0, active->allocated, want);
	if (error == -ENOSPC) {
		want = end - active->allocated;
		error = files.fallocate(active->fd, 0, active->allocated, want);
	}
	if (error == -EOPNOTSUPP)
		error = 0;
	if (!error)
		active->allocated += want;
	return error;
}

bool active_takes(const struct shard *shard, const struct buffer *b)
{
	const struct active *active = &shard->active;
	uint64_t age_most = shard->identity.retention_seconds * 1000000000u / AGE_ROLL_PART;

	if (active->fd < 0)
		return false;
	if (active->offset == SEGMENT_DATA)
		return active->generation == b->generation && active->first_sequence == b->batch.first_sequence;
	return active->generation == b->generation && active->offset + b->batch.length <= shard->segment_bytes &&
	       !(age_most && b->batch.stored_ns > active->created_ns + age_most);
}

static int create(struct shard *shard, const struct buffer *b)
{
	struct active *active = &shard->active;
	char path[PATH_MAX];
	int error = temporary_path(shard, b->batch.first_sequence, path), fd;

	fd = error ? error : open_temporary(shard, path);
	if (fd < 0)
		return fd;
	active->fd = fd;
	active->visible = false;
	active->first_sequence = b->batch.first_sequence;
	active->generation = b->generation;
	active->offset = SEGMENT_DATA;
	active->allocated = 0;
	active->created_ns = b->batch.stored_ns;
	active->arrival_max_ns = 0;
	active->index.fd = -1;
	active->index.last_offset = 0;
	return 0;
}

int active_prepare(struct shard *shard, struct buffer *b)
{
	struct active *active = &shard->active;
	size_t lead;
	int error = 0;

	if (active->fd < 0)
		error = create(shard, b);
	if (error)
		return error;
	if (buffer_is_large(b))
		active->offset = block_round(active->offset);
	lead = active->offset % SEGMENT_BLOCK;
	buffer_place(b, lead);
	if (active->offset == SEGMENT_DATA)
		fill_header(shard, active->first_sequence, b->batch.records_before, b->generation, b->before,
			    b->put_before, (struct segment_header *)b->bytes);
	else
		memcpy(b->bytes + BUFFER_FRONT, active->tail, lead);
	return allocate(active, active->offset + b->batch.length + SEGMENT_BLOCK);
}

int active_publish(struct shard *shard, struct active *file)
{
	char temporary[PATH_MAX], path[PATH_MAX];
	int error;

	if (file->visible)
		return 0;
	error = temporary_path(shard, file->first_sequence, temporary);
	if (!error)
		error = segment_path(path, shard->directory, file->first_sequence, SEGMENT_SUFFIX);
	if (!error)
		error = files.rename(temporary, path);
	if (!error)
		error = files.sync_directory(shard->directory);
	if (error)
		return error;
	file->visible = true;
	index_create(&file->index, shard->directory, file->first_sequence);
	return 0;
}

/* The segment that readers know the file by; NULL when they do not. Under the lock. */
static struct segment *listed(struct shard *shard, const struct active *file)
{
	struct segment *last = shard->segments_count ? &shard->segments[shard->segments_count - 1] : NULL;

	return last && last->active && last->first_sequence == file->first_sequence ? last : NULL;
}

static void forget(struct shard *shard, struct active *file)
{
	struct segment *s;

	index_close(&file->index);
	close(file->fd);
	file->fd = -1;
	pthread_mutex_lock(&shard->lock);
	s = listed(shard, file);
	if (s)
		s->active = false;
	pthread_mutex_unlock(&shard->lock);
}

void active_abandon(struct shard *shard, struct active *file)
{
	char path[PATH_MAX];

	if (file->fd < 0)
		return;
	if (!file->visible && temporary_path(shard, file->first_sequence, path) == 0)
		files.unlink(path);
	forget(shard, file);
}

void active_seal(struct shard *shard, struct active *file)
{
	uint64_t end = 0;
	struct segment *s;
	int error;

	if (file->fd < 0)
		return;
	if (!file->visible) {
		active_abandon(shard, file);
		return;
	}
	pthread_mutex_lock(&shard->lock);
	s = listed(shard, file);
	end = s ? s->bytes : 0;
	pthread_mutex_unlock(&shard->lock);
	error = end ? files.ftruncate(file->fd, end) : 0;
	if (error)
		log_warning("shard %s/%u: cannot give back what segment %020llu had reserved: %s",
			    shard->identity.stream, shard->identity.number, (unsigned long long)file->first_sequence,
			    strerror(-error));
	forget(shard, file);
}

static int write_header(int fd, const struct segment_header *header)
{
	void *aligned = aligned_alloc(SEGMENT_BLOCK, sizeof *header);
	int error;

	if (!aligned)
		return -ENOMEM;
	memcpy(aligned, header, sizeof *header);
	error = files_write(fd, aligned, sizeof *header, 0);
	free(aligned);
	return error ? error : files.fdatasync(fd);
}

int active_write_floor(struct shard *shard)
{
	struct lane_mark marks[WORKERS_MAX];
	struct segment_header header;
	struct segment segment;
	char path[PATH_MAX], final[PATH_MAX];
	int error, fd;

	for (uint32_t w = 0; w < WORKERS_MAX; w++)
		marks[w] = shard->lanes[w].durable;
	fill_header(shard, shard->next_sequence, shard->stored_records, shard->generation, marks, shard->put_durable,
		    &header);
	error = temporary_path(shard, shard->next_sequence, path);
	if (!error)
		error = segment_path(final, shard->directory, shard->next_sequence, SEGMENT_SUFFIX);
	fd = error ? error : files.open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (fd < 0)
		return fd;
	error = write_header(fd, &header);
	close(fd);
	if (!error)
		error = files.rename(path, final);
	if (!error)
		error = files.sync_directory(shard->directory);
	if (error) {
		files.unlink(path);
		return error;
	}
	segment = (struct segment){.first_sequence = shard->next_sequence,
				   .bytes = SEGMENT_DATA,
				   .records_before = shard->stored_records,
				   .learned = true};
	pthread_mutex_lock(&shard->lock);
	error = shard_add_segment(shard, &segment);
	pthread_mutex_unlock(&shard->lock);
	return error;
}
