// Sixteen frames at once that nearly all frames are: decode_usual() by vectors, for x86-64-v4.
#pragma once

#include "dataplane/packet/marks.h"
#include "dataplane/packet/usual.h"

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

/*
 * The first 64 bytes of 16 frames are 16 rows of 16 words of 4 bytes. Turned round, vector k has word k of every frame, and
 * from there on everything is done for 16 frames by one instruction each:
 *
 *   0 1   2    3         4        5             6          7        8        9         10            11 .. 15
 *   mac   src  type,ver  len, id  frag,ttl,prot sum, src   src,dst  dst,port port,len  sum,payload   payload
 *
 * About 15 instructions a frame instead of 80, which is what counts where a core is kept busy on all its units: decoding
 * 64-byte frames took 7.5 ns one by one and takes 3 this way.
 */

#define USUAL16 16u
#define USUAL16_BYTES 64u /* of each frame that are read, whatever its length */

_Static_assert(MARK_FRAMES == USUAL16 && MARK_BLOCK == USUAL16_BYTES && DECODE_USUAL_HEADERS < MARK_BLOCK,
	       "frames are marked as they are summed");

struct usual16 {
	uint32_t length[USUAL16];                                       /* of UDP's payload */
	uint32_t source[USUAL16], destination[USUAL16], ports[USUAL16]; /* as they lie in the frame: an origin block's words */
	bool marked; /* all have their newlines marked */
};

static inline __attribute__((always_inline)) void usual16_turn(__m512i r[16])
{
	__m512i t[16], a, b, c, d;

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) {
		t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
	}
#pragma GCC unroll 4
	for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	/* Now 128-bit lane L of r[i + c] has word 4 L + c of frames i to i + 3. */
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) {
		a = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
		b = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
		c = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
		d = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
		t[i] = _mm512_shuffle_i32x4(a, c, 0x88);
		t[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
		t[8 + i] = _mm512_shuffle_i32x4(a, c, 0xdd);
		t[12 + i] = _mm512_shuffle_i32x4(b, d, 0xdd);
	}
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		r[i] = t[i];
}

static inline __attribute__((always_inline)) __m512i usual16_low(__m512i words)
{
	return _mm512_and_si512(words, _mm512_set1_epi32(0xffff));
}

static inline __attribute__((always_inline)) __m512i usual16_high(__m512i words)
{
	return _mm512_srli_epi32(words, 16);
}

static inline __attribute__((always_inline)) __m512i usual16_both(__m512i words)
{
	return _mm512_add_epi32(usual16_low(words), usual16_high(words));
}

/* Four bytes that begin in the middle of one word and end in the middle of the next. */
static inline __attribute__((always_inline)) __m512i usual16_across(__m512i words, __m512i next)
{
	return _mm512_or_si512(_mm512_srli_epi32(words, 16), _mm512_slli_epi32(next, 16));
}

/* The bits of word k in which the frames differ from what is expected, for those that count. */
static inline __attribute__((always_inline)) __m512i usual16_differs(const struct host *host, uint32_t k, __m512i words)
{
	return _mm512_ternarylogic_epi32(words, _mm512_set1_epi32((int)wire_raw32(host->usual_expected + 4 * k)),
					 _mm512_set1_epi32((int)wire_raw32(host->usual_care + 4 * k)), 0x28); /* (a ^ b) & c */
}

static inline __attribute__((always_inline)) __mmask16 usual16_headers(const struct host *host, const __m512i w[16])
{
	__m512i differ = usual16_differs(host, 0, w[0]);

	differ = _mm512_or_si512(differ, usual16_differs(host, 1, w[1]));
	differ = _mm512_or_si512(differ, usual16_differs(host, 3, w[3]));
	differ = _mm512_or_si512(differ, usual16_differs(host, 5, w[5]));
	differ = _mm512_or_si512(differ, usual16_differs(host, 7, w[7]));
	differ = _mm512_or_si512(differ, usual16_differs(host, 8, w[8]));
	return _mm512_testn_epi32_mask(differ, differ);
}

/* Sums that are never 0 and, right, a multiple of 0xffff: by its inverse modulo 2^32 only those stay this small. */
static inline __attribute__((always_inline)) __mmask16 usual16_right(__m512i sums)
{
	return _mm512_cmple_epu32_mask(_mm512_mullo_epi32(sums, _mm512_set1_epi32((int)0xfffeffff)),
				       _mm512_set1_epi32(UINT32_MAX / 0xffff));
}

