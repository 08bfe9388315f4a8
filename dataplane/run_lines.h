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
	bool marked; /* some may have been cut by marks: see lines_trim() */
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

/* What is cut at newlines alone, as marked frames are, may still have a '\r' in front of them. It is taken away, and the keys of
 * those lines are found again. */
static __attribute__((cold, noinline)) void lines_trim(const struct run *run, struct batch *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *end = b->record[i] + b->record_length[i];

		/* A line of split_lines() ends with one only where it took another away: end[0] is that, not '\n', and in the frame. A
		 * marked line that ends so is never its frame's last. */
		if (end[-1] == '\r' && end[0] == '\n') {
			b->record_length[i]--;
			lines_find_key(run, b, i);
		}
	}
}

/* In front of a line are two bytes, of a frame's first the checksum: what ends the line before it, and its newline. */
#define LINE_BEFORE 2
#define LINE_SEEN (MD5_TINY - LINE_BEFORE) /* bytes of a line that are looked at with them */
_Static_assert(MD5_TINY == 16 && LINE_SEEN <= 64, "a row has 16 bits of each line, all of them the line's");

/* Whether lines_trim() may find something: each line's end is seen in front of the next, the batch's last is asked itself, and a
 * frame's last never ends so. A checksum that looks like one is a false alarm. */
INLINE bool lines_may_return(const struct batch *b, uint32_t count)
{
	bool returns = b->record[count - 1][b->record_length[count - 1] - 1] == '\r';

	for (uint32_t i = 0; i < count; i++)
		returns |= *(b->record[i] - LINE_BEFORE) == '\r';
	return returns;
}

/* How long a group's first fields are, LINE_SEEN where no separator was seen. found[row] has 16 bits for each of the row's four
 * lines, from LINE_BEFORE in front of it on. */
INLINE __m512i lines_first_lengths(const uint64_t found[4])
{
	const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0); /* see md5_tiny_rows() */
	__m512i bits = _mm512_permutexvar_epi32(order, _mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)found)));

	bits = _mm512_or_si512(_mm512_srli_epi32(bits, LINE_BEFORE), _mm512_set1_epi32(1 << LINE_SEEN));
	bits = _mm512_and_si512(bits, _mm512_sub_epi32(_mm512_setzero_si512(), bits)); /* the lowest */
	return _mm512_sub_epi32(_mm512_set1_epi32(31), _mm512_lzcnt_epi32(bits));
}

/* Finds the first fields of RECORDS_MAX lines of at least LINE_SEEN bytes, four at once. False, with key_length[] to be set anew, when
 * one has LINE_SEEN bytes or more. *may_return as lines_may_return(). */
INLINE bool lines_find_tiny_firsts(struct batch *b, __m512i separator, bool *may_return)
{
	uint64_t found[MD5_GROUPS][4] __attribute__((aligned(32))), before = 0;
	__m512i longest = _mm512_setzero_si512();

#pragma GCC unroll 1
	for (uint32_t n = 0; n < MD5_GROUPS; n++)
		for (uint32_t row = 0; row < 4; row++) {
			__m512i lines = md5_tiny_rows(b->record + n * MD5_LANES + row, -LINE_BEFORE);

			found[n][row] = _cvtmask64_u64(_mm512_cmpeq_epi8_mask(lines, separator));
			before |= _cvtmask64_u64(_mm512_mask_cmpeq_epi8_mask(0x0001000100010001, lines, _mm512_set1_epi8('\r')));
		}
	/* All are stored before any is loaded: a vector of words that were just stored one by one waits until they have left the
	 * store buffer. */
#pragma GCC unroll 1
	for (uint32_t n = 0; n < MD5_GROUPS; n++) {
		__m512i lengths = lines_first_lengths(found[n]);

		longest = _mm512_max_epu32(longest, lengths);
		_mm512_storeu_si512(b->key_length + n * MD5_LANES, lengths);
	}
	*may_return = before != 0 || b->record[RECORDS_MAX - 1][b->record_length[RECORDS_MAX - 1] - 1] == '\r';
	return _mm512_cmpge_epu32_mask(longest, _mm512_set1_epi32(LINE_SEEN)) == 0;
}

/* First fields, which begin where their lines do. They end within the first 64 bytes, as nearly all do, without asking for more;
 * of a line that has 64 bytes (`whole`: all have) without a mask, which has to come from a general register. */
INLINE void lines_find_firsts(const struct run *run, struct batch *b, uint32_t count, bool whole)
{
	const __m512i separator = _mm512_set1_epi8((char)run->plan->key.separator);
	uint32_t without = 0; /* a separator there: 64, and all others are less */

#pragma GCC unroll 2
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *bytes = b->record[i];
		uint32_t length = b->record_length[i];
		/* A masked load touches no byte whose mask bit is clear. */
		__mmask64 within = whole ? ~0ull : _cvtu64_mask64(_bzhi_u64(~0ull, length < 64 ? length : 64));
		__m512i some = whole ? _mm512_loadu_si512(bytes) : _mm512_maskz_loadu_epi8(within, bytes);

		b->key_length[i] = (uint32_t)_tzcnt_u64(_cvtmask64_u64(_mm512_mask_cmpeq_epi8_mask(within, some, separator)));
		without |= b->key_length[i];
	}
	if (__builtin_expect(without < 64, 1))
		return;
	for (uint32_t i = 0; i < count; i++)
		if (b->key_length[i] == 64)
			lines_find_key(run, b, i);
}

/* Finds the records' keys, first fields by vectors, and takes away what marks have left of "\r\n": lengths are the records' only
 * behind it. `marked`: see struct lines. */
