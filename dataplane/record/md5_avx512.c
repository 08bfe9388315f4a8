// MD5 in 16 lanes of 32 bits, up to six groups of them interleaved: one group alone waits for its own latency.
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#include "dataplane/record/md5_engine.h"
#include "dataplane/record/md5_steps.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi,bmi2")))
#define INLINE static inline __attribute__((always_inline)) AVX512

#define LANES 16u
#define GROUPS 6u

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

/* Where a load under a mask may begin, also of a key without bytes: one of nothing from an unmapped page is right, but takes 90 ns. */
INLINE const uint8_t *mapped(const struct md5_key *key)
{
	return key->length ? key->bytes : (const uint8_t *)key;
}

/* The bytes of `key` from `start`, zero behind its end. A masked load touches no byte whose mask bit is clear. */
INLINE __m512i load_key(const struct md5_key *key, uint64_t start, uint64_t left)
{
	__mmask64 mask = left < 64 ? _cvtu64_mask64((1ull << left) - 1) : ~(__mmask64)0;

	return left ? _mm512_maskz_loadu_epi8(mask, key->bytes + start) : _mm512_setzero_si512();
}

/* Block `block` of the padded key (RFC 1321, 3.1 and 3.2) into a row. */
INLINE void fill_row(uint8_t *row, const struct md5_key *key, uint32_t block)
{
	uint64_t start = (uint64_t)block * 64;
	uint64_t left = key->length > start ? key->length - start : 0;
	__m512i bytes = load_key(key, start, left);

	if (key->length >= start && left < 64)
		bytes = _mm512_mask_mov_epi8(bytes, _cvtu64_mask64(1ull << left), _mm512_set1_epi8((char)0x80));
	if (block == md5_last_block(key->length))
		bytes = _mm512_mask_set1_epi64(bytes, 0x80, (long long)((uint64_t)key->length * 8));
	_mm512_store_si512(row, bytes);
}

/* The same for a key of at most 55 bytes, without its length, which goes straight into word 14. */
INLINE void fill_short_row(uint8_t *row, const struct md5_key *key)
{
	/* 64 bytes from 64 - n have their 0x80 at n. */
	static const uint8_t end_marks[128] __attribute__((aligned(64))) = {[64] = 0x80};
	__m512i mark = _mm512_loadu_si512(end_marks + 64 - (key->length & 63));
	__mmask64 mask = _cvtu64_mask64(_bzhi_u64(~0ull, key->length));

	_mm512_store_si512(row, _mm512_mask_loadu_epi8(mark, mask, mapped(key)));
}

/* Row 4n of every four rows, from byte `at`, side by side: what a 4x4 transpose wants. */
INLINE __m512i four_rows(const struct group *g, uint32_t row, uint32_t at)
{
	__m512i x = _mm512_castsi128_si512(_mm_load_si128((const __m128i *)(g->rows[row] + at)));

	x = _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 4] + at)), 1);
	x = _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 8] + at)), 2);
	return _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 12] + at)), 3);
}

/* 4x4 transpose of 32-bit words inside each 128-bit lane. */
INLINE void transpose(__m512i *out, __m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab_low = _mm512_unpacklo_epi32(a, b), cd_low = _mm512_unpacklo_epi32(c, d);
	__m512i ab_high = _mm512_unpackhi_epi32(a, b), cd_high = _mm512_unpackhi_epi32(c, d);

	out[0] = _mm512_unpacklo_epi64(ab_low, cd_low);
	out[1] = _mm512_unpackhi_epi64(ab_low, cd_low);
	out[2] = _mm512_unpacklo_epi64(ab_high, cd_high);
	out[3] = _mm512_unpackhi_epi64(ab_high, cd_high);
}

INLINE void load_quad(struct group *g, uint32_t quad)
{
	transpose(g->words + quad * 4, four_rows(g, 0, quad * 16), four_rows(g, 1, quad * 16),
		  four_rows(g, 2, quad * 16), four_rows(g, 3, quad * 16));
}

#define TINY_MAX 16u /* bytes of a key whose words are the first four, its end mark, and its length */
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

