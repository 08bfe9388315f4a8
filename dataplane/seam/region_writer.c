// The dataplane's end of the data region: making it, taking it over, giving it up.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <numa.h>
#include <stdio.h> /* renameat2() */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/seam/region_map.h"

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Sizes and fills a new file under a temporary name; the rename in make_region() makes it visible whole. */
static int fill_region(int fd, const struct region_geometry *geometry)
{
	struct region header = {.version = REGION_VERSION,
				.header_bytes = sizeof header,
				.workers = geometry->workers,
				.shards = geometry->shards,
				.lane_bytes = geometry->lane_bytes,
				.created_ns = realtime_ns()};
	struct region *mapped;
	int error = region_layout(&header, region_page_bytes(fd));

	if (error)
		return error;
	while (header.generation == 0)
		if (getrandom(&header.generation, sizeof header.generation, 0) != sizeof header.generation)
			return -errno;
	if (ftruncate(fd, (off_t)header.size_bytes) != 0)
		return -errno;
	mapped = mmap(NULL, header.lanes_offset, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	if (madvise(mapped, header.lanes_offset, MADV_POPULATE_WRITE) == 0) {
		memcpy(mapped, &header, sizeof header);
		atomic_store_explicit(&mapped->magic, REGION_MAGIC, memory_order_release);
	} else {
		error = errno == EFAULT ? -ENOSPC : -errno; /* a full tmpfs says EFAULT here */
	}
	munmap(mapped, header.lanes_offset);
	return error;
}

/* Opens `path` under the one writer's lock. -ENOENT also when it was taken away before the lock was had. */
static int open_locked(const char *path, int flags, int *out)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0640), error = 0;
	struct stat file, named;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (fstat(fd, &file) != 0 || stat(path, &named) != 0)
		error = -errno;
	else if (file.st_ino != named.st_ino || file.st_dev != named.st_dev)
		error = -ENOENT;
	if (error)
		close(fd);
	else
		*out = fd;
	return error;
}

/*
 * The new file is locked before it gets its name and never given it over another's: of several dataplanes that start
 * at once one makes the region and the others find it busy. What a killed maker left is emptied and filled again.
 */
static int make_region(const char *directory, const struct region_geometry *geometry, int *out)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int error = region_path(path, directory, REGION_FILE), fd;

	if (!error)
		error = region_path(temporary, directory, REGION_FILE ".new");
	if (!error)
		error = open_locked(temporary, O_CREAT, &fd);
	if (error)
		return error == -ENOENT ? -EBUSY : error;
	if (ftruncate(fd, 0) != 0)
		error = -errno;
	else
		error = fill_region(fd, geometry);
	if (!error && renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
		error = errno == EEXIST ? -EBUSY : -errno;
	if (error) {
		unlink(temporary);
		close(fd);
		return error;
	}
	*out = fd;
	return 0;
}

static bool same_geometry(int fd, const struct region_geometry *geometry)
{
	struct region header;
	struct stat file;

	return pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header && fstat(fd, &file) == 0 &&
	       header.magic == REGION_MAGIC && header.version == REGION_VERSION &&
	       region_header_sane(&header, region_page_bytes(fd), (uint64_t)file.st_size) &&
	       header.workers == geometry->workers && header.shards == geometry->shards &&
	       header.lane_bytes == geometry->lane_bytes;
}

int region_create(const char *directory, const struct region_geometry *geometry, struct region_writer *out)
{
	int folder = open(directory, O_DIRECTORY | O_RDONLY | O_CLOEXEC), fd, error;
	struct region *region;
	char path[PATH_MAX];

	if (folder < 0)
		return -errno;
	if (region_page_bytes(folder) == 0) {
		close(folder);
		return -EMEDIUMTYPE;
	}
	close(folder);
	error = region_path(path, directory, REGION_FILE);
	if (!error)
		error = open_locked(path, 0, &fd);
	if (error == -ENOENT)
		error = make_region(directory, geometry, &fd);
	if (error)
		return error;
	if (!same_geometry(fd, geometry)) {
		close(fd);
		return -EPROTO;
	}
	*out = (struct region_writer){.geometry = *geometry, .fd = fd};
	region = mmap(NULL, sizeof *region, PROT_READ, MAP_SHARED, fd, 0);
	if (region != MAP_FAILED) {
		out->mapped_bytes = region->lanes_offset;
		region_unmap(region, sizeof *region);
		region = mmap(NULL, out->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	}
	if (region == MAP_FAILED) {
		error = -errno;
		close(fd);
		return error;
	}
	out->region = region;
	error = region_map_lanes(fd, region, PROT_READ | PROT_WRITE, &out->lanes);
	if (error)
		region_close_writer(out);
	return error;
}

int region_populate(struct region_writer *region, uint32_t slot, uint32_t worker, int node)
{
	uint64_t bytes = region->geometry.lane_bytes;
	uint8_t *lane = region->lanes[slot * region->geometry.workers + worker];

	if (node >= 0 && numa_available() >= 0)
		numa_tonode_memory(lane, bytes, node);
	/* Both mappings: the pages are the same, the page tables are not. */
	for (int copy = 0; copy < 2; copy++)
		if (madvise(lane + (uint64_t)copy * bytes, bytes, MADV_POPULATE_WRITE) != 0)
			return errno == EFAULT ? -ENOSPC : -errno;
	return 0;
}

int region_retire(const char *directory)
{
	char path[PATH_MAX];
	struct region *region;
	int fd, error = region_path(path, directory, REGION_FILE);

	if (!error)
		error = open_locked(path, 0, &fd);
	if (error)
		return error;
	region = mmap(NULL, sizeof *region, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (region != MAP_FAILED) {
		struct stat file;

		if (fstat(fd, &file) == 0 && file.st_size >= (off_t)sizeof *region && region->magic == REGION_MAGIC &&
		    region->version == REGION_VERSION)
			atomic_store_explicit(&region->state, REGION_RETIRED, memory_order_release);
		region_unmap(region, sizeof *region);
	}
	if (unlink(path) != 0)
		error = -errno;
	close(fd);
	return error;
}

void region_close_writer(struct region_writer *region)
{
	region_unmap_lanes(region->lanes, &region->geometry);
	if (region->region)
		munmap(region->region, region->mapped_bytes);
	if (region->fd >= 0)
		close(region->fd);
	*region = (struct region_writer){.fd = -1};
}
