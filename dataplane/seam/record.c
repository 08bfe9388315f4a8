#include "dataplane/seam/record.h"

#include <string.h>
#include <xxhash.h>

uint32_t record_check(const void *bytes, size_t length)
{
	struct record r;
	uint32_t total;

	if (length < sizeof r)
		return 0;
	memcpy(&r, bytes, sizeof r);
	if (!record_is_data(&r) && r.kind != RECORD_GAP)
		return 0;
	if (r.length > RECORD_PAYLOAD_MAX || r.key_length < 4 * record_tags_count(&r) || record_key_bytes(&r) > RECORD_KEY_MAX)
		return 0;
	if (r.origin != RECORD_ORIGIN_NONE && record_origin_bytes(r.origin) == 0)
		return 0;
	if (r.kind == RECORD_GAP && (r.length != sizeof(struct gap) || r.key_length != 0 || r.origin != 0))
		return 0;
	total = record_bytes(r.origin, r.key_length, r.length);
	return total <= length ? total : 0;
}

uint32_t input_id(const char *name)
{
	return XXH32(name, strlen(name), 0);
}
