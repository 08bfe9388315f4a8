#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <isa-l/igzip_lib.h>
#include <zstd.h>
#include <cmocka.h>

#include "control/delivery/compress.h"

struct heap {
	uint8_t *bytes;
	size_t length;
	int error; /* after `fails_at` bytes */
	size_t fails_at;
};

static int keep(void *handle, const void *bytes, size_t length)
{
	struct heap *heap = handle;

	if (heap->error && heap->length + length > heap->fails_at)
		return heap->error;
	heap->bytes = realloc(heap->bytes, heap->length + length + 1);
	memcpy(heap->bytes + heap->length, bytes, length);
	heap->length += length;
	return 0;
}

static uint8_t *some_text(size_t length)
{
	uint8_t *text = malloc(length + 64);

	for (size_t at = 0; at < length;)
		at += (size_t)sprintf((char *)text + at, "%zu syslog: line of %zu\n", at, at % 77);
	return text;
}

static struct heap pressed(struct compress *c, const uint8_t *text, size_t length, size_t step)
{
	struct heap heap = {0};
	struct sink sink = {keep, &heap}, front;

	assert_int_equal(compress_begin(c, &sink, &front), 0);
	for (size_t at = 0; at < length; at += step)
		assert_int_equal(front.write(front.handle, text + at, length - at < step ? length - at : step), 0);
	assert_int_equal(compress_end(c), 0);
	return heap;
}

static void unpressed_equals(enum config_compression kind, const struct heap *heap, const uint8_t *text, size_t length)
{
	uint8_t *back = malloc(length + 1);

	if (kind == COMPRESS_GZIP) {
		struct inflate_state state;

		isal_inflate_init(&state);
		state.crc_flag = ISAL_GZIP;
		state.next_in = heap->bytes;
		state.avail_in = (uint32_t)heap->length;
		state.next_out = back;
		state.avail_out = (uint32_t)length + 1;
		assert_int_equal(isal_inflate(&state), ISAL_DECOMP_OK);
		assert_int_equal(state.total_out, length);
		assert_int_equal(state.block_state, ISAL_BLOCK_FINISH);
		assert_memory_equal(heap->bytes + 4, "\0\0\0\0", 4); /* no time in the header */
	} else if (kind == COMPRESS_ZSTD) {
		assert_int_equal(ZSTD_decompress(back, length + 1, heap->bytes, heap->length), length);
	} else {
		assert_int_equal(heap->length, length);
		memcpy(back, heap->bytes != NULL ? heap->bytes : (const uint8_t *)"", length);
	}
	assert_memory_equal(back, text, length);
	free(back);
}

static void what_goes_in_comes_back_and_the_same_bytes_however_cut(void **state)
{
	const size_t lengths[] = {0, 1, 131072, 131073, 1500000};
	const enum config_compression kinds[] = {COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD};
	uint8_t *text = some_text(1500000);

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		struct compress *c;

		assert_int_equal(compress_open(kinds[k], &c), 0);
		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			struct heap once = pressed(c, text, lengths[i], 1500000),
				    pieces = pressed(c, text, lengths[i], 997);

			unpressed_equals(kinds[k], &once, text, lengths[i]);
			assert_int_equal(once.length, pieces.length);
			if (once.length > 0)
				assert_memory_equal(once.bytes, pieces.bytes, once.length);
			if (kinds[k] != COMPRESS_NONE && lengths[i] > 1000)
				assert_true(once.length < lengths[i] / 3);
			free(once.bytes);
			free(pieces.bytes);
		}
		compress_close(c);
	}
	free(text);
}

static void a_sink_that_fails_is_reported_and_left_alone(void **state)
{
	const enum config_compression kinds[] = {COMPRESS_GZIP, COMPRESS_ZSTD};
	uint8_t *text = some_text(4000000);

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct heap heap = {.error = -ENOSPC, .fails_at = 50000};
		struct sink sink = {keep, &heap}, front;
		struct compress *c;

		assert_int_equal(compress_open(kinds[k], &c), 0);
		assert_int_equal(compress_begin(c, &sink, &front), 0);
		assert_int_equal(front.write(front.handle, text, 4000000), -ENOSPC);
		heap.error = 0;
		assert_int_equal(front.write(front.handle, text, 4000000), -ENOSPC);
		assert_int_equal(compress_end(c), -ENOSPC);
		assert_true(heap.length <= 50000);
		free(heap.bytes);
		/* The next object is not touched by the broken one. */
		heap = pressed(c, text, 1000, 1000);
		unpressed_equals(kinds[k], &heap, text, 1000);
		free(heap.bytes);
		compress_close(c);
	}
	free(text);
}

static void names_end_as_tools_expect(void **state)
{
	struct compress *c;

	(void)state;
	assert_string_equal(compress_extension(COMPRESS_NONE), "");
	assert_string_equal(compress_extension(COMPRESS_GZIP), ".gz");
	assert_string_equal(compress_extension(COMPRESS_ZSTD), ".zst");
	assert_int_equal(compress_open((enum config_compression)9, &c), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_back_and_the_same_bytes_however_cut),
		cmocka_unit_test(a_sink_that_fails_is_reported_and_left_alone),
		cmocka_unit_test(names_end_as_tools_expect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
