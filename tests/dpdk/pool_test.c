// Packet memory without hugepages: where its mbufs lie.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "dataplane/pool.h"

#define MBUFS 2048u
#define MBUF_BYTES (sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE)
#define PAGE 4096u
#define BURST 32u
#define CACHE_SETS 64u /* of lines of 64 bytes: a page */

static int by_address(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t)*(struct rte_mbuf *const *)a, right = (uintptr_t)*(struct rte_mbuf *const *)b;

	return (left > right) - (left < right);
}

/* How many mbufs of a burst the fullest set of a cache would have to hold. */
static uint32_t fullest_set(struct rte_mbuf **mbufs)
{
	uint32_t sets[CACHE_SETS] = {0}, most = 0;

	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t in = ++sets[(uintptr_t)mbufs[i] / 64 % CACHE_SETS];

		most = in > most ? in : most;
	}
	return most;
}

static struct rte_mempool *take_all(const char *name, bool paged, struct rte_mbuf **mbufs)
{
	struct rte_mempool *pool = pool_make(name, MBUFS, -1, paged);

	assert_non_null(pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, mbufs, MBUFS), 0);
	assert_null(rte_pktmbuf_alloc(pool));
	return pool;
}

static void give_back(struct rte_mempool *pool, struct rte_mbuf **mbufs)
{
	rte_pktmbuf_free_bulk(mbufs, MBUFS);
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	rte_mempool_free(pool);
}

static void mbufs_lie_side_by_side_and_none_over_another(void **state)
{
	struct rte_mbuf *mbufs[MBUFS];
	struct rte_mempool *pool = take_all("side", false, mbufs);

	(void)state;
	assert_in_range(fullest_set(mbufs), 1, 2);
	qsort(mbufs, MBUFS, sizeof mbufs[0], by_address);
	for (uint32_t i = 0; i < MBUFS; i++) {
		assert_true(i == 0 || (uint8_t *)mbufs[i] - (uint8_t *)mbufs[i - 1] >= (ptrdiff_t)MBUF_BYTES);
		assert_ptr_equal(mbufs[i]->pool, pool);
		assert_ptr_equal(mbufs[i]->buf_addr, mbufs[i] + 1);
		assert_int_equal(mbufs[i]->buf_len, RTE_MBUF_DEFAULT_BUF_SIZE);
		assert_int_equal(mbufs[i]->buf_iova, (uintptr_t)mbufs[i]->buf_addr);
	}
	assert_true((size_t)((uint8_t *)mbufs[MBUFS - 1] - (uint8_t *)mbufs[0]) < MBUFS * (MBUF_BYTES + 192));
	give_back(pool, mbufs);
}

static void paged_mbufs_end_in_the_page_they_begin_in(void **state)
{
	struct rte_mbuf *mbufs[MBUFS];
	struct rte_mempool *pool = take_all("paged", true, mbufs);

	(void)state;
	for (uint32_t i = 0; i < MBUFS; i++)
		assert_int_equal((uintptr_t)mbufs[i] / PAGE, ((uintptr_t)mbufs[i] + MBUF_BYTES - 1) / PAGE);
	give_back(pool, mbufs);
}

static void memory_that_is_not_there_is_an_error_and_leaves_nothing_behind(void **state)
{
	struct rte_mbuf *mbufs[MBUFS];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_null(pool_make("one", 1u << 24, -1, i == 1));
		assert_int_equal(rte_errno, ENOMEM);
	}
	give_back(take_all("one", false, mbufs), mbufs);
}

static size_t heap_free(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_freesz_bytes;
}

/* The largest pool there is room for: on the way to it now the area is what does not fit, now the ring beside it. */
static void pools_that_nearly_fit_are_errors_and_leave_nothing_behind(void **state)
{
	uint32_t fits = MBUFS, too_many = 1u << 16;
	size_t before;

	(void)state;
	rte_mempool_free(pool_make("fit", fits, -1, false)); /* what DPDK keeps of the first one */
	before = heap_free();
	while (too_many - fits > 1) {
		uint32_t mbufs = fits + (too_many - fits) / 2;
		struct rte_mempool *pool = pool_make("fit", mbufs, -1, false);

		if (pool) {
			assert_int_equal(rte_mempool_avail_count(pool), mbufs);
			rte_mempool_free(pool);
			fits = mbufs;
		} else {
			assert_int_equal(rte_errno, ENOMEM);
			too_many = mbufs;
		}
		assert_int_equal(heap_free(), before);
	}
	assert_true(fits > 20000); /* of 64 MiB */
}

static int start_dpdk(void **state)
{
	static char prefix[64];
	char *arguments[] = {"pool_test", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "--log-level=critical",
			     "-m", "64", "--lcores=0@0", prefix};

	(void)state;
	snprintf(prefix, sizeof prefix, "--file-prefix=pool_test_%ld", (long)getpid());
	return rte_eal_init(sizeof arguments / sizeof arguments[0], arguments) < 0;
}

static int stop_dpdk(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mbufs_lie_side_by_side_and_none_over_another),
		cmocka_unit_test(paged_mbufs_end_in_the_page_they_begin_in),
		cmocka_unit_test(memory_that_is_not_there_is_an_error_and_leaves_nothing_behind),
		cmocka_unit_test(pools_that_nearly_fit_are_errors_and_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, start_dpdk, stop_dpdk);
}
