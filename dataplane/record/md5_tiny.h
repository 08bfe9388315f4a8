// Keys of at most MD5_TINY bytes, as nearly all are, into the lanes of up to five groups, and the halves of digests that tell the
// shard out of them. For those who compress them: md5_avx512.c, and the hot path (run_beside.h).
#pragma once

#include <string.h>

#include "dataplane/record/md5_avx512.h"

/* 4x4 transpose of 32-bit words inside each 128-bit lane. */
MD5_INLINE void md5_transpose(__m512i *out, __m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab_low = _mm512_unpacklo_epi32(a, b), cd_low = _mm512_unpacklo_epi32(c, d);
	__m512i ab_high = _mm512_unpackhi_epi32(a, b), cd_high = _mm512_unpackhi_epi32(c, d);

	out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
	out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
	out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
	out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

/* How many of `count` keys are in group `n`. */
MD5_INLINE uint32_t md5_in_group(uint32_t count, uint32_t n)
{
	return count <= n * MD5_LANES ? 0 : count - n * MD5_LANES < MD5_LANES ? count - n * MD5_LANES : MD5_LANES;
}

/* Where they begin; behind the last key for a group without any. */
MD5_INLINE uint32_t md5_group_begins(uint32_t count, uint32_t n)
{
	return count < n * MD5_LANES ? count : n * MD5_LANES;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MD5_KEYS_ALONE 1 /* a sanitizer would report what is read beside a key */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MD5_KEYS_ALONE 1
#endif
#endif
#ifndef MD5_KEYS_ALONE
#define MD5_KEYS_ALONE 0
#endif

#define MD5_PAGE 4096 /* every page is one or several of these */

/* Whether 16 keys' bytes may be read as far as MD5_TINY: none is empty, which may be anywhere, or so near a page's end that what
 * follows it may not be there. */
MD5_INLINE bool md5_tiny_readable(const uint8_t *const *bytes, __m512i lengths)
{
	const __m512i last = _mm512_set1_epi64(MD5_TINY - 1);
	__m512i low = _mm512_loadu_si512(bytes), high = _mm512_loadu_si512(bytes + 8);
	__m512i turned = _mm512_xor_si512(low, _mm512_add_epi64(low, last));

	turned = _mm512_ternarylogic_epi64(turned, high, _mm512_add_epi64(high, last), 0xf6); /* a | (b ^ c) */
	return (_mm512_test_epi64_mask(turned, _mm512_set1_epi64(MD5_PAGE)) | _mm512_testn_epi32_mask(lengths, lengths)) == 0;
}

MD5_INLINE __m128i md5_tiny_row(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i *)bytes);
}

/* Of every fourth key MD5_TINY bytes from `at`, side by side: what a 4x4 transpose wants. */
MD5_INLINE __m512i md5_tiny_rows(const uint8_t *const *bytes, int at)
{
	__m512i x = _mm512_castsi128_si512(md5_tiny_row(bytes[0] + at));

	x = _mm512_inserti32x4(x, md5_tiny_row(bytes[4] + at), 1);
	x = _mm512_inserti32x4(x, md5_tiny_row(bytes[8] + at), 2);
	return _mm512_inserti32x4(x, md5_tiny_row(bytes[12] + at), 3);
}

/* The words of 16 keys of up to MD5_TINY bytes, that are not zero of all. They never lie in memory: a load of what several
 * stores have just written waits for them all, 40 ns a burst. What was read behind keys is taken away, and their end marks are put
 * in, for all keys at once: a mask for each load, which has to come from a general register, takes longer than all of that. */
