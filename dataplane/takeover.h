// Taking up what an earlier dataplane and penstockd left: the region, and the control region beside it.
#pragma once

#include "dataplane/seam/region.h"

// The data region of this geometry: made, or taken over as it was left. One of another geometry is replaced once
// penstockd has drained it (waits up to 30 s, saying so); one of another version only when `replace`.
// 0 or -errno, the reason and the remedy logged.
int takeover_region(const char *directory, const struct region_geometry *geometry, bool replace,
		    struct region_writer *out);

// Maps the control region when it belongs to `region`, and says which file that is. 0, -ENOENT, -EPROTO.
int takeover_control(const char *directory, const struct region *region, const struct control **out, uint64_t *inode);

// The file that stands under the control region's name now. 0 or -errno.
int takeover_control_inode(const char *directory, uint64_t *inode);
