// MD5 by AVX-512: keys into lanes, each kind by the shortest way for its length, and digests out of them.
#include <stddef.h>

#include "dataplane/record/md5_engine.h"
#include "dataplane/record/md5_tiny.h"

/* Where a load under a mask may begin, also of a key without bytes: one of nothing from an unmapped page is right, but takes 90 ns. */
MD5_INLINE const uint8_t *mapped(const uint8_t *bytes, uint32_t length)
{
	static const uint8_t none;

	return length ? bytes : &none;
}

/* The bytes of a key from `start`, zero behind its end. A masked load touches no byte whose mask bit is clear. */
MD5_INLINE __m512i load_key(const uint8_t *bytes, uint64_t start, uint64_t left)
{
	__mmask64 mask = left < 64 ? _cvtu64_mask64((1ull << left) - 1) : ~(__mmask64)0;

	return left ? _mm512_maskz_loadu_epi8(mask, bytes + start) : _mm512_setzero_si512();
}

/* Block `block` of the padded key (RFC 1321, 3.1 and 3.2) into a row. */
MD5_INLINE void fill_row(uint8_t *row, const uint8_t *bytes, uint32_t length, uint32_t block)
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
MD5_INLINE void fill_short_row(uint8_t *row, const uint8_t *bytes, uint32_t length)
{
	/* 64 bytes from 64 - n have their 0x80 at n. */
	static const uint8_t end_marks[128] __attribute__((aligned(64))) = {[64] = 0x80};
	__m512i mark = _mm512_loadu_si512(end_marks + 64 - (length & 63));
	__mmask64 mask = _cvtu64_mask64(_bzhi_u64(~0ull, length));

	_mm512_store_si512(row, _mm512_mask_loadu_epi8(mark, mask, mapped(bytes, length)));
}

/* Row 4n of every four rows, from byte `at`, side by side: what a 4x4 transpose wants. */
MD5_INLINE __m512i four_rows(const struct md5_group *g, uint32_t row, uint32_t at)
{
	__m512i x = _mm512_castsi128_si512(_mm_load_si128((const __m128i *)(g->rows[row] + at)));

	x = _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 4] + at)), 1);
	x = _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 8] + at)), 2);
	return _mm512_inserti32x4(x, _mm_load_si128((const __m128i *)(g->rows[row + 12] + at)), 3);
}

MD5_INLINE void load_quad(struct md5_group *g, uint32_t quad)
{
	md5_transpose(g->words + quad * 4, four_rows(g, 0, quad * 16), four_rows(g, 1, quad * 16),
		  four_rows(g, 2, quad * 16), four_rows(g, 3, quad * 16));
}

MD5_AVX512 static void compress(struct md5_group *g, const __mmask16 *active, uint32_t groups)
{
	md5_compress_groups(g, active, groups, false);
}

static const __mmask16 all_active[MD5_GROUPS] = {0xffff, 0xffff, 0xffff, 0xffff, 0xffff};

/* Lanes whose key has a block `block`. Rows beyond `count` are filled as an empty key and thrown away. */
MD5_INLINE __mmask16 fill_group(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t block)
{
	uint32_t active = 0;

	for (uint32_t i = 0; i < MD5_LANES; i++) {
		uint32_t n = i < count ? length[i] : 0;

		fill_row(g->rows[i], n ? bytes[i] : NULL, n, block);
		active |= (uint32_t)(block <= md5_last_block(n)) << i;
	}
	for (uint32_t quad = 0; quad < 4; quad++)
		load_quad(g, quad);
	return (__mmask16)active;
}

/* Rows as for keys of one block; the longest length says whether they all were. */
MD5_INLINE uint32_t fill_short_rows(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++) {
		g->bits[i] = length[i] * 8;
		longest = length[i] > longest ? length[i] : longest;
		fill_short_row(g->rows[i], bytes[i], length[i]);
	}
	for (uint32_t i = count; i < MD5_LANES; i++) {
		g->bits[i] = 0;
		_mm512_store_si512(g->rows[i], _mm512_setzero_si512());
	}
	return longest;
}

/* The words behind the longest key and its end mark are zero and need no transposing. */
MD5_INLINE void load_short_words(struct md5_group *g, uint32_t longest)
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
	g->words[MD5_LENGTH_WORD] = _mm512_load_si512(g->bits);
}

MD5_INLINE void store_digests(struct md5_group *g, uint32_t count, uint8_t (*digests)[16])
{
	__m128i rows[4][4];

	md5_transpose(g->words, g->a, g->b, g->c, g->d);
	memcpy(rows, g->words, sizeof rows); /* rows[n][m] is key 4m + n */
	for (uint32_t i = 0; i + 4 <= count; i += 4)
		for (uint32_t n = 0; n < 4; n++)
			_mm_storeu_si128((__m128i *)digests[i + n], rows[n][i / 4]);
	for (uint32_t i = count & ~3u; i < count; i++)
		_mm_storeu_si128((__m128i *)digests[i], rows[i % 4][i / 4]);
}

/* Groups of tiny keys, from loading to their digests: `groups` is known where this is expanded, which keeps words and states in
 * registers. */
MD5_INLINE void tiny_groups(struct md5_group *out, const struct md5_tiny *tiny, uint32_t groups)
{
	struct md5_group g[MD5_GROUPS];

#pragma GCC unroll 5
	for (uint32_t n = 0; n < groups; n++) {
		md5_start_group(g + n);
		md5_tiny_load(g + n, tiny->from[n], tiny->lengths[n]);
	}
	md5_compress_groups(g, all_active, groups, true);
#pragma GCC unroll 5
	for (uint32_t n = 0; n < groups; n++) {
		out[n].a = g[n].a;
		out[n].b = g[n].b;
		out[n].c = g[n].c;
		out[n].d = g[n].d;
	}
}

