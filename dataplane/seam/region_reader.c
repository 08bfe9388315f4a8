// penstockd's end of the data region: the same bytes, read-only, nothing believed.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/seam/region_map.h"

static int check_header(int fd, struct region *header)
{
	struct stat file;

	if (fstat(fd, &file) != 0)
		return -errno;
	if (pread(fd, header, sizeof *header, 0) != (ssize_t)sizeof *header)
		return -EBADMSG;
	if (header->magic == 0)
		return -EAGAIN;
	if (header->magic != REGION_MAGIC)
		return -EBADMSG;
	if (header->version != REGION_VERSION)
		return -EPROTO;
	return region_header_sane(header, region_page_bytes(fd), (uint64_t)file.st_size) ? 0 : -EBADMSG;
}

int region_open(const char *directory, struct region_reader *out)
{
	struct region header;
	char path[PATH_MAX];
	uint8_t **lanes = NULL;
	struct stat file;
	void *mapped;
	int error = region_path(path, directory, REGION_FILE), fd;

	if (error)
		return error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	error = check_header(fd, &header);
	if (!error)
		error = region_map_lanes(fd, &header, PROT_READ, &lanes);
	if (error) {
		close(fd);
		return error;
	}
	mapped = mmap(NULL, header.lanes_offset, PROT_READ, MAP_SHARED, fd, 0);
	*out = (struct region_reader){.region = mapped,
				      .lanes = (const uint8_t *const *)lanes,
				      .geometry = {header.workers, header.shards, header.lane_bytes},
				      .generation = header.generation,
				      .ledgers_offset = header.ledgers_offset,
				      .ledger_stride = header.ledger_stride,
				      .port_ledger_offset = header.port_ledger_offset,
				      .mapped_bytes = header.lanes_offset,
				      .fd = fd};
	if (mapped == MAP_FAILED || fstat(fd, &file) != 0) {
		error = -errno;
		out->region = mapped == MAP_FAILED ? NULL : mapped;
		region_close_reader(out);
		return error;
	}
	out->inode = file.st_ino;
	return 0;
}

void region_close_reader(struct region_reader *region)
{
	region_unmap_lanes((uint8_t **)region->lanes, &region->geometry);
	if (region->region)
		munmap((void *)region->region, region->mapped_bytes);
	if (region->fd >= 0)
		close(region->fd);
	*region = (struct region_reader){.fd = -1};
}
