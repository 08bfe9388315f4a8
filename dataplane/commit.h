// The end of a burst: its records and every counter it moved, published in one store. Compiled once per x86-64 level.
#pragma once

#include <string.h>

#include "dataplane/worker.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

/* A lane's line of the ledger: its position, and what it got. `moved` is of struct worker_lane. */
#ifdef __AVX512F__
/* The whole line at once, because ledger_commit() will read it so: words written singly would make it wait for them. */
static inline void commit_row(uint64_t *row, uint64_t position, uint64_t moved)
{
	const __m512i shifts = _mm512_set_epi64(0, 0, 0, 0, 0, 0, 32, 0); /* LANE_RECORDS' */
	__m512i counts = _mm512_srlv_epi64(_mm512_set1_epi64((long long)moved), shifts);

	counts = _mm512_and_si512(counts, _mm512_set_epi64(0, 0, 0, 0, 0, UINT32_MAX, UINT32_MAX, 0));
	_Static_assert(LANE_POSITION == 0 && LANE_RECORDS == 1 && LANE_BYTES == 2, "as the vectors have it");
	counts = _mm512_add_epi64(counts, _mm512_load_si512(row));
	_mm512_store_si512(row, _mm512_mask_set1_epi64(counts, 1 << LANE_POSITION, (long long)position));
}
#else
static inline void commit_row(uint64_t *row, uint64_t position, uint64_t moved)
{
	row[LANE_POSITION] = position;
	row[LANE_RECORDS] += moved >> 32;
	row[LANE_BYTES] += (uint32_t)moved;
}
#endif

/* What the lanes of a burst got, all together. */
struct commit_sum {
	uint64_t records, bytes;
};

/* Eight slots at once, those of `eight` whose byte is 1. */
static inline void commit_eight(struct worker *w, uint32_t first, uint64_t eight, struct commit_sum *sum)
{
	uint64_t *rows = worker_row(w, first);
	struct worker_lane *lanes = w->lanes + first;
	uint32_t set = (uint32_t)(eight * 0x0102040810204080ull >> 56); /* bit n of it is byte n */

	ledger_touch_lines(&w->ledger, lane_word(first, 0) / LEDGER_LINE_WORDS, set);
	for (; set; set &= set - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(set);
		struct worker_lane *l = lanes + i;

		commit_row(rows + (size_t)i * LEDGER_LINE_WORDS, l->lane.position, l->moved);
		sum->records += l->moved >> 32;
		sum->bytes += (uint32_t)l->moved;
		l->moved = 0;
	}
}

static inline void commit_burst(struct worker *w)
{
	uint32_t slots = w->ledger.lines - WORKER_LANES_WORD / LEDGER_LINE_WORDS;
	struct commit_sum sum = {0, 0};

	/* Eight slots in a word; behind the last of them nothing is ever touched. */
	for (uint32_t slot = 0; slot < slots; slot += 8) {
		uint64_t eight;

		memcpy(&eight, w->touched + slot, sizeof eight);
		if (eight == 0)
			continue;
		memset(w->touched + slot, 0, sizeof eight);
		commit_eight(w, slot, eight, &sum);
	}
	if (sum.records > 0) {
		ledger_add(&w->ledger, RECORD_APPENDED, sum.records);
		ledger_add(&w->ledger, WORKER_APPENDED_BYTES, sum.bytes);
	}
	ledger_commit(&w->ledger);
	w->dirty = false;
}
