// A port's packet memory.
#pragma once

#include <stdint.h>

#include <rte_mempool.h>

// A pool of `mbufs` mbufs of RTE_MBUF_DEFAULT_BUF_SIZE bytes on `node` (-1: on any), which lives as long as the process. `paged`: none
// may lie across a page's end, because the kernel maps them for a device page by page. NULL, and rte_errno says why.
struct rte_mempool *pool_make(const char *name, uint32_t mbufs, int node, bool paged);
