#include "dataplane/seam/region_map.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LANE_BYTES_MIN (256ull << 10)
#define LANE_BYTES_MAX (1ull << 30)

int region_path(char *path, const char *directory, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/%s", directory, name);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

uint64_t region_page_bytes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return 0;
	if (fs.f_type == HUGETLBFS_MAGIC)
		return (uint64_t)fs.f_bsize;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ? (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

void region_unmap(const void *mapped, uint64_t bytes)
{
	/* On hugetlbfs pages are of 2 MiB or 1 GiB, and a part of one cannot be unmapped. */
	if (munmap((void *)mapped, bytes) != 0 && errno == EINVAL &&
	    munmap((void *)mapped, round_up(bytes, 2ull << 20)) != 0 && errno == EINVAL)
		munmap((void *)mapped, round_up(bytes, 1ull << 30));
}

int region_layout(struct region *header, uint64_t page_bytes)
{
	uint64_t lane = header->lane_bytes;

	if (header->workers < 1 || header->workers > WORKERS_MAX || header->shards < 1 || header->shards > SHARDS_MAX)
		return -EINVAL;
	if (page_bytes == 0) /* a file on neither tmpfs nor hugetlbfs */
		return -EINVAL;
	if (lane < LANE_BYTES_MIN || lane > LANE_BYTES_MAX || (lane & (lane - 1)) || lane % page_bytes)
		return -EINVAL;
	header->ledgers_offset = round_up(sizeof *header, 4096);
	header->ledger_stride = round_up(ledger_bytes(worker_lines(header->shards)), 4096);
	header->port_ledger_offset = header->ledgers_offset + header->workers * header->ledger_stride;
	header->lanes_offset = round_up(header->port_ledger_offset + ledger_bytes(PORT_LINES), page_bytes);
	header->size_bytes = header->lanes_offset + (uint64_t)header->workers * header->shards * lane;
	return 0;
}

uint64_t region_control_bytes(uint64_t page_bytes)
{
	return round_up(sizeof(struct control), page_bytes > 0 ? page_bytes : (uint64_t)sysconf(_SC_PAGESIZE));
}

uint64_t region_room_bytes(const struct region_geometry *geometry, uint32_t slots, uint64_t page_bytes)
{
	struct region header = {
		.workers = geometry->workers, .shards = geometry->shards, .lane_bytes = geometry->lane_bytes};

	if (slots > geometry->shards || region_layout(&header, page_bytes) != 0)
		return 0;
	return header.lanes_offset + (uint64_t)slots * geometry->workers * geometry->lane_bytes +
	       region_control_bytes(page_bytes);
}

bool region_header_sane(const struct region *header, uint64_t page_bytes, uint64_t file_bytes)
{
	struct region expected = {.workers = header->workers, .shards = header->shards, .lane_bytes = header->lane_bytes};

	return header->header_bytes == sizeof *header && header->generation != 0 &&
	       region_layout(&expected, page_bytes) == 0 && expected.ledgers_offset == header->ledgers_offset &&
	       expected.ledger_stride == header->ledger_stride &&
	       expected.port_ledger_offset == header->port_ledger_offset &&
	       expected.lanes_offset == header->lanes_offset && expected.size_bytes == header->size_bytes &&
	       file_bytes == header->size_bytes;
}

static uint8_t *map_mirrored(int fd, uint64_t offset, uint64_t bytes, uint64_t page_bytes, int protection)
{
	/* A huge page file maps only at multiples of its page size, so reserve one page more and round up. */
	uint64_t reserve = 2 * bytes + page_bytes;
	uint8_t *area = mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *lane, *end;

	if (area == MAP_FAILED)
		return NULL;
	lane = (uint8_t *)round_up((uint64_t)area, page_bytes);
	end = lane + 2 * bytes;
	for (int copy = 0; copy < 2; copy++) {
		if (mmap(lane + (uint64_t)copy * bytes, bytes, protection, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
			 (off_t)offset) == MAP_FAILED) {
			munmap(area, reserve);
			return NULL;
		}
	}
	if (lane > area)
		munmap(area, (size_t)(lane - area));
	if (area + reserve > end)
		munmap(end, (size_t)(area + reserve - end));
	return lane;
}

int region_map_lanes(int fd, const struct region *header, int protection, uint8_t ***out)
{
	struct region_geometry geometry = {header->workers, header->shards, header->lane_bytes};
	size_t count = (size_t)header->workers * header->shards;
	uint64_t page_bytes = region_page_bytes(fd);
	uint8_t **lanes = calloc(count, sizeof *lanes);

	if (!lanes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		lanes[i] = map_mirrored(fd, header->lanes_offset + i * header->lane_bytes, header->lane_bytes, page_bytes,
					protection);
		if (!lanes[i]) {
			int error = -errno;

			region_unmap_lanes(lanes, &geometry);
			return error;
		}
	}
	*out = lanes;
	return 0;
}

void region_unmap_lanes(uint8_t **lanes, const struct region_geometry *geometry)
{
	if (!lanes)
		return;
	for (size_t i = 0; i < (size_t)geometry->workers * geometry->shards; i++)
		if (lanes[i])
			munmap(lanes[i], 2 * geometry->lane_bytes);
	free(lanes);
}