/* False, and nothing done, when a key has more than MD5_TINY bytes. */
MD5_INLINE bool tiny_burst(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	struct md5_tiny tiny;

	if (!md5_tiny_take(&tiny, bytes, length, count, groups))
		return false;
	if (groups == 1)
		tiny_groups(g, &tiny, 1);
	else if (groups == 2)
		tiny_groups(g, &tiny, 2);
	else
		tiny_groups(g, &tiny, MD5_GROUPS);
	return true;
}

/* False, and nothing done, when a key needs more than one block. */
MD5_INLINE bool short_burst(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	uint32_t longest[MD5_GROUPS], most = 0;

	for (uint32_t n = 0; n < groups; n++) {
		uint32_t begins = md5_group_begins(count, n);

		longest[n] = fill_short_rows(g + n, bytes + begins, length + begins, md5_in_group(count, n));
		most = longest[n] > most ? longest[n] : most;
	}
	if (most > 55)
		return false;
	for (uint32_t n = 0; n < groups; n++)
		load_short_words(g + n, longest[n]);
	compress(g, all_active, groups);
	return true;
}

MD5_AVX512 static void long_burst(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint32_t groups)
{
	uint32_t longest = 0;

	for (uint32_t i = 0; i < count; i++)
		longest = length[i] > longest ? length[i] : longest;
	for (uint32_t block = 0; block <= md5_last_block(longest); block++) {
		__mmask16 active[MD5_GROUPS];

		for (uint32_t n = 0; n < groups; n++)
			active[n] = fill_group(g + n, bytes + md5_group_begins(count, n), length + md5_group_begins(count, n),
					       md5_in_group(count, n), block);
		compress(g, active, groups);
	}
}

/* How many groups it took. */
MD5_AVX512 static __attribute__((noinline)) uint32_t hash_burst(struct md5_group *g, const uint8_t *const *bytes, const uint32_t *length,
							      uint32_t count)
{
	uint32_t groups = count <= MD5_LANES ? 1 : count <= 2 * MD5_LANES ? 2 : MD5_GROUPS;

	if (tiny_burst(g, bytes, length, count, groups))
		return groups;
	for (uint32_t n = 0; n < groups; n++)
		md5_start_group(g + n);
	if (!short_burst(g, bytes, length, count, groups))
		long_burst(g, bytes, length, count, groups);
	return groups;
}

/* Keys `i` to i + 3 of `count`, of those behind the last nothing. */
MD5_INLINE __m512i four_keys(const struct md5_key *keys, uint32_t i, uint32_t count)
{
	return _mm512_maskz_loadu_epi64((__mmask8)_bzhi_u32(0xff, count > i ? 2 * (count - i) : 0), keys + i);
}

/* Keys as hash_burst() takes them, in whole groups. */
MD5_INLINE void part_keys(const struct md5_key *keys, uint32_t count, const uint8_t **bytes, uint32_t *length)
{
	const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);

	_Static_assert(sizeof(struct md5_key) == 16 && offsetof(struct md5_key, length) == 8, "two words of 64 bits");
	for (uint32_t i = 0; i < count; i += MD5_LANES) {
		__m512i a = four_keys(keys, i, count), b = four_keys(keys, i + 4, count);
		__m512i c = four_keys(keys, i + 8, count), d = four_keys(keys, i + 12, count);
		__m256i low = _mm512_cvtepi64_epi32(_mm512_permutex2var_epi64(a, odd, b));
		__m256i high = _mm512_cvtepi64_epi32(_mm512_permutex2var_epi64(c, odd, d));

		_mm512_storeu_si512(bytes + i, _mm512_permutex2var_epi64(a, even, b));
		_mm512_storeu_si512(bytes + i + 8, _mm512_permutex2var_epi64(c, even, d));
		_mm512_storeu_si512(length + i, _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
	}
}

MD5_AVX512 static void digest_burst(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	const uint8_t *bytes[MD5_GROUPS * MD5_LANES];
	uint32_t length[MD5_GROUPS * MD5_LANES], groups;
	struct md5_group g[MD5_GROUPS];

	part_keys(keys, count, bytes, length);
	groups = hash_burst(g, bytes, length, count);
	for (uint32_t n = 0; n < groups; n++)
		store_digests(g + n, md5_in_group(count, n), digests + md5_group_begins(count, n));
}

MD5_AVX512 static void upper_burst(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper)
{
	struct md5_group g[MD5_GROUPS];

	hash_burst(g, bytes, length, count);
	for (uint32_t n = 0; n * MD5_LANES < count; n++)
		md5_store_hashes(g + n, upper + n * MD5_LANES);
}

void md5_avx512(const struct md5_key *keys, uint32_t count, uint8_t (*digests)[16])
{
	for (uint32_t i = 0; i < count; i += MD5_GROUPS * MD5_LANES)
		digest_burst(keys + i, count - i < MD5_GROUPS * MD5_LANES ? count - i : MD5_GROUPS * MD5_LANES, digests + i);
}

void md5_upper_avx512(const uint8_t *const *bytes, const uint32_t *length, uint32_t count, uint64_t *upper)
{
	for (uint32_t i = 0; i < count; i += MD5_GROUPS * MD5_LANES)
		upper_burst(bytes + i, length + i, count - i < MD5_GROUPS * MD5_LANES ? count - i : MD5_GROUPS * MD5_LANES, upper + i);
}
