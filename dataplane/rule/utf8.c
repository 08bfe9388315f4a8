#include "dataplane/rule/utf8.h"

#include <string.h>

// Bytes of the character at `at`, or 0.
static uint32_t character_bytes(const uint8_t *at, uint32_t left)
{
	uint8_t low = 0x80, high = 0xbf; /* of the second byte */
	uint32_t bytes;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	bytes = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : low;
	high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : high;
	if (left < bytes || at[1] < low || at[1] > high)
		return 0;
	for (uint32_t i = 2; i < bytes; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return bytes;
}

bool utf8_is_valid(const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0, n; i < length; i += n) {
		uint64_t eight;

		if (length - i >= 8) {
			memcpy(&eight, bytes + i, 8);
			n = 8;
			if ((eight & 0x8080808080808080ull) == 0)
				continue;
		}
		n = character_bytes(bytes + i, length - i);
		if (n == 0)
			return false;
	}
	return true;
}
