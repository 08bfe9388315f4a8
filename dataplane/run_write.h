// How a record of a run is written to its place: one way for each kind, by as few moves as its lengths allow. A part of run.h,
// compiled once per x86-64 level with it.
#pragma once

#include "dataplane/append.h"
#include "dataplane/packet/usual16.h"

#define INLINE static inline __attribute__((always_inline))
#define RUN_ORIGIN_BEFORE (8u + 4u + 4u) /* addresses and ports, length and checksum */

#define HEAD_KEY ((uint32_t)(sizeof(struct record) + sizeof(struct origin4))) /* where a record's key or payload begins */
#define HEAD_PAYLOAD (64u - HEAD_KEY) /* what a head of 64 bytes has of it */
#define RUN_SMALL (64u + 32u)         /* bytes of a record that are a head and one more move */
/* The same with a key: three moves. A key is a part of its payload, so that of both together it is at most the half. */
#define RUN_SMALL_KEYED (HEAD_KEY + 60u)
_Static_assert(60 / 2 < USUAL_KEY && 60 <= USUAL_SHORT && USUAL_SHORT < KEY_BYTES_MAX, "short keys are moved whole, and never cut");

#ifdef USUAL16
/* What the records of a run have in common, for run_write(). */
struct run_head {
	__m512i common;
	__m512i order;
	__mmask32 body;
	__mmask16 origin;
	__mmask8 sizes, hash;
};

INLINE void run_head_init(struct run_head *head, uint64_t now_ns, uint64_t labels)
{
	/* Words of 2 bytes: the origin is 13 to 18 of a frame, its payload begins with 21. */
	static const uint16_t order[32] = {[16] = 13, 14, 15, 16, 17, 18, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30};

	head->common = _mm512_set_epi64(0, 0, 0, 0, 0, (long long)labels, (long long)now_ns, 0);
	head->order = _mm512_loadu_si512(order);
	head->body = 0xffff0000;
	head->origin = 0x0f00;
	head->sizes = 1 << 0;
	head->hash = 1 << 3;
	/* Opaque to the compiler, which would otherwise make them anew for each record. */
	__asm__("" : "+v"(head->order), "+Yk"(head->body), "+Yk"(head->origin), "+Yk"(head->sizes),
		  "+Yk"(head->hash));
}

/* Header, origin and up to HEAD_PAYLOAD bytes of payload: one shuffle of the 64 bytes in front of and behind the
 * payload's begin, of an untagged frame its first cache line, and one store. */
INLINE void run_head_write(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			   const uint8_t *payload)
{
	const uint8_t *frame = payload - DECODE_USUAL_HEADERS;
	__m512i bytes = _mm512_mask_permutexvar_epi16(head->common, head->body, head->order, _mm512_loadu_si512(frame));

	_Static_assert(DECODE_USUAL_HEADERS == 42 && sizeof(struct record) == 32,
		       "as run_head_init() and this have it");
	bytes = _mm512_mask_set1_epi64(bytes, head->sizes, (long long)*sizes);
	bytes = _mm512_mask_set1_epi64(bytes, head->hash, (long long)*hash);
	_mm512_storeu_si512(at, bytes);
}

/* Header and origin only; 20 bytes more are written. */
INLINE void run_origin_write(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			     const uint8_t *origin)
{
	__m512i bytes = _mm512_mask_broadcast_i32x4(head->common, head->origin,
						    _mm_loadu_si128((const __m128i *)origin));

	bytes = _mm512_mask_set1_epi64(bytes, head->sizes, (long long)*sizes);
	bytes = _mm512_mask_set1_epi64(bytes, head->hash, (long long)*hash);
	_mm512_storeu_si512(at, bytes);
}

/* A whole record without a key. Its end, beyond 64 bytes, is written first, by a move that begins in front of it: the
 * head then covers what is not the end's. `small`: it is none of more than RUN_SMALL bytes. */
INLINE void run_write_plain(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			    const uint8_t *payload, uint32_t length, bool small)
{
	uint8_t *to = at + HEAD_KEY;

	if (small) {
		append_prefetch(at + 64, 64);
		COPY_MOVE(struct copy32, to + length - 32, payload + length - 32);
	} else {
		append_prefetch(to + length, HEAD_KEY + length);
		if (length > HEAD_PAYLOAD)
			copy_over(to + HEAD_PAYLOAD, payload + HEAD_PAYLOAD, length - HEAD_PAYLOAD);
	}
	run_head_write(at, head, sizes, hash, payload);
}

/* A datagram's record of at most RUN_SMALL_KEYED bytes. */
INLINE void run_write_keyed(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			    const uint8_t *key, uint32_t key_length, const uint8_t *payload)
{
	run_origin_write(at, head, sizes, hash, payload - RUN_ORIGIN_BEFORE);
	COPY_MOVE(struct copy32, at + HEAD_KEY, key);
	_mm512_storeu_si512(at + HEAD_KEY + key_length, _mm512_loadu_si512(payload));
}

