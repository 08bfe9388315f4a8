#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/record/split.h"

#define SLICES_MAX 8192u

/* The rule, byte by byte. */
static uint32_t naive_lines(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	uint32_t count = 0, start = 0;

	while (start < length) {
		uint32_t end = start, next;

		while (end < length && bytes[end] != '\n')
			end++;
		next = end < length ? end + 1 : end;
		if (end > start && bytes[end - 1] == '\r')
			end--;
		if (end > start) {
			if (count == room) {
				*consumed = start;
				return count;
			}
			out[count++] = (struct slice){start, end - start};
		}
		start = next;
	}
	*consumed = length;
	return count;
}

/* Slices in exactly the room they were given, so that a write behind it is the sanitizer's to report. */
static void expect_lines(const uint8_t *bytes, uint32_t length, uint32_t room)
{
	static struct slice expected[SLICES_MAX];
	uint32_t engines_count, expected_consumed, expected_count, consumed;
	const struct split_engine *engines = split_engines(&engines_count);
	struct slice *out = malloc(room ? room * sizeof *out : 1);

	expected_count = naive_lines(bytes, length, expected, room, &expected_consumed);
	for (uint32_t e = 0; e < engines_count; e++) {
		uint32_t count = engines[e].lines(bytes, length, out, room, &consumed);

		if (count != expected_count || consumed != expected_consumed ||
		    memcmp(out, expected, count * sizeof *out) != 0)
			fail_msg("%s: %u bytes, room %u: %u records to %u instead of %u to %u", engines[e].name, length, room,
				 count, consumed, expected_count, expected_consumed);
	}
	free(out);
}

static void the_rules_for_ends_of_lines(void **state)
{
	static const struct {
		const char *text;
		uint32_t records;
		const char *first;
	} cases[] = {
		{"", 0, NULL},	       {"\n\n\n", 0, NULL},   {"a", 1, "a"},	     {"a\n", 1, "a"},
		{"\na\n", 1, "a"},     {"a\r\n", 1, "a"},     {"a\r\r\n", 1, "a\r"}, {"\r\n\r\n", 0, NULL},
		{"\r", 0, NULL},       {"a\r", 1, "a"},	      {"a\rb\n", 1, "a\rb"}, {"a\n\r\nb", 2, "a"},
		{"\n\r\r\n", 1, "\r"}, {"a b\nc", 2, "a b"},
	};
	uint32_t engines_count, consumed;
	const struct split_engine *engines = split_engines(&engines_count);
	struct slice out[8];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const uint8_t *bytes = (const uint8_t *)cases[i].text;

		for (uint32_t e = 0; e < engines_count; e++) {
			assert_int_equal(engines[e].lines(bytes, (uint32_t)strlen(cases[i].text), out, 8, &consumed),
					 cases[i].records);
			assert_int_equal(consumed, strlen(cases[i].text));
			if (cases[i].records) {
				assert_int_equal(out[0].length, strlen(cases[i].first));
				assert_memory_equal(bytes + out[0].offset, cases[i].first, out[0].length);
			}
		}
	}
}

static void random_bytes_agree_at_every_alignment_between_guard_pages(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *area = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(area != MAP_FAILED);
	assert_int_equal(mprotect(area, page, PROT_NONE), 0);
	assert_int_equal(mprotect(area + 3 * page, page, PROT_NONE), 0);
	for (uint32_t round = 0; round < 12; round++) {
		static const char few[] = "\n\r\n\rabcdefgh";
		uint32_t alphabet = (uint32_t[]){2, 4, 6, 12}[round % 4];

		for (size_t i = 0; i < 2 * page; i++)
			area[page + i] = (uint8_t)(rand() % 3 && round % 4 == 3 ? 'x' : few[(uint32_t)rand() % alphabet]);
		for (uint32_t length = 0; length < 300; length++) {
			expect_lines(area + page, length, SLICES_MAX);
			expect_lines(area + 3 * page - length, length, SLICES_MAX);
			expect_lines(area + 2 * page - length / 2 - round, length, SLICES_MAX);
		}
		expect_lines(area + page, (uint32_t)(2 * page), SLICES_MAX);
		for (uint32_t align = 0; align < 64; align++)
			expect_lines(area + page + align, (uint32_t)(2 * page) - 3 * align, SLICES_MAX);
	}
	munmap(area, 4 * page);
}

/* Where hardly any block of 64 bytes has two newlines, and '\r' is in some stretches only. */
static void long_lines_agree(void **state)
{
	static uint8_t bytes[8192];

	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		uint32_t line = 40 + round * 7;

		for (uint32_t i = 0; i < sizeof bytes; i++) {
			uint32_t drawn = (uint32_t)rand() % line;

			bytes[i] = drawn == 0 ? '\n' : drawn == 1 && i / 2000 % 2 == round % 2 ? '\r' : 'x';
			if (drawn == 0 && i > 0 && i % 3 == round % 3)
				bytes[i - 1] = '\r';
		}
		for (uint32_t start = 0; start < 130; start += 3)
			expect_lines(bytes + start, (uint32_t)sizeof bytes - start - round * 11, SLICES_MAX);
	}
	/* The end of one line at every place, its '\r' in front of it. */
	memset(bytes, 'x', sizeof bytes);
	for (uint32_t i = 1; i < 4200; i++) {
		bytes[i - 1] = '\r';
		bytes[i] = '\n';
		expect_lines(bytes, 4200, SLICES_MAX);
		bytes[i - 1] = bytes[i] = 'x';
	}
}

static void when_room_runs_out_the_rest_follows_from_consumed(void **state)
{
	uint8_t *bytes = malloc(5000);

	(void)state;
	for (uint32_t i = 0; i < 5000; i++)
		bytes[i] = (uint8_t)("ab\r\nc"[rand() % 5]);
	for (uint32_t room = 0; room < 200; room++)
		expect_lines(bytes, 5000 - room, room);
	for (uint32_t room = 1; room < 40; room++) {
		struct slice all[SLICES_MAX], some[40];
		uint32_t at = 0, taken = 0, consumed, total = split_lines(bytes, 5000, all, SLICES_MAX, &consumed);

		while (at < 5000) {
			uint32_t count = split_lines(bytes + at, 5000 - at, some, room, &consumed);

			for (uint32_t i = 0; i < count; i++, taken++) {
				assert_int_equal(all[taken].offset, at + some[i].offset);
				assert_int_equal(all[taken].length, some[i].length);
			}
			at += consumed;
		}
		assert_int_equal(taken, total);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_for_ends_of_lines),
		cmocka_unit_test(random_bytes_agree_at_every_alignment_between_guard_pages),
		cmocka_unit_test(long_lines_agree),
		cmocka_unit_test(when_room_runs_out_the_rest_follows_from_consumed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
