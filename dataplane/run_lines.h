// Runs of lines: cut out of all frames of a run and made into records by one of their fields, as many together as run.h takes. A
// part of burst.c, compiled once per x86-64 level with it.
#pragma once

#include "dataplane/run.h"
#ifdef USUAL16
#include "dataplane/run_beside.h"
#endif

/* Lines cut so far, which lie in a batch's record[], record_length[] and origin[]; and what is to be told of all of them. */
struct lines {
	struct batch *batch;
	uint32_t count;
	bool waiting; /* the run's other batch has RECORDS_MAX records, beside_can_wait(), hashed and sized, that are not appended yet */
	struct tally tally;
};

INLINE void lines_find_key(const struct run *run, struct batch *b, uint32_t i)
{
	run_find_key(run, b, i, b->record[i], b->record_length[i]);
}

#ifdef USUAL16
INLINE uint32_t lines_shortest(const struct batch *b, uint32_t count)
{
	uint32_t shortest = UINT32_MAX;

	for (uint32_t i = 0; i < count; i++)
		shortest = b->record_length[i] < shortest ? b->record_length[i] : shortest;
	return shortest;
}

/* First fields, which begin where their lines do. They end within the first 64 bytes, as nearly all do, without asking for more;
 * of a line that has 64 bytes (`whole`: all have) without a mask, which has to come from a general register. */
INLINE void lines_find_firsts(const struct run *run, struct batch *b, uint32_t count, bool whole)
{
	const __m512i separator = _mm512_set1_epi8((char)run->plan->key.separator);

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *bytes = b->record[i];
		uint32_t length = b->record_length[i];
		/* A masked load touches no byte whose mask bit is clear. */
		__mmask64 within = whole ? ~0ull : _cvtu64_mask64(_bzhi_u64(~0ull, length < 64 ? length : 64));
		__m512i some = whole ? _mm512_loadu_si512(bytes) : _mm512_maskz_loadu_epi8(within, bytes);

		b->key_length[i] = (uint32_t)_tzcnt_u64(_cvtmask64_u64(_mm512_mask_cmpeq_epi8_mask(within, some, separator)));
	}
	for (uint32_t i = 0; i < count; i++)
		if (__builtin_expect(b->key_length[i] == 64, 0)) /* no separator */
			lines_find_key(run, b, i);
}
#endif

INLINE void lines_find_keys(const struct run *run, struct records *r)
{
	struct batch *b = r->batch;

#ifdef USUAL16
	if (run->plan->key.field == 1) {
		r->key = b->record;
		if (lines_shortest(b, r->count) >= 64)
			lines_find_firsts(run, b, r->count, true);
		else
			lines_find_firsts(run, b, r->count, false);
		return;
	}
#endif
	for (uint32_t i = 0; i < r->count; i++)
		lines_find_key(run, b, i);
}

/* Where a batch of lines has what struct records asks for. */
INLINE struct records lines_records(struct batch *b, uint32_t count)
{
	return (struct records){
		.batch = b, .count = count, .bytes = b->record, .length = b->record_length, .key = b->key, .origin = b->origin};
}

#ifdef USUAL16
INLINE struct batch *lines_other(struct run *run, const struct lines *lines)
{
	return run->batch + (lines->batch == run->batch);
}

/* What waits is appended by itself. */
static __attribute__((noinline)) void lines_append_waiting(struct worker *w, struct run *run, struct lines *lines)
{
	struct records waiting = lines_records(lines_other(run, lines), RECORDS_MAX);

	waiting.key = waiting.bytes; /* beside_can_wait() */
	lines->waiting = false;
	run_append_sized(w, run, &waiting, run_field_labels(run), true);
}
#endif

/* Hashes the records that are next; what waits is appended, beside that where it can be. */
INLINE void lines_hash_and_append(struct worker *w, struct run *run, struct lines *lines, const struct records *next)
{
#ifdef USUAL16
	if (lines->waiting) {
		if (beside_hash_and_append(w, run->plan->router, next, lines_other(run, lines), run_field_labels(run))) {
			lines->waiting = false;
			return;
		}
		lines_append_waiting(w, run, lines);
	}
#else
	(void)lines;
#endif
	run_hash_keys(w, run, next);
}

/* Those that were cut beyond RECORDS_MAX come to the front, of the batch that is filled next. */
INLINE void lines_keep_rest(const struct batch *b, struct lines *lines)
{
	struct batch *next = lines->batch;

	for (uint32_t i = 0; i < RECORDS_SLACK; i++) {
		next->record[i] = b->record[RECORDS_MAX + i];
		next->record_length[i] = b->record_length[RECORDS_MAX + i];
		next->origin[i] = b->origin[RECORDS_MAX + i];
	}
	lines->count -= RECORDS_MAX;
}

