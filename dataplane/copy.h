// Copying the few bytes of a key or record: exact at both ends, two overlapping moves instead of a loop for the rest.
#pragma once

#include <stdint.h>
#include <string.h>

#ifdef __AVX512BW__
#include <immintrin.h>
#endif

#define COPY_MOVE(type, at, from)                     \
	do {                                          \
		type move_;                           \
		memcpy(&move_, (from), sizeof move_); \
		memcpy((at), &move_, sizeof move_);   \
	} while (0)

struct copy16 {
	uint64_t word[2];
};
struct copy32 {
	uint64_t word[4];
};

static inline void copy_below16(uint8_t *at, const uint8_t *from, uint32_t length)
{
	if (length >= 8) {
		uint64_t first, last;

		memcpy(&first, from, 8);
		memcpy(&last, from + length - 8, 8);
		memcpy(at, &first, 8);
		memcpy(at + length - 8, &last, 8);
	} else if (length >= 4) {
		uint32_t first, last;

		memcpy(&first, from, 4);
		memcpy(&last, from + length - 4, 4);
		memcpy(at, &first, 4);
		memcpy(at + length - 4, &last, 4);
	} else if (length > 0) {
		uint8_t middle = from[length / 2], last = from[length - 1];

		at[0] = from[0];
		at[length / 2] = middle;
		at[length - 1] = last;
	}
}

// memcpy for lengths that are mostly below some hundred bytes: 22 bytes take 4 moves and one branch that is predicted as
// long as sizes stay alike, where glibc's takes a call through the PLT.
static inline void copy_bytes(uint8_t *at, const uint8_t *from, uint32_t length)
{
	if (length < 16) {
		copy_below16(at, from, length);
		return;
	}
	if (length > 32) {
		uint32_t done = 0;

		for (; done + 32 < length; done += 32)
			COPY_MOVE(struct copy32, at + done, from + done);
		COPY_MOVE(struct copy32, at + length - 32, from + length - 32);
		return;
	}
	COPY_MOVE(struct copy16, at, from);
	COPY_MOVE(struct copy16, at + length - 16, from + length - 16);
}

#define COPY_OVER 64u /* bytes that copy_over() may write behind the last */

// The same where up to COPY_OVER bytes behind at[length) are nobody's yet and may be written too. Reads nothing outside
// from[0..length).
static inline void copy_over(uint8_t *at, const uint8_t *from, uint32_t length)
{
#if defined(__AVX512BW__) && defined(__BMI2__)
	/* A masked load touches no byte whose mask bit is clear. */
	if (__builtin_expect(length <= 32, 1)) {
		_mm256_storeu_si256((__m256i *)at,
				    _mm256_maskz_loadu_epi8(_cvtu32_mask32(_bzhi_u32(~0u, length)), from));
		return;
	}
	if (length > 64) {
		for (; __builtin_expect(length > 128, 0); length -= 64, at += 64, from += 64)
			_mm512_storeu_si512(at, _mm512_loadu_si512(from));
		_mm512_storeu_si512(at, _mm512_loadu_si512(from));
		_mm512_storeu_si512(at + length - 64, _mm512_loadu_si512(from + length - 64));
		return;
	}
	_mm512_storeu_si512(at, _mm512_maskz_loadu_epi8(_cvtu64_mask64(_bzhi_u64(~0ull, length)), from));
#else
	copy_bytes(at, from, length);
#endif
}
