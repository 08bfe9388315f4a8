// A shard that is flooded: what the store then takes of the others. Told by counts of records, whatever the time.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/support/store_rig.h"

#define SHARDS 8u
#define FLOODED 0u
#define LENGTH 1000u
#define EACH 4u                  /* records of the flood for one of another shard */
#define FLOOD (EACH * 7u * 1200u) /* each other shard gets 1,200: five lanes full */

static struct rig rig;
static uint64_t sent[SHARDS], refused[SHARDS];

static void send_record(uint32_t shard)
{
	sent[shard]++;
	if (!feed_append(&rig.feed, 0, shard, LENGTH))
		refused[shard]++;
}

/* As fast as the store empties its lane, and a little more: most of the time it is full. */
static void flood_once(void)
{
	while (!feed_append(&rig.feed, 0, FLOODED, LENGTH)) {
		refused[FLOODED]++;
		feed_commit(&rig.feed, 0);
		sched_yield();
	}
	sent[FLOODED]++;
}

static void a_flooded_shard_leaves_the_others_their_records(void **state)
{
	uint64_t records = 0;

	(void)state;
	rig_make(&rig, "/dev/shm", 1, SHARDS);
	rig_start(&rig);
	for (uint32_t n = 0; n < FLOOD; n++) {
		flood_once();
		if (n % EACH == 0)
			send_record(1 + n / EACH % (SHARDS - 1));
	}
	feed_commit(&rig.feed, 0);
	assert_true(rig_settle(&rig, 60000));
	for (uint32_t s = 0; s < SHARDS; s++) {
		struct rig_tally tally = rig_read(&rig, s, 0);

		assert_null(tally.wrong);
		assert_int_equal(tally.skipped, 0);
		records += tally.records;
		if (s == FLOODED)
			continue;
		assert_int_equal(sent[s], FLOOD / EACH / (SHARDS - 1));
		assert_int_equal(tally.records, sent[s] - refused[s]);
		assert_true(tally.records * 100 >= sent[s] * 99);
	}
	assert_true(refused[FLOODED] > 0 && records > FLOOD);
	print_message("# %lu records stored, the flood was refused %lu times\n", records, refused[FLOODED]);
	rig_stop(&rig, true);
	rig_destroy(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flooded_shard_leaves_the_others_their_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