#define STEP_4(f, a, b, c, d, w, s, n, k)    \
	STEP_2(f, a, b, c, d, w, s, n, k)     \
	STEP(g + 2, f, a##2, b##2, c##2, d##2, w, s, n) STEP(g + 3, f, a##3, b##3, c##3, d##3, w, s, n)

#define STEP_6(f, a, b, c, d, w, s, n, k)    \
	STEP_4(f, a, b, c, d, w, s, n, k)     \
	STEP(g + 4, f, a##4, b##4, c##4, d##4, w, s, n) STEP(g + 5, f, a##5, b##5, c##5, d##5, w, s, n)

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
#define EACH_4(x) EACH_2(x) x(2) x(3)
#define EACH_6(x) EACH_4(x) x(4) x(5)

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
COMPRESS(4)
COMPRESS(6)

/* Their chains of 64 steps, 8 cycles each, run beside each other: of 3.6 GHz 140 ns for one group or two, 154 for four. With
 * six the processor has no more to wait for: 96 keys take 2.4 ns each, 64 take 3.0. */
INLINE void compress_groups(struct group *g, const __mmask16 *active, uint32_t groups, bool tiny)
{
	if (groups == 1)
		compress_1(g, active, tiny);
	else if (groups == 2)
		compress_2(g, active, tiny);
	else if (groups == 4)
		compress_4(g, active, tiny);
	else
		compress_6(g, active, tiny);
}

AVX512 static void compress(struct group *g, const __mmask16 *active, uint32_t groups)
{
	compress_groups(g, active, groups, false);
}

static const __mmask16 all_active[GROUPS] = {0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};

/* Lanes whose key has a block `block`. Rows beyond `count` are filled as an empty key and thrown away. */
INLINE __mmask16 fill_group(struct group *g, const struct md5_key *keys, uint32_t count, uint32_t block)
{
	static const struct md5_key empty;
	uint32_t active = 0;

	for (uint32_t i = 0; i < LANES; i++) {
		const struct md5_key *key = i < count ? keys + i : &empty;

		fill_row(g->rows[i], key, block);
		active |= (uint32_t)(block <= md5_last_block(key->length)) << i;
	}
	for (uint32_t quad = 0; quad < 4; quad++)
		load_quad(g, quad);
	return (__mmask16)active;
}

/* Rows as for keys of one block; the longest length says whether they all were. */
INLINE uint32_t fill_short_rows(struct group *g, const struct md5_key *keys, uint32_t count)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t length = keys[i].length;

		g->bits[i] = length * 8;
		longest = length > longest ? length : longest;
		fill_short_row(g->rows[i], keys + i);
	}
	for (uint32_t i = count; i < LANES; i++) {
		g->bits[i] = 0;
		_mm512_store_si512(g->rows[i], _mm512_setzero_si512());
	}
	return longest;
}

/* The words behind the longest key and its end mark are zero and need no transposing. */
INLINE void load_short_words(struct group *g, uint32_t longest)
{
	for (uint32_t quad = 0; quad < 4; quad++) {
		if (quad <= longest / 16) {
			load_quad(g, quad);
		} else {
			g->words[quad * 4] = _mm512_setzero_si512();
			g->words[quad * 4 + 1] = _mm512_setzero_si512();
			g->words[quad * 4 + 2] = _mm512_setzero_si512();
			g->words[quad * 4 + 3] = _mm512_setzero_si512();
		}
	}
	g->words[LENGTH_WORD] = _mm512_load_si512(g->bits);
}

_Static_assert(sizeof(struct md5_key) == 16 && offsetof(struct md5_key, length) == 8, "as key_lengths() has it");

INLINE __m512i key_lengths(const struct md5_key *keys)
{
	const __m512i third = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 30, 26, 22, 18, 14, 10, 6, 2); /* of every four words */
	__m512i low = _mm512_permutex2var_epi32(_mm512_loadu_si512(keys), third, _mm512_loadu_si512(keys + 4));
	__m512i high = _mm512_permutex2var_epi32(_mm512_loadu_si512(keys + 8), third, _mm512_loadu_si512(keys + 12));

	return _mm512_inserti64x4(low, _mm512_castsi512_si256(high), 1);
}

/* A masked load touches no byte whose mask bit is clear. */
INLINE __m128i tiny_row(const struct md5_key *key)
{
	return _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, key->length), key->bytes);
}

/* Every fourth key, side by side: what a 4x4 transpose wants. */
INLINE __m512i four_tiny_rows(const struct md5_key *keys)
{
	__m512i x = _mm512_castsi128_si512(tiny_row(keys));

	x = _mm512_inserti32x4(x, tiny_row(keys + 4), 1);
	x = _mm512_inserti32x4(x, tiny_row(keys + 8), 2);
	return _mm512_inserti32x4(x, tiny_row(keys + 12), 3);
}

/* The words of 16 keys of up to TINY_MAX bytes, that are not zero of all. They never lie in memory: a load of what several
 * stores have just written waits for them all, 40 ns a burst. The end marks are put in for all keys at once. */
