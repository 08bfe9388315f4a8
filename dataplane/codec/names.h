// Names of a list in which a sender may repeat them, told apart: of two members of one name most readers of JSON keep
// one.
#pragma once

#include "dataplane/codec/number.h"
#include "dataplane/codec/scan.h"

/*
 * The second of a name becomes name_2, the third name_3, as those of a flow's elements do. That is done among the first
 * NAMES_NUMBERED names of a list, for the first NAMES_KEPT different ones of up to NAMES_BYTES_MAX bytes, so that a list made to be
 * slow costs few comparisons: all else is put as it stands. So is what a sender itself has called name_2.
 */
#define NAMES_NUMBERED 64u
#define NAMES_KEPT 16u
#define NAMES_BYTES_MAX 255u
#define NAMES_SUFFIX_BYTES 3u /* "_64" */

struct names {
	__m128i marks;            /* a byte for each kept, the newest first; 0: none */
	uint32_t count, distinct; /* of names, of different ones */
	struct kept_name {
		__m128i ends;
		const char *text;
		uint32_t length, times;
	} kept[NAMES_KEPT]; /* the newest at distinct - 1 */
};

SCAN_INLINE void names_begin(struct names *names)
{
	names->marks = _mm_setzero_si128();
	names->count = names->distinct = 0;
}

/* All of a name of fewer than 16 bytes; of a longer one something of its first and last. */
SCAN_INLINE __m128i names_ends(const char *name, uint32_t length)
{
	if (length < 16)
		return scan_load_short((const uint8_t *)name, length);
	return _mm_add_epi64(_mm_loadu_si128((const __m128i *)name),
			     _mm_loadu_si128((const __m128i *)(name + length - 16)));
}

/* Never 0. */
SCAN_INLINE uint8_t names_mark(__m128i ends, uint32_t length)
{
	uint64_t low = (uint64_t)_mm_cvtsi128_si64(ends);
	uint64_t high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(ends, ends));

	return (uint8_t)((((low ^ high * 0xc2b2ae3d27d4eb4fu) + length) * 0x9e3779b97f4a7c15u) >> 56 | 1);
}

SCAN_INLINE bool names_same(const struct kept_name *kept, const char *name, uint32_t length, __m128i ends)
{
	return kept->length == length && _mm_movemask_epi8(_mm_cmpeq_epi8(kept->ends, ends)) == 0xffff &&
	       (length < 16 || memcmp(kept->text, name, length) == 0);
}

/* How often it has been there by now, as far as that is known. */
SCAN_INLINE uint32_t names_times(struct names *names, const char *name, uint32_t length)
{
	__m128i ends = names_ends(name, length);
	uint8_t mark = names_mark(ends, length);
	uint32_t marked = (uint32_t)_mm_movemask_epi8(scan_is(names->marks, (char)mark));

	for (; marked; marked &= marked - 1) {
		uint32_t age = (uint32_t)__builtin_ctz(marked);
		struct kept_name *kept = &names->kept[names->distinct - 1 - age];

		if (names_same(kept, name, length, ends))
			return ++kept->times;
	}
	if (names->distinct == NAMES_KEPT)
		return 1;
	names->marks = _mm_or_si128(_mm_slli_si128(names->marks, 1), _mm_cvtsi32_si128(mark));
	names->kept[names->distinct++] = (struct kept_name){ends, name, length, 1};
	return 1;
}

// Takes the next name of the list, which stays where it is until the list has ended, and makes of it what is to be put:
// itself, or written to `scratch` with its number behind it (*length + NAMES_SUFFIX_BYTES).
SCAN_INLINE void names_next(struct names *names, const char **name, uint32_t *length, uint8_t *scratch)
{
	uint32_t times;

	if (names->count == NAMES_NUMBERED || *length > NAMES_BYTES_MAX)
		return;
	names->count++;
	times = names_times(names, *name, *length);
	if (__builtin_expect(times == 1, 1))
		return;
	memcpy(scratch, *name, *length);
	scratch[*length] = '_';
	*name = (const char *)scratch;
	*length += 1 + number_write(times, (char *)scratch + *length + 1);
}
