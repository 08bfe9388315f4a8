#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "dataplane/record/md5.h"

#define KEYS_MAX 200u
#define LENGTH_MAX 1024u

/* The first 8 bytes of each digest as a number, and nothing written behind the last group. */
static void expect_upper(const struct md5_engine *engine, const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	uint32_t room = (count + MD5_GROUP - 1) / MD5_GROUP * MD5_GROUP;
	uint64_t upper[KEYS_MAX + MD5_GROUP + 1];
	const uint8_t *bytes[KEYS_MAX];
	uint32_t length[KEYS_MAX];

	for (uint32_t i = 0; i < count; i++) {
		bytes[i] = keys[i].bytes;
		length[i] = keys[i].length;
	}
	memset(upper, 0x5a, sizeof upper);
	md5_upper_by(engine, bytes, length, count, upper);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t expected = 0;

		for (uint32_t byte = 0; byte < 8; byte++)
			expected = expected << 8 | digests[i][byte];
		if (upper[i] != expected)
			fail_msg("%s: upper half of key %u of %u, %u bytes", engine->name, i, count, keys[i].length);
	}
	assert_int_equal(upper[room], 0x5a5a5a5a5a5a5a5a);
}

static void expect_digests(const struct md5_engine *engine, const struct md5_key *keys, uint32_t count)
{
	uint8_t digests[KEYS_MAX + 1][16], expected[16];

	memset(digests, 0x5a, sizeof digests);
	engine->batch(keys, count, digests);
	for (uint32_t i = 0; i < count; i++) {
		EVP_Digest(keys[i].bytes, keys[i].length, expected, NULL, EVP_md5(), NULL);
		if (memcmp(digests[i], expected, 16) != 0)
			fail_msg("%s: key %u of %u, %u bytes", engine->name, i, count, keys[i].length);
	}
	memset(expected, 0x5a, sizeof expected);
	assert_memory_equal(digests[count], expected, 16);
	expect_upper(engine, keys, count, digests);
}

/* A key in memory of its own: a read outside it is the sanitizer's to report, whose builds have no other way for short keys. */
static struct md5_key new_key(uint32_t length)
{
	uint8_t *bytes = malloc(length ? length : 1);

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)rand();
	return (struct md5_key){bytes, length};
}

static void every_length_agrees_with_openssl(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	struct md5_key keys[KEYS_MAX];

	(void)state;
	for (uint32_t length = 0; length <= LENGTH_MAX; length += length < 300 ? 1 : 181) {
		uint32_t count = 1 + length % 70;

		for (uint32_t i = 0; i < count; i++)
			keys[i] = new_key(length);
		for (uint32_t e = 0; e < engines_count; e++)
			expect_digests(engines + e, keys, count);
		for (uint32_t i = 0; i < count; i++)
			free((void *)keys[i].bytes);
	}
}

static void mixed_lengths_agree_with_openssl(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	struct md5_key keys[KEYS_MAX];

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t count = 1 + (uint32_t)rand() % KEYS_MAX;
		uint32_t most = (uint32_t[]){24, 60, 140, LENGTH_MAX}[round % 4];

		for (uint32_t i = 0; i < count; i++)
			keys[i] = new_key((uint32_t)rand() % (most + 1));
		for (uint32_t e = 0; e < engines_count; e++)
			expect_digests(engines + e, keys, count);
		for (uint32_t i = 0; i < count; i++)
			free((void *)keys[i].bytes);
	}
}

/* Keys of up to 16 bytes have a way of their own, with as many groups as there are keys; some have no bytes, and no address. */
static void tiny_keys_agree_with_openssl_however_many(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	struct md5_key keys[KEYS_MAX];

	(void)state;
	for (uint32_t count = 1; count <= KEYS_MAX; count++) {
		uint32_t rare = count % 3 == 0 ? 1000 : 20;

		for (uint32_t i = 0; i < count; i++)
			keys[i] = (uint32_t)rand() % rare == 0 ? (struct md5_key){NULL, 0} : new_key(1 + (uint32_t)rand() % 16);
		for (uint32_t e = 0; e < engines_count; e++)
			expect_digests(engines + e, keys, count);
		for (uint32_t i = 0; i < count; i++)
			free((void *)keys[i].bytes);
	}
}

/* What lies beside a key is another one's, in memory that may be read. */
static void what_surrounds_a_key_does_not_matter(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	static uint8_t text[3 * 4096];
	struct md5_key keys[KEYS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(1 + rand() % 255);
	for (uint32_t round = 0; round < 200; round++) {
		uint32_t most = 1 + round % 17, at = (uint32_t)rand() % 4096;

		for (uint32_t i = 0; i < KEYS_MAX; i++, at += 30 + (uint32_t)rand() % 8)
			keys[i] = (struct md5_key){text + at % (sizeof text - 64), round % 2 ? most : 1 + (uint32_t)rand() % most};
		for (uint32_t e = 0; e < engines_count; e++)
			expect_digests(engines + e, keys, KEYS_MAX - round % 32);
	}
}

static void keys_at_the_end_of_a_page_are_not_read_beyond(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *area = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct md5_key keys[96];

	(void)state;
	assert_true(area != MAP_FAILED);
	assert_int_equal(mprotect(area, page, PROT_NONE), 0);
	assert_int_equal(mprotect(area + 2 * page, page, PROT_NONE), 0);
	for (size_t i = 0; i < page; i++)
		area[page + i] = (uint8_t)(i * 7);
	for (uint32_t length = 0; length <= 300; length++) {
		for (uint32_t i = 0; i < 96; i += 2) {
			keys[i] = (struct md5_key){area + page, length};
			keys[i + 1] = (struct md5_key){area + 2 * page - length, length};
		}
		for (uint32_t e = 0; e < engines_count; e++) {
			expect_digests(engines + e, keys, 2);
			expect_digests(engines + e, keys, 96);
		}
	}
	munmap(area, 3 * page);
}

static void no_keys_and_no_bytes_are_fine(void **state)
{
	uint32_t engines_count;
	const struct md5_engine *engines = md5_engines(&engines_count);
	struct md5_key none = {NULL, 0};

	(void)state;
	assert_true(engines_count >= 1);
	for (uint32_t e = 0; e < engines_count; e++) {
		expect_digests(engines + e, NULL, 0);
		expect_digests(engines + e, &none, 1);
	}
}

static void the_batch_is_the_first_engine(void **state)
{
	static const uint8_t abc[16] = {0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
					0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72}; /* RFC 1321, A.5 */
	struct md5_key key = {(const uint8_t *)"abc", 3};
	uint8_t digest[1][16];

	(void)state;
	md5_batch(&key, 1, digest);
	assert_memory_equal(digest[0], abc, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_agrees_with_openssl),
		cmocka_unit_test(mixed_lengths_agree_with_openssl),
		cmocka_unit_test(tiny_keys_agree_with_openssl_however_many),
		cmocka_unit_test(what_surrounds_a_key_does_not_matter),
		cmocka_unit_test(keys_at_the_end_of_a_page_are_not_read_beyond),
		cmocka_unit_test(no_keys_and_no_bytes_are_fine),
		cmocka_unit_test(the_batch_is_the_first_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
