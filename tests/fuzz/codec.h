// What holds for every codec and any bytes, cut into records and decoded: unit tests and fuzz targets put the same bytes
// through it. Of the fields themselves fields.h knows what is promised.
#pragma once

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fields.h"

/* Decodes bytes[0..length) where they lie; ended by the sink after each possible field up to `stops` as well. */
static inline enum codec_fault codec_check_decode(const struct codec *codec, const uint8_t *bytes, uint32_t length,
						  uint32_t stops)
{
	struct codec_record record = fields_record(bytes, length);
	struct fields all;
	enum codec_fault fault = fields_read(codec, &record, &all);

	for (uint32_t stop = 1; stop <= stops && stop <= all.count; stop++)
		fields_read_some(codec, &record, stop);
	return fault;
}

/* Cuts `room` at a time, each call given no more than what is left, on a copy of exactly that. The same records as
 * `expected`. */
static inline void codec_check_resumed(const struct codec *codec, const uint8_t *bytes, uint32_t length,
				       const struct slice *expected, uint32_t expected_count, uint32_t room)
{
	struct slice *out = fuzz_allocate(room * sizeof *out);
	uint32_t at = 0, seen = 0;

	while (at < length) {
		uint8_t *left = fuzz_allocate(length - at);
		uint32_t consumed, count;

		memcpy(left, bytes + at, length - at);
		count = codec->cut(left, length - at, out, room, &consumed);
		free(left);
		fuzz_require(count <= room && consumed > 0 && consumed <= length - at);
		for (uint32_t i = 0; i < count; i++, seen++)
			fuzz_require(seen < expected_count && out[i].offset + at == expected[seen].offset &&
				     out[i].length == expected[seen].length);
		at += consumed;
	}
	fuzz_require(seen == expected_count);
	free(out);
}

/*
 * Cuts a datagram, whole and resumed, and decodes each record on an exact copy. Records lie inside, in order, without
 * overlap, none empty. Returns how many; *left_out is how many bytes are in none.
 */
static inline uint32_t codec_check_datagram(const struct codec *codec, const uint8_t *bytes, uint32_t length,
					    uint32_t room, uint32_t *left_out)
{
	struct slice *slices = fuzz_allocate((length + 1) * sizeof *slices);
	uint32_t count = 1, consumed = length, end = 0;

	slices[0] = (struct slice){0, length};
	*left_out = length;
	if (codec->cut)
		count = codec->cut(bytes, length, slices, length + 1, &consumed);
	fuzz_require(consumed == length && count <= length + 1);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *copy = fuzz_allocate(slices[i].length);

		fuzz_require(slices[i].offset >= end && slices[i].offset <= length &&
			     slices[i].length <= length - slices[i].offset);
		fuzz_require(slices[i].length > 0 || !codec->cut);
		end = slices[i].offset + slices[i].length;
		*left_out -= slices[i].length;
		memcpy(copy, bytes + slices[i].offset, slices[i].length);
		if (codec->decode)
			codec_check_decode(codec, copy, slices[i].length, i < 4 ? 16 : 0);
		free(copy);
	}
	if (codec->cut) {
		codec_check_resumed(codec, bytes, length, slices, count, room);
		if (length <= 512)
			codec_check_resumed(codec, bytes, length, slices, count, 1);
	}
	free(slices);
	return count;
}

/* A record cut short at every byte, directly behind and directly in front of a page that may not be touched; then with
 * bytes changed. */
static inline void codec_check_between_guards(const struct codec *codec, const void *bytes, uint32_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (length / page + 1) * page;
	uint8_t *area = mmap(NULL, room + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *start = area + page, *end = start + room;
	uint32_t left_out;

	fuzz_require(area != MAP_FAILED);
	fuzz_require(mprotect(area, page, PROT_NONE) == 0 && mprotect(end, page, PROT_NONE) == 0);
	for (uint32_t n = 0; n <= length; n++) {
		memcpy(end - n, bytes, n);
		codec_check_decode(codec, end - n, n, 2);
		codec_check_datagram(codec, end - n, n, 2, &left_out);
		memcpy(start, bytes, n);
		codec_check_decode(codec, start, n, 0);
	}
	for (uint32_t round = 0; length && round < 2000; round++) {
		memcpy(end - length, bytes, length);
		for (uint32_t change = 0; change <= round % 3; change++)
			end[-1 - (long)((uint32_t)rand() % length)] =
				(uint8_t)(round % 2 ? rand() : "\\\"<>[]{}:=|,; \n0.e-#"[rand() % 21]);
		codec_check_datagram(codec, end - length, length, 1 + round % 7, &left_out);
	}
	munmap(area, room + 2 * page);
}

/* A fuzz target's input: room for so many records, then a datagram, which is taken as one record as well. */
static inline int codec_fuzz(uint8_t id, const uint8_t *data, size_t size)
{
	const struct codec *codec = codec_by_id(id);
	uint32_t length, room, left_out;
	uint8_t *copy;

	if (size < 1 || size > 65536)
		return -1;
	length = (uint32_t)size - 1;
	room = data[0] % 64 + (length > 4096 ? 64 : 1);
	copy = fuzz_allocate(length);
	memcpy(copy, data + 1, length);
	codec_check_decode(codec, copy, length, 16);
	codec_check_datagram(codec, copy, length, room, &left_out);
	free(copy);
	return 0;
}
