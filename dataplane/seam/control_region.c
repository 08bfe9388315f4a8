// The control region: penstockd's word to the dataplane, which believes none of it unchecked.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/seam/region_map.h"

static bool control_matches(const struct control *c, uint64_t generation, uint32_t workers, uint32_t shards)
{
	return atomic_load_explicit(&c->magic, memory_order_acquire) == CONTROL_MAGIC && c->version == REGION_VERSION &&
	       c->header_bytes == sizeof *c && c->generation == generation && c->workers == workers &&
	       c->shards == shards;
}

/* All its pages, now: a file system without room must say so here, not by SIGBUS at the first write to a page of it. An older
 * file may still have holes. -ENOSPC leaves the file as long as it was. */
static int allocate(int fd, uint64_t bytes)
{
	if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	return ftruncate(fd, (off_t)bytes) != 0 ? -errno : 0;
}

/* Where that is not to be had, the pages are touched. Kernels before 5.14 cannot even that. */
static int populate(struct control *c, uint64_t bytes)
{
	if (madvise(c, bytes, MADV_POPULATE_WRITE) == 0 || errno == EINVAL)
		return 0;
	return errno == EFAULT ? -ENOSPC : -errno; /* a full file system says EFAULT here */
}

/* Opens the file under its lock. A file of another size is another version's, which a dataplane may have mapped: it is left
 * as it is and loses its name. */
static int open_control(const char *directory, int *out)
{
	char path[PATH_MAX];
	struct stat file;
	int error = region_path(path, directory, CONTROL_FILE), fd;
	off_t bytes;

	if (error)
		return error;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	bytes = (off_t)region_control_bytes(region_page_bytes(fd));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		error = -EBUSY;
	else if (fstat(fd, &file) != 0)
		error = -errno;
	else if (!S_ISREG(file.st_mode))
		error = -EINVAL;
	else if (file.st_size != 0 && file.st_size != bytes)
		error = unlink(path) != 0 ? -errno : -ESTALE;
	else
		error = allocate(fd, (uint64_t)bytes);
	if (error)
		close(fd);
	else
		*out = fd;
	return error;
}

int control_create(const char *directory, const struct region_reader *region, struct control **out, int *fd)
{
	struct control *c;
	uint64_t bytes;
	int error = open_control(directory, fd);

	if (error == -ESTALE)
		error = open_control(directory, fd);
	if (error)
		return error;
	bytes = region_control_bytes(region_page_bytes(*fd));
	c = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	error = c == MAP_FAILED ? -errno : populate(c, bytes);
	if (error) {
		if (c != MAP_FAILED)
			munmap(c, bytes);
		close(*fd);
		return error;
	}
	if (!control_matches(c, region->generation, region->geometry.workers, region->geometry.shards)) {
		/* Magic goes first and comes back last, so that nobody takes a half-made one for whole. */
		atomic_store_explicit(&c->magic, 0, memory_order_release);
		memset((uint8_t *)c + sizeof c->magic, 0, sizeof *c - sizeof c->magic);
		c->version = REGION_VERSION;
		c->header_bytes = sizeof *c;
		c->generation = region->generation;
		c->workers = region->geometry.workers;
		c->shards = region->geometry.shards;
		atomic_store_explicit(&c->magic, CONTROL_MAGIC, memory_order_release);
	}
	*out = c;
	return 0;
}

int control_open(const char *directory, const struct region *region, const struct control **out)
{
	char path[PATH_MAX];
	struct control *c;
	struct stat file;
	int error = region_path(path, directory, CONTROL_FILE), fd;

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &file) != 0 || file.st_size < (off_t)sizeof *c) {
		close(fd);
		return -EPROTO;
	}
	c = mmap(NULL, region_control_bytes(region_page_bytes(fd)), PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (c == MAP_FAILED)
		return -errno;
	if (!control_matches(c, region->generation, region->workers, region->shards)) {
		control_close(c);
		return -EPROTO;
	}
	*out = c;
	return 0;
}

void control_close(const struct control *control)
{
	if (control)
		region_unmap(control, sizeof *control);
}

