// What both ends of a region share: sizes, checks and the mirrored mapping. Private to dataplane/seam/.
#pragma once

#include "dataplane/seam/region.h"

#define REGION_FILE "data"
#define CONTROL_FILE "control"

// The page size of a file on tmpfs or hugetlbfs; 0 for any other file system (of a directory or a file).
uint64_t region_page_bytes(int fd);

// The offsets of `header` from its geometry and page size. -EINVAL when the geometry is out of range.
int region_layout(struct region *header, uint64_t page_bytes);

// The size of the control file: whole pages.
uint64_t region_control_bytes(uint64_t page_bytes);

// True when the copy `header` of a region's first bytes is one this version can map from a file of `file_bytes`.
bool region_header_sane(const struct region *header, uint64_t page_bytes, uint64_t file_bytes);

// Maps every lane twice in a row. The array is the caller's, freed by region_unmap_lanes().
int region_map_lanes(int fd, const struct region *header, int protection, uint8_t ***out);

void region_unmap_lanes(uint8_t **lanes, const struct region_geometry *geometry);

// "DIRECTORY/name" into `path` (PATH_MAX bytes). -ENAMETOOLONG.
int region_path(char *path, const char *directory, const char *name);

// munmap() of what was mapped with `bytes`, which the kernel rounded up to pages of the file's own size.
void region_unmap(const void *mapped, uint64_t bytes);
