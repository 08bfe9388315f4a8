#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/checksum.h"
#include "tests/support/frame_build.h"

typedef uint64_t sum_function(const uint8_t *bytes, uint32_t length);

static uint64_t sum_dispatched(const uint8_t *bytes, uint32_t length)
{
	return checksum_sum(bytes, length);
}

static uint64_t sum_short(const uint8_t *bytes, uint32_t length)
{
	return checksum_sum_short(bytes, length);
}

// What a fold stands for in big-endian terms, as the reference counts.
static uint32_t as_number(uint16_t folded)
{
	return __builtin_bswap16(folded);
}

static void check_one(sum_function *sum, const uint8_t *bytes, uint32_t length)
{
	uint8_t *exact = frame_exact(bytes, length);

	assert_int_equal(as_number(checksum_fold(sum(exact, length))), frame_sum(0, bytes, length));
	free(exact);
}

static void check_all(const uint8_t *bytes, uint32_t length)
{
	check_one(sum_dispatched, bytes, length);
	check_one(sum_short, bytes, length);
	check_one(checksum_sum_sse, bytes, length);
	if (checksum_has_avx2())
		check_one(checksum_sum_avx2, bytes, length);
}

static void fill(uint8_t *bytes, uint32_t length, uint64_t *seed)
{
	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)frame_random(seed);
}

static void every_short_length_at_every_alignment_is_right(void **state)
{
	uint8_t bytes[600 + 64];
	uint64_t seed = 1;

	(void)state;
	fill(bytes, sizeof bytes, &seed);
	for (uint32_t length = 0; length <= 600; length++)
		for (uint32_t at = 0; at < 64; at += length < 40 ? 1 : 7)
			check_all(bytes + at, length);
}

static void random_long_pieces_are_right(void **state)
{
	uint8_t *bytes = malloc(65536);
	uint64_t seed = 2;

	(void)state;
	fill(bytes, 65536, &seed);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t at = frame_random(&seed) % 64, length = frame_random(&seed) % (65536 - at);

		check_all(bytes + at, length);
	}
	check_all(bytes, 65535);
	check_all(bytes, 65536);
	free(bytes);
}

static void extreme_bytes_do_not_overflow(void **state)
{
	static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
	uint8_t *bytes = malloc(65536);

	(void)state;
	for (uint32_t i = 0; i < sizeof values; i++) {
		memset(bytes, values[i], 65536);
		check_all(bytes, 65536);
		check_all(bytes, 65535);
	}
	for (uint32_t i = 0; i < 65536; i++)
		bytes[i] = i % 2 ? 0x80 : 0x7f;
	check_all(bytes, 65536);
	free(bytes);
}

static void pieces_of_any_length_sum_as_the_whole(void **state)
{
	uint8_t bytes[3000];
	uint64_t seed = 3;

	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t length = frame_random(&seed) % sizeof bytes, at = 0;
		struct checksum c = {0};

		fill(bytes, length, &seed);
		while (at < length) {
			uint32_t piece = frame_random(&seed) % (round % 2 ? 9 : 400);

			piece = piece > length - at ? length - at : piece;
			checksum_add(&c, bytes + at, piece);
			at += piece;
		}
		assert_int_equal(as_number(checksum_fold(c.sum)), frame_sum(0, bytes, length));
	}
}

static void what_is_finished_is_right_and_one_bit_off_is_not(void **state)
{
	uint8_t bytes[256];
	uint64_t seed = 4;

	(void)state;
	for (uint32_t length = 4; length < sizeof bytes; length++) {
		uint16_t sum;

		fill(bytes, length, &seed);
		memset(bytes + 2, 0, 2);
		sum = checksum_finish(checksum_sum(bytes, length));
		memcpy(bytes + 2, &sum, 2);
		assert_true(checksum_is_right(checksum_sum(bytes, length)));
		for (uint32_t bit = 0; bit < 8 * length; bit += 5) {
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_false(checksum_is_right(checksum_sum(bytes, length)));
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void nothing_but_zeros_is_not_right(void **state)
{
	uint8_t zeros[256] = {0};

	(void)state;
	assert_false(checksum_is_right(checksum_sum(zeros, 8)));
	assert_false(checksum_is_right(checksum_sum(zeros, sizeof zeros)));
	assert_int_equal(checksum_finish(checksum_sum(zeros, 8)), 0xffff);
}

static void rfc_1071_example_comes_out_as_printed(void **state)
{
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}; /* section 3: sum ddf2 */

	(void)state;
	assert_int_equal(as_number(checksum_fold(checksum_sum(bytes, sizeof bytes))), 0xddf2);
}

static void pseudo_headers_sum_as_their_fields(void **state)
{
	uint8_t addresses[32], message[64] = {1, 2, 3};
	uint64_t seed = 5;

	(void)state;
	for (uint32_t i = 0; i < 500; i++) {
		uint32_t length = frame_random(&seed) % sizeof message, bytes = i % 2 ? 4 : 16;
		uint64_t sum;

		fill(addresses, sizeof addresses, &seed);
		sum = checksum_sum_pseudo(addresses, 2 * bytes, length, 17) + checksum_sum(message, length);
		assert_int_equal(as_number(checksum_finish(sum)),
				 frame_pseudo_checksum(addresses, bytes, 17, message, length));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_length_at_every_alignment_is_right),
		cmocka_unit_test(random_long_pieces_are_right),
		cmocka_unit_test(extreme_bytes_do_not_overflow),
		cmocka_unit_test(pieces_of_any_length_sum_as_the_whole),
		cmocka_unit_test(what_is_finished_is_right_and_one_bit_off_is_not),
		cmocka_unit_test(nothing_but_zeros_is_not_right),
		cmocka_unit_test(rfc_1071_example_comes_out_as_printed),
		cmocka_unit_test(pseudo_headers_sum_as_their_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