#define RUN_LINE_KEY HEAD_PAYLOAD
#define RUN_LINE 128u

/* A line's record, its key of at most RUN_LINE_KEY bytes and RUN_LINE of payload: two moves of 64 bytes, of a shorter one both the
 * same, instead of branches that lengths could mislead. Masked loads touch no byte whose mask bit is clear. */
INLINE void run_write_line(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			   const uint8_t *origin, const uint8_t *key, uint32_t key_length, const uint8_t *payload, uint32_t length)
{
	uint32_t second = length > 64 ? length - 64 : 0;
	__mmask64 mask = _cvtu64_mask64(_bzhi_u64(~0ull, length));
	__m512i bytes = _mm512_mask_broadcast_i32x4(head->common, head->origin, _mm_loadu_si128((const __m128i *)origin));

	bytes = _mm512_mask_set1_epi64(bytes, head->sizes, (long long)*sizes);
	bytes = _mm512_mask_set1_epi64(bytes, head->hash, (long long)*hash);
	bytes = _mm512_mask_loadu_epi8(bytes, _cvtu64_mask64(_bzhi_u64(~0ull, key_length) << HEAD_KEY), key - HEAD_KEY);
	_mm512_storeu_si512(at, bytes);
	at += HEAD_KEY + key_length;
	append_prefetch(at + length, HEAD_KEY + key_length + length);
	_mm512_storeu_si512(at, _mm512_maskz_loadu_epi8(mask, payload));
	_mm512_storeu_si512(at + second, _mm512_maskz_loadu_epi8(mask, payload + second));
}

#define RUN_FIRST_KEY 32u /* moved as one */
#define RUN_FIRST 192u    /* bytes of the record: three lines of the cache are asked for in its stead */
#define RUN_BRIEF 96u     /* of its payload: a move less */

/* The same of a line of at least 64 bytes and a key of at most RUN_FIRST_KEY with which it begins, RUN_FIRST together: no mask
 * is made for it, which would have to come from a general register, and the key is moved with what follows it, over which the
 * payload is then written. `brief`: its payload has at most RUN_BRIEF bytes, which is to be known of many lines together, or
 * the branch costs more than the move. Writes nothing beyond the record's end. */
INLINE void run_write_first(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			    const uint8_t *origin, uint32_t key_length, const uint8_t *payload, uint32_t length, bool brief)
{
	__m256i words = _mm512_castsi512_si256(head->common);
	__m512i bytes = _mm512_loadu_si512(payload);
	uint8_t *end;

	/* Half a vector, of which less lies over the ends of lines. */
	words = _mm256_mask_set1_epi64(words, head->sizes, (long long)*sizes);
	words = _mm256_mask_set1_epi64(words, head->hash, (long long)*hash);
	_mm256_storeu_si256((__m256i *)at, words);
	at += sizeof(struct record);
	_mm_storeu_si128((__m128i *)at, _mm_loadu_si128((const __m128i *)origin));
	at += sizeof(struct origin4);
	_mm256_storeu_si256((__m256i *)at, _mm512_castsi512_si256(bytes));
	at += key_length;
	end = at + length;
	lane_prefetch(end + APPEND_PREFETCH);
	lane_prefetch(end + APPEND_PREFETCH + 64);
	lane_prefetch(end + APPEND_PREFETCH + 128);
	_mm512_storeu_si512(at, bytes);
	payload += length;
	if (brief)
		_mm256_storeu_si256((__m256i *)(end - 32), _mm256_loadu_si256((const __m256i *)(payload - 32)));
	else
		_mm512_storeu_si512(end - 64, _mm512_loadu_si512(payload - 64));
}
#else
struct run_head {
	uint64_t now_ns, labels;
};

INLINE void run_head_init(struct run_head *head, uint64_t now_ns, uint64_t labels)
{
	*head = (struct run_head){now_ns, labels};
}

INLINE void run_origin_write(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			     const uint8_t *origin)
{
	memcpy(at, sizes, 8);
	memcpy(at + 8, &head->now_ns, 8);
	memcpy(at + 16, &head->labels, 8);
	memcpy(at + 24, hash, 8);
	/* 4 bytes too many, written over by key or payload. */
	COPY_MOVE(struct copy16, at + sizeof(struct record), origin);
}

INLINE void run_write_plain(uint8_t *at, const struct run_head *head, const uint64_t *sizes, const uint64_t *hash,
			    const uint8_t *payload, uint32_t length, bool small)
{
	(void)small;
	append_prefetch(at + HEAD_KEY + length, HEAD_KEY + length);
	run_origin_write(at, head, sizes, hash, payload - RUN_ORIGIN_BEFORE);
	copy_over(at + HEAD_KEY, payload, length);
}
#endif
