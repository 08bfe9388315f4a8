// Stands in for a function while it is not built in yet; the real one wins as soon as it is.
#include <string.h>

#include "control/store/store.h"

__attribute__((weak)) void sequence_format(char text[SEQUENCE_TEXT_MAX], uint32_t shard_number, uint64_t sequence)
{
	unsigned __int128 n = (unsigned __int128)sequence << 32 | shard_number;
	char digits[SEQUENCE_TEXT_MAX];
	size_t i = sizeof digits;

	digits[--i] = '\0';
	do {
		digits[--i] = (char)('0' + (int)(n % 10));
	} while ((n /= 10) != 0);
	memcpy(text, digits + i, sizeof digits - i);
}
