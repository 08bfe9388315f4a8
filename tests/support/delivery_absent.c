// Stands in for two functions while they are not built in yet; the real ones win as soon as they are.
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/store/store.h"
#include "dataplane/seam/key_text.h"

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

__attribute__((weak)) int key_text(const struct record *r, char *text, size_t room)
{
	if (r->key_kind == RECORD_KEY_SOURCE && r->origin == RECORD_ORIGIN_IPV4)
		return inet_ntop(AF_INET, record_origin(r), text, (socklen_t)room) != NULL ? (int)strlen(text) : -ENOSPC;
	if (r->key_kind == RECORD_KEY_HASH)
		return snprintf(text, room, "%016" PRIx64, r->hash);
	if (r->key_kind != RECORD_KEY_STORED || r->key_length >= room)
		return -EINVAL;
	memcpy(text, record_key(r), r->key_length);
	text[r->key_length] = '\0';
	return r->key_length;
}
