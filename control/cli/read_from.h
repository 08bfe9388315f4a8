// Where `penstock read --from` starts.
#pragma once

#include <jansson.h>
#include <stdint.h>

enum read_from_kind { FROM_TRIM_HORIZON, FROM_LATEST, FROM_TIME, FROM_SEQUENCE };

struct read_from {
	enum read_from_kind kind;
	uint64_t time_ns;  /* FROM_TIME */
	uint64_t sequence; /* FROM_SEQUENCE: inside the shard */
	uint32_t shard;    /* FROM_SEQUENCE */
};

// "trim-horizon", "latest", a point in time (units_parse_instant()) or a sequence number as records show it. A bare number
// below 2^32 and not below 2^16 is seconds since 1970, any other a sequence number. -EINVAL, -ERANGE.
int read_from_parse(const char *text, uint64_t now_ns, struct read_from *out);

// The request that asks penstockd for this place in a shard. NULL without memory.
json_t *read_from_request(const struct read_from *from, const char *stream, uint32_t shard);
