// First the positions of all newlines of a span, without a branch that data could mislead; then records from them.
#include "dataplane/record/split.h"

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#define ENGINES_MAX 3
#define SPAN 1024u /* bytes looked at before records are made of them: their positions stay in the first-level cache */
#define SLACK 64u  /* positions an engine may write behind the last real one */

/* Writes the offsets of the newlines in bytes[0..length), length <= SPAN, each plus `base`, and returns how many. *returns is
 * false when there is no '\r' among them. */
typedef uint32_t find_newlines(const uint8_t *bytes, uint32_t length, uint32_t base, uint32_t *ends, bool *returns);

struct cut { /* where the cutting stands */
	const uint8_t *bytes;
	struct slice *out;
	uint32_t count, room;
	uint32_t start; /* of the line being read */
};

/* The record in front of a line's end, which is not the block's first byte. */
static inline struct slice record_before(const uint8_t *bytes, uint32_t start, uint32_t end)
{
	/* An empty line finds its predecessor's '\n' here, so that nothing is stripped from it. */
	uint32_t strip = bytes[(size_t)end - 1] == '\r';

	return (struct slice){start, end - start - strip};
}

/* `returns`: whether a line may end with '\r'. */
static inline __attribute__((always_inline)) void take(struct cut *cut, const uint32_t *ends, uint32_t ends_count, bool returns)
{
	struct slice *out = cut->out + cut->count;
	uint32_t start = cut->start;

	for (uint32_t i = 0; i < ends_count; i++) {
		/* Always written, kept only when something is left of it. */
		if (returns)
			*out = record_before(cut->bytes, start, ends[i]);
		else
			*out = (struct slice){start, ends[i] - start};
		out += out->length != 0;
		start = ends[i] + 1;
	}
	cut->count = (uint32_t)(out - cut->out);
	cut->start = start;
}

/* The same where room may run out: false when it did, with `start` at the line that found none. */
static bool take_with_care(struct cut *cut, const uint32_t *ends, uint32_t ends_count)
{
	for (uint32_t i = 0; i < ends_count; i++) {
		struct slice record = record_before(cut->bytes, cut->start, ends[i]);

		if (record.length) {
			if (cut->count == cut->room)
				return false;
			cut->out[cut->count++] = record;
		}
		cut->start = ends[i] + 1;
	}
	return true;
}

static inline __attribute__((always_inline)) uint32_t
split_with(find_newlines *find, const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	struct cut cut = {bytes, out, 0, room, 0};
	uint32_t ends[SPAN + SLACK];

	/* Not a newline any more at the front, so that there is a byte in front of each. */
	while (cut.start < length && bytes[cut.start] == '\n')
		cut.start++;
	for (uint32_t at = cut.start; at < length; at += SPAN) {
		uint32_t span = length - at < SPAN ? length - at : SPAN;
		bool returns;
		uint32_t ends_count = find(bytes + at, span, at, ends, &returns);

		returns |= at > 0 && bytes[at - 1] == '\r'; /* and its newline here */
		if (__builtin_expect(room - cut.count < ends_count, 0)) {
			if (!take_with_care(&cut, ends, ends_count)) {
				*consumed = cut.start;
				return cut.count;
			}
		} else if (returns) {
			take(&cut, ends, ends_count, true);
		} else {
			take(&cut, ends, ends_count, false);
		}
	}
	*consumed = length;
	/* What follows the last newline ends where the block does. */
	if (cut.start < length && !take_with_care(&cut, &length, 1))
		*consumed = cut.start;
	return cut.count;
}

/* Positions of the set bits. */
static inline __attribute__((always_inline)) uint32_t write_positions(uint64_t mask, uint32_t base, uint32_t *ends)
{
	uint32_t *end = ends;

	for (; mask; mask &= mask - 1)
		*end++ = base + (uint32_t)__builtin_ctzll(mask);
	return (uint32_t)(end - ends);
}

static inline __attribute__((always_inline)) uint64_t newlines_sse(const uint8_t *bytes)
{
	const __m128i newline = _mm_set1_epi8('\n');
	uint64_t mask = 0;

	for (int i = 0; i < 4; i++) {
		__m128i x = _mm_loadu_si128((const __m128i *)(bytes + i * 16));

		mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, newline)) << i * 16;
	}
	return mask;
}

/* The last 64 bytes of what is left, whose first are not wanted again; or a padded copy when there are no 64. */
#define TAIL_MASK(newlines, bytes, at, length, mask)                                  \
	do {                                                                          \
		uint8_t padded[64] = {0};                                             \
		if (length >= 64) {                                                   \
			mask = newlines(bytes + length - 64) >> (64 - (length - at)); \
		} else {                                                              \
			memcpy(padded, bytes, length);                                \
			mask = newlines(padded);                                      \
		}                                                                     \
	} while (0)

