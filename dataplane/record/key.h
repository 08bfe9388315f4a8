// From a record to its partition key: the text to hash, or a hash already.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512BW__) && defined(__BMI2__)
#include <immintrin.h>
#elif defined(__SSE4_2__)
#include <nmmintrin.h>
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

// The key of records that lack theirs (MISSING_CONSTANT), hashed. Keeps pointing into `input`.
struct key key_for_missing(const struct config_input *input);

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

#define KEY_FLOW_SEED_UPPER 0u
#define KEY_FLOW_SEED_LOWER 0x9747b28cu

static inline uint32_t key_rotate(uint32_t word, uint32_t bits)
{
	return word << bits | word >> (32 - bits);
}

// MurmurHash3_x86_32 (A. Appleby, public domain) of whole words.
static inline uint32_t key_murmur(const uint8_t *bytes, uint32_t length, uint32_t seed)
{
	uint32_t word, h = seed;

	for (uint32_t at = 0; at < length; at += 4) {
		memcpy(&word, bytes + at, 4);
		h ^= key_rotate(word * 0xcc9e2d51u, 15) * 0x1b873593u;
		h = key_rotate(h, 13) * 5 + 0xe6546b64u;
	}
	h ^= length;
	h = (h ^ h >> 16) * 0x85ebca6bu;
	h = (h ^ h >> 13) * 0xc2b2ae35u;
	return h ^ h >> 16;
}

// The hash of an origin block (addresses and ports, 12 or 36 bytes; the protocol is always UDP): two MurmurHash3_x86_32 of
// different seeds side by side, because 32-bit arithmetic is what vectors do for 16 flows at once. The same flow has the same
// hash on every worker, machine and day.
static inline uint64_t key_flow_hash(const uint8_t *origin, uint32_t origin_bytes)
{
	return (uint64_t)key_murmur(origin, origin_bytes, KEY_FLOW_SEED_UPPER) << 32 |
	       key_murmur(origin, origin_bytes, KEY_FLOW_SEED_LOWER);
}

#define KEY_FLOWS 16u /* hashed at once */

// key_flow_hash() of `count` IPv4 origins given by their words, as they lie in the block. Reads and writes whole groups of
// KEY_FLOWS: all four arrays have room for that.
static inline __attribute__((always_inline)) void key_flow_hashes(const uint32_t *source, const uint32_t *destination,
								   const uint32_t *ports, uint32_t count, uint64_t *hash)
{
	typedef uint32_t words __attribute__((vector_size(KEY_FLOWS * 4)));

	for (uint32_t at = 0; at < count; at += KEY_FLOWS) {
		words k, upper, lower;
		const uint32_t *from[3] = {source + at, destination + at, ports + at};

		upper = (words){0} + KEY_FLOW_SEED_UPPER;
		lower = (words){0} + KEY_FLOW_SEED_LOWER;
		for (uint32_t i = 0; i < 3; i++) {
			memcpy(&k, from[i], sizeof k);
			k *= 0xcc9e2d51u;
			k = (k << 15 | k >> 17) * 0x1b873593u;
			upper ^= k;
			lower ^= k;
			upper = (upper << 13 | upper >> 19) * 5 + 0xe6546b64u;
			lower = (lower << 13 | lower >> 19) * 5 + 0xe6546b64u;
		}
		upper ^= sizeof(struct origin4);
		lower ^= sizeof(struct origin4);
		upper = (upper ^ upper >> 16) * 0x85ebca6bu;
		lower = (lower ^ lower >> 16) * 0x85ebca6bu;
		upper = (upper ^ upper >> 13) * 0xc2b2ae35u;
		lower = (lower ^ lower >> 13) * 0xc2b2ae35u;
		upper ^= upper >> 16;
		lower ^= lower >> 16;
		for (uint32_t i = 0; i < KEY_FLOWS; i++)
			hash[at + i] = (uint64_t)upper[i] << 32 | lower[i];
	}
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

// A key that is a part of the record, or was found in it.
static inline struct key key_of_bytes(const uint8_t *bytes, uint32_t length)
{
	return (struct key){
		.text = {bytes, length}, .stored = (uint16_t)length, .bytes = bytes, .kind = RECORD_KEY_STORED};
}

// One whose hash is known, not that of its bytes or hashed before.
static inline struct key key_of_hashed(const uint8_t *bytes, uint32_t length, struct hash_key hash)
{
	return (struct key){.hash = hash, .stored = (uint16_t)length, .bytes = bytes, .kind = RECORD_KEY_STORED};
}

// A hash and nothing else: random ones, and those of dead letters.
static inline struct key key_of_hash(uint64_t hash, uint8_t kind)
{
	return (struct key){.hash = {hash, 0}, .kind = kind};
}

// A key that its sender gave the record, with a hash of its own or without.
static inline struct key key_of_own(struct md5_key text, bool hashed, struct hash_key hash)
{
	return hashed ? key_of_hashed(text.bytes, text.length, hash) : key_of_bytes(text.bytes, text.length);
}

// What a record gets that lacks its key, `constant` being key_for_missing(). False: it is a dead letter.
static inline bool key_replace(enum config_missing missing, const struct key *constant, struct key_random *random, struct key *out)
{
	if (missing == MISSING_DEAD_LETTER)
		return false;
	*out = missing == MISSING_CONSTANT ? *constant : key_of_hash(key_random_next(random), RECORD_KEY_HASH);
	return true;
}

// For a record that keeps no origin, a tap's frame: nobody could read the key's text from that again.
static inline void key_leave_origin(struct key *key)
{
	if (key->kind == RECORD_KEY_SOURCE)
		*key = key_of_bytes(key->text.bytes, key->text.length);
	else if (key->kind == RECORD_KEY_FLOW)
		key->kind = RECORD_KEY_HASH;
}

// The key of a dead letter: its flow, where that is known (`ports`: enum record_origin of the block at `origin` when the ports are
// in it), so that those of one sender stay in order; nobody asks for them by key. `kept` is what the letter itself keeps.
static inline struct key key_of_dead(const uint8_t *origin, uint8_t ports, uint8_t kept, struct key_random *random)
{
	if (ports == RECORD_ORIGIN_NONE)
		return key_of_hash(key_random_next(random), RECORD_KEY_HASH);
	return key_of_hash(key_flow_hash(origin, record_origin_bytes(ports)),
			   kept == RECORD_ORIGIN_NONE ? RECORD_KEY_HASH : RECORD_KEY_FLOW);
}

// Hashes the text now, if that is still to be done: for a record that is stored with its hash whether or not its stream has
// several shards. Not for a fast path.
void key_hash_now(struct key *key);

// A record without the key its rule asks for (no such field, no origin to take an address or a flow from) gets a random
// hash instead, kind RECORD_KEY_HASH. That is what key_find() returns false for, so that the caller can count it.
//
// `payload` and `scratch` (KEY_SCRATCH bytes, one for each record of a burst) must stay until the key has been hashed and
// stored. `origin` is the record's origin block, `origin_kind` its enum record_origin.
// A random or flow key is a hash whose lower 64 bits are 0.
bool key_find(const struct key_rule *rule, struct key_random *random, const uint8_t *payload, uint32_t length,
	      const void *origin, uint8_t origin_kind, char *scratch, struct key *out);