/* Of 16 vectors of 32-bit words each one's sum. */
static inline __attribute__((always_inline)) __m512i usual16_sums(__m512i v[16])
{
	__m512i first, last;

#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) /* halves of each 128-bit lane: two vectors in one */
		v[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
					_mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++) /* its rest: four in one */
		v[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
					_mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
	/* Each lane of v[n] has its part of the sums 4 n to 4 n + 3: lanes are added to lanes until one is left of each. */
	first = _mm512_add_epi32(_mm512_shuffle_i32x4(v[0], v[1], 0x88), _mm512_shuffle_i32x4(v[0], v[1], 0xdd));
	last = _mm512_add_epi32(_mm512_shuffle_i32x4(v[2], v[3], 0x88), _mm512_shuffle_i32x4(v[2], v[3], 0xdd));
	return _mm512_add_epi32(_mm512_shuffle_i32x4(first, last, 0x88), _mm512_shuffle_i32x4(first, last, 0xdd));
}

/* Adds to the sums what lies behind the first 64 bytes of those frames that are longer: `ends` of others are not looked at. With
 * `marks`, their newlines are marked. */
static inline __m512i usual16_add_rest(__m512i sums, const uint8_t *const buffers[USUAL16], uint32_t offset, __m512i ends,
					__mmask16 longer, struct marks *marks)
{
	uint32_t end[USUAL16];
	__m512i parts[USUAL16];

	/* Of those that are not, there is nothing behind. */
	_mm512_storeu_si512(end, _mm512_mask_mov_epi32(_mm512_set1_epi32(USUAL16_BYTES), longer, ends));
	if (marks)
		for (uint32_t i = 0; i < USUAL16; i++)
			parts[i] = marks_and_sum(marks, i, buffers[i] + offset, DECODE_USUAL_HEADERS, end[i]);
	else
		for (uint32_t i = 0; i < USUAL16; i++)
			parts[i] = checksum_parts(buffers[i] + offset + USUAL16_BYTES, end[i] - USUAL16_BYTES);
	return _mm512_add_epi32(sums, usual16_both(usual16_sums(parts)));
}

// Which of 16 frames, each `offset` into its buffer, are usual: for the host's first address, without a tag, else as
// decode_usual() has it. For those `out` is set, and its payload begins DECODE_USUAL_HEADERS into the frame. USUAL16_BYTES of
// each are readable, even of those whose `lengths` says less. Not for a tap. `verified` has the bits of those whose checksums the
// NIC has found right. With `marks`, which may be NULL, newlines of their payloads are marked on the way, where there is a way.
static inline __attribute__((always_inline)) uint32_t usual16_decode(const uint8_t *const buffers[USUAL16], uint32_t offset,
								      const uint32_t lengths[USUAL16], const struct host *host,
								      uint32_t verified, struct marks *marks, struct usual16 *out)
{
	/* Shuffles within 128-bit lanes: the lower or upper half of each word, its bytes swapped, the rest 0. */
	const __m512i low = _mm512_set4_epi32((int)0xffff0c0d, (int)0xffff0809, (int)0xffff0405, (int)0xffff0001);
	const __m512i high = _mm512_set4_epi32((int)0xffff0e0f, (int)0xffff0a0b, (int)0xffff0607, (int)0xffff0203);
	__m512i w[16], total, udp, end, beyond, addresses, ipv4, sum;
	__mmask16 usual, longer;

	for (uint32_t i = 0; i < USUAL16; i++)
		w[i] = _mm512_loadu_si512(buffers[i] + offset);
	usual16_turn(w);
	total = _mm512_shuffle_epi8(w[4], low);
	udp = _mm512_shuffle_epi8(w[9], high);
	/* Bytes of IP behind those of UDP are not usual, nor is a datagram without a byte, nor one without a checksum. */
	usual = usual16_headers(host, w);
	usual = _mm512_mask_cmpeq_epi32_mask(usual, total, _mm512_add_epi32(udp, _mm512_set1_epi32(WIRE_IPV4_BYTES)));
	usual = _mm512_mask_cmpge_epu32_mask(usual, udp, _mm512_set1_epi32(WIRE_UDP_BYTES + 1));
	end = _mm512_add_epi32(udp, _mm512_set1_epi32(WIRE_ETHERNET_BYTES + WIRE_IPV4_BYTES));
	usual = _mm512_mask_cmple_epu32_mask(usual, end, _mm512_loadu_si512(lengths));
	usual = _mm512_mask_test_epi32_mask(usual, w[10], _mm512_set1_epi32(0xffff));

	addresses = _mm512_add_epi32(_mm512_add_epi32(usual16_high(w[6]), usual16_both(w[7])), usual16_low(w[8]));
	ipv4 = _mm512_add_epi32(_mm512_add_epi32(usual16_high(w[3]), usual16_both(w[4])),
				_mm512_add_epi32(_mm512_add_epi32(usual16_both(w[5]), usual16_low(w[6])), addresses));
	sum = _mm512_add_epi32(_mm512_add_epi32(addresses, usual16_high(w[8])), usual16_both(w[9]));
	/* The pseudo header has UDP's length once more, and the protocol. */
	sum = _mm512_add_epi32(sum, _mm512_add_epi32(usual16_high(w[9]), _mm512_set1_epi32(WIRE_UDP << 8)));
	/* Bits of the word that lie behind the end are shifted out; `end` counts bits here, up to those of 64 bytes. */
	beyond = _mm512_slli_epi32(_mm512_min_epu32(end, _mm512_set1_epi32(USUAL16_BYTES)), 3);
#pragma GCC unroll 6
	for (int k = 10; k < 16; k++) {
		__m512i shift = _mm512_subs_epu16(_mm512_set1_epi32(32 * k + 32), beyond);
		__m512i inside = _mm512_and_si512(w[k], _mm512_srlv_epi32(_mm512_set1_epi32(-1), shift));

		sum = _mm512_add_epi32(sum, usual16_both(inside));
	}
	longer = _mm512_mask_cmpgt_epu32_mask(usual, end, _mm512_set1_epi32(USUAL16_BYTES));
	out->marked = marks && longer == 0xffff && verified == 0;
	if (__builtin_expect(longer & ~verified, 0))
		sum = usual16_add_rest(sum, buffers, offset, end, longer, out->marked ? marks : NULL);
	usual &= (__mmask16)((usual16_right(ipv4) & usual16_right(sum)) | verified);

	_mm512_storeu_si512(out->length, _mm512_sub_epi32(udp, _mm512_set1_epi32(WIRE_UDP_BYTES)));
	_mm512_storeu_si512(out->source, usual16_across(w[6], w[7]));
	_mm512_storeu_si512(out->destination, usual16_across(w[7], w[8]));
	_mm512_storeu_si512(out->ports, usual16_across(w[8], w[9]));
	return usual;
}
#endif
