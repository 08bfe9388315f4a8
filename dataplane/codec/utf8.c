// Whether bytes are UTF-8, 16 at a time: Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte",
// Software: Practice and Experience 51(5), 2021, section 6 (its tables, as simdjson has them).
#include "dataplane/codec/utf8.h"

#include <tmmintrin.h>

/* What two bytes behind one another may be wrong as. An error is what the upper half of the first, the lower half of
 * the first and the upper half of the second all allow. */
enum {
	TOO_SHORT = 1 << 0, /* a first byte in front of no continuation */
	TOO_LONG = 1 << 1,  /* a continuation behind ASCII */
	OVERLONG_3 = 1 << 2,
	TOO_LARGE = 1 << 3, /* above U+10FFFF */
	SURROGATE = 1 << 4,
	OVERLONG_2 = 1 << 5,
	OVERLONG_4 = 1 << 6, /* and what is above U+13FFFF */
	TWO = 1 << 7,        /* continuations: wrong unless they are the third or fourth byte of a character */
	CARRY = TOO_SHORT | TOO_LONG | TWO,
	LARGE = CARRY | TOO_LARGE,
	LARGER = LARGE | OVERLONG_4,
};

#define HIGH_HALVES(bytes) _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(15))

/* Of 16 bytes behind `before`: what is wrong, 0 where nothing is. */
SCAN_INLINE __m128i errors(__m128i bytes, __m128i before)
{
	const __m128i first_high =
		_mm_setr_epi8(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, (char)TWO,
			      (char)TWO, (char)TWO, (char)TWO, TOO_SHORT | OVERLONG_2, TOO_SHORT,
			      TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | OVERLONG_4);
	const __m128i first_low = _mm_setr_epi8(
		(char)(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4), (char)(CARRY | OVERLONG_2), (char)CARRY,
		(char)CARRY, (char)LARGE, (char)LARGER, (char)LARGER, (char)LARGER, (char)LARGER, (char)LARGER,
		(char)LARGER, (char)LARGER, (char)LARGER, (char)(LARGER | SURROGATE), (char)LARGER, (char)LARGER);
	const __m128i second_high =
		_mm_setr_epi8(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
			      (char)(TOO_LONG | OVERLONG_2 | TWO | OVERLONG_3 | OVERLONG_4),
			      (char)(TOO_LONG | OVERLONG_2 | TWO | OVERLONG_3 | TOO_LARGE),
			      (char)(TOO_LONG | OVERLONG_2 | TWO | SURROGATE | TOO_LARGE),
			      (char)(TOO_LONG | OVERLONG_2 | TWO | SURROGATE | TOO_LARGE), TOO_SHORT, TOO_SHORT,
			      TOO_SHORT, TOO_SHORT);
	__m128i first = _mm_alignr_epi8(bytes, before, 15), third, fourth, pairs;

	pairs = _mm_and_si128(_mm_and_si128(_mm_shuffle_epi8(first_high, HIGH_HALVES(first)),
					    _mm_shuffle_epi8(first_low, _mm_and_si128(first, _mm_set1_epi8(15)))),
			      _mm_shuffle_epi8(second_high, HIGH_HALVES(bytes)));
	/* Highest bit: the byte is the third of a character, or the fourth, and so must be the second of two. */
	third = _mm_subs_epu8(_mm_alignr_epi8(bytes, before, 14), _mm_set1_epi8(0xe0 - 0x80));
	fourth = _mm_subs_epu8(_mm_alignr_epi8(bytes, before, 13), _mm_set1_epi8(0xf0 - 0x80));
	return _mm_xor_si128(pairs, _mm_and_si128(_mm_or_si128(third, fourth), _mm_set1_epi8((char)0x80)));
}

bool utf8_valid(const uint8_t *bytes, uint32_t length)
{
	__m128i wrong = _mm_setzero_si128(), before = wrong, now;
	uint32_t at = 0;

	for (; length - at >= 16; at += 16) {
		now = _mm_loadu_si128((const __m128i *)(bytes + at));
		if (_mm_movemask_epi8(_mm_or_si128(now, before)))
			wrong = _mm_or_si128(wrong, errors(now, before));
		before = now;
	}
	/* Zeros behind the end, which end whatever character is open. */
	now = scan_load_short(bytes + at, length - at);
	if (_mm_movemask_epi8(_mm_or_si128(now, before)))
		wrong = _mm_or_si128(wrong, errors(now, before));
	return _mm_movemask_epi8(_mm_cmpeq_epi8(wrong, _mm_setzero_si128())) == 0xffff;
}
