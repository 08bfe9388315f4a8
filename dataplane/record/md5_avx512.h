// The compression of up to five groups of 16 keys beside each other, one key per lane of 32 bits. For md5_avx512.c and
// the hot path (run_beside.h).
#pragma once

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/record/md5_steps.h"

#define MD5_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi,bmi2")))
#define MD5_INLINE static inline __attribute__((always_inline)) MD5_AVX512

#define MD5_LANES 16u
#define MD5_GROUPS 5u

/* vpternlogd truth tables over (b, c, d). */
#define MD5_F_TABLE 0xca /* b ? c : d */
#define MD5_G_TABLE 0xe4 /* d ? b : c */
#define MD5_H_TABLE 0x96 /* b ^ c ^ d */
#define MD5_I_TABLE 0x39 /* c ^ (b | ~d) */

struct md5_group { /* 16 keys on their way: rows are keys, columns are lanes */
	uint8_t rows[MD5_LANES][64] __attribute__((aligned(64)));
	uint32_t bits[MD5_LANES] __attribute__((aligned(64)));
	__m512i words[16];
	__m512i a, b, c, d;
};

MD5_INLINE void md5_start_group(struct md5_group *g)
{
	g->a = _mm512_set1_epi32((int)MD5_A);
	g->b = _mm512_set1_epi32((int)MD5_B);
	g->c = _mm512_set1_epi32((int)MD5_C);
	g->d = _mm512_set1_epi32((int)MD5_D);
}

#define MD5_TINY 16 /* bytes of a key whose words are the first four, its end mark, and its length */
#define MD5_TINY_WORDS 5u
#define MD5_LENGTH_WORD 14u

/* Of tiny keys all other words are zero, and not even set. */
MD5_INLINE __m512i md5_word_and_constant(const struct md5_group *g, uint32_t word, uint32_t constant, bool tiny)
{
	__m512i k = _mm512_set1_epi32((int)constant);

	return tiny && word >= MD5_TINY_WORDS && word != MD5_LENGTH_WORD ? k : _mm512_add_epi32(g->words[word], k);
}

/*
 * The barrier keeps a + word + constant together: left alone, compilers reassociate the sum and put an addition more
 * on the path from b to the next b.
 */
#define MD5_STEP(g, f, a, b, c, d, w, s, n)                                         \
	a = _mm512_add_epi32(a, md5_word_and_constant(g, w, constants[n], tiny));   \
	__asm__("" : "+v"(a));                                                  \
	a = _mm512_add_epi32(a, _mm512_ternarylogic_epi32(b, c, d, MD5_##f##_TABLE)); \
	a = _mm512_add_epi32(b, _mm512_rol_epi32(a, s));

/* Opaque to the compiler, which would otherwise build each broadcast from an immediate, through a general register. */
MD5_INLINE const uint32_t *md5_constants_table(void)
{
	static const uint32_t table[64] __attribute__((aligned(64))) = {MD5_STEPS(MD5_CONSTANT)};
	const uint32_t *constants = table;

	__asm__("" : "+r"(constants));
	return constants;
}

#define MD5_STEP_1(f, a, b, c, d, w, s, n, k) MD5_STEP(g, f, a##0, b##0, c##0, d##0, w, s, n)
#define MD5_STEP_2(f, a, b, c, d, w, s, n, k) MD5_STEP_1(f, a, b, c, d, w, s, n, k) MD5_STEP(g + 1, f, a##1, b##1, c##1, d##1, w, s, n)

#define MD5_STEP_5(f, a, b, c, d, w, s, n, k)                                                                               \
	MD5_STEP_2(f, a, b, c, d, w, s, n, k)                                                                               \
	MD5_STEP(g + 2, f, a##2, b##2, c##2, d##2, w, s, n) MD5_STEP(g + 3, f, a##3, b##3, c##3, d##3, w, s, n)                 \
	MD5_STEP(g + 4, f, a##4, b##4, c##4, d##4, w, s, n)

/* The state is added only in the lanes of `active`: the others had their last block already. */
MD5_INLINE void md5_finish(struct md5_group *g, __mmask16 active, __m512i a, __m512i b, __m512i c, __m512i d)
{
	g->a = _mm512_mask_add_epi32(g->a, active, g->a, a);
	g->b = _mm512_mask_add_epi32(g->b, active, g->b, b);
	g->c = _mm512_mask_add_epi32(g->c, active, g->c, c);
	g->d = _mm512_mask_add_epi32(g->d, active, g->d, d);
}

#define MD5_EACH_1(x) x(0)
#define MD5_EACH_2(x) MD5_EACH_1(x) x(1)
#define MD5_EACH_5(x) MD5_EACH_2(x) x(2) x(3) x(4)

#define MD5_TAKE(n) __m512i a##n = g[n].a, b##n = g[n].b, c##n = g[n].c, d##n = g[n].d;
#define MD5_FINISH(n) md5_finish(g + n, active[n], a##n, b##n, c##n, d##n);

/* md5_compress_1() and so on: that many groups at once. */
#define MD5_COMPRESS(count)                                                                             \
	MD5_INLINE void md5_compress_##count(struct md5_group *g, const __mmask16 *active, bool tiny)           \
	{                                                                                           \
		const uint32_t *constants = md5_constants_table();                                      \
		MD5_EACH_##count(MD5_TAKE)                                                            \
		MD5_STEPS(MD5_STEP_##count)                                                             \
		MD5_EACH_##count(MD5_FINISH)                                                                \
	}

MD5_COMPRESS(1)
MD5_COMPRESS(2)
MD5_COMPRESS(5)

/* Their chains of 64 steps, 6 cycles each, run beside each other: of 3.4 GHz 112 ns for one group or two. With five the processor
 * has no more to wait for: 80 keys take 2.5 ns each, 64 take 3.2 and 32 take 4.8. Six groups would take 2.4 for 96 keys, but their
 * code is so long that in the midst of other work they are slower, as are groups of three or four with code of their own. */
MD5_INLINE void md5_compress_groups(struct md5_group *g, const __mmask16 *active, uint32_t groups, bool tiny)
{
	if (groups == 1)
		md5_compress_1(g, active, tiny);
	else if (groups == 2)
		md5_compress_2(g, active, tiny);
	else
		md5_compress_5(g, active, tiny);
}
