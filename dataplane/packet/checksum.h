// The Internet checksum (RFC 1071) of pieces of any length and alignment.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifdef __AVX512BW__
#include <immintrin.h>
#endif

#include "dataplane/packet/wire.h"

/*
 * A sum here is an unfolded 64-bit one of the 16-bit words as memory has them: ones' complement addition does not
 * care about byte order (RFC 1071 section 2B), so nothing is swapped until a result is stored, and then not either.
 * Sums may be added to each other as long as they stay below 2^63: each piece of up to 64 KiB adds less than 2^46.
 */

#define CHECKSUM_WIDE 128u /* bytes from which the vector code is faster than inlined 64-bit loads */

// The vector sums, by instruction set. avx2 may only be called where checksum_has_avx2() says so.
uint64_t checksum_sum_sse(const uint8_t *bytes, uint32_t length);
uint64_t checksum_sum_avx2(const uint8_t *bytes, uint32_t length);
bool checksum_has_avx2(void);

// The one of them that suits this machine; set before main() and constant since.
extern uint64_t (*checksum_sum_wide)(const uint8_t *bytes, uint32_t length);

// The sum of 0 to 7 bytes as the low bytes of one word.
static inline uint64_t checksum_sum_tail(const uint8_t *bytes, uint32_t length)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < length; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return (uint32_t)word + (word >> 32);
}

// The sum by 64-bit loads: the fastest way for short pieces. Carries are counted apart; 2^64 is 1 modulo 2^16 - 1, so
// they come back in at the end.
static inline uint64_t checksum_sum_short(const uint8_t *bytes, uint32_t length)
{
	unsigned long long sum = 0, carries = 0;
	uint32_t rest = length & 7;

	if (__builtin_expect(length < 8, 0))
		return checksum_sum_tail(bytes, length);
	for (const uint8_t *end = bytes + length - rest; bytes < end; bytes += 8)
		carries += __builtin_uaddll_overflow(sum, wire_raw64(bytes), &sum);
	if (rest) /* the last 8 bytes, without those already counted */
		carries += __builtin_uaddll_overflow(sum, wire_raw64(bytes + rest - 8) >> (64 - 8 * rest), &sum);
	return (sum >> 32) + (uint32_t)sum + carries;
}

#if defined(__AVX512BW__) && defined(__BMI2__)
/* Of 16 columns of 32-bit words the sums so far modulo 2^32, and those of their upper halves, by which the lower ones' are told. */
struct checksum_columns {
	__m512i words, upper;
};

static inline __attribute__((always_inline)) void checksum_add_block(struct checksum_columns *sums, __m512i block)
{
	sums->words = _mm512_add_epi32(sums->words, block);
	sums->upper = _mm512_add_epi32(sums->upper, _mm512_srli_epi32(block, 16));
}

/* The sums of lower and upper halves together. words - (upper << 16) is the lower ones' modulo 2^32, below which they stay. */
static inline __attribute__((always_inline)) __m512i checksum_of_columns(const struct checksum_columns *sums)
{
	return _mm512_add_epi32(_mm512_sub_epi32(sums->words, _mm512_slli_epi32(sums->upper, 16)), sums->upper);
}

// The sum of `length` bytes (up to 64 KiB, whose parts come to less than 2^31 together) in 16 parts of 32 bits. For code compiled
// for it.
static inline __m512i checksum_parts(const uint8_t *bytes, uint32_t length)
{
	struct checksum_columns sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};

#pragma GCC unroll 4
	for (; length > 64; length -= 64, bytes += 64)
		checksum_add_block(&sums, _mm512_loadu_si512(bytes));
	/* A masked load touches no byte whose mask bit is clear; those read as 0. */
	checksum_add_block(&sums, _mm512_maskz_loadu_epi8(_cvtu64_mask64(_bzhi_u64(~0ull, length)), bytes));
	return checksum_of_columns(&sums);
}
#endif

// The sum of `length` bytes (up to 64 KiB) that start on an even offset of what is summed.
static inline uint64_t checksum_sum(const uint8_t *bytes, uint32_t length)
{
#if defined(__AVX512BW__) && defined(__BMI2__)
	return (uint32_t)_mm512_reduce_add_epi32(checksum_parts(bytes, length));
#else
	return __builtin_expect(length < CHECKSUM_WIDE, 1) ? checksum_sum_short(bytes, length)
							   : checksum_sum_wide(bytes, length);
#endif
}

// A sum folded to 16 bits, as memory has them.
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

// True when a sum that has a checksum among its bytes says that it is right: it folds to 0xffff.
static inline bool checksum_is_right(uint64_t sum)
{
	return sum % 0xffff == 0 && sum != 0;
}

// What to store, as it is in memory, in the checksum field that was 0 in the sum.
static inline uint16_t checksum_finish(uint64_t sum)
{
	return (uint16_t)~checksum_fold(sum);
}

struct checksum { /* of pieces that come one after the other; starts as {0} */
	uint64_t sum;
	bool odd; /* the pieces so far have an odd number of bytes */
};

// Adds the next piece, up to 64 KiB. At most 65,536 pieces.
static inline void checksum_add(struct checksum *c, const uint8_t *bytes, uint32_t length)
{
	uint64_t sum = checksum_sum(bytes, length);

	/* After an odd byte every word is the other way round (RFC 1071 section 2B). */
	c->sum += c->odd ? __builtin_bswap16(checksum_fold(sum)) : sum;
	c->odd ^= length & 1;
}

// The IPv4 header's sum where there are no options: 20 bytes.
static inline uint64_t checksum_sum_ipv4(const uint8_t *header)
{
	uint64_t a = wire_raw64(header), b = wire_raw64(header + 8);

	return (uint64_t)(uint32_t)a + (a >> 32) + (uint32_t)b + (b >> 32) + wire_raw32(header + 16);
}

// The pseudo header's sum (RFC 768, RFC 8200 section 8.1): `addresses` is both, `address_bytes` 8 or 32.
static inline uint64_t checksum_sum_pseudo(const uint8_t *addresses, uint32_t address_bytes, uint32_t length,
					   uint8_t protocol)
{
	uint64_t sum = __builtin_bswap32(length) + ((uint64_t)protocol << 8);

	for (uint32_t i = 0; i < address_bytes; i += 8) {
		uint64_t word = wire_raw64(addresses + i);

		sum += (uint64_t)(uint32_t)word + (word >> 32);
	}
	return sum;
}

/* Sums of the shortest kind: 64-bit words added with the carry coming back in. 2^64 - 1 is a multiple of 2^16 - 1, so
 * they fold to the same as the others, and are 0 only when everything added is. */
static inline uint64_t checksum_add64(uint64_t a, uint64_t b)
{
	unsigned long long sum;

	return __builtin_uaddll_overflow(a, b, &sum) + sum;
}

// True when a sum by checksum_add64() that cannot be 0 says that its checksum is right.
static inline bool checksum_is_right64(uint64_t sum)
{
	/* sum % 0xffff == 0, by the inverse of 0xffff modulo 2^64: only multiples of it stay this small. */
	return sum * 0xfffefffefffeffffull <= UINT64_MAX / 0xffff;
}
