#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/decode.h"
#include "dataplane/packet/segments.h"
#include "tests/support/frame_build.h"

struct chain {
	const struct segment *next;
	uint32_t left;
};

static bool next_of_array(void *chain, struct segment *out)
{
	struct chain *c = chain;

	if (c->left == 0)
		return false;
	*out = *c->next++;
	c->left--;
	return true;
}

static bool always_empty(void *chain, struct segment *out)
{
	(void)chain;
	*out = (struct segment){NULL, 0};
	return true;
}

static enum counter_frame gather(const struct segment *pieces, uint32_t count, uint8_t *scratch, uint32_t *length)
{
	struct chain chain = {pieces, count};

	return segments_copy(next_of_array, &chain, scratch, length);
}

static void a_frame_split_at_every_byte_decodes_as_the_whole(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct frame_build what = {.family = 6, .tags = 2, .payload = 80};
	uint8_t *scratch = malloc(SEGMENTS_SCRATCH_BYTES);
	uint32_t length = frame_build(&what, frame), gathered;
	struct datagram d;
	struct host host;

	(void)state;
	frame_host(&host);
	for (uint32_t at = 0; at <= length; at++) {
		uint8_t *first = frame_exact(frame, at), *second = frame_exact(frame + at, length - at);
		struct segment pieces[] = {{first, at}, {NULL, 0}, {second, length - at}, {NULL, 0}};

		assert_int_equal(gather(pieces, 4, scratch, &gathered), FRAME_ACCEPTED);
		assert_int_equal(gathered, length);
		assert_memory_equal(scratch, frame, length);
		assert_int_equal(decode_frame(scratch, gathered, &host, 0, &d), FRAME_ACCEPTED);
		assert_int_equal(d.length, 80);
		free(first);
		free(second);
	}
	free(scratch);
}

static void pieces_of_one_byte_are_put_together(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static struct segment pieces[3000];
	struct frame_build what = {.payload = 1400};
	uint8_t *scratch = malloc(SEGMENTS_SCRATCH_BYTES);
	uint32_t length = frame_build(&what, frame), gathered, count = 0;

	(void)state;
	for (uint32_t i = 0; i < length; i++) {
		pieces[count++] = (struct segment){frame + i, 1};
		pieces[count++] = (struct segment){frame + i, 0};
	}
	assert_int_equal(gather(pieces, count, scratch, &gathered), FRAME_ACCEPTED);
	assert_int_equal(gathered, length);
	assert_memory_equal(scratch, frame, length);
	free(scratch);
}

static void the_longest_frame_fits_and_one_byte_more_does_not(void **state)
{
	uint8_t *bytes = calloc(1, 65536), *scratch = malloc(SEGMENTS_SCRATCH_BYTES);
	uint32_t gathered;

	(void)state;
	for (uint32_t first = 0; first <= 65535; first += 4369) {
		struct segment pieces[] = {{bytes, first}, {bytes, 65535 - first}, {bytes, 1}};

		bytes[0] = (uint8_t)first;
		assert_int_equal(gather(pieces, 2, scratch, &gathered), FRAME_ACCEPTED);
		assert_int_equal(gathered, 65535);
		assert_int_equal(gather(pieces, 3, scratch, &gathered), FRAME_TOO_LONG);
		assert_int_equal(gathered, 65535);
	}
	assert_int_equal(gather(&(struct segment){bytes, 65536}, 1, scratch, &gathered), FRAME_TOO_LONG);
	assert_int_equal(gather(&(struct segment){bytes, UINT32_MAX}, 1, scratch, &gathered), FRAME_TOO_LONG);
	assert_int_equal(gathered, 0);
	/* Nor do two lengths whose sum is small again. */
	assert_int_equal(gather((struct segment[]){{bytes, 9}, {bytes, UINT32_MAX - 3}}, 2, scratch, &gathered),
			 FRAME_TOO_LONG);
	assert_int_equal(gathered, 9);
	free(bytes);
	free(scratch);
}

static void no_pieces_are_an_empty_frame(void **state)
{
	uint32_t gathered = 9;

	(void)state;
	assert_int_equal(gather(NULL, 0, NULL, &gathered), FRAME_ACCEPTED);
	assert_int_equal(gathered, 0);
}

static void a_chain_that_never_ends_is_left(void **state)
{
	uint32_t gathered;

	(void)state;
	assert_int_equal(segments_copy(always_empty, NULL, NULL, &gathered), FRAME_TOO_LONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_split_at_every_byte_decodes_as_the_whole),
		cmocka_unit_test(pieces_of_one_byte_are_put_together),
		cmocka_unit_test(the_longest_frame_fits_and_one_byte_more_does_not),
		cmocka_unit_test(no_pieces_are_an_empty_frame),
		cmocka_unit_test(a_chain_that_never_ends_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
