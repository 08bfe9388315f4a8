// Names of a list in which a sender may repeat them, told apart: of two members of one name most readers of JSON keep
// one.
#pragma once

#include "dataplane/codec/number.h"
#include "dataplane/codec/scan.h"

/*
 * The second of a name becomes name_2, the third name_3, as those of a flow's elements do. A name is looked for among
 * the NAMES_KEPT different ones that came last, so that no list costs more than its length: one that comes back after
 * more than those is put as it stands. So is what a sender itself has called name_2.
 */
#define NAMES_KEPT 16u
#define NAMES_COMPARED 4u      /* at most, of those with the same mark, which nobody has but who looked for them */
#define NAMES_SUFFIX_BYTES 11u /* "_4294967295" */

struct names {
	uint32_t marks[NAMES_KEPT]; /* 0: nothing is kept there */
	uint32_t count;             /* of different names so far */
	struct kept_name {
		const char *text;
		uint32_t length, times;
	} kept[NAMES_KEPT];
};

SCAN_INLINE void names_begin(struct names *names)
{
	memset(names->marks, 0, sizeof names->marks);
	names->count = 0;
}

/* Of a name's length and of its first and last 16 bytes. */
SCAN_INLINE uint32_t names_mark(const uint8_t *name, uint32_t length)
{
	__m128i ends = length < 16 ? scan_load_short(name, length)
				   : _mm_add_epi64(_mm_loadu_si128((const __m128i *)name),
						   _mm_loadu_si128((const __m128i *)(name + length - 16)));
	uint64_t low = (uint64_t)_mm_cvtsi128_si64(ends);
	uint64_t high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(ends, ends));

	return (uint32_t)(((low ^ high * 0xc2b2ae3d27d4eb4fu) + length) * 0x9e3779b97f4a7c15u >> 32) | 1;
}

/* Bit i: marks[i] is `mark`. */
SCAN_INLINE uint32_t names_marked(const struct names *names, uint32_t mark)
{
	const __m128i *marks = (const __m128i *)names->marks, wanted = _mm_set1_epi32((int)mark);
	__m128i low = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_loadu_si128(marks), wanted),
				      _mm_cmpeq_epi32(_mm_loadu_si128(marks + 1), wanted));
	__m128i high = _mm_packs_epi32(_mm_cmpeq_epi32(_mm_loadu_si128(marks + 2), wanted),
				       _mm_cmpeq_epi32(_mm_loadu_si128(marks + 3), wanted));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}

/* How often it has been there by now. */
SCAN_INLINE uint32_t names_times(struct names *names, const char *name, uint32_t length)
{
	uint32_t mark = names_mark((const uint8_t *)name, length), same = names_marked(names, mark), place;

	for (uint32_t compared = 0; same && compared < NAMES_COMPARED; compared++, same &= same - 1) {
		struct kept_name *kept = &names->kept[__builtin_ctz(same)];

		if (kept->length == length && memcmp(kept->text, name, length) == 0)
			return ++kept->times;
	}
	place = names->count++ % NAMES_KEPT;
	names->marks[place] = mark;
	names->kept[place] = (struct kept_name){name, length, 1};
	return 1;
}

// Takes the next name of the list, which stays where it is until the list has ended, and makes of it what is to be put:
// itself, or written to `scratch` with its number behind it (*length + NAMES_SUFFIX_BYTES).
SCAN_INLINE void names_next(struct names *names, const char **name, uint32_t *length, uint8_t *scratch)
{
	uint32_t times = names_times(names, *name, *length);

	if (__builtin_expect(times == 1, 1))
		return;
	memcpy(scratch, *name, *length);
	scratch[*length] = '_';
	*name = (const char *)scratch;
	*length += 1 + number_write(times, (char *)scratch + *length + 1);
}
