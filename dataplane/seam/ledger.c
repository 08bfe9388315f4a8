#include "dataplane/seam/ledger.h"

#define READ_TRIES 100000

void ledger_writer_init(struct ledger_writer *w, struct ledger *shared, uint64_t *now, uint32_t lines)
{
	const struct ledger_line *copy;

	w->shared = shared;
	w->now = now;
	w->lines = lines;
	w->epoch = atomic_load_explicit(&shared->epoch, memory_order_acquire);
	copy = shared->lines + (size_t)(w->epoch & 1) * lines;
	for (uint32_t line = 0; line < lines; line++)
		for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i++)
			now[line * LEDGER_LINE_WORDS + i] =
				atomic_load_explicit(&copy[line].word[i], memory_order_relaxed);
	/* The other copy may hold part of a burst that was never committed: write all of it at the next commit. */
	memset(w->dirty, 0, sizeof w->dirty);
	memset(w->previous, 0, sizeof w->previous);
	memset(w->written, 0, sizeof w->written);
	for (uint32_t line = 0; line < lines; line++)
		ledger_touch(w, line);
}

bool ledger_read(const struct ledger *shared, uint32_t lines, uint32_t first, uint32_t count, uint64_t *words)
{
	for (int tries = 0; tries < READ_TRIES; tries++) {
		uint64_t epoch = atomic_load_explicit(&shared->epoch, memory_order_acquire);
		const struct ledger_line *copy = shared->lines + (size_t)(epoch & 1) * lines + first;

		for (uint32_t line = 0; line < count; line++)
			for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i++)
				words[line * LEDGER_LINE_WORDS + i] =
					atomic_load_explicit(&copy[line].word[i], memory_order_acquire);
		if (atomic_load_explicit(&shared->epoch, memory_order_acquire) == epoch)
			return true;
	}
	return false;
}
