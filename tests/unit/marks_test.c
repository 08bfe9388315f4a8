// Newlines and sums of frames against plain code, for every length and next to a page that may not be touched. Compiled for
// x86-64-v4, whose code it is: skipped where the processor is less.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/packet/usual16.h"

#define LONGEST (MARK_END + 200)

#ifndef __AVX512BW__
#error "see the Makefile: this is compiled with -march=x86-64-v4"
#endif

static bool runs_here(void)
{
	return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("bmi2");
}

/* `frame` ends where nothing may be read; bytes in front of DECODE_USUAL_HEADERS are nobody's. */
static void expect_marks(const uint8_t *frame, uint32_t end)
{
	static struct marks marks;
	uint32_t parts[16], place = (uint32_t)rand() % MARK_FRAMES;
	uint64_t sum = 0;

	memset(&marks, 0xa5, sizeof marks);
	_mm512_storeu_si512(parts, marks_and_sum(&marks, place, frame, DECODE_USUAL_HEADERS, end));
	for (uint32_t i = 0; i < 16; i++)
		sum += parts[i];
	assert_int_equal(checksum_fold(sum), checksum_fold(end > MARK_BLOCK ? checksum_sum_wide(frame + MARK_BLOCK, end - MARK_BLOCK) : 0));
	for (uint32_t block = 0; end <= MARK_END && block * MARK_BLOCK < end; block++) {
		uint64_t want = 0;

		for (uint32_t i = block * MARK_BLOCK; i < (block + 1) * MARK_BLOCK && i < end; i++)
			want |= (uint64_t)(i >= DECODE_USUAL_HEADERS && frame[i] == '\n') << i % MARK_BLOCK;
		assert_int_equal(marks.newlines[place][block], want);
	}
}

static void newlines_are_marked_and_bytes_summed(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (LONGEST + page - 1) / page * page;
	uint8_t *area = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const char few[] = "\nabcdefgh";

	(void)state;
	if (!runs_here())
		skip();
	assert_true(area != MAP_FAILED);
	assert_int_equal(mprotect(area + room, page, PROT_NONE), 0);
	for (uint32_t end = DECODE_USUAL_HEADERS; end <= LONGEST; end++)
		for (uint32_t round = 0; round < 3; round++) {
			uint8_t *frame = area + room - end;

			for (uint32_t i = 0; i < end; i++)
				frame[i] = (uint8_t)(round == 0 ? 0xff : round == 1 ? rand() : few[(uint32_t)rand() % (sizeof few - 1)]);
			expect_marks(frame, end);
		}
	munmap(area, room + page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(newlines_are_marked_and_bytes_summed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
