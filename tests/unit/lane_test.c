#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/seam/lane.h"

#define LANE_BYTES (256u << 10)

/* A real lane, mirrored as both planes map it, with a worker's end and the drain's. */
struct pair {
	char directory[64];
	struct region_writer region;
	struct region_reader seen;
	uint64_t *now;
	struct ledger_writer ledger;
	struct lane_writer writer;
	struct lane_reader reader;
	_Atomic uint64_t head;
};

static struct pair *new_pair(void)
{
	struct pair *p = calloc(1, sizeof *p);
	struct region_geometry geometry = {.workers = 1, .shards = 1, .lane_bytes = LANE_BYTES};

	strcpy(p->directory, "/dev/shm/penstock-lane-XXXXXX");
	assert_non_null(mkdtemp(p->directory));
	assert_int_equal(region_create(p->directory, &geometry, &p->region), 0);
	assert_int_equal(region_populate(&p->region, 0, 0, -1), 0);
	assert_int_equal(region_open(p->directory, &p->seen), 0);
	p->now = aligned_alloc(64, worker_lines(1) * sizeof(struct ledger_line));
	ledger_writer_init(&p->ledger, (struct ledger *)((uint8_t *)p->region.region + p->region.region->ledgers_offset),
			   p->now, worker_lines(1));
	lane_writer_init(&p->writer, p->region.lanes[0], LANE_BYTES, 0, &p->ledger, &p->head);
	p->reader = (struct lane_reader){.bytes = p->seen.lanes[0], .size = LANE_BYTES};
	return p;
}

static void free_pair(struct pair *p)
{
	char path[96];

	region_close_reader(&p->seen);
	region_close_writer(&p->region);
	snprintf(path, sizeof path, "%s/data", p->directory);
	unlink(path);
	rmdir(p->directory);
	free(p->now);
	free(p);
}

static void publish(struct pair *p)
{
	ledger_set(&p->ledger, lane_word(0, LANE_POSITION), p->writer.position);
	ledger_commit(&p->ledger);
}

static uint64_t published_in(const struct ledger *ledger)
{
	uint64_t line[LEDGER_LINE_WORDS];

	while (!ledger_read(ledger, worker_lines(1), lane_word(0, 0) / LEDGER_LINE_WORDS, 1, line))
		sched_yield();
	return line[LANE_POSITION];
}

/* LANE_POSITION as the drain sees it. */
static uint64_t published(const struct pair *p)
{
	return published_in(region_worker_ledger(&p->seen, 0));
}

static void full_lane_refuses_and_keeps_what_it_has(void **state)
{
	struct pair *p = new_pair();
	const uint8_t *bytes;

	(void)state;
	for (uint32_t i = 0; i < LANE_BYTES / 64; i++) {
		uint8_t *at = lane_reserve(&p->writer, 64);

		assert_non_null(at);
		memset(at, (int)i, 64);
	}
	assert_null(lane_reserve(&p->writer, 8));
	assert_int_equal(p->writer.position, LANE_BYTES);
	publish(p);
	assert_int_equal(lane_span(&p->reader, published(p), UINT64_MAX, &bytes), LANE_BYTES);
	for (uint32_t i = 0; i < LANE_BYTES / 64; i++)
		assert_int_equal(bytes[i * 64], (uint8_t)i);
	/* Room for one comes back; room for two does not. */
	atomic_store(&p->head, 64);
	assert_null(lane_reserve(&p->writer, 128));
	assert_non_null(lane_reserve(&p->writer, 64));
	assert_null(lane_reserve(&p->writer, 8));
	free_pair(p);
}

static void nothing_is_published_before_the_commit(void **state)
{
	struct pair *p = new_pair();
	const uint8_t *bytes;

	(void)state;
	memset(lane_reserve(&p->writer, 64), 1, 64);
	assert_int_equal(lane_span(&p->reader, published(p), UINT64_MAX, &bytes), 0);
	publish(p);
	assert_int_equal(lane_span(&p->reader, published(p), UINT64_MAX, &bytes), 64);
	free_pair(p);
}

static void a_record_across_the_end_is_contiguous_for_both(void **state)
{
	struct pair *p = new_pair();
	const uint8_t *bytes;
	uint8_t *at;

	(void)state;
	assert_non_null(lane_reserve(&p->writer, LANE_BYTES - 24));
	publish(p);
	atomic_store(&p->head, LANE_BYTES - 24);
	p->reader.position = LANE_BYTES - 24;
	at = lane_reserve(&p->writer, 96);
	assert_ptr_equal(at, p->region.lanes[0] + LANE_BYTES - 24);
	for (uint32_t i = 0; i < 96; i++)
		at[i] = (uint8_t)(i + 1);
	publish(p);
	assert_int_equal(lane_span(&p->reader, published(p), UINT64_MAX, &bytes), 96);
	for (uint32_t i = 0; i < 96; i++)
		assert_int_equal(bytes[i], i + 1);
	assert_int_equal(p->region.lanes[0][0], 25); /* the same memory again at the front */
	assert_int_equal(lane_span(&p->reader, published(p), 40, &bytes), 40);
	free_pair(p);
}

