// From a record to its partition key: the text to hash, or a hash already.
#pragma once

#include <stdbool.h>
#include <stdint.h>

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

// The next of a stream of well-mixed 64-bit numbers (wyrand, W. Yi's public-domain generator of wyhash).
static inline uint64_t key_random_next(struct key_random *random)
{
	unsigned __int128 product;

	random->state += 0xa0761d6478bd642full;
	product = (unsigned __int128)random->state * (random->state ^ 0xe7037ed1a0b428dbull);
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

// XXH3 of an origin block (addresses and ports; the protocol is always UDP): the same flow has the same hash on every
// worker, machine and day.
uint64_t key_flow_hash(const uint8_t *origin, uint32_t origin_bytes);

// The `field`th (from 1) of the fields that `separator` divides bytes[0..length) into. False when there is no such
// field or it is empty. Longer than KEY_BYTES_MAX bytes: cut there, or up to 3 bytes earlier so as not to cut a
// UTF-8 character in two.
bool key_field(const uint8_t *bytes, uint32_t length, uint8_t separator, uint32_t field, struct md5_key *out);

// A record without the key its rule asks for (no such field, no origin to take an address or a flow from) gets a random
// hash instead, kind RECORD_KEY_HASH. That is what key_find() returns false for, so that the caller can count it.
//
// `payload` and `scratch` (KEY_SCRATCH bytes, one for each record of a burst) must stay until the key has been hashed and
// stored. `origin` is the record's origin block, `origin_kind` its enum record_origin.
// A random or flow key is a hash whose lower 64 bits are 0.
bool key_find(const struct key_rule *rule, struct key_random *random, const uint8_t *payload, uint32_t length,
	      const void *origin, uint8_t origin_kind, char *scratch, struct key *out);
