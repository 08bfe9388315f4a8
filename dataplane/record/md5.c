#include "dataplane/record/md5_engine.h"

/* The low-level calls are deprecated but have no EVP fetch, context allocation or locking in them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>

#define ENGINES_MAX 3

static struct md5_engine engines[ENGINES_MAX];
static uint32_t engines_count;

void md5_openssl(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	for (uint32_t i = 0; i < count; i++) {
		MD5_CTX context;

		MD5_Init(&context);
		MD5_Update(&context, keys[i].bytes, keys[i].length);
		MD5_Final(digests[i], &context);
	}
}

/* Before main(), so that no thread ever sees a half-made choice. */
__attribute__((constructor)) static void choose_engines(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("bmi2"))
		engines[engines_count++] = (struct md5_engine){"avx512", md5_avx512, md5_upper_avx512};
	if (__builtin_cpu_supports("avx2"))
		engines[engines_count++] = (struct md5_engine){"avx2", md5_avx2, NULL};
	engines[engines_count++] = (struct md5_engine){"openssl", md5_openssl, NULL};
}

const struct md5_engine *md5_engines(uint32_t *count)
{
	*count = engines_count;
	return engines;
}

void md5_batch(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	engines[0].batch(keys, count, digests);
}

static void upper_of_digests(const struct md5_engine *engine, const uint8_t *const *bytes, const uint32_t *length, uint32_t count,
			     uint64_t *upper)
{
	struct md5_key keys[MD5_GROUP] = {{NULL, 0}};
	uint8_t digests[MD5_GROUP][16];

	for (uint32_t i = 0; i < count; i++)
		keys[i] = (struct md5_key){bytes[i], length[i]};
	engine->batch(keys, count, digests);
	for (uint32_t i = 0; i < count; i++) {
		memcpy(upper + i, digests[i], sizeof *upper);
		upper[i] = __builtin_bswap64(upper[i]);
	}
}

void md5_upper_by(const struct md5_engine *engine, const uint8_t *const *bytes, const uint32_t *length, uint32_t count,
		  uint64_t *upper)
{
	if (engine->upper) {
		engine->upper(bytes, length, count, upper);
		return;
	}
	for (uint32_t i = 0; i < count; i += MD5_GROUP)
		upper_of_digests(engine, bytes + i, length + i, count - i < MD5_GROUP ? count - i : MD5_GROUP, upper + i);
}

void md5_upper(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper)
{
	md5_upper_by(engines, bytes, length, count, upper);
}