INLINE void load_tiny(struct group *g, const struct md5_key *keys, __m512i lengths)
{
	__m512i word = _mm512_srli_epi32(lengths, 2), mark;

	mark = _mm512_sllv_epi32(_mm512_set1_epi32(0x80),
				 _mm512_slli_epi32(_mm512_and_si512(lengths, _mm512_set1_epi32(3)), 3));
	transpose(g->words, four_tiny_rows(keys), four_tiny_rows(keys + 1), four_tiny_rows(keys + 2),
		  four_tiny_rows(keys + 3));
#pragma GCC unroll 4
	for (int n = 0; n < 4; n++)
		g->words[n] = _mm512_mask_or_epi32(g->words[n], _mm512_cmpeq_epi32_mask(word, _mm512_set1_epi32(n)),
						   g->words[n], mark);
	g->words[4] = _mm512_maskz_mov_epi32(_mm512_cmpeq_epi32_mask(word, _mm512_set1_epi32(4)), mark);
	g->words[LENGTH_WORD] = _mm512_slli_epi32(lengths, 3);
}

INLINE void start_group(struct group *g)
{
	g->a = _mm512_set1_epi32((int)MD5_A);
	g->b = _mm512_set1_epi32((int)MD5_B);
	g->c = _mm512_set1_epi32((int)MD5_C);
	g->d = _mm512_set1_epi32((int)MD5_D);
}

INLINE void store_digests(struct group *g, uint32_t count, uint8_t (*digests)[16])
{
	__m128i rows[4][4];

	transpose(g->words, g->a, g->b, g->c, g->d);
	memcpy(rows, g->words, sizeof rows); /* rows[n][m] is key 4m + n */
	for (uint32_t i = 0; i + 4 <= count; i += 4)
		for (uint32_t n = 0; n < 4; n++)
			_mm_storeu_si128((__m128i *)digests[i + n], rows[n][i / 4]);
	for (uint32_t i = count & ~3u; i < count; i++)
		_mm_storeu_si128((__m128i *)digests[i], rows[i % 4][i / 4]);
}

/* How many of `count` keys are in group `n`. */
INLINE uint32_t in_group(uint32_t count, uint32_t n)
{
	return count <= n * LANES ? 0 : count - n * LANES < LANES ? count - n * LANES : LANES;
}

/* Where they begin; behind the last key for a group without any. */
INLINE uint32_t group_begins(uint32_t count, uint32_t n)
{
	return count < n * LANES ? count : n * LANES;
}

/* Groups of tiny keys, from loading to their digests: `groups` is known where this is expanded, which keeps words and states in
 * registers. */
INLINE void tiny_groups(struct group *out, const struct md5_key *const *from, const __m512i *lengths, uint32_t groups)
{
	struct group g[GROUPS];

#pragma GCC unroll 6
	for (uint32_t n = 0; n < groups; n++) {
		start_group(g + n);
		load_tiny(g + n, from[n], lengths[n]);
	}
	compress_groups(g, all_active, groups, true);
#pragma GCC unroll 6
	for (uint32_t n = 0; n < groups; n++) {
		out[n].a = g[n].a;
		out[n].b = g[n].b;
		out[n].c = g[n].c;
		out[n].d = g[n].d;
	}
}

/* A copy of a group for load_tiny(), with `count` keys: those behind them and those without bytes begin where a load under a mask
 * may. */
INLINE const struct md5_key *tiny_copy(struct md5_key *copy, const struct md5_key *keys, uint32_t count)
{
	const __m512i nowhere = _mm512_set1_epi64((long long)(uintptr_t)copy);

	for (uint32_t i = 0; i < LANES; i += 4) {
		__mmask8 real = (__mmask8)_bzhi_u32(0xff, count > i ? 2 * (count - i) : 0);
		__m512i four = _mm512_maskz_loadu_epi64(real, keys + i);
		__mmask8 empty = (__mmask8)(_mm512_testn_epi64_mask(four, _mm512_set1_epi64(UINT32_MAX)) >> 1 & 0x55);

		_mm512_storeu_si512(copy + i, _mm512_mask_mov_epi64(four, empty, nowhere));
	}
	return copy;
}

