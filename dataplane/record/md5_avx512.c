// MD5 by AVX-512: keys into lanes, each kind by the shortest way for its length, and digests out of them.
#include <stddef.h>

#include "dataplane/record/md5_avx512.h"
#include "dataplane/record/md5_engine.h"

/* Where a load under a mask may begin, also of a key without bytes: one of nothing from an unmapped page is right, but takes 90 ns. */
INLINE const uint8_t *mapped(const uint8_t *bytes, uint32_t length)
{
	static const uint8_t none;

	return length ? bytes : &none;
}

/* The bytes of a key from `start`, zero behind its end. A masked load touches no byte whose mask bit is clear. */
INLINE __m512i load_key(const uint8_t *bytes, uint64_t start, uint64_t left)
{
	__mmask64 mask = left < 64 ? _cvtu64_mask64((1ull << left) - 1) : ~(__mmask64)0;

	return left ? _mm512_maskz_loadu_epi8(mask, bytes + start) : _mm512_setzero_si512();
}

/* Block `block` of the padded key (RFC 1321, 3.1 and 3.2) into a row. */
INLINE void fill_row(uint8_t *row, const uint8_t *bytes, uint32_t length, uint32_t block)
{
	uint64_t start = (uint64_t)block * 64;
	uint64_t left = length > start ? length - start : 0;
	__m512i some = load_key(bytes, start, left);

	if (length >= start && left < 64)
		some = _mm512_mask_mov_epi8(some, _cvtu64_mask64(1ull << left), _mm512_set1_epi8((char)0x80));
	if (block == md5_last_block(length))
		some = _mm512_mask_set1_epi64(some, 0x80, (long long)((uint64_t)length * 8));
	_mm512_store_si512(row, some);
}

