#include "dataplane/packet/checksum.h"

#include <immintrin.h>

/*
 * The one instruction that adds neighbouring 16-bit words into 32 bits (pmaddwd, here by 1) takes them as signed. So
 * each word has its top bit turned over, which makes it its value less 2^15, and the 2^15s are added at the end. A
 * lane changes by at most 2^16 a vector, and 64 KiB are at most 2^12 vectors: nothing overflows 32 bits, not even the
 * sum of all lanes. What is left behind the last whole step is summed as short.
 */

uint64_t checksum_sum_sse(const uint8_t *bytes, uint32_t length)
{
	const __m128i flip = _mm_set1_epi16(INT16_MIN), one = _mm_set1_epi16(1);
	__m128i sum = _mm_setzero_si128();
	uint32_t i = 0;

	for (; i + 32 <= length; i += 32) {
		__m128i a = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(bytes + i)), flip);
		__m128i b = _mm_xor_si128(_mm_loadu_si128((const __m128i *)(bytes + i + 16)), flip);

		sum = _mm_add_epi32(sum, _mm_add_epi32(_mm_madd_epi16(a, one), _mm_madd_epi16(b, one)));
	}
	sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
	sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1));
	return (uint64_t)(_mm_cvtsi128_si32(sum) + (int64_t)(i / 2) * 0x8000) +
	       checksum_sum_short(bytes + i, length - i);
}

__attribute__((target("avx2"))) uint64_t checksum_sum_avx2(const uint8_t *bytes, uint32_t length)
{
	const __m256i flip = _mm256_set1_epi16(INT16_MIN), one = _mm256_set1_epi16(1);
	__m256i sums = _mm256_setzero_si256();
	__m128i sum;
	uint32_t i = 0;

	for (; i + 64 <= length; i += 64) {
		__m256i a = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(bytes + i)), flip);
		__m256i b = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(bytes + i + 32)), flip);

		sums = _mm256_add_epi32(sums, _mm256_add_epi32(_mm256_madd_epi16(a, one), _mm256_madd_epi16(b, one)));
	}
	sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
	sum = _mm_add_epi32(sum, _mm_unpackhi_epi64(sum, sum));
	sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 1));
	return (uint64_t)(_mm_cvtsi128_si32(sum) + (int64_t)(i / 2) * 0x8000) +
	       checksum_sum_short(bytes + i, length - i);
}

bool checksum_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

uint64_t (*checksum_sum_wide)(const uint8_t *bytes, uint32_t length) = checksum_sum_sse;

__attribute__((constructor)) static void choose_wide(void)
{
	__builtin_cpu_init();
	if (checksum_has_avx2())
		checksum_sum_wide = checksum_sum_avx2;
}
