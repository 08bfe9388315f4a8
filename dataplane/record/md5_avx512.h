// The compression of up to five groups of 16 keys beside each other, one key per lane of 32 bits. For md5_avx512.c.
#pragma once

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/record/md5_steps.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi,bmi2")))
#define INLINE static inline __attribute__((always_inline)) AVX512

#define LANES 16u
#define GROUPS 5u

/* vpternlogd truth tables over (b, c, d). */
#define F_TABLE 0xca /* b ? c : d */
#define G_TABLE 0xe4 /* d ? b : c */
#define H_TABLE 0x96 /* b ^ c ^ d */
#define I_TABLE 0x39 /* c ^ (b | ~d) */

struct group { /* 16 keys on their way: rows are keys, columns are lanes */
	uint8_t rows[LANES][64] __attribute__((aligned(64)));
	uint32_t bits[LANES] __attribute__((aligned(64)));
	__m512i words[16];
	__m512i a, b, c, d;
};

INLINE void start_group(struct group *g)
{
	g->a = _mm512_set1_epi32((int)MD5_A);
	g->b = _mm512_set1_epi32((int)MD5_B);
	g->c = _mm512_set1_epi32((int)MD5_C);
	g->d = _mm512_set1_epi32((int)MD5_D);
}

#define TINY_MAX 16 /* bytes of a key whose words are the first four, its end mark, and its length */
#define TINY_WORDS 5u
#define LENGTH_WORD 14u

/* Of tiny keys all other words are zero, and not even set. */
INLINE __m512i word_and_constant(const struct group *g, uint32_t word, uint32_t constant, bool tiny)
{
	__m512i k = _mm512_set1_epi32((int)constant);

	return tiny && word >= TINY_WORDS && word != LENGTH_WORD ? k : _mm512_add_epi32(g->words[word], k);
}

/*
 * The barrier keeps a + word + constant together: left alone, compilers reassociate the sum and put an addition more
 * on the path from b to the next b.
 */
#define STEP(g, f, a, b, c, d, w, s, n)                                         \
	a = _mm512_add_epi32(a, word_and_constant(g, w, constants[n], tiny));   \
	__asm__("" : "+v"(a));                                                  \
	a = _mm512_add_epi32(a, _mm512_ternarylogic_epi32(b, c, d, f##_TABLE)); \
	a = _mm512_add_epi32(b, _mm512_rol_epi32(a, s));

/* Opaque to the compiler, which would otherwise build each broadcast from an immediate, through a general register. */
INLINE const uint32_t *constants_table(void)
{
	static const uint32_t table[64] __attribute__((aligned(64))) = {MD5_STEPS(MD5_CONSTANT)};
	const uint32_t *constants = table;

	__asm__("" : "+r"(constants));
	return constants;
}

#define STEP_1(f, a, b, c, d, w, s, n, k) STEP(g, f, a##0, b##0, c##0, d##0, w, s, n)
#define STEP_2(f, a, b, c, d, w, s, n, k) STEP_1(f, a, b, c, d, w, s, n, k) STEP(g + 1, f, a##1, b##1, c##1, d##1, w, s, n)

#define STEP_5(f, a, b, c, d, w, s, n, k)                                                                               \
	STEP_2(f, a, b, c, d, w, s, n, k)                                                                               \
	STEP(g + 2, f, a##2, b##2, c##2, d##2, w, s, n) STEP(g + 3, f, a##3, b##3, c##3, d##3, w, s, n)                 \
	STEP(g + 4, f, a##4, b##4, c##4, d##4, w, s, n)

/* The state is added only in the lanes of `active`: the others had their last block already. */
INLINE void finish(struct group *g, __mmask16 active, __m512i a, __m512i b, __m512i c, __m512i d)
{
	g->a = _mm512_mask_add_epi32(g->a, active, g->a, a);
	g->b = _mm512_mask_add_epi32(g->b, active, g->b, b);
	g->c = _mm512_mask_add_epi32(g->c, active, g->c, c);
	g->d = _mm512_mask_add_epi32(g->d, active, g->d, d);
}

#define EACH_1(x) x(0)
#define EACH_2(x) EACH_1(x) x(1)
#define EACH_5(x) EACH_2(x) x(2) x(3) x(4)

#define TAKE_STATE(n) __m512i a##n = g[n].a, b##n = g[n].b, c##n = g[n].c, d##n = g[n].d;
#define FINISH(n) finish(g + n, active[n], a##n, b##n, c##n, d##n);

/* compress_1() and so on: that many groups at once. */
#define COMPRESS(count)                                                                             \
	INLINE void compress_##count(struct group *g, const __mmask16 *active, bool tiny)           \
	{                                                                                           \
		const uint32_t *constants = constants_table();                                      \
		EACH_##count(TAKE_STATE)                                                            \
		MD5_STEPS(STEP_##count)                                                             \
		EACH_##count(FINISH)                                                                \
	}

COMPRESS(1)
COMPRESS(2)
COMPRESS(5)

/* Their chains of 64 steps, 6 cycles each, run beside each other: of 3.4 GHz 112 ns for one group or two. With five the processor
 * has no more to wait for: 80 keys take 2.5 ns each, 64 take 3.2 and 32 take 4.8. Six groups would take 2.4 for 96 keys, but their
 * code is so long that in the midst of other work they are slower, as are groups of three or four with code of their own. */
INLINE void compress_groups(struct group *g, const __mmask16 *active, uint32_t groups, bool tiny)
{
	if (groups == 1)
		compress_1(g, active, tiny);
	else if (groups == 2)
		compress_2(g, active, tiny);
	else
		compress_5(g, active, tiny);
}
