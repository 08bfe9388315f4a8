#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/seam/key_text.h"
#include "dataplane/seam/record.h"

#define INPUT_ID_SYSLOG 0x16c40960u /* stored in records: frozen */

/* A record with this header in exactly `length` bytes, so that a read behind them is the sanitizer's to report. */
static uint32_t check(struct record header, size_t length)
{
	uint8_t *bytes = calloc(1, length ? length : 1);
	uint32_t total;

	memcpy(bytes, &header, length < sizeof header ? length : sizeof header);
	total = record_check(bytes, length);
	free(bytes);
	return total;
}

static void a_whole_record_is_accepted_and_one_byte_less_is_not(void **state)
{
	(void)state;
	for (uint32_t origin = 0; origin <= 6; origin++) {
		for (uint32_t length = 0; length < 40; length++) {
			for (uint16_t key = 0; key < 20; key++) {
				struct record r = {.kind = RECORD_DATA, .origin = (uint8_t)origin, .length = length, .key_length = key};
				uint32_t total = record_bytes(r.origin, key, length);

				if (origin != 0 && origin != 4 && origin != 6)
					total = 0;
				assert_int_equal(check(r, record_bytes(r.origin, key, length)), total);
				assert_int_equal(total % RECORD_ALIGN, 0);
				assert_int_equal(check(r, record_bytes(r.origin, key, length) - 1), 0);
			}
		}
	}
}

static void limits_are_limits(void **state)
{
	struct record r = {.kind = RECORD_DATA, .length = RECORD_PAYLOAD_MAX, .key_length = RECORD_KEY_MAX, .origin = 6};
	struct record gap = {.kind = RECORD_GAP, .length = sizeof(struct gap)};

	(void)state;
	assert_int_not_equal(check(r, RECORD_BYTES_MAX), 0);
	r.kind = RECORD_TAGGED;
	r.key_kind = record_tagged_kind(RECORD_KEY_HASH, RECORD_TAGS_MAX);
	r.key_length += 4 * RECORD_TAGS_MAX;
	assert_int_not_equal(check(r, RECORD_BYTES_MAX), 0);
	r.key_length++;
	assert_int_equal(check(r, 2 * RECORD_BYTES_MAX), 0);
	r.key_length = 4 * RECORD_TAGS_MAX;
	assert_int_not_equal(check(r, RECORD_BYTES_MAX), 0);
	r.key_length--;
	assert_int_equal(check(r, RECORD_BYTES_MAX), 0);
	r.kind = RECORD_DATA;
	r.key_kind = 0;
	r.key_length = RECORD_KEY_MAX;
	r.length++;
	assert_int_equal(check(r, 2 * RECORD_BYTES_MAX), 0);
	r.length = UINT32_MAX;
	assert_int_equal(check(r, 2 * RECORD_BYTES_MAX), 0);
	r.length = 1;
	r.key_length++;
	assert_int_equal(check(r, RECORD_BYTES_MAX), 0);
	assert_int_equal(check(gap, 128), sizeof(struct record) + sizeof(struct gap));
	gap.length++;
	assert_int_equal(check(gap, 128), 0);
	gap.length--;
	gap.origin = 4;
	assert_int_equal(check(gap, 128), 0);
	gap.origin = 0;
	gap.key_length = 1;
	assert_int_equal(check(gap, 128), 0);
	gap.key_length = 0;
	gap.kind = 4;
	assert_int_equal(check(gap, 128), 0);
	gap.kind = 0;
	assert_int_equal(check(gap, 128), 0);
}

static void random_bytes_never_pass_for_a_record_that_overruns(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < 300000; round++) {
		size_t length = (size_t)(rand() % 300);
		uint8_t *bytes = malloc(length ? length : 1);
		uint32_t total;

		for (size_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)(rand() % 4 ? rand() % 8 : rand());
		/* Most random headers are refused at once: make lengths small and the kind right more often. */
		if (length > 8 && round % 4) {
			memset(bytes + 1 + rand() % 2, 0, 2);
			bytes[3] = bytes[5] = 0;
			bytes[6] = (uint8_t)(1 + rand() % 3);
		}
		total = record_check(bytes, length);
		assert_true(total <= length);
		if (total) {
			struct record r;

			memcpy(&r, bytes, sizeof r);
			assert_true(total >= sizeof r + record_origin_bytes(r.origin) + r.key_length + r.length);
			assert_true(record_is_data(&r) || r.kind == RECORD_GAP);
			assert_true(4 * record_tags_count(&r) <= r.key_length);
			assert_int_equal(total % RECORD_ALIGN, 0);
		}
		free(bytes);
	}
}

/* A tagged record as it was first written to disk: frozen. */
static void a_tagged_record_has_its_key_its_tags_and_its_payload(void **state)
{
	static const uint8_t written[] = {
		2, 0, 0, 0, 11, 0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x60, 0x09, 0xc4, 0x16, 0xff, 0xff, 2, 4, 9, 8, 7, 6, 5, 4, 3, 2,
		'k', 'e', 'y', 0x60, 0x09, 0xc4, 0x16, 1, 2, 3, 4, 'h', 'i', 0, 0, 0};
	const struct record *r = malloc(sizeof written);
	char text[KEY_TEXT_MAX];

	(void)state;
	memcpy((void *)(uintptr_t)r, written, sizeof written);
	assert_int_equal(record_check(r, sizeof written), sizeof written);
	assert_true(record_is_data(r));
	assert_int_equal(record_key_kind(r), RECORD_KEY_STORED);
	assert_int_equal(record_key_bytes(r), 3);
	assert_int_equal(key_text(r, text), 3);
	assert_memory_equal(text, "key", 3);
	assert_int_equal(record_tags_count(r), 2);
	assert_int_equal(record_tag(r, 0), INPUT_ID_SYSLOG);
	assert_int_equal(record_tag(r, 1), 0x04030201);
	assert_memory_equal(record_payload(r), "hi", 2);
	free((void *)(uintptr_t)r);
}

static void an_input_keeps_its_id(void **state)
{
	(void)state;
	assert_int_equal(input_id("syslog"), INPUT_ID_SYSLOG);
	assert_int_not_equal(input_id("syslog"), input_id("statsd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_record_is_accepted_and_one_byte_less_is_not),
		cmocka_unit_test(limits_are_limits),
		cmocka_unit_test(random_bytes_never_pass_for_a_record_that_overruns),
		cmocka_unit_test(a_tagged_record_has_its_key_its_tags_and_its_payload),
		cmocka_unit_test(an_input_keeps_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