/* False, and nothing done, when a key has more than TINY_MAX bytes. */
INLINE bool tiny_burst(struct group *g, const struct md5_key *keys, uint32_t count, uint32_t groups)
{
	struct md5_key copies[GROUPS][LANES] __attribute__((aligned(64))); /* of groups that are not full */
	const struct md5_key *from[GROUPS];
	__m512i lengths[GROUPS], longest = _mm512_setzero_si512();

	for (uint32_t n = 0; n < groups; n++) {
		uint32_t in = in_group(count, n);

		from[n] = in == LANES ? keys + n * LANES : tiny_copy(copies[n], keys + group_begins(count, n), in);
		lengths[n] = key_lengths(from[n]);
		if (__builtin_expect(in == LANES && _mm512_testn_epi32_mask(lengths[n], lengths[n]), 0))
			from[n] = tiny_copy(copies[n], keys + n * LANES, LANES);
		longest = _mm512_max_epu32(longest, lengths[n]);
	}
	if (_mm512_cmpgt_epu32_mask(longest, _mm512_set1_epi32(TINY_MAX)) != 0)
		return false;
	if (groups == 1)
		tiny_groups(g, from, lengths, 1);
	else if (groups == 2)
		tiny_groups(g, from, lengths, 2);
	else if (groups == 4)
		tiny_groups(g, from, lengths, 4);
	else
		tiny_groups(g, from, lengths, GROUPS);
	return true;
}

/* False, and nothing done, when a key needs more than one block. */
INLINE bool short_burst(struct group *g, const struct md5_key *keys, uint32_t count, uint32_t groups)
{
	uint32_t longest[GROUPS], most = 0;

	for (uint32_t n = 0; n < groups; n++) {
		longest[n] = fill_short_rows(g + n, keys + group_begins(count, n), in_group(count, n));
		most = longest[n] > most ? longest[n] : most;
	}
	if (most > 55)
		return false;
	for (uint32_t n = 0; n < groups; n++)
		load_short_words(g + n, longest[n]);
	compress(g, all_active, groups);
	return true;
}

AVX512 static void long_burst(struct group *g, const struct md5_key *keys, uint32_t count, uint32_t groups)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++)
		longest = keys[i].length > longest ? keys[i].length : longest;
	for (uint32_t block = 0; block <= md5_last_block(longest); block++) {
		__mmask16 active[GROUPS];

		for (uint32_t n = 0; n < groups; n++)
			active[n] = fill_group(g + n, keys + group_begins(count, n), in_group(count, n), block);
		compress(g, active, groups);
	}
}

/* Digests as big-endian numbers, their upper halves: the first two words, each turned round. A whole group is written. */
INLINE void store_hashes(const struct group *g, uint64_t *hashes)
{
	const __m512i turn = _mm512_broadcast_i32x4(_mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203));
	const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
	__m512i a = _mm512_shuffle_epi8(g->a, turn), b = _mm512_shuffle_epi8(g->b, turn);
	/* Of every four keys the first two, and the last two. */
	__m512i low = _mm512_unpacklo_epi32(b, a), high = _mm512_unpackhi_epi32(b, a);

	_mm512_storeu_si512(hashes, _mm512_permutex2var_epi64(low, first, high));
	_mm512_storeu_si512(hashes + 8, _mm512_permutex2var_epi64(low, second, high));
}

INLINE uint32_t hash_burst(struct group *g, const struct md5_key *keys, uint32_t count)
{
	uint32_t groups = count <= LANES ? 1 : count <= 2 * LANES ? 2 : count <= 4 * LANES ? 4 : GROUPS;

	if (tiny_burst(g, keys, count, groups))
		return groups;
	for (uint32_t n = 0; n < groups; n++)
		start_group(g + n);
	if (!short_burst(g, keys, count, groups))
		long_burst(g, keys, count, groups);
	return groups;
}

AVX512 static void digest_burst(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	struct group g[GROUPS];
	uint32_t groups = hash_burst(g, keys, count);

	for (uint32_t n = 0; n < groups; n++)
		store_digests(g + n, in_group(count, n), digests + group_begins(count, n));
}

AVX512 static void upper_burst(const struct md5_key *keys, uint32_t count, uint64_t *upper)
{
	struct group g[GROUPS];

	hash_burst(g, keys, count);
	for (uint32_t n = 0; n * LANES < count; n++)
		store_hashes(g + n, upper + n * LANES);
}

void md5_avx512(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	for (uint32_t i = 0; i < count; i += GROUPS * LANES)
		digest_burst(keys + i, count - i < GROUPS * LANES ? count - i : GROUPS * LANES, digests + i);
}

void md5_upper_avx512(const struct md5_key *keys, uint32_t count, uint64_t *upper)
{
	for (uint32_t i = 0; i < count; i += GROUPS * LANES)
		upper_burst(keys + i, count - i < GROUPS * LANES ? count - i : GROUPS * LANES, upper + i);
}
