#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/record/key.h"
#include "dataplane/record/route.h"
#include "dataplane/seam/hash_ranges.h"

typedef unsigned __int128 hash128;

static struct shard_map map;
static struct router router;

static hash128 join(const uint64_t limbs[2])
{
	return (hash128)limbs[0] << 64 | limbs[1];
}

static void put(hash128 key, uint64_t limbs[2])
{
	limbs[0] = (uint64_t)(key >> 64);
	limbs[1] = (uint64_t)key;
}

/* A decimal number as the API writes hash keys. */
static hash128 decimal(const char *text)
{
	hash128 n = 0;

	for (; *text; text++)
		n = n * 10 + (hash128)(*text - '0');
	return n;
}

static hash128 random128(void)
{
	hash128 n = 0;

	for (int i = 0; i < 5; i++)
		n = n << 30 ^ (hash128)rand();
	return n;
}

static uint32_t naive_slot(hash128 key)
{
	for (uint32_t i = 0; i < map.streams[0].shards; i++) {
		const struct map_shard *s = &map.shards[map.streams[0].first_shard + i];

		if (join(s->first_hash) <= key && key <= join(s->last_hash))
			return s->slot;
	}
	fail_msg("a hash key outside every range");
	return UINT32_MAX;
}

static void expect_route(hash128 key)
{
	uint32_t slot = route_find(&router, (uint64_t)(key >> 64), (uint64_t)key);

	if (slot != naive_slot(key))
		fail_msg("%016lx%016lx went to slot %u instead of %u (%u shards)", (unsigned long)(key >> 64),
			 (unsigned long)key, slot, naive_slot(key), map.streams[0].shards);
}

static void expect_routes(void)
{
	assert_int_equal(router_init(&router, &map, 0), 0);
	for (uint32_t i = 0; i < map.streams[0].shards; i++) {
		const struct map_shard *s = &map.shards[map.streams[0].first_shard + i];

		for (int d = -1; d <= 1; d++) {
			expect_route(join(s->first_hash) + (hash128)d);
			expect_route(join(s->last_hash) + (hash128)d);
			expect_route(join(s->first_hash) ^ (hash128)1 << 64);
		}
	}
	for (int i = 0; i < 300; i++)
		expect_route(random128());
}

static void new_map(uint32_t shards)
{
	memset(&map, 0, sizeof map);
	map.streams_count = 1;
	map.shards_count = shards;
	map.streams[0].shards = shards;
	for (uint32_t i = 0; i < shards; i++)
		map.shards[i].slot = (i * 37 + 11) % 256;
}

static void even_shards_are_found_for_every_count(void **state)
{
	(void)state;
	for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
		new_map(shards);
		for (uint32_t i = 0; i < shards; i++)
			hash_range_even(i, shards, map.shards[i].first_hash, map.shards[i].last_hash);
		expect_routes();
		assert_true(router.even);
	}
}

static int compare_keys(const void *a, const void *b)
{
	hash128 x = *(const hash128 *)a, y = *(const hash128 *)b;

	return (x > y) - (x < y);
}

static void shards_split_anywhere_are_found(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t shards = 1 + (uint32_t)rand() % (round % 10 ? 20 : SHARDS_MAX), used = 1;
		hash128 first[SHARDS_MAX] = {0};

		/* Some ranges of one key, some that differ in their lower halves only, some at the very ends. */
		for (uint32_t i = 1; i < shards; i++)
			first[i] = rand() % 4 == 0 ? first[i - 1] + 1 :
				   rand() % 4 == 0 ? first[i - 1] ^ (hash128)rand() :
				   rand() % 20 == 0 ? ~(hash128)0 - (hash128)(rand() % 2) : random128();
		qsort(first, shards, sizeof *first, compare_keys);
		for (uint32_t i = 1; i < shards; i++)
			if (first[i] != first[used - 1])
				first[used++] = first[i];
		new_map(used);
		for (uint32_t i = 0; i < used; i++) {
			put(first[i], map.shards[i].first_hash);
			put(i + 1 < used ? first[i + 1] - 1 : ~(hash128)0, map.shards[i].last_hash);
		}
		expect_routes();
	}
}

