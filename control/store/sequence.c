// Sequence numbers as people and AWS SDKs see them.
#include <errno.h>
#include <string.h>

#include "control/store/store.h"

#define DIGITS_MAX 29 /* of 2^96 - 1 */

void sequence_format(char text[SEQUENCE_TEXT_MAX], uint32_t shard_number, uint64_t sequence)
{
	unsigned __int128 n = (unsigned __int128)sequence << 32 | shard_number;
	char reversed[SEQUENCE_TEXT_MAX];
	unsigned length = 0;

	do {
		reversed[length++] = (char)('0' + (int)(n % 10));
		n /= 10;
	} while (n > 0);
	for (unsigned i = 0; i < length; i++)
		text[i] = reversed[length - 1 - i];
	text[length] = 0;
}

int sequence_parse(const char *text, uint32_t *shard_number, uint64_t *sequence)
{
	size_t length = strlen(text);
	unsigned __int128 n = 0;

	if (length == 0 || length > DIGITS_MAX || (text[0] == '0' && length > 1))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	if (n >> 96)
		return -EINVAL;
	*shard_number = (uint32_t)n;
	*sequence = (uint64_t)(n >> 32);
	return 0;
}