/* The map word by word: a copy that races with the next but one publication must be found out, not be undefined. */
typedef uint64_t __attribute__((may_alias)) map_word;
_Static_assert(sizeof(struct shard_map) % sizeof(map_word) == 0, "a map is whole words");
#define MAP_WORDS (sizeof(struct shard_map) / sizeof(map_word))

void control_publish_map(struct control *control, const struct shard_map *map)
{
	uint64_t version = atomic_load_explicit(&control->map_version, memory_order_relaxed) + 1;
	map_word *to = (map_word *)&control->map[version & 1];
	const map_word *from = (const map_word *)map;

	/* Release: who sees a word of this version also sees the version before it. Partner: control_read_map(). */
	for (size_t i = 0; i < MAP_WORDS; i++)
		__atomic_store_n(to + i, from[i], __ATOMIC_RELEASE);
	/* Partner: the first acquire load in control_read_map(). */
	atomic_store_explicit(&control->map_version, version, memory_order_release);
}

/* True when `b` is exactly `a` plus one. */
static bool follows(const uint64_t a[2], const uint64_t b[2])
{
	if (a[1] == UINT64_MAX)
		return a[0] != UINT64_MAX && b[1] == 0 && b[0] == a[0] + 1;
	return b[0] == a[0] && b[1] == a[1] + 1;
}

static bool ordered(const uint64_t a[2], const uint64_t b[2])
{
	return a[0] < b[0] || (a[0] == b[0] && a[1] <= b[1]);
}

/* `taken` has a bit for every slot seen so far: two shards in one lane would be told apart by nobody. */
static bool stream_sane(const struct shard_map *map, uint32_t index, uint32_t slots, uint64_t taken[SHARDS_MAX / 64])
{
	static const uint64_t first[2] = {0, 0}, last[2] = {UINT64_MAX, UINT64_MAX};
	const struct map_stream *stream = &map->streams[index];
	const struct map_shard *shard;

	if (stream->shards == 0 || stream->first_shard > map->shards_count ||
	    stream->shards > map->shards_count - stream->first_shard || !memchr(stream->name, 0, STREAM_NAME_MAX + 1))
		return false;
	shard = map->shards + stream->first_shard;
	for (uint32_t i = 0; i < stream->shards; i++) {
		uint32_t slot = shard[i].slot;

		if (shard[i].stream != index || slot >= slots || slot >= SHARDS_MAX || taken[slot / 64] >> slot % 64 & 1 ||
		    !ordered(shard[i].first_hash, shard[i].last_hash) ||
		    (i > 0 && !follows(shard[i - 1].last_hash, shard[i].first_hash)))
			return false;
		taken[slot / 64] |= 1ull << slot % 64;
	}
	return memcmp(shard[0].first_hash, first, sizeof first) == 0 &&
	       memcmp(shard[stream->shards - 1].last_hash, last, sizeof last) == 0;
}

int control_read_map(const struct control *control, uint32_t shards, struct shard_map *out, uint64_t *version)
{
	uint64_t before = atomic_load_explicit(&control->map_version, memory_order_acquire);
	const map_word *from = (const map_word *)&control->map[before & 1];
	uint64_t taken[SHARDS_MAX / 64] = {0};
	map_word *to = (map_word *)out;

	if (before == 0)
		return -EAGAIN;
	/*
	 * penstockd writes the other copy next: this one is stable until the version has moved twice. Acquire: a word of
	 * version before + 2 brings version before + 1 with it. Partner: the release stores in control_publish_map().
	 */
	for (size_t i = 0; i < MAP_WORDS; i++)
		to[i] = __atomic_load_n(from + i, __ATOMIC_ACQUIRE);
	if (atomic_load_explicit(&control->map_version, memory_order_acquire) != before)
		return -EAGAIN;
	if (out->streams_count > SHARDS_MAX || out->shards_count > SHARDS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < out->streams_count; i++)
		if (!stream_sane(out, i, shards, taken))
			return -EBADMSG;
	*version = before;
	return 0;
}
