// UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/codec/scan.h"

// Bytes of the character that bytes[0..left) begins with, left > 0; 0 when it is none.
static inline uint32_t utf8_character(const uint8_t *bytes, uint32_t left)
{
	uint8_t first = bytes[0], second;

	if (first < 0x80)
		return 1;
	if (first < 0xc2 || left < 2)
		return 0;
	second = bytes[1];
	if ((second & 0xc0) != 0x80)
		return 0;
	if (first < 0xe0)
		return 2;
	if (left < 3 || (bytes[2] & 0xc0) != 0x80)
		return 0;
	if (first < 0xf0) {
		if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0))
			return 0;
		return 3;
	}
	if (left < 4 || (bytes[3] & 0xc0) != 0x80 || first > 0xf4)
		return 0;
	if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90))
		return 0;
	return 4;
}

// Whether bytes[0..length) is nothing but characters.
bool utf8_valid(const uint8_t *bytes, uint32_t length);

// At most `room` of the `length` bytes, so that no character is cut in two; of what is no UTF-8, `room`.
static inline uint32_t utf8_cut(const uint8_t *bytes, uint32_t length, uint32_t room)
{
	uint32_t end = room;

	if (length <= room)
		return length;
	while (end > 0 && room - end < 3 && (bytes[end] & 0xc0) == 0x80)
		end--;
	return (bytes[end] & 0xc0) == 0x80 ? room : end;
}

// Writes a code point (no surrogate, at most U+10FFFF) and returns its bytes, up to 4.
static inline uint32_t utf8_put(uint8_t *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (code & 0x3f));
	return 4;
}
