#include "control/cli/read_from.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/units.h"
#include "control/store/store.h"

/* Sequence numbers carry the shard below 2^32, so those are the numbers of a shard's very first record: shards are few. */
#define SECONDS_LEAST (1u << 16)

int read_from_parse(const char *text, uint64_t now_ns, struct read_from *out)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t number;

	memset(out, 0, sizeof(*out));
	if (!strcmp(text, "trim-horizon"))
		return 0;
	if (!strcmp(text, "latest")) {
		out->kind = FROM_LATEST;
		return 0;
	}
	if (digits && !text[digits] &&
	    (units_parse_number(text, UINT32_MAX, &number) == -ERANGE || number < SECONDS_LEAST)) {
		out->kind = FROM_SEQUENCE;
		return sequence_parse(text, &out->shard, &out->sequence);
	}
	out->kind = FROM_TIME;
	return units_parse_instant(text, now_ns, &out->time_ns);
}

json_t *read_from_request(const struct read_from *from, const char *stream, uint32_t shard)
{
	static const char *const names[] = {"trim-horizon", "latest", "time", "sequence"};
	json_t *request = json_pack("{s:s, s:s, s:I, s:s}", "op", "position", "stream", stream, "shard", (json_int_t)shard, "from",
				    names[from->kind]);
	char text[24];

	if (request && from->kind == FROM_TIME)
		json_object_set_new(request, "time_ns", json_integer((json_int_t)from->time_ns));
	if (request && from->kind == FROM_SEQUENCE) {
		snprintf(text, sizeof(text), "%" PRIu64, from->sequence);
		json_object_set_new(request, "sequence", json_string(text));
	}
	return request;
}
