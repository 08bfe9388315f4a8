// Where frames of lines have their newlines, a bit for each byte, marked in the one pass that sums them for their checksum instead of
// loading them all again. For x86-64-v4.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet/checksum.h"

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

#define MARK_FRAMES 16u
#define MARK_BLOCK 64u
#define MARK_BLOCKS 24u /* that a frame may have: Ethernet's usual size */
#define MARK_END (MARK_BLOCKS * MARK_BLOCK)

/* Of up to MARK_FRAMES frames. They are marked for all before any is asked for: a vector of masks loaded right after they were stored
 * one by one would wait until they have left the store buffer. */
struct marks {
	/* Of each block from 42 bytes in front of the payload: an untagged frame's start. */
	__mmask64 newlines[MARK_FRAMES][MARK_BLOCKS] __attribute__((aligned(64)));
};

static inline __attribute__((always_inline)) __mmask64 marks_block(__m512i block)
{
	return _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8('\n'));
}

// Marks bytes [begin, end) of what lies at `frame`, `begin` within its first block, as those of frame `i`. Of one that ends behind
// MARK_END marks stay what they were, and nobody may ask for them. Their sum as checksum_parts(), of those behind the first block.
// Reads nothing outside.
static inline __attribute__((always_inline)) __m512i marks_and_sum(struct marks *marks, uint32_t i, const uint8_t *frame,
							       uint32_t begin, uint32_t end)
{
	__mmask64 *newlines = marks->newlines[i];
	struct checksum_columns sums = {_mm512_setzero_si512(), _mm512_setzero_si512()};
	uint32_t whole = end / MARK_BLOCK;
	__mmask64 first;

	if (__builtin_expect(end > MARK_END, 0))
		return checksum_parts(frame + MARK_BLOCK, end - MARK_BLOCK);
	/* A masked load touches no byte whose mask bit is clear; those read as 0. */
	first = _cvtu64_mask64(_bzhi_u64(~0ull, end < MARK_BLOCK ? end : MARK_BLOCK) & ~0ull << begin);
	_store_mask64(&newlines[0], marks_block(_mm512_maskz_loadu_epi8(first, frame)));
#pragma GCC unroll 4
	for (uint32_t block = 1; block < whole; block++) {
		__m512i bytes = _mm512_loadu_si512(frame + block * MARK_BLOCK);

		_store_mask64(&newlines[block], marks_block(bytes));
		checksum_add_block(&sums, bytes);
	}
	if (whole > 0 && end % MARK_BLOCK > 0) {
		__mmask64 rest = _cvtu64_mask64(_bzhi_u64(~0ull, end % MARK_BLOCK));
		__m512i bytes = _mm512_maskz_loadu_epi8(rest, frame + whole * MARK_BLOCK);

		_store_mask64(&newlines[whole], marks_block(bytes));
		checksum_add_block(&sums, bytes);
	}
	return checksum_of_columns(&sums);
}
#endif
