#include "dataplane/seam/hash_ranges.h"

typedef unsigned __int128 hash_key;

static void put(hash_key key, uint64_t limbs[2])
{
	limbs[0] = (uint64_t)(key >> 64);
	limbs[1] = (uint64_t)key;
}

void hash_range_even(uint32_t index, uint32_t count, uint64_t first[2], uint64_t last[2])
{
	const hash_key most = ~(hash_key)0;
	/*
	 * 2^128 has no place in 128 bits: divide 2^128 - 1, which is one short only when count divides 2^128. For one
	 * shard the size wraps to 0, and none of it is used.
	 */
	hash_key size = most / count + (most % count == count - 1);

	put(size * index, first);
	put(index + 1 == count ? most : size * (index + 1) - 1, last);
}
