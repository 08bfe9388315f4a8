// Finding the next byte of some class, 16 at a time, without reading outside.
#pragma once

#include <emmintrin.h>
#include <stdint.h>

#define SCAN_INLINE static inline __attribute__((always_inline))

/* Highest bit set in each byte that belongs to the class. Given as a constant, so that it is inlined. */
typedef __m128i scan_class(__m128i bytes);

SCAN_INLINE __m128i scan_is(__m128i bytes, char wanted)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(wanted));
}

/* Fewer than 16 bytes and nothing in front of them to read as well. */
SCAN_INLINE __m128i scan_load_short(const uint8_t *bytes, uint32_t length)
{
	uint64_t low = 0, high = 0;

	if (length >= 8) {
		__builtin_memcpy(&low, bytes, 8);
		__builtin_memcpy(&high, bytes + length - 8, 8);
		high = length == 8 ? 0 : high >> (128 - 8 * length);
	} else if (length >= 4) {
		uint32_t first, last;

		__builtin_memcpy(&first, bytes, 4);
		__builtin_memcpy(&last, bytes + length - 4, 4);
		low = first | (uint64_t)last << (8 * length - 32);
	} else {
		for (uint32_t i = 0; i < length; i++)
			low |= (uint64_t)bytes[i] << 8 * i;
	}
	return _mm_set_epi64x((long long)high, (long long)low);
}

// Bit i: bytes[at + i] is of the class, for the 16 or fewer bytes from `at` < length.
SCAN_INLINE uint32_t scan_mask(const uint8_t *bytes, uint32_t length, uint32_t at, scan_class *is)
{
	uint32_t left = length - at;

	if (left >= 16)
		return (uint32_t)_mm_movemask_epi8(is(_mm_loadu_si128((const __m128i *)(bytes + at))));
	if (length >= 16)
		return (uint32_t)_mm_movemask_epi8(is(_mm_loadu_si128((const __m128i *)(bytes + length - 16)))) >>
		       (16 - left);
	return (uint32_t)_mm_movemask_epi8(is(scan_load_short(bytes + at, left))) & ((1u << left) - 1);
}

// Where the first byte of the class stands in bytes[at..length), or `length`.
SCAN_INLINE uint32_t scan_find(const uint8_t *bytes, uint32_t length, uint32_t at, scan_class *is)
{
	for (; at < length; at += 16) {
		uint32_t found = scan_mask(bytes, length, at, is);

		if (found)
			return at + (uint32_t)__builtin_ctz(found);
	}
	return length;
}
