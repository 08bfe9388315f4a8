// MD5 in 8 lanes of 32 bits, two groups of them interleaved: one group alone waits for its own latency.
#include <immintrin.h>

#include "dataplane/record/md5_engine.h"
#include "dataplane/record/md5_steps.h"

#define AVX2 __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) AVX2

#define LANES 8u

struct group { /* 8 keys on their way: rows are keys, columns are lanes */
	uint8_t rows[LANES][64] __attribute__((aligned(32)));
	__m256i words[16];
	__m256i a, b, c, d;
};

/* Copies with two loads that overlap inside the key instead of one that reads past its end. 0 <= length <= 64. */
INLINE void copy_short(uint8_t *row, const uint8_t *bytes, uint32_t length)
{
	uint64_t head, tail;

	if (length >= 32) {
		__m256i low = _mm256_loadu_si256((const __m256i *)bytes);
		__m256i high = _mm256_loadu_si256((const __m256i *)(bytes + length - 32));

		_mm256_storeu_si256((__m256i *)row, low);
		_mm256_storeu_si256((__m256i *)(row + length - 32), high);
	} else if (length >= 16) {
		__m128i low = _mm_loadu_si128((const __m128i *)bytes);
		__m128i high = _mm_loadu_si128((const __m128i *)(bytes + length - 16));

		_mm_storeu_si128((__m128i *)row, low);
		_mm_storeu_si128((__m128i *)(row + length - 16), high);
	} else if (length >= 8) {
		memcpy(&head, bytes, 8);
		memcpy(&tail, bytes + length - 8, 8);
		memcpy(row, &head, 8);
		memcpy(row + length - 8, &tail, 8);
	} else {
		for (uint32_t i = 0; i < length; i++)
			row[i] = bytes[i];
	}
}

/* Block `block` of the padded key (RFC 1321, 3.1 and 3.2) into a row. */
INLINE void fill_row(uint8_t *row, const struct md5_key *key, uint32_t block)
{
	uint64_t start = (uint64_t)block * 64, bits = (uint64_t)key->length * 8;
	uint64_t left = key->length > start ? key->length - start : 0;

	_mm256_store_si256((__m256i *)row, _mm256_setzero_si256());
	_mm256_store_si256((__m256i *)(row + 32), _mm256_setzero_si256());
	if (left)
		copy_short(row, key->bytes + start, left < 64 ? (uint32_t)left : 64);
	if (key->length >= start && left < 64)
		row[left] = 0x80;
	if (block == md5_last_block(key->length))
		memcpy(row + 56, &bits, 8);
}

INLINE __m256i two_rows(const struct group *g, uint32_t row, uint32_t at)
{
	__m256i x = _mm256_castsi128_si256(_mm_load_si128((const __m128i *)(g->rows[row] + at)));

	return _mm256_inserti128_si256(x, _mm_load_si128((const __m128i *)(g->rows[row + 4] + at)), 1);
}

/* 4x4 transpose of 32-bit words inside each 128-bit lane. */
INLINE void transpose(__m256i *out, __m256i a, __m256i b, __m256i c, __m256i d)
{
	__m256i ab_low = _mm256_unpacklo_epi32(a, b), cd_low = _mm256_unpacklo_epi32(c, d);
	__m256i ab_high = _mm256_unpackhi_epi32(a, b), cd_high = _mm256_unpackhi_epi32(c, d);

	out[0] = _mm256_unpacklo_epi64(ab_low, cd_low);
	out[1] = _mm256_unpackhi_epi64(ab_low, cd_low);
	out[2] = _mm256_unpacklo_epi64(ab_high, cd_high);
	out[3] = _mm256_unpackhi_epi64(ab_high, cd_high);
}

INLINE void load_quad(struct group *g, uint32_t quad)
{
	transpose(g->words + quad * 4, two_rows(g, 0, quad * 16), two_rows(g, 1, quad * 16),
		  two_rows(g, 2, quad * 16), two_rows(g, 3, quad * 16));
}

#define F(b, c, d) _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(c, d), b), d)
/* An addition, because its halves share no bit: the half without b is ready early. */
#define G(b, c, d) _mm256_add_epi32(_mm256_andnot_si256(d, c), _mm256_and_si256(d, b))
#define H(b, c, d) _mm256_xor_si256(_mm256_xor_si256(c, d), b)
#define I(b, c, d) _mm256_xor_si256(_mm256_or_si256(_mm256_xor_si256(d, ones), b), c)

/*
 * The barrier keeps a + word + constant together: left alone, compilers reassociate the sum and put an addition more
 * on the path from b to the next b.
 */