static void impossible_heads_are_ignored(void **state)
{
	struct pair *p = new_pair();
	static const uint64_t heads[] = {1 << 20, UINT64_MAX, UINT64_MAX - LANE_BYTES + 1, 4097 + LANE_BYTES, 2047, 0};

	(void)state;
	lane_reserve(&p->writer, 4096);
	atomic_store(&p->head, 2048);
	assert_true(lane_refresh(&p->writer));
	assert_int_equal(p->writer.limit, 2048 + LANE_BYTES);
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		/* Ahead of the worker, or behind what was said before. */
		atomic_store(&p->head, heads[i]);
		assert_false(lane_refresh(&p->writer));
		assert_int_equal(p->writer.limit, 2048 + LANE_BYTES);
	}
	/* What was free stays usable; no more. */
	assert_non_null(lane_reserve(&p->writer, LANE_BYTES / 2));
	assert_non_null(lane_reserve(&p->writer, LANE_BYTES / 2 - 2048));
	assert_null(lane_reserve(&p->writer, 8));
	free_pair(p);
}

static void impossible_positions_are_reported(void **state)
{
	struct pair *p = new_pair();
	const uint8_t *bytes;

	(void)state;
	p->reader.position = 4096;
	assert_int_equal(lane_span(&p->reader, 4088, UINT64_MAX, &bytes), -EBADMSG);
	assert_int_equal(lane_span(&p->reader, 4096 + LANE_BYTES + 8, UINT64_MAX, &bytes), -EBADMSG);
	assert_int_equal(lane_span(&p->reader, 4100, UINT64_MAX, &bytes), -EBADMSG);
	assert_int_equal(lane_span(&p->reader, UINT64_MAX - 7, UINT64_MAX, &bytes), -EBADMSG);
	assert_int_equal(lane_span(&p->reader, 4096 + LANE_BYTES, UINT64_MAX, &bytes), LANE_BYTES);
	assert_int_equal(lane_span(&p->reader, 4096, UINT64_MAX, &bytes), 0);
	free_pair(p);
}

static void a_restarted_worker_goes_on_where_it_committed(void **state)
{
	struct pair *p = new_pair();

	(void)state;
	memset(lane_reserve(&p->writer, 64), 7, 64);
	publish(p);
	lane_reserve(&p->writer, 640); /* killed before this burst's commit */
	ledger_writer_init(&p->ledger, p->ledger.shared, p->now, worker_lines(1));
	lane_writer_init(&p->writer, p->region.lanes[0], LANE_BYTES, 0, &p->ledger, &p->head);
	assert_int_equal(p->writer.position, 64);
	assert_int_equal(p->writer.limit, LANE_BYTES);
	/* Without penstockd there is the lane's own room and no more; without a lie either. */
	lane_writer_init(&p->writer, p->region.lanes[0], LANE_BYTES, 0, &p->ledger, NULL);
	assert_non_null(lane_reserve(&p->writer, LANE_BYTES - 64));
	assert_null(lane_reserve(&p->writer, 8));
	free_pair(p);
}

#define STRESS_RECORDS 200000u

static uint32_t stress_bytes(uint64_t n)
{
	return 16 + 8 * (uint32_t)(n * 2654435761u >> 7 & 63);
}

static void *write_records(void *arg)
{
	struct pair *p = arg;

	for (uint64_t n = 0; n < STRESS_RECORDS; n++) {
		uint32_t bytes = stress_bytes(n);
		uint64_t *at;

		while (!(at = (uint64_t *)(void *)lane_reserve(&p->writer, bytes))) {
			publish(p);
			sched_yield();
		}
		at[0] = n;
		for (uint32_t i = 1; i < bytes / 8; i++)
			at[i] = n ^ i;
		if (n % 32 == 31)
			publish(p);
	}
	publish(p);
	return NULL;
}

static void two_threads_hand_over_every_record_once_and_whole(void **state)
{
	struct pair *p = new_pair();
	pthread_t writer;
	uint64_t n = 0;

	(void)state;
	/* Both ends through one mapping: ThreadSanitizer tells memory apart by its address. */
	p->reader.bytes = p->region.lanes[0];
	pthread_create(&writer, NULL, write_records, p);
	while (n < STRESS_RECORDS) {
		const uint8_t *bytes;
		int64_t span = lane_span(&p->reader, published_in(p->ledger.shared), UINT64_MAX, &bytes), at = 0;

		assert_true(span >= 0);
		if (span == 0)
			sched_yield();
		for (; at < span; n++) {
			const uint64_t *word = (const uint64_t *)(const void *)(bytes + at);
			uint32_t words = stress_bytes(n) / 8;

			if (word[0] != n || word[words - 1] != (n ^ (words - 1)))
				fail_msg("record %lu is not itself", (unsigned long)n);
			at += words * 8;
		}
		assert_int_equal(at, span);
		p->reader.position += (uint64_t)span;
		/* Partner: the acquire load in lane_refresh(). */
		atomic_store_explicit(&p->head, p->reader.position, memory_order_release);
	}
	pthread_join(writer, NULL);
	assert_int_equal(p->reader.position, p->writer.position);
	free_pair(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_lane_refuses_and_keeps_what_it_has),
		cmocka_unit_test(nothing_is_published_before_the_commit),
		cmocka_unit_test(a_record_across_the_end_is_contiguous_for_both),
		cmocka_unit_test(impossible_heads_are_ignored),
		cmocka_unit_test(impossible_positions_are_reported),
		cmocka_unit_test(a_restarted_worker_goes_on_where_it_committed),
		cmocka_unit_test(two_threads_hand_over_every_record_once_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
