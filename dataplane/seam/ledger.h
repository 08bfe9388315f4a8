// One thread's page of the ledger: its counters and lane positions, committed together once per burst.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 *   +--------------------------+
 *   | epoch            (d)     |  one cache line; its parity names the copy that is valid
 *   +--------------------------+
 *   | copy 0: n lines  (d)     |  epoch even
 *   +--------------------------+
 *   | copy 1: n lines  (d)     |  epoch odd
 *   +--------------------------+
 *
 * The owner works on private memory and, at the end of a burst, writes the lines it touched to the copy that is
 * not valid and then stores the epoch. That one store publishes the burst's records and its counters at once, so a
 * kill between any two instructions leaves either all of a burst or nothing of it: the equations hold for ever.
 *
 * The copy written at commit k was last written at k-2, so what was touched at k-1 is written again at k.
 *
 * A reader takes the epoch, the words, and the epoch again. Words are stored with release and loaded with acquire:
 * a reader that sees a word of commit k+2 then also sees epoch >= k+1 on its second look, and retries.
 */

#define LEDGER_LINE_WORDS 8u
#define LEDGER_LINES_MAX 2048u

struct ledger_line {
	_Atomic uint64_t word[LEDGER_LINE_WORDS];
};
_Static_assert(sizeof(struct ledger_line) == 64, "a line is a cache line");

struct ledger { /* in shared memory */
	_Atomic uint64_t epoch;
	uint64_t reserved[7];
	struct ledger_line lines[]; /* 2 x the number of lines */
};
_Static_assert(sizeof(struct ledger) == 64, "ledger layout is frozen");

static inline uint64_t ledger_bytes(uint32_t lines)
{
	return sizeof(struct ledger) + 2ull * lines * sizeof(struct ledger_line);
}

struct ledger_writer { /* private to the owning thread; zero it, then ledger_writer_init() */
	struct ledger *shared;
	uint64_t *now; /* lines x 8 words, 64-aligned, owned by the caller */
	uint32_t lines;
	uint64_t epoch;
	uint64_t dirty[LEDGER_LINES_MAX / 64], previous[LEDGER_LINES_MAX / 64];
};

// Attaches a writer to its ledger and takes up what was last committed, so that a restarted owner goes on counting.
// `now` has room for lines x 64 bytes and outlives the writer. Single writer per ledger.
void ledger_writer_init(struct ledger_writer *w, struct ledger *shared, uint64_t *now, uint32_t lines);

static inline void ledger_touch(struct ledger_writer *w, uint32_t line)
{
	w->dirty[line / 64] |= 1ull << line % 64;
}

static inline void ledger_add(struct ledger_writer *w, uint32_t word, uint64_t n)
{
	w->now[word] += n;
	ledger_touch(w, word / LEDGER_LINE_WORDS);
}

static inline void ledger_set(struct ledger_writer *w, uint32_t word, uint64_t value)
{
	w->now[word] = value;
	ledger_touch(w, word / LEDGER_LINE_WORDS);
}

#if defined(__SANITIZE_THREAD__)
#define LEDGER_BY_WORDS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEDGER_BY_WORDS 1
#endif
#endif

typedef uint64_t ledger_pair __attribute__((vector_size(16), may_alias));

// Stores a line where readers look. By the C11 model that is eight release stores, as ThreadSanitizer checks it; on x86-64
// four aligned 16-byte stores mean the same (every such store is single-copy atomic where there is AVX, each word
// everywhere, and stores are seen in their order) for a fifth of the time: 13 ns a line by words.
static inline void ledger_store_line(struct ledger_line *to, const uint64_t *from)
{
#ifdef LEDGER_BY_WORDS
	for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i++)
		atomic_store_explicit(&to->word[i], from[i], memory_order_release);
#else
	const ledger_pair *pairs = (const ledger_pair *)(const void *)from;
	ledger_pair *out = (ledger_pair *)(void *)to;

	for (uint32_t i = 0; i < LEDGER_LINE_WORDS / 2; i++)
		out[i] = pairs[i];
#endif
}

// Publishes everything added or set since the last commit. Partner: the acquire loads of ledger_read().
static inline void ledger_commit(struct ledger_writer *w)
{
	struct ledger_line *copy = w->shared->lines + (size_t)((w->epoch + 1) & 1) * w->lines;

	/* No instruction: only keeps the compiler from moving the lines' stores in front of the last commit's epoch. */
	atomic_signal_fence(memory_order_acq_rel);
	for (uint32_t group = 0; group < (w->lines + 63) / 64; group++) {
		uint64_t set = w->dirty[group] | w->previous[group];

		w->previous[group] = w->dirty[group];
		w->dirty[group] = 0;
		for (; set; set &= set - 1) {
			uint32_t line = group * 64 + (uint32_t)__builtin_ctzll(set);

			ledger_store_line(&copy[line], w->now + line * LEDGER_LINE_WORDS);
		}
	}
	atomic_store_explicit(&w->shared->epoch, ++w->epoch, memory_order_release);
}

// A consistent copy of `count` lines from `first` into `words` (count x 8). True when it succeeded; false after many
// tries against a writer that commits faster than the copy takes (ask for fewer lines, or again).
// Partner: the release stores of ledger_commit().
bool ledger_read(const struct ledger *shared, uint32_t lines, uint32_t first, uint32_t count, uint64_t *words);