/* Makes records of what is cut so far, up to RECORDS_MAX: as many as are hashed together. They are appended, or wait for that. */
static __attribute__((noinline)) void lines_end(struct worker *w, struct run *run, struct lines *lines)
{
	struct batch *b = lines->batch;
	struct records r = lines_records(b, lines->count < RECORDS_MAX ? lines->count : RECORDS_MAX);

	if (r.count == 0)
		return;
	lines_find_keys(run, &r);
	lines_hash_and_append(w, run, lines, &r);
#ifdef USUAL16
	if (run_exact(run->plan)) {
		lines->tally.bytes += run_sizes(&r);
		lines->waiting = beside_can_wait(run->plan->router, &r);
		if (lines->waiting)
			lines->batch = lines_other(run, lines);
		else
			run_append_sized(w, run, &r, run_field_labels(run), true);
	} else
#endif
		lines->tally.bytes += run_append(w, run, &r, run_field_labels(run));
	if (lines->count > RECORDS_MAX)
		lines_keep_rest(b, lines);
	else
		lines->count = 0;
}

/* Any lines of a frame; how many. */
static __attribute__((noinline)) uint32_t lines_split(struct worker *w, struct run *run, struct lines *lines,
						      const uint8_t *bytes, uint32_t left)
{
	const uint8_t *origin = bytes - RUN_ORIGIN_BEFORE;
	uint32_t records = 0;

	while (left > 0) {
		uint32_t consumed, at = lines->count;
		uint32_t count = split_lines(bytes, left, w->slices, RECORDS_MAX - at, &consumed);

		for (uint32_t i = 0; i < count; i++) {
			lines->batch->record[at + i] = bytes + w->slices[i].offset;
			lines->batch->record_length[at + i] = w->slices[i].length;
			lines->batch->origin[at + i] = origin;
		}
		lines->count += count;
		records += count;
		bytes += consumed;
		left -= consumed;
		if (left > 0) /* no room for the next */
			lines_end(w, run, lines);
	}
	return records;
}

/* A frame is cut, into so many. */
INLINE void lines_took(struct worker *w, struct run *run, struct lines *lines, uint32_t records)
{
	if (lines->count >= RECORDS_MAX)
		lines_end(w, run, lines);
	lines->tally.records += records;
	lines->tally.accepted += records > 0;
}

/* Cuts frames [first, first + count) of the run one by one. */
INLINE void lines_cut_each(struct worker *w, struct run *run, struct lines *lines, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++)
		lines_took(w, run, lines, lines_split(w, run, lines, run->bytes[i], run->length[i]));
}

#ifdef USUAL16
#define LINES_GROUP MARK_FRAMES
#define MARK_RECORDS 16u /* that a marked frame may have */
#define MARK_PAUSE 31u /* groups not marked for one that was in vain: marking costs 1 of 15 ns a line of 31 bytes */
_Static_assert(MARK_RECORDS <= RECORDS_SLACK, "written as a whole vector");
_Static_assert(KEY_BYTES_MAX >= 64, "lines_find_firsts() never cuts one");
_Static_assert(MARK_BLOCKS + 1 < 32, "how many newlines were found is a shift of 32 bits");

/* Makes records of a frame's lines from its marks. False, and nothing done, when two newlines are in one block, a line is
 * empty or there are too many: split_lines() is for those. */
