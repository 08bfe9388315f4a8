// MD5 of many short keys at once: one key per vector lane.
#pragma once

#include <stdint.h>

struct md5_key {
	const uint8_t *bytes; /* may be NULL when length is 0 */
	uint32_t length;      /* any; up to 55 bytes take one block, every further 64 one more for the whole group */
};

// The MD5 (RFC 1321) of `count` keys into digests[0..count). Reads nothing outside the pages of a key's own bytes, writes nothing
// else, keeps nothing. Keys are hashed in groups: a count between two of them (16, 32, 80 for the widest engine) costs as much as
// the next.
void md5_batch(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16]);

#define MD5_GROUP 16u

// The upper halves of the digests of keys bytes[i], length[i] long, read as big-endian numbers, which is what tells the shard where
// ranges are even, into upper[0..count). Writes whole groups of MD5_GROUP: there is room for that.
void md5_upper(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper);

/* One way of doing it. md5_batch() takes the first that this processor can run. */
struct md5_engine {
	const char *name;
	void (*batch)(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16]);
	/* NULL: from digests */
	void (*upper)(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper);
};

// The engines this processor can run, fastest first; *count of them, at least one. Constant for the life of the process.
const struct md5_engine *md5_engines(uint32_t *count);

// md5_upper() by a given engine.
void md5_upper_by(const struct md5_engine *engine, const uint8_t *const *bytes, const uint32_t *length, uint32_t count,
		  uint64_t *upper);
