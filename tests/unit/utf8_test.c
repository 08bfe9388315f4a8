// Whether bytes are UTF-8: the vectors say what a walk from character to character says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/utf8.h"

static bool walk(const uint8_t *bytes, uint32_t length)
{
	for (uint32_t at = 0, step; at < length; at += step) {
		step = utf8_character(bytes + at, length - at);
		if (step == 0)
			return false;
	}
	return true;
}

/* On the heap, and not a byte longer. */
static void compare(const uint8_t *bytes, uint32_t length)
{
	uint8_t *exact = malloc(length ? length : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	assert_int_equal(utf8_valid(exact, length), walk(exact, length));
	free(exact);
}

/* Every three bytes, and every first two with what ends a character of four, in front of the end and inside. */
static void every_short_sequence_is_judged_as_by_a_walk(void **state)
{
	uint8_t bytes[40];

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	for (uint32_t n = 0; n < 1u << 24; n++) {
		uint32_t at = n % 7 == 0 ? 13 + n % 5 : 16;

		if (n % 3 && (n >> 16) < 0xc0 && (n >> 8 & 255) < 0xc0) /* few of those with nothing but ASCII around */
			continue;
		bytes[at] = (uint8_t)(n >> 16);
		bytes[at + 1] = (uint8_t)(n >> 8);
		bytes[at + 2] = (uint8_t)n;
		bytes[at + 3] = n & 64 ? 0x80 : 'a';
		assert_int_equal(utf8_valid(bytes, at + 4), walk(bytes, at + 4));
		memset(bytes + 13, 'a', 10);
	}
}

static void text_cut_and_changed_anywhere_is_judged_as_by_a_walk(void **state)
{
	static const char *const characters[] = {"a",
						 "\n",
						 "\xc3\xa4",
						 "\xe2\x82\xac",
						 "\xf0\x9f\x98\x80",
						 "\xf4\x8f\xbf\xbf",
						 "\xed\x9f\xbf",
						 "\xee\x80\x80",
						 "\xdf\xbf",
						 "\xe0\xa0\x80",
						 "\xf0\x90\x80\x80"};
	uint8_t text[200];

	(void)state;
	srand(3);
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t length = 0;

		while (length < sizeof text - 4) {
			const char *c = characters[rand() % (round % 3 ? 11 : 3)];

			memcpy(text + length, c, strlen(c));
			length += (uint32_t)strlen(c);
		}
		compare(text, (uint32_t)rand() % length);
		text[rand() % (int)length] = (uint8_t)rand();
		compare(text, length);
	}
	assert_true(utf8_valid(text, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_short_sequence_is_judged_as_by_a_walk),
		cmocka_unit_test(text_cut_and_changed_anywhere_is_judged_as_by_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
