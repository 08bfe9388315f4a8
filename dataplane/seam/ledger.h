// One thread's page of the ledger: its counters and lane positions, committed together once per burst.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Everything includes this file, and <immintrin.h> takes half a second to compile: only where its vectors are used. */
#if defined(__AVX512F__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

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
	uint64_t written[LEDGER_LINES_MAX / 64]; /* what ledger_lines_begin() promised: the next copy has it already */
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

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEDGER_PLAIN_STORES
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(LEDGER_PLAIN_STORES) || !defined(__SSE2__)
#define LEDGER_VECTORS 0
#elif defined(__AVX512F__)
#define LEDGER_VECTORS 64 /* bytes */
#else
#define LEDGER_VECTORS 16
#ifdef __AVX__ /* no legacy instruction among those of AVX: on some processors that costs 70 cycles each way */
#define LEDGER_MOVE "vmovdqu"
#else
#define LEDGER_MOVE "movdqu"
#endif
#endif

/*
 * A line's words, stored with release. As vectors, because x86-64 stores each aligned word of one at once and all stores in
 * the order of the program, and "memory" keeps the compiler from changing that order; ThreadSanitizer is given the same in
 * C11's words. 8 lines take 8 ns this way, 20 word by word.
 */
#if LEDGER_VECTORS == 64
static inline void ledger_store_line(struct ledger_line *to, __m512i words)
{
	__asm__ volatile("vmovdqu64 %1, %0" : "=m"(*to) : "v"(words) : "memory");
}
#endif

static inline void ledger_write_line(struct ledger_line *to, const uint64_t *from)
{
#if LEDGER_VECTORS == 64
	ledger_store_line(to, _mm512_loadu_si512(from));
#elif LEDGER_VECTORS == 16
	for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i += 2)
		__asm__ volatile(LEDGER_MOVE " %1, %0" : "=m"(*(char(*)[16])(&to->word[i])) : "x"(_mm_loadu_si128((const void *)(from + i))) : "memory");
#else
	for (uint32_t i = 0; i < LEDGER_LINE_WORDS; i++)
		atomic_store_explicit(&to->word[i], from[i], memory_order_release);
#endif
}

static inline struct ledger_line *ledger_next_copy(const struct ledger_writer *w)
{
	return w->shared->lines + (size_t)((w->epoch + 1) & 1) * w->lines;
}

#if LEDGER_VECTORS == 64
#define LEDGER_LINES_WHOLE

/* Lines that are given whole, and go right away to the copy that the next commit makes valid. */
struct ledger_lines {
	struct ledger_line *copy;
	uint64_t *now;
};

// Each of `set`, counted from `first`, up to 32 of them, is to be put before the commit. What is added to or set in one of them
// after it was put is missing from that commit.
static inline struct ledger_lines ledger_lines_begin(struct ledger_writer *w, uint32_t first, uint32_t set)
{
	w->written[first / 64] |= (uint64_t)set << first % 64;
	if (first % 64 > 32)
		w->written[first / 64 + 1] |= (uint64_t)set >> (64 - first % 64);
	return (struct ledger_lines){ledger_next_copy(w) + first, w->now + (size_t)first * LEDGER_LINE_WORDS};
}

static inline __m512i ledger_lines_get(const struct ledger_lines *lines, uint32_t i)
{
	return _mm512_load_si512(lines->now + (size_t)i * LEDGER_LINE_WORDS);
}

static inline void ledger_lines_put(const struct ledger_lines *lines, uint32_t i, __m512i words)
{
	_mm512_store_si512(lines->now + (size_t)i * LEDGER_LINE_WORDS, words);
	ledger_store_line(lines->copy + i, words);
}
#endif

// Publishes everything added, set or put since the last commit. Partner: the acquire loads of ledger_read().
static inline void ledger_commit(struct ledger_writer *w)
{
	struct ledger_line *copy = ledger_next_copy(w);
	const uint64_t *now = w->now;

	for (uint32_t group = 0; group < (w->lines + 63) / 64; group++) {
		uint64_t written = w->written[group], set = (w->dirty[group] | w->previous[group]) & ~written;

		w->previous[group] = w->dirty[group] | written;
		w->dirty[group] = w->written[group] = 0;
		for (; set; set &= set - 1) {
			size_t line = (size_t)__builtin_ctzll(set);

			ledger_write_line(copy + line, now + line * LEDGER_LINE_WORDS);
		}
		copy += 64;
		now += 64 * LEDGER_LINE_WORDS;
	}
	atomic_store_explicit(&w->shared->epoch, ++w->epoch, memory_order_release);
}

// A consistent copy of `count` lines from `first` into `words` (count x 8). True when it succeeded; false after many
// tries against a writer that commits faster than the copy takes (ask for fewer lines, or again).
// Partner: the release stores of ledger_commit().
bool ledger_read(const struct ledger *shared, uint32_t lines, uint32_t first, uint32_t count, uint64_t *words);
