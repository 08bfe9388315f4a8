// Any bytes cut into lines by every engine, and keys found in them: always what plain loops find.
#include <string.h>

#include "dataplane/record/key.h"
#include "dataplane/record/split.h"
#include "tests/fuzz/fuzz.h"

/* The contract of split.h, byte by byte. */
static uint32_t plain_lines(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	uint32_t count = 0, start = 0;

	while (start < length) {
		uint32_t end = start, left;

		while (end < length && bytes[end] != '\n')
			end++;
		left = end - start;
		if (left && bytes[end - 1] == '\r')
			left--;
		if (left) {
			if (count == room) {
				*consumed = start;
				return count;
			}
			out[count++] = (struct slice){start, left};
		}
		start = end < length ? end + 1 : length;
	}
	*consumed = length;
	return count;
}

/* Lines cut `room` at a time, gone on from where each call stopped, are the lines cut at once. */
static void check_engine(const struct split_engine *engine, const uint8_t *bytes, uint32_t length,
			 const struct slice *expected, uint32_t count, uint32_t room)
{
	struct slice *out = fuzz_allocate(room * sizeof *out);
	uint32_t at = 0, seen = 0;

	while (at < length) {
		uint32_t consumed, got = engine->lines(bytes + at, length - at, out, room, &consumed);

		fuzz_require(got <= room && consumed <= length - at);
		for (uint32_t i = 0; i < got; i++, seen++)
			fuzz_require(seen < count && out[i].offset + at == expected[seen].offset &&
				     out[i].length == expected[seen].length);
		fuzz_require(consumed > 0);
		at += consumed;
	}
	fuzz_require(seen == count);
	free(out);
}

static void check_field(const uint8_t *bytes, uint32_t length, uint8_t separator, uint32_t field)
{
	uint32_t start = 0, number = 1, end;
	struct md5_key key;
	bool found = key_field(bytes, length, separator, field, &key);

	for (; start < length && number < field; start++)
		number += bytes[start] == separator;
	for (end = start; end < length && bytes[end] != separator;)
		end++;
	fuzz_require(found == (number == field && end > start));
	if (!found)
		return;
	fuzz_require(key.bytes == bytes + start && key.length <= end - start && key.length <= KEY_BYTES_MAX);
	fuzz_require(end - start <= KEY_BYTES_MAX ? key.length == end - start : key.length >= KEY_BYTES_MAX - 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t length, count, engines_count, consumed;
	const struct split_engine *engines = split_engines(&engines_count);
	struct slice *expected;
	uint8_t separator, field, room;

	if (size < 3)
		return -1;
	separator = data[0], field = data[1] % 8 + 1, room = data[2] % 64 + 1;
	data += 3;
	length = (uint32_t)size - 3;
	expected = fuzz_allocate((length + 1) * sizeof *expected);
	count = plain_lines(data, length, expected, length + 1, &consumed);
	for (uint32_t i = 0; i < engines_count; i++) {
		check_engine(&engines[i], data, length, expected, count, length + 1);
		check_engine(&engines[i], data, length, expected, count, room);
	}
	for (uint32_t i = 0; i < count && i < 64; i++)
		check_field(data + expected[i].offset, expected[i].length, separator, field);
	check_field(data, length, separator, field);
	free(expected);
	return 0;
}