static uint32_t find_sse(const uint8_t *bytes, uint32_t length, uint32_t base, uint32_t *ends, bool *returns)
{
	uint32_t count = 0, at = 0;
	uint64_t mask;

	*returns = true;
	for (; length - at >= 64; at += 64)
		count += write_positions(newlines_sse(bytes + at), base + at, ends + count);
	if (at < length) {
		TAIL_MASK(newlines_sse, bytes, at, length, mask);
		count += write_positions(mask, base + at, ends + count);
	}
	return count;
}

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
static inline AVX2 __attribute__((always_inline)) uint64_t newlines_avx2(const uint8_t *bytes)
{
	const __m256i newline = _mm256_set1_epi8('\n');
	__m256i low = _mm256_loadu_si256((const __m256i *)bytes);
	__m256i high = _mm256_loadu_si256((const __m256i *)(bytes + 32));

	return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, newline)) |
	       (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, newline)) << 32;
}

static AVX2 uint32_t find_avx2(const uint8_t *bytes, uint32_t length, uint32_t base, uint32_t *ends, bool *returns)
{
	uint32_t count = 0, at = 0;
	uint64_t mask;

	*returns = true;
	for (; length - at >= 64; at += 64)
		count += write_positions(newlines_avx2(bytes + at), base + at, ends + count);
	if (at < length) {
		TAIL_MASK(newlines_avx2, bytes, at, length, mask);
		count += write_positions(mask, base + at, ends + count);
	}
	return count;
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))
/* Compresses the numbers 0..63 to those of the newlines: 16 positions at a time, however many there are. (Where lines are
 * longer than blocks, the masks of eight blocks can be looked at together; handing them over through memory, which is what
 * that takes, made it slower: 5.6 ns a line of 100 bytes instead of 4.3. Not so over many frames: dataplane/run_lines.h.) */
static inline AVX512 __attribute__((always_inline)) uint32_t write_compressed(__mmask64 mask, __m512i base, uint32_t *ends)
{
	const __m512i numbers = _mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928,
						 0x2726252423222120, 0x1f1e1d1c1b1a1918, 0x1716151413121110,
						 0x0f0e0d0c0b0a0908, 0x0706050403020100);
	uint32_t count = (uint32_t)__builtin_popcountll(_cvtmask64_u64(mask));
	__m512i found = _mm512_maskz_compress_epi8(mask, numbers);

	_mm512_storeu_si512(ends, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found))));
	if (__builtin_expect(count > 16, 0)) {
		_mm512_storeu_si512(ends + 16, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(found, 1))));
		_mm512_storeu_si512(ends + 32, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(found, 2))));
		_mm512_storeu_si512(ends + 48, _mm512_add_epi32(base, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(found, 3))));
	}
	return count;
}

static AVX512 uint32_t find_avx512(const uint8_t *bytes, uint32_t length, uint32_t first, uint32_t *ends, bool *returns)
{
	const __m512i newline = _mm512_set1_epi8('\n'), carriage = _mm512_set1_epi8('\r');
	__m512i base = _mm512_set1_epi32((int)first), x;
	uint32_t count = 0, at = 0;
	__mmask64 seen = 0;

	for (; length - at >= 64; at += 64) {
		x = _mm512_loadu_si512(bytes + at);
		seen = _kor_mask64(seen, _mm512_cmpeq_epi8_mask(x, carriage));
		count += write_compressed(_mm512_cmpeq_epi8_mask(x, newline), base, ends + count);
		base = _mm512_add_epi32(base, _mm512_set1_epi32(64));
	}
	if (at < length) {
		/* A masked load touches no byte whose mask bit is clear; those read as 0. */
		x = _mm512_maskz_loadu_epi8(_cvtu64_mask64((1ull << (length - at)) - 1), bytes + at);
		seen = _kor_mask64(seen, _mm512_cmpeq_epi8_mask(x, carriage));
		count += write_compressed(_mm512_cmpeq_epi8_mask(x, newline), base, ends + count);
	}
	*returns = _cvtmask64_u64(seen) != 0;
	return count;
}

static uint32_t lines_sse(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	return split_with(find_sse, bytes, length, out, room, consumed);
}

static uint32_t lines_avx2(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	return split_with(find_avx2, bytes, length, out, room, consumed);
}

static uint32_t lines_avx512(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	return split_with(find_avx512, bytes, length, out, room, consumed);
}

static struct split_engine engines[ENGINES_MAX];
static uint32_t engines_count;

/* Before main(), so that no thread ever sees a half-made choice. */
__attribute__((constructor)) static void choose_engines(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi2"))
		engines[engines_count++] = (struct split_engine){"avx512", lines_avx512};
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
		engines[engines_count++] = (struct split_engine){"avx2", lines_avx2};
	engines[engines_count++] = (struct split_engine){"sse", lines_sse};
}

const struct split_engine *split_engines(uint32_t *count)
{
	*count = engines_count;
	return engines;
}

uint32_t split_lines(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	return engines[0].lines(bytes, length, out, room, consumed);
}