MD5_INLINE void md5_tiny_load(struct md5_group *g, const uint8_t *const *bytes, __m512i lengths)
{
	const __m512i mark = _mm512_set1_epi32(0x80), ones = _mm512_set1_epi32(-1);
	__m512i bits = _mm512_slli_epi32(lengths, 3);

	g->words[MD5_LENGTH_WORD] = bits;
	md5_transpose(g->words, md5_tiny_rows(bytes, 0), md5_tiny_rows(bytes + 1, 0), md5_tiny_rows(bytes + 2, 0),
		  md5_tiny_rows(bytes + 3, 0));
#pragma GCC unroll 4
	for (int n = 0; n < 4; n++) {
		/* Shifts by 32 and more leave nothing, nor do those by less than 0: of a word behind the end there is no mark, but all
		 * of it is to go. */
		__m512i behind = _mm512_sllv_epi32(ones, _mm512_max_epi32(bits, _mm512_setzero_si512()));

		/* (a & ~b) | c */
		g->words[n] = _mm512_ternarylogic_epi32(g->words[n], behind, _mm512_sllv_epi32(mark, bits), 0xba);
		bits = _mm512_sub_epi32(bits, _mm512_set1_epi32(32));
	}
	g->words[4] = _mm512_sllv_epi32(mark, bits);
}

struct md5_tiny_copy { /* of a group, for md5_tiny_load(): MD5_TINY bytes of each key are there to be read */
	const uint8_t *bytes[MD5_LANES];
	uint8_t rows[MD5_LANES][MD5_TINY];
};

static MD5_AVX512 __attribute__((noinline)) const uint8_t *const *md5_tiny_copied(struct md5_tiny_copy *copy, const uint8_t *const *bytes,
									 const uint32_t *length, uint32_t count)
{
	static const uint8_t none[MD5_TINY];

	for (uint32_t i = 0; i < MD5_LANES; i++) {
		copy->bytes[i] = none;
		if (i >= count || length[i] == 0)
			continue;
		copy->bytes[i] = bytes[i];
		if (!MD5_KEYS_ALONE && ((uintptr_t)bytes[i] & (MD5_PAGE - 1)) <= MD5_PAGE - MD5_TINY)
			continue;
		/* A masked load touches no byte whose mask bit is clear. */
		_mm_storeu_si128((__m128i *)copy->rows[i],
				 _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, length[i]), bytes[i]));
		copy->bytes[i] = copy->rows[i];
	}
	return copy->bytes;
}

struct md5_tiny { /* up to five groups of keys that may be loaded */
	const uint8_t *const *from[MD5_GROUPS];
	__m512i lengths[MD5_GROUPS];
	struct md5_tiny_copy copies[MD5_GROUPS];
};

/* Takes `count` keys in so many groups; those of lanes behind them are empty. False when one has more than MD5_TINY bytes. */
MD5_INLINE bool md5_tiny_take(struct md5_tiny *tiny, const uint8_t *const *bytes, const uint32_t *length, uint32_t count,
			      uint32_t groups)
{
	__m512i longest = _mm512_setzero_si512();

	for (uint32_t n = 0; n < groups; n++) {
		uint32_t in = md5_in_group(count, n), begins = md5_group_begins(count, n);
		__m512i lengths = _mm512_maskz_loadu_epi32((__mmask16)_bzhi_u32(0xffff, in), length + begins);

		tiny->lengths[n] = lengths;
		tiny->from[n] = bytes + begins;
		if (MD5_KEYS_ALONE || in < MD5_LANES || __builtin_expect(!md5_tiny_readable(tiny->from[n], lengths), 0))
			tiny->from[n] = md5_tiny_copied(tiny->copies + n, tiny->from[n], length + begins, in);
		longest = _mm512_max_epu32(longest, lengths);
	}
	return _mm512_cmpgt_epu32_mask(longest, _mm512_set1_epi32(MD5_TINY)) == 0;
}

/* Digests as big-endian numbers, their upper halves: the first two words, each turned round. A whole group is written. */
MD5_INLINE void md5_store_hashes(const struct md5_group *g, uint64_t *hashes)
{
	const __m512i turn = _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
	const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
	__m512i a = _mm512_shuffle_epi8(g->a, turn), b = _mm512_shuffle_epi8(g->b, turn);
	/* Of every four keys the first two, and the last two. */
	__m512i low = _mm512_unpacklo_epi32(b, a), high = _mm512_unpackhi_epi32(b, a);

	_mm512_storeu_si512(hashes, _mm512_permutex2var_epi64(low, first, high));
	_mm512_storeu_si512(hashes + 8, _mm512_permutex2var_epi64(low, second, high));
}
