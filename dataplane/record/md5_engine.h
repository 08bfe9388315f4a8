// What the MD5 engines share. Private to md5*.c.
#pragma once

#include <string.h>

#include "dataplane/record/md5.h"

void md5_avx512(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16]);
void md5_upper_avx512(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper);
void md5_avx2(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16]);
void md5_openssl(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16]);

/* The number of the block that holds a key's length: its last one. */
static inline uint32_t md5_last_block(uint32_t length)
{
	return (uint32_t)(((uint64_t)length + 8) / 64);
}
