// The hash-key ranges of a new stream's shards.
#pragma once

#include <stdint.h>

// The inclusive 128-bit range of shard `index` of `count` (index < count, count >= 1) as Kinesis divides a new stream:
// every shard floor(2^128 / count) keys from 0 on, the last one what remains, so that together they cover 0..2^128-1
// exactly. [0] is the upper, [1] the lower 64 bits. Source: CreateStream and DescribeStream, Kinesis Data Streams API
// reference (the ranges it shows for two and three shards are in the tests).
void hash_range_even(uint32_t index, uint32_t count, uint64_t first[2], uint64_t last[2]);
