#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/seam/ledger.h"

#define LINES 70u

static struct ledger *new_ledger(void)
{
	struct ledger *l = aligned_alloc(64, ledger_bytes(LINES));

	memset(l, 0, ledger_bytes(LINES));
	return l;
}

static void nothing_is_seen_before_the_commit(void **state)
{
	struct ledger *shared = new_ledger();
	uint64_t now[LINES * 8], seen[8];
	struct ledger_writer w;

	(void)state;
	ledger_writer_init(&w, shared, now, LINES);
	ledger_add(&w, 3, 5);
	assert_true(ledger_read(shared, LINES, 0, 1, seen));
	assert_int_equal(seen[3], 0);
	ledger_commit(&w);
	assert_true(ledger_read(shared, LINES, 0, 1, seen));
	assert_int_equal(seen[3], 5);
	free(shared);
}

static void lines_touched_in_turn_stay_whole_in_both_copies(void **state)
{
	struct ledger *shared = new_ledger();
	uint64_t now[LINES * 8], seen[LINES * 8], total[LINES] = {0};
	struct ledger_writer w;

	(void)state;
	ledger_writer_init(&w, shared, now, LINES);
	for (uint32_t i = 1; i < 1000; i++) {
		uint32_t line = i * 7 % LINES;

		ledger_add(&w, line * 8, i);
		total[line] += i;
		ledger_commit(&w);
		assert_true(ledger_read(shared, LINES, 0, LINES, seen));
		for (uint32_t l = 0; l < LINES; l++)
			assert_int_equal(seen[l * 8], total[l]);
	}
	free(shared);
}

static void a_writer_killed_mid_burst_leaves_the_last_commit(void **state)
{
	struct ledger *shared = new_ledger();
	uint64_t now[LINES * 8], seen[8];
	struct ledger_writer w;

	(void)state;
	ledger_writer_init(&w, shared, now, LINES);
	ledger_add(&w, 0, 1);
	ledger_commit(&w);
	/* A kill inside the next commit: the other copy is half written, the epoch is not. */
	atomic_store(&shared->lines[0].word[0], 99);
	ledger_writer_init(&w, shared, now, LINES);
	assert_int_equal(now[0], 1);
	ledger_add(&w, 9, 4);
	for (int i = 0; i < 3; i++) {
		ledger_commit(&w);
		assert_true(ledger_read(shared, LINES, 0, 1, seen));
		assert_int_equal(seen[0], 1);
	}
	free(shared);
}

struct race {
	struct ledger *shared;
	_Atomic bool stop;
};

static void *commit_pairs(void *arg)
{
	struct race *race = arg;
	uint64_t now[LINES * 8];
	struct ledger_writer w;

	ledger_writer_init(&w, race->shared, now, LINES);
	while (!atomic_load(&race->stop)) {
		ledger_add(&w, 0, 1);
		ledger_add(&w, 65 * 8, 1);
		ledger_commit(&w);
	}
	return NULL;
}

static void a_reader_never_sees_half_a_burst(void **state)
{
	struct race race = {.shared = new_ledger()};
	uint64_t seen[LINES * 8];
	pthread_t writer;

	(void)state;
	pthread_create(&writer, NULL, commit_pairs, &race);
	for (int i = 0; i < 20000; i++)
		if (ledger_read(race.shared, LINES, 0, LINES, seen))
			assert_int_equal(seen[0], seen[65 * 8]);
	atomic_store(&race.stop, true);
	pthread_join(writer, NULL);
	free(race.shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_seen_before_the_commit),
		cmocka_unit_test(lines_touched_in_turn_stay_whole_in_both_copies),
		cmocka_unit_test(a_writer_killed_mid_burst_leaves_the_last_commit),
		cmocka_unit_test(a_reader_never_sees_half_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