INLINE void lines_find_keys(const struct run *run, struct records *r, bool marked)
{
	struct batch *b = r->batch;
	const struct key_rule *rule = &run->plan->key;
	bool whole = lines_shortest(b, r->count) >= 64, may_return;

	if (rule->field == 1)
		r->key = b->record;
	if (rule->field == 1 && whole && r->count == RECORDS_MAX &&
	    lines_find_tiny_firsts(b, _mm512_set1_epi8((char)rule->separator), &may_return)) {
		/* found */
	} else {
		may_return = marked && lines_may_return(b, r->count);
		if (rule->field > 1)
			for (uint32_t i = 0; i < r->count; i++)
				lines_find_key(run, b, i);
		else if (whole)
			lines_find_firsts(run, b, r->count, true);
		else
			lines_find_firsts(run, b, r->count, false);
	}
	if (__builtin_expect(may_return && marked, 0))
		lines_trim(run, b, r->count);
}
#else
INLINE void lines_find_keys(const struct run *run, struct records *r, bool marked)
{
	(void)marked;
	for (uint32_t i = 0; i < r->count; i++)
		lines_find_key(run, r->batch, i);
}
#endif

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
	lines_find_keys(run, &r, lines->marked);
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
	if (lines->count > RECORDS_MAX) {
		lines_keep_rest(b, lines);
		return;
	}
	lines->count = 0;
	lines->marked = false;
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
#define MARK_PAYLOAD (MARK_END - DECODE_USUAL_HEADERS) /* of longer ones nothing is marked */
#define MARK_RECORDS 16u /* that a marked frame may have */
/* Groups not marked for one in vain: thirty lines of 31 bytes take 480 ns, 5 more when they are marked, and more where a NIC has
 * summed them. */
#define MARK_PAUSE 31u
_Static_assert(MARK_RECORDS <= RECORDS_SLACK, "written as a whole vector");
_Static_assert(KEY_BYTES_MAX >= 64, "lines_find_firsts() never cuts one");
_Static_assert(MARK_BLOCKS + 1 < 32, "how many newlines were found is a shift of 32 bits");

/* Makes records of a frame's lines from its marks. False, and nothing done, when two newlines are in one block, a line has less than
 * two bytes (one could be a '\r' alone), the last one ends with a '\r' or there are too many: split_lines() is for those. */
INLINE bool lines_cut_marked(struct lines *lines, const __mmask64 *newlines, const uint8_t *bytes, uint32_t length, uint32_t *count)
{
	const uint8_t *frame = bytes - DECODE_USUAL_HEADERS;
	uint32_t end = DECODE_USUAL_HEADERS + length, blocks = (end + MARK_BLOCK - 1) / MARK_BLOCK, found = 0, last;
	__m512i ends = _mm512_setzero_si512(), starts, lengths;
	__m512i place = _mm512_set_epi32(1023, 959, 895, 831, 767, 703, 639, 575, 511, 447, 383, 319, 255, 191, 127, 63);
	struct batch *b = lines->batch;
	__mmask8 crowded = 0;
	__mmask16 real;

	for (uint32_t i = 0; i < blocks; i += 16) {
		__m512i low = _mm512_maskz_loadu_epi64((__mmask8)_bzhi_u32(0xff, blocks - i), newlines + i);
		__m512i high = _mm512_maskz_loadu_epi64((__mmask8)(_bzhi_u32(0xffff, blocks - i) >> 8), newlines + i + 8);
		/* The only newline of a block: as many bytes in front of the block's last as there are zeros. */
		__m512i zeros = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(_mm512_lzcnt_epi64(low))),
						   _mm512_cvtepi64_epi32(_mm512_lzcnt_epi64(high)), 1);
		__mmask16 some = _mm512_cmplt_epu32_mask(zeros, _mm512_set1_epi32(64));
		__m512i at = _mm512_maskz_compress_epi32(some, _mm512_sub_epi32(place, zeros));

		crowded |= _mm512_test_epi64_mask(low, _mm512_add_epi64(low, _mm512_set1_epi64(-1)));
		crowded |= _mm512_test_epi64_mask(high, _mm512_add_epi64(high, _mm512_set1_epi64(-1)));
		ends = i == 0 ? at : _mm512_mask_expand_epi32(ends, (__mmask16)(0xffffu << found), at);
		found += (uint32_t)__builtin_popcount(some);
		place = _mm512_add_epi32(place, _mm512_set1_epi32(1024));
	}
	/* What follows the last newline ends where the frame does. */
	last = newlines[blocks - 1] >> (end - 1) % MARK_BLOCK & 1;
	ends = _mm512_mask_set1_epi32(ends, (__mmask16)(last ? 0 : 1u << found), (int)end);
	found += !last;
	starts = _mm512_add_epi32(_mm512_alignr_epi32(ends, _mm512_set1_epi32((int)DECODE_USUAL_HEADERS - 1), 15), _mm512_set1_epi32(1));
	lengths = _mm512_sub_epi32(ends, starts);
	real = (__mmask16)_bzhi_u32(0xffff, found);
	if (found > MARK_RECORDS || crowded || _mm512_mask_cmple_epu32_mask(real, lengths, _mm512_set1_epi32(1)) ||
	    frame[end - 1 - last] == '\r')
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
	lines->marked = true;
	*count = found;
	return true;
}

/* Cuts frames [first, first + count) of the run. Where most frames of a group were not for marks, as all are whose lines are
 * shorter than a block or whose last one ends with "\r\n", the input's next MARK_PAUSE groups are not marked at all. */
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

		if (!(length <= MARK_PAYLOAD && lines_cut_marked(lines, marks->newlines[i], bytes, length, &records))) {
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