/* The same for a key of at most 55 bytes, without its length, which goes straight into word 14. */
INLINE void fill_short_row(uint8_t *row, const uint8_t *bytes, uint32_t length)
{
	/* 64 bytes from 64 - n have their 0x80 at n. */
	static const uint8_t end_marks[128] __attribute__((aligned(64))) = {[64] = 0x80};
	__m512i mark = _mm512_loadu_si512(end_marks + 64 - (length & 63));
	__mmask64 mask = _cvtu64_mask64(_bzhi_u64(~0ull, length));

	_mm512_store_si512(row, _mm512_mask_loadu_epi8(mark, mask, mapped(bytes, length)));
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

AVX512 static void compress(struct group *g, const __mmask16 *active, uint32_t groups)
{
	compress_groups(g, active, groups, false);
}

static const __mmask16 all_active[GROUPS] = {0xffff, 0xffff, 0xffff, 0xffff, 0xffff};

/* Lanes whose key has a block `block`. Rows beyond `count` are filled as an empty key and thrown away. */
INLINE __mmask16 fill_group(struct group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t block)
{
	uint32_t active = 0;

	for (uint32_t i = 0; i < LANES; i++) {
		uint32_t n = i < count ? length[i] : 0;

		fill_row(g->rows[i], n ? bytes[i] : NULL, n, block);
		active |= (uint32_t)(block <= md5_last_block(n)) << i;
	}
	for (uint32_t quad = 0; quad < 4; quad++)
		load_quad(g, quad);
	return (__mmask16)active;
}

/* Rows as for keys of one block; the longest length says whether they all were. */
INLINE uint32_t fill_short_rows(struct group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++) {
		g->bits[i] = length[i] * 8;
		longest = length[i] > longest ? length[i] : longest;
		fill_short_row(g->rows[i], bytes[i], length[i]);
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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEYS_ALONE 1 /* a sanitizer would report what is read beside a key */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KEYS_ALONE 1
#endif
#endif
#ifndef KEYS_ALONE
#define KEYS_ALONE 0
#endif

#define PAGE 4096 /* every page is one or several of these */

/* Whether 16 keys' bytes may be read as far as TINY_MAX: none is empty, which may be anywhere, or so near a page's end that what
 * follows it may not be there. */
INLINE bool tiny_readable(const uint8_t *const *bytes, __m512i lengths)
{
	const __m512i last = _mm512_set1_epi64(TINY_MAX - 1);
	__m512i low = _mm512_loadu_si512(bytes), high = _mm512_loadu_si512(bytes + 8);
	__m512i turned = _mm512_xor_si512(low, _mm512_add_epi64(low, last));

	turned = _mm512_ternarylogic_epi64(turned, high, _mm512_add_epi64(high, last), 0xf6); /* a | (b ^ c) */
	return (_mm512_test_epi64_mask(turned, _mm512_set1_epi64(PAGE)) | _mm512_testn_epi32_mask(lengths, lengths)) == 0;
}

INLINE __m128i tiny_row(const uint8_t *bytes)
{
	return _mm_loadu_si128((const __m128i *)bytes);
}

/* Every fourth key, side by side: what a 4x4 transpose wants. */
INLINE __m512i four_tiny_rows(const uint8_t *const *bytes)
{
	__m512i x = _mm512_castsi128_si512(tiny_row(bytes[0]));

	x = _mm512_inserti32x4(x, tiny_row(bytes[4]), 1);
	x = _mm512_inserti32x4(x, tiny_row(bytes[8]), 2);
	return _mm512_inserti32x4(x, tiny_row(bytes[12]), 3);
}

/* The words of 16 keys of up to TINY_MAX bytes, that are not zero of all. They never lie in memory: a load of what several
 * stores have just written waits for them all, 40 ns a burst. What was read behind keys is taken away, and their end marks are put
 * in, for all keys at once: a mask for each load, which has to come from a general register, takes longer than all of that. */
INLINE void load_tiny(struct group *g, const uint8_t *const *bytes, __m512i lengths)
{
	const __m512i mark = _mm512_set1_epi32(0x80), ones = _mm512_set1_epi32(-1);
	__m512i bits = _mm512_slli_epi32(lengths, 3);

	g->words[LENGTH_WORD] = bits;
	transpose(g->words, four_tiny_rows(bytes), four_tiny_rows(bytes + 1), four_tiny_rows(bytes + 2),
		  four_tiny_rows(bytes + 3));
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
INLINE void tiny_groups(struct group *out, const uint8_t *const *const *from, const __m512i *lengths, uint32_t groups)
{
	struct group g[GROUPS];

#pragma GCC unroll 5
	for (uint32_t n = 0; n < groups; n++) {
		start_group(g + n);
		load_tiny(g + n, from[n], lengths[n]);
	}
	compress_groups(g, all_active, groups, true);
#pragma GCC unroll 5
	for (uint32_t n = 0; n < groups; n++) {
		out[n].a = g[n].a;
		out[n].b = g[n].b;
		out[n].c = g[n].c;
		out[n].d = g[n].d;
	}
}

struct tiny_copy { /* of a group, for load_tiny(): TINY_MAX bytes of each key are there to be read */
	const uint8_t *bytes[LANES];
	uint8_t rows[LANES][TINY_MAX];
};

static AVX512 __attribute__((noinline)) const uint8_t *const *tiny_copy(struct tiny_copy *copy, const uint8_t *const *bytes,
									 const uint32_t *length, uint32_t count)
{
	static const uint8_t none[TINY_MAX];

	for (uint32_t i = 0; i < LANES; i++) {
		copy->bytes[i] = none;
		if (i >= count || length[i] == 0)
			continue;
		copy->bytes[i] = bytes[i];
		if (!KEYS_ALONE && ((uintptr_t)bytes[i] & (PAGE - 1)) <= PAGE - TINY_MAX)
			continue;
		/* A masked load touches no byte whose mask bit is clear. */
		_mm_storeu_si128((__m128i *)copy->rows[i],
				 _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, length[i]), bytes[i]));
		copy->bytes[i] = copy->rows[i];
	}
	return copy->bytes;
}

/* False, and nothing done, when a key has more than TINY_MAX bytes. */
INLINE bool tiny_burst(struct group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	struct tiny_copy copies[GROUPS];
	const uint8_t *const *from[GROUPS];
	__m512i lengths[GROUPS], longest = _mm512_setzero_si512();

	for (uint32_t n = 0; n < groups; n++) {
		uint32_t in = in_group(count, n), begins = group_begins(count, n);

		lengths[n] = _mm512_maskz_loadu_epi32((__mmask16)_bzhi_u32(0xffff, in), length + begins);
		from[n] = bytes + begins;
		if (KEYS_ALONE || in < LANES || __builtin_expect(!tiny_readable(from[n], lengths[n]), 0))
			from[n] = tiny_copy(copies + n, from[n], length + begins, in);
		longest = _mm512_max_epu32(longest, lengths[n]);
	}
	if (_mm512_cmpgt_epu32_mask(longest, _mm512_set1_epi32(TINY_MAX)) != 0)
		return false;
	if (groups == 1)
		tiny_groups(g, from, lengths, 1);
	else if (groups == 2)
		tiny_groups(g, from, lengths, 2);
	else
		tiny_groups(g, from, lengths, GROUPS);
	return true;
}

/* False, and nothing done, when a key needs more than one block. */
INLINE bool short_burst(struct group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	uint32_t longest[GROUPS], most = 0;

	for (uint32_t n = 0; n < groups; n++) {
		uint32_t begins = group_begins(count, n);

		longest[n] = fill_short_rows(g + n, bytes + begins, length + begins, in_group(count, n));
		most = longest[n] > most ? longest[n] : most;
	}
	if (most > 55)
		return false;
	for (uint32_t n = 0; n < groups; n++)
		load_short_words(g + n, longest[n]);
	compress(g, all_active, groups);
	return true;
}

AVX512 static void long_burst(struct group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++)
		longest = length[i] > longest ? length[i] : longest;
	for (uint32_t block = 0; block <= md5_last_block(longest); block++) {
		__mmask16 active[GROUPS];

		for (uint32_t n = 0; n < groups; n++)
			active[n] = fill_group(g + n, bytes + group_begins(count, n), length + group_begins(count, n),
					       in_group(count, n), block);
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

/* How many groups it took. */
AVX512 static __attribute__((noinline)) uint32_t hash_burst(struct group *g, const uint8_t *const *bytes, const uint32_t *length,
							      uint32_t count)
{
	uint32_t groups = count <= LANES ? 1 : count <= 2 * LANES ? 2 : GROUPS;

	if (tiny_burst(g, bytes, length, count, groups))
		return groups;
	for (uint32_t n = 0; n < groups; n++)
		start_group(g + n);
	if (!short_burst(g, bytes, length, count, groups))
		long_burst(g, bytes, length, count, groups);
	return groups;
}

/* Keys `i` to i + 3 of `count`, of those behind the last nothing. */
INLINE __m512i four_keys(const struct md5_key *keys, uint32_t i, uint32_t count)
{
	return _mm512_maskz_loadu_epi64((__mmask8)_bzhi_u32(0xff, count > i ? 2 * (count - i) : 0), keys + i);
}

/* Keys as hash_burst() takes them, in whole groups. */
INLINE void part_keys(const struct md5_key *keys, uint32_t count, const uint8_t **bytes, uint32_t *length)
{
	const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);

	_Static_assert(sizeof(struct md5_key) == 16 && offsetof(struct md5_key, length) == 8, "two words of 64 bits");
	for (uint32_t i = 0; i < count; i += LANES) {
		__m512i a = four_keys(keys, i, count), b = four_keys(keys, i + 4, count);
		__m512i c = four_keys(keys, i + 8, count), d = four_keys(keys, i + 12, count);
		__m256i low = _mm512_cvtepi64_epi32(_mm512_permutex2var_epi64(a, odd, b));
		__m256i high = _mm512_cvtepi64_epi32(_mm512_permutex2var_epi64(c, odd, d));

		_mm512_storeu_si512(bytes + i, _mm512_permutex2var_epi64(a, even, b));
		_mm512_storeu_si512(bytes + i + 8, _mm512_permutex2var_epi64(c, even, d));
		_mm512_storeu_si512(length + i, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
	}
}

AVX512 static void digest_burst(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	const uint8_t *bytes[GROUPS * LANES];
	uint32_t length[GROUPS * LANES], groups;
	struct group g[GROUPS];

	part_keys(keys, count, bytes, length);
	groups = hash_burst(g, bytes, length, count);
	for (uint32_t n = 0; n < groups; n++)
		store_digests(g + n, in_group(count, n), digests + group_begins(count, n));
}

AVX512 static void upper_burst(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper)
{
	struct group g[GROUPS];

	hash_burst(g, bytes, length, count);
	for (uint32_t n = 0; n * LANES < count; n++)
		store_hashes(g + n, upper + n * LANES);
}

void md5_avx512(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	for (uint32_t i = 0; i < count; i += GROUPS * LANES)
		digest_burst(keys + i, count - i < GROUPS * LANES ? count - i : GROUPS * LANES, digests + i);
}

void md5_upper_avx512(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper)
{
	for (uint32_t i = 0; i < count; i += GROUPS * LANES)
		upper_burst(bytes + i, length + i, count - i < GROUPS * LANES ? count - i : GROUPS * LANES, upper + i);
}