INLINE bool lines_cut_marked(struct lines *lines, const __mmask64 *newlines, const uint8_t *bytes, uint32_t length, uint32_t *count)
{
	const uint8_t *frame = bytes - DECODE_USUAL_HEADERS;
	uint32_t end = DECODE_USUAL_HEADERS + length, blocks = (end + MARK_BLOCK - 1) / MARK_BLOCK, found = 0, last;
	__m512i ends = _mm512_setzero_si512(), starts, lengths;
	__m512i place = _mm512_set_epi64(511, 447, 383, 319, 255, 191, 127, 63);
	struct batch *b = lines->batch;
	__mmask8 crowded = 0;
	__mmask16 real;

	for (uint32_t i = 0; i < blocks; i += 8) {
		__m512i eight = _mm512_maskz_loadu_epi64((__mmask8)_bzhi_u32(0xff, blocks - i), newlines + i);
		__mmask8 some = _mm512_test_epi64_mask(eight, eight);
		/* The only newline of a block: as many bytes in front of the block's last as there are zeros. */
		__m512i at = _mm512_sub_epi64(place, _mm512_lzcnt_epi64(eight));

		crowded |= _mm512_test_epi64_mask(eight, _mm512_add_epi64(eight, _mm512_set1_epi64(-1)));
		at = _mm512_maskz_compress_epi64(some, at);
		ends = _mm512_mask_expand_epi32(ends, (__mmask16)(0xffffu << found), _mm512_castsi256_si512(_mm512_cvtepi64_epi32(at)));
		found += (uint32_t)__builtin_popcount(some);
		place = _mm512_add_epi64(place, _mm512_set1_epi64(512));
	}
	/* What follows the last newline ends where the frame does. */
	last = newlines[blocks - 1] >> (end - 1) % MARK_BLOCK & 1;
	ends = _mm512_mask_set1_epi32(ends, (__mmask16)(last ? 0 : 1u << found), (int)end);
	found += !last;
	starts = _mm512_add_epi32(_mm512_alignr_epi32(ends, _mm512_set1_epi32((int)DECODE_USUAL_HEADERS - 1), 15), _mm512_set1_epi32(1));
	lengths = _mm512_sub_epi32(ends, starts);
	real = (__mmask16)_bzhi_u32(0xffff, found);
	if (found > MARK_RECORDS || crowded || _mm512_mask_testn_epi32_mask(real, lengths, lengths))
		return false;
	for (uint32_t half = 0; half < 2; half++) {
		__m256i eight = half ? _mm512_extracti64x4_epi64(starts, 1) : _mm512_castsi512_si256(starts);

		_mm512_storeu_si512(b->record + lines->count + half * 8,
				    _mm512_add_epi64(_mm512_set1_epi64((long long)(uintptr_t)frame), _mm512_cvtepu32_epi64(eight)));
		_mm512_storeu_si512(b->origin + lines->count + half * 8,
				    _mm512_set1_epi64((long long)(uintptr_t)(bytes - RUN_ORIGIN_BEFORE)));
	}
	_mm512_storeu_si512(b->record_length + lines->count, lengths);
	lines->count += found;
	*count = found;
	return true;
}

/* Cuts frames [first, first + count) of the run. Where most frames of a group were not for marks, as all are whose lines are
 * shorter than a block or end with "\r\n", the input's next MARK_PAUSE groups are not marked at all. */
INLINE void lines_cut(struct worker *w, struct run *run, struct lines *lines, uint32_t first, uint32_t count)
{
	uint8_t *paused = &w->marks_paused[run->plan->index];
	struct marks *marks = &run->marks[first / MARK_FRAMES];
	uint32_t refused = 0;

	if (__builtin_expect(*paused > 0, 0)) {
		--*paused;
		lines_cut_each(w, run, lines, first, count);
		return;
	}
	if (!(run->marked >> first / MARK_FRAMES & 1))
		for (uint32_t i = 0; i < count; i++)
			marks_and_sum(marks, i, run->bytes[first + i] - DECODE_USUAL_HEADERS, DECODE_USUAL_HEADERS,
				  DECODE_USUAL_HEADERS + run->length[first + i]);
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *bytes = run->bytes[first + i];
		uint32_t length = run->length[first + i], records = 0;

		if (!(marks->plain[i] && lines_cut_marked(lines, marks->newlines[i], bytes, length, &records))) {
			records = lines_split(w, run, lines, bytes, length);
			refused++;
		}
		lines_took(w, run, lines, records);
	}
	if (refused > MARK_FRAMES / 2)
		*paused = MARK_PAUSE;
}
#else
#define LINES_GROUP BURST_MAX

INLINE void lines_cut(struct worker *w, struct run *run, struct lines *lines, uint32_t first, uint32_t count)
{
	lines_cut_each(w, run, lines, first, count);
}
#endif

/* Lines by one of their fields: gathered from all frames, as many as are made together. */
static __attribute__((noinline)) void run_line_fields(struct worker *w, struct run *run)
{
	struct lines lines = {.batch = run->batch, .tally = {.input = run->plan->index, .frames = run->count}};

	for (uint32_t first = 0; first < run->count; first += LINES_GROUP)
		lines_cut(w, run, &lines, first, run->count - first < LINES_GROUP ? run->count - first : LINES_GROUP);
	lines_end(w, run, &lines);
#ifdef USUAL16
	if (lines.waiting)
		lines_append_waiting(w, run, &lines);
#endif
	tally_flush(w, &lines.tally);
}
