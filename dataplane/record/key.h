// From a record to its partition key: the text to hash, or a hash already.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE4_2__
#include <immintrin.h>
#endif

#include "config/config.h"
#include "dataplane/record/md5.h"
#include "dataplane/seam/key_text.h"

#define KEY_BYTES_MAX 256u /* a field's key is cut here: Kinesis takes 256 characters, and one is at least a byte */
#define KEY_SCRATCH 48u    /* room for the text of an address */

/* 128-bit hash key of a record: Kinesis' shard ranges are over these. */
struct hash_key {
	uint64_t upper, lower;
};

// An MD5 digest as Kinesis reads it: one big-endian 128-bit number.
static inline struct hash_key hash_key_of_digest(const uint8_t digest[16])
{
	uint64_t limbs[2];

	__builtin_memcpy(limbs, digest, 16);
	return (struct hash_key){__builtin_bswap64(limbs[0]), __builtin_bswap64(limbs[1])};
}

struct key_rule { /* an input's, ready to be applied; constant while workers run */
	enum config_key kind;
	uint32_t field;      /* KEY_FIELD: from 1 */
	uint8_t separator;   /* KEY_FIELD */
	struct md5_key constant;           /* KEY_CONSTANT: the bytes lie in the configuration, which outlives the rule */
	struct hash_key constant_hash;     /* and are hashed once */
};

struct key_random { /* one stream of random hashes: a worker's own */
	uint64_t state;
};

struct key { /* of one record */
	struct md5_key text;  /* what to hash; length 0: `hash` is known already */
	struct hash_key hash; /* when text.length is 0 */
	uint16_t stored;      /* how many of `bytes` go into the record as its key */
	const uint8_t *bytes; /* the key bytes to store */
	uint8_t kind;         /* enum record_key_kind, for the record */
};

// Prepares the rule of an input. Keeps pointing into `input`.
void key_rule_init(struct key_rule *rule, const struct config_input *input);

// Starts a stream of random hashes. Workers differ in `seed` (any value; from the system's random source).
void key_random_init(struct key_random *random, uint64_t seed);

// The two halves of a 128-bit product, together.
static inline uint64_t key_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

// The next of a stream of well-mixed 64-bit numbers (wyrand, W. Yi's public-domain generator of wyhash).
static inline uint64_t key_random_next(struct key_random *random)
{
	random->state += 0xa0761d6478bd642full;
	return key_mix(random->state, random->state ^ 0xe7037ed1a0b428dbull);
}

// wyhash (W. Yi, public domain; final version 4, seed 0) of an origin block (addresses and ports, 12 or 36 bytes; the
// protocol is always UDP): the same flow has the same hash on every worker, machine and day.
static inline uint64_t key_flow_hash(const uint8_t *origin, uint32_t origin_bytes)
{
	static const uint64_t secret0 = 0x2d358dccaa6c78a5ull, secret1 = 0x8bb84b93962eacc9ull;
	uint64_t seed = 0xca813bf4c7abf0a9ull, a, b; /* key_mix(secret0, secret1): what seed 0 becomes */
	unsigned __int128 product;

	if (origin_bytes == sizeof(struct origin4)) {
		memcpy(&a, origin, 8);
		memcpy(&b, origin + 4, 8);
		a = a << 32 | a >> 32;
	} else {
		for (uint32_t at = 0; at + 16 < origin_bytes; at += 16) {
			memcpy(&a, origin + at, 8);
			memcpy(&b, origin + at + 8, 8);
			seed = key_mix(a ^ secret1, b ^ seed);
		}
		memcpy(&a, origin + origin_bytes - 16, 8);
		memcpy(&b, origin + origin_bytes - 8, 8);
	}
	product = (unsigned __int128)(a ^ secret1) * (b ^ seed);
	return key_mix((uint64_t)product ^ secret0 ^ origin_bytes, (uint64_t)(product >> 64) ^ secret1);
}

// Where `byte` first stands in bytes[0..length), or `length`. Reads nothing outside. Made for a few dozen bytes: no call.
static inline uint32_t key_byte_at(const uint8_t *bytes, uint32_t length, uint8_t byte)
{
	uint32_t at = 0;

#if defined(__AVX512BW__) && defined(__BMI2__)
	for (; at < length; at += 64) {
		/* A masked load touches no byte whose mask bit is clear. */
		__mmask64 left = _cvtu64_mask64(_bzhi_u64(~0ull, length - at < 64 ? length - at : 64));
		__m512i some = _mm512_maskz_loadu_epi8(left, bytes + at);
		uint64_t found = _cvtmask64_u64(_mm512_mask_cmpeq_epi8_mask(left, some, _mm512_set1_epi8((char)byte)));

		if (found)
			return at + (uint32_t)__builtin_ctzll(found);
	}
	return length;
#elif defined(__SSE4_2__)
	const __m128i wanted = _mm_set1_epi8((char)byte);

	if (length >= 16) {
		for (;; at = at + 16 < length - 16 ? at + 16 : length - 16) {
			__m128i some = _mm_loadu_si128((const __m128i *)(bytes + at));
			uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(some, wanted));

			if (found)
				return at + (uint32_t)__builtin_ctz(found);
			if (at == length - 16)
				return length;
		}
	}
#endif
	while (at < length && bytes[at] != byte)
		at++;
	return at;
}

// How many of the `length` > KEY_BYTES_MAX bytes of a field are its key.
uint32_t key_cut(const uint8_t *bytes, uint32_t length);

// The `field`th (from 1) of the fields that `separator` divides bytes[0..length) into. False when there is no such
// field or it is empty. Longer than KEY_BYTES_MAX bytes: cut there, or up to 3 bytes earlier so as not to cut a
// UTF-8 character in two.
static inline bool key_field(const uint8_t *bytes, uint32_t length, uint8_t separator, uint32_t field,
			     struct md5_key *out)
{
	uint32_t end = key_byte_at(bytes, length, separator);

	for (; field > 1; field--) {
		if (end == length)
			return false;
		bytes += end + 1;
		length -= end + 1;
		end = key_byte_at(bytes, length, separator);
	}
	if (end == 0)
		return false;
	if (__builtin_expect(end > KEY_BYTES_MAX, 0))
		end = key_cut(bytes, end);
	*out = (struct md5_key){bytes, end};
	return true;
}

// A record without the key its rule asks for (no such field, no origin to take an address or a flow from) gets a random
// hash instead, kind RECORD_KEY_HASH. That is what key_find() returns false for, so that the caller can count it.
//
// `payload` and `scratch` (KEY_SCRATCH bytes, one for each record of a burst) must stay until the key has been hashed and
// stored. `origin` is the record's origin block, `origin_kind` its enum record_origin.
// A random or flow key is a hash whose lower 64 bits are 0.
bool key_find(const struct key_rule *rule, struct key_random *random, const uint8_t *payload, uint32_t length,
	      const void *origin, uint8_t origin_kind, char *scratch, struct key *out);
