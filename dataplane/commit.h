// The end of a burst: its records and every counter it moved, published in one store. Compiled once per x86-64 level.
#pragma once

#include "dataplane/worker.h"

/* What the lanes of a burst got, all together. */
struct commit_sum {
	uint64_t records, bytes;
};

/* Of eight slots, those that got records get their lines of the ledger: a position, and how much they got. */
#ifdef LEDGER_LINES_WHOLE
/* Whole lines: a vector loaded from words that were stored one by one waits until they have left the store buffer. */
static inline void commit_eight(struct worker *w, uint32_t first, struct commit_sum *sum)
{
	const __m512i shifts = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 32, 0); /* LANE_RECORDS' */
	const __m512i care = _mm512_set_epi64(0, 0, 0, 0, 0, UINT32_MAX, UINT32_MAX, 0);
	uint64_t *moved = w->moved + first;
	const struct worker_lane *lanes = w->lanes + first;
	__m512i eight = _mm512_load_si512(moved), all = _mm512_setzero_si512();
	uint32_t set = _mm512_test_epi64_mask(eight, eight);
	struct ledger_lines lines;

	_Static_assert(LANE_POSITION == 0 && LANE_RECORDS == 1 && LANE_BYTES == 2, "as the vectors have it");
	if (set == 0)
		return;
	lines = ledger_lines_begin(&w->ledger, lane_word(first, 0) / LEDGER_LINE_WORDS, set);
	for (; set; set &= set - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(set);
		__m512i got = _mm512_srlv_epi64(_mm512_set1_epi64((long long)moved[i]), shifts);

		got = _mm512_and_si512(got, care);
		all = _mm512_add_epi64(all, got);
		got = _mm512_add_epi64(got, ledger_lines_get(&lines, i));
		ledger_lines_put(&lines, i, _mm512_mask_set1_epi64(got, 1 << LANE_POSITION, (long long)lanes[i].lane.position));
	}
	_mm512_store_si512(moved, _mm512_setzero_si512());
	sum->records += (uint64_t)_mm_extract_epi64(_mm512_castsi512_si128(all), LANE_RECORDS);
	sum->bytes += (uint64_t)_mm_cvtsi128_si64(_mm512_extracti64x2_epi64(all, 1));
}
#else
static inline void commit_eight(struct worker *w, uint32_t first, struct commit_sum *sum)
{
	for (uint32_t slot = first; slot < first + 8; slot++) {
		uint64_t *row = worker_row(w, slot), records = w->moved[slot] >> 32, bytes = (uint32_t)w->moved[slot];

		if (records == 0)
			continue;
		row[LANE_POSITION] = w->lanes[slot].lane.position;
		row[LANE_RECORDS] += records;
		row[LANE_BYTES] += bytes;
		ledger_touch(&w->ledger, lane_word(slot, 0) / LEDGER_LINE_WORDS);
		sum->records += records;
		sum->bytes += bytes;
		w->moved[slot] = 0;
	}
}
#endif

static inline void commit_burst(struct worker *w)
{
	uint32_t slots = w->ledger.lines - WORKER_LANES_WORD / LEDGER_LINE_WORDS;
	struct commit_sum sum = {0, 0};

	_Static_assert(SHARDS_MAX % 8 == 0, "behind the last slot nothing ever moves");
	for (uint32_t slot = 0; slot < slots; slot += 8)
		commit_eight(w, slot, &sum);
	if (sum.records > 0) {
		ledger_add(&w->ledger, RECORD_APPENDED, sum.records);
		ledger_add(&w->ledger, WORKER_APPENDED_BYTES, sum.bytes);
	}
	ledger_commit(&w->ledger);
	w->dirty = false;
}