static void new_streams_are_divided_as_kinesis_does(void **state)
{
	static const struct {
		uint32_t index, count;
		const char *first, *last;
	} documented[] = {
		{0, 1, "0", "340282366920938463463374607431768211455"},
		{0, 2, "0", "170141183460469231731687303715884105727"},
		{1, 2, "170141183460469231731687303715884105728", "340282366920938463463374607431768211455"},
		{0, 3, "0", "113427455640312821154458202477256070484"},
		{1, 3, "113427455640312821154458202477256070485", "226854911280625642308916404954512140969"},
		{2, 3, "226854911280625642308916404954512140970", "340282366920938463463374607431768211455"},
	};
	uint64_t first[2], last[2];

	(void)state;
	for (size_t i = 0; i < sizeof documented / sizeof documented[0]; i++) {
		hash_range_even(documented[i].index, documented[i].count, first, last);
		assert_true(join(first) == decimal(documented[i].first));
		assert_true(join(last) == decimal(documented[i].last));
	}
	for (uint32_t count = 1; count < 2000; count++) {
		hash128 next = 0;

		for (uint32_t i = 0; i < count; i++) {
			hash_range_even(i, count, first, last);
			assert_true(join(first) == next && join(last) >= next);
			next = join(last) + 1;
		}
		assert_true(next == 0);
	}
}

static void a_key_goes_where_its_md5_lies(void **state)
{
	/* MD5("abc") = 900150983cd24fb0d6963f7d28e17f72, above the middle; MD5("a") = 0cc175b9..., below. */
	struct md5_key keys[2] = {{(const uint8_t *)"abc", 3}, {(const uint8_t *)"a", 1}};
	struct hash_key hash[2];
	uint8_t digests[2][16];

	(void)state;
	new_map(2);
	for (uint32_t i = 0; i < 2; i++) {
		hash_range_even(i, 2, map.shards[i].first_hash, map.shards[i].last_hash);
		map.shards[i].slot = 100 + i;
	}
	assert_int_equal(router_init(&router, &map, 0), 0);
	md5_batch(keys, 2, digests);
	for (uint32_t i = 0; i < 2; i++)
		hash[i] = hash_key_of_digest(digests[i]);
	assert_true(hash[0].upper == 0x900150983cd24fb0 && hash[0].lower == 0xd6963f7d28e17f72);
	assert_int_equal(route_find(&router, hash[0].upper, hash[0].lower), 101);
	assert_int_equal(route_find(&router, hash[1].upper, hash[1].lower), 100);
}

static void maps_with_holes_or_overlaps_are_refused(void **state)
{
	(void)state;
	new_map(2);
	for (uint32_t i = 0; i < 2; i++)
		hash_range_even(i, 2, map.shards[i].first_hash, map.shards[i].last_hash);
	assert_int_equal(router_init(&router, &map, 0), 0);
	assert_int_equal(router_init(&router, &map, 1), -EINVAL);
	map.shards[0].last_hash[1]--;
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
	map.shards[0].last_hash[1]++;
	map.shards[1].last_hash[0]--;
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
	for (uint32_t i = 0; i < 2; i++)
		hash_range_even(0, 1, map.shards[i].first_hash, map.shards[i].last_hash);
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
	map.streams[0].shards = 0;
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
	map.streams[0].shards = SHARDS_MAX + 1;
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
	map.streams[0].shards = 2;
	map.streams[0].first_shard = SHARDS_MAX - 1;
	assert_int_equal(router_init(&router, &map, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even_shards_are_found_for_every_count),
		cmocka_unit_test(shards_split_anywhere_are_found),
		cmocka_unit_test(new_streams_are_divided_as_kinesis_does),
		cmocka_unit_test(a_key_goes_where_its_md5_lies),
		cmocka_unit_test(maps_with_holes_or_overlaps_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
