#include "dataplane/pool.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define CACHE 256 /* mbufs that each worker keeps for itself */

static void free_area(struct rte_mempool_memhdr *chunk, void *area)
{
	(void)chunk;
	rte_memzone_free(area);
}

/* One area for all of them, without regard to pages. */
static int populate(struct rte_mempool *pool, int node)
{
	size_t bytes = (size_t)pool->size * rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
	char name[RTE_MEMZONE_NAMESIZE];
	const struct rte_memzone *area;
	int count;

	snprintf(name, sizeof name, "mbufs_%.20s", pool->name);
	area = rte_memzone_reserve_aligned(name, bytes, node, RTE_MEMZONE_IOVA_CONTIG, RTE_MEMPOOL_ALIGN);
	if (!area)
		return -rte_errno;
	count = rte_mempool_populate_iova(pool, area->addr, area->iova, area->len, free_area, (void *)(uintptr_t)area);
	if (count <= 0)
		rte_memzone_free(area);
	return count < 0 ? count : (uint32_t)count < pool->size ? -ENOMEM : 0;
}

/*
 * DPDK lets no mbuf lie across a page's end. Of pages of 4 KiB each then gets one, at the same place in it: all of them meet in the
 * same few sets of the caches, which do not hold a burst's. Side by side they are spread: receiving a frame of 64 bytes and giving it
 * back takes 9 ns instead of 19. Addresses for devices are virtual ones here, and do not end with a page.
 */
static struct rte_mempool *make_side_by_side(const char *name, uint32_t mbufs, int node)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = RTE_MBUF_DEFAULT_BUF_SIZE};
	uint32_t bytes = sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE;
	struct rte_mempool *pool = rte_mempool_create_empty(name, mbufs, bytes, CACHE, sizeof private, node,
							    RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	int error;

	if (!pool)
		return NULL;
	error = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);
	if (!error) {
		rte_pktmbuf_pool_init(pool, &private);
		error = populate(pool, node);
	}
	if (error) {
		rte_mempool_free(pool);
		rte_errno = -error;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

struct rte_mempool *pool_make(const char *name, uint32_t mbufs, int node, bool paged)
{
	if (node < 0)
		node = SOCKET_ID_ANY;
	if (!paged && !rte_eal_has_hugepages() && rte_eal_iova_mode() == RTE_IOVA_VA)
		return make_side_by_side(name, mbufs, node);
	return rte_pktmbuf_pool_create(name, mbufs, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, node);
}
