// The end of a burst: its records and every counter it moved, published in one store. Compiled once per x86-64 level.
#pragma once

#include <string.h>

#include "dataplane/worker.h"

static inline void commit_lane(struct worker *w, uint32_t slot, uint64_t *records, uint64_t *bytes)
{
	struct worker_lane *l = &w->lanes[slot];
	uint64_t *row = worker_row(w, slot), moved = l->moved;

	row[LANE_POSITION] = l->lane.position;
	row[LANE_RECORDS] += moved >> 32;
	row[LANE_BYTES] += (uint32_t)moved;
	*records += moved >> 32;
	*bytes += (uint32_t)moved;
	l->moved = 0;
	ledger_touch(&w->ledger, lane_word(slot, 0) / LEDGER_LINE_WORDS);
}

static inline void commit_burst(struct worker *w)
{
	uint32_t slots = w->ledger.lines - WORKER_LANES_WORD / LEDGER_LINE_WORDS;
	uint64_t records = 0, bytes = 0;

	/* Eight slots in a word; behind the last of them nothing is ever touched. */
	for (uint32_t slot = 0; slot < slots; slot += 8) {
		uint64_t eight;

		memcpy(&eight, w->touched + slot, sizeof eight);
		if (eight == 0)
			continue;
		memset(w->touched + slot, 0, sizeof eight);
		for (; eight; eight &= eight - 1)
			commit_lane(w, slot + (uint32_t)__builtin_ctzll(eight) / 8, &records, &bytes);
	}
	if (records > 0) {
		ledger_add(&w->ledger, RECORD_APPENDED, records);
		ledger_add(&w->ledger, WORKER_APPENDED_BYTES, bytes);
	}
	ledger_commit(&w->ledger);
	w->dirty = false;
}
