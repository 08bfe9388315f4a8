// Splitting text into lines against a loop over glibc's memchr that does the same: one '\r' stripped, empty lines skipped.
#include <string.h>

#include "dataplane/record/split.h"
#include "tests/bench/pairs.h"

#define BLOCK_MAX (64u << 10)

struct text {
	const struct split_engine *engine;
	uint8_t bytes[BLOCK_MAX];
	uint32_t length, block; /* cut `block` bytes at a time, as datagrams come */
	struct slice slices[BLOCK_MAX];
	uint64_t lines; /* so that nobody optimises the work away */
};

static void run_engine(void *arg)
{
	struct text *t = arg;

	for (uint32_t at = 0; at < t->length; at += t->block) {
		uint32_t consumed;

		t->lines += t->engine->lines(t->bytes + at, t->length - at < t->block ? t->length - at : t->block,
					     t->slices, BLOCK_MAX, &consumed);
	}
}

static uint32_t memchr_lines(const uint8_t *bytes, uint32_t length, struct slice *out)
{
	uint32_t count = 0, start = 0;

	while (start < length) {
		const uint8_t *newline = memchr(bytes + start, '\n', length - start);
		uint32_t end = newline ? (uint32_t)(newline - bytes) : length, left = end - start;

		if (left && bytes[end - 1] == '\r')
			left--;
		if (left)
			out[count++] = (struct slice){start, left};
		start = end + 1;
	}
	return count;
}

static void run_memchr(void *arg)
{
	struct text *t = arg;

	for (uint32_t at = 0; at < t->length; at += t->block)
		t->lines += memchr_lines(t->bytes + at, t->length - at < t->block ? t->length - at : t->block, t->slices);
}

/* Lines of `line` bytes, newline included; with `spread`, of line/2 to 3/2 line. */
static uint32_t fill(struct text *t, uint32_t line, int spread)
{
	uint32_t lines = 0;

	for (t->length = 0; t->length + 2 * line < BLOCK_MAX; lines++) {
		uint32_t this = spread ? line / 2 + (uint32_t)rand() % (line + 1) : line;

		memset(t->bytes + t->length, 'a' + (int)(lines % 26), this - 1);
		t->bytes[t->length + this - 1] = '\n';
		t->length += this;
	}
	return lines;
}

int main(void)
{
	static struct text t;
	uint32_t count;
	const struct split_engine *engines = split_engines(&count);

	for (uint32_t i = 0; i < count; i++) {
		t.engine = engines + i;
		for (uint32_t n = 0; n < 9; n++) {
			uint32_t line = (uint32_t[]){32, 100, 256}[n % 3];
			uint32_t lines = fill(&t, line, n / 3 == 1);
			struct contender ours = {run_engine, &t, lines}, theirs = {run_memchr, &t, lines};
			char name[64];

			t.block = n / 3 == 2 ? 1472 / line * line : BLOCK_MAX;
			snprintf(name, sizeof name, "split_%s_%uB%s", engines[i].name, line,
				 n / 3 == 1 ? "_mixed" : n / 3 == 2 ? "_datagrams" : "");
			pairs_print(name, &ours, &theirs);
		}
	}
	return t.lines == 0;
}