#define STEP(g, f, a, b, c, d, w, s, n)                                                                  \
	a = _mm256_add_epi32(a, _mm256_add_epi32((g)->words[w], _mm256_set1_epi32((int)constants[n])));  \
	__asm__("" : "+x"(a));                                                                           \
	a = _mm256_add_epi32(a, f(b, c, d));                                                             \
	a = _mm256_add_epi32(b, _mm256_or_si256(_mm256_slli_epi32(a, s), _mm256_srli_epi32(a, 32 - s)));

/* Opaque to the compiler, which would otherwise spend registers and moves on 64 vector constants. */
INLINE const uint32_t *constants_table(void)
{
	static const uint32_t table[64] __attribute__((aligned(64))) = {MD5_STEPS(MD5_CONSTANT)};
	const uint32_t *constants = table;

	__asm__("" : "+r"(constants));
	return constants;
}

#define STEP_2(f, a, b, c, d, w, s, n, k)                                                                     \
	STEP(g, f, a##0, b##0, c##0, d##0, w, s, n) STEP(g + 1, f, a##1, b##1, c##1, d##1, w, s, n)

/* The state is added only in the lanes of `active`: the others had their last block already. */
INLINE void finish(struct group *g, __m256i active, __m256i a, __m256i b, __m256i c, __m256i d)
{
	g->a = _mm256_add_epi32(g->a, _mm256_and_si256(active, a));
	g->b = _mm256_add_epi32(g->b, _mm256_and_si256(active, b));
	g->c = _mm256_add_epi32(g->c, _mm256_and_si256(active, c));
	g->d = _mm256_add_epi32(g->d, _mm256_and_si256(active, d));
}

AVX2 static void compress(struct group *g, const __m256i *active)
{
	const uint32_t *constants = constants_table();
	const __m256i ones = _mm256_set1_epi32(-1);
	__m256i a0 = g[0].a, b0 = g[0].b, c0 = g[0].c, d0 = g[0].d;
	__m256i a1 = g[1].a, b1 = g[1].b, c1 = g[1].c, d1 = g[1].d;

	MD5_STEPS(STEP_2)
	finish(g, active[0], a0, b0, c0, d0);
	finish(g + 1, active[1], a1, b1, c1, d1);
}

/* All ones in the lanes whose key has a block `block`. Rows beyond `count` are an empty key, thrown away. */
INLINE __m256i fill_group(struct group *g, const struct md5_key *keys, uint32_t count, uint32_t block)
{
	static const struct md5_key empty;
	uint32_t active[LANES] __attribute__((aligned(32)));

	for (uint32_t i = 0; i < LANES; i++) {
		const struct md5_key *key = i < count ? keys + i : &empty;

		fill_row(g->rows[i], key, block);
		active[i] = block <= md5_last_block(key->length) ? UINT32_MAX : 0;
	}
	for (uint32_t quad = 0; quad < 4; quad++)
		load_quad(g, quad);
	return _mm256_load_si256((const __m256i *)active);
}

INLINE void start_group(struct group *g)
{
	g->a = _mm256_set1_epi32((int)MD5_A);
	g->b = _mm256_set1_epi32((int)MD5_B);
	g->c = _mm256_set1_epi32((int)MD5_C);
	g->d = _mm256_set1_epi32((int)MD5_D);
}

INLINE void store_digests(struct group *g, uint32_t count, uint8_t (*digests)[16])
{
	__m128i rows[4][2];

	transpose(g->words, g->a, g->b, g->c, g->d);
	memcpy(rows, g->words, sizeof rows); /* rows[n][m] is key 4m + n */
	for (uint32_t i = 0; i < count; i++)
		_mm_storeu_si128((__m128i *)digests[i], rows[i % 4][i / 4]);
}

AVX2 static void one_burst(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	uint32_t first = count < LANES ? count : LANES, second = count - first, blocks = 1;
	struct group g[2];

	for (uint32_t i = 0; i < count; i++)
		if (md5_last_block(keys[i].length) >= blocks)
			blocks = md5_last_block(keys[i].length) + 1;
	start_group(g);
	start_group(g + 1);
	for (uint32_t block = 0; block < blocks; block++) {
		__m256i active[2];

		active[0] = fill_group(g, keys, first, block);
		active[1] = fill_group(g + 1, keys + first, second, block);
		compress(g, active);
	}
	store_digests(g, first, digests);
	store_digests(g + 1, second, digests + first);
}

void md5_avx2(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	for (uint32_t i = 0; i < count; i += 2 * LANES)
		one_burst(keys + i, count - i < 2 * LANES ? count - i : 2 * LANES, digests + i);
}
