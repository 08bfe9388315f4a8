// The sets of a v9 or IPFIX datagram. For netflow*.c alone.
#pragma once

#include "dataplane/codec/codec.h"
#include "dataplane/codec/netflow_flow.h"

#define NETFLOW_SET_BYTES 4u

struct flow_sets { /* bytes [at, end) are sets whose lengths are right; netflow_sets_check() made it so */
	const uint8_t *bytes;
	uint32_t at, end;
};

struct flow_set {
	const uint8_t *body;
	uint32_t length; /* of the body */
	uint16_t id;
};

// The next set; false at the end.
static inline bool flow_sets_next(struct flow_sets *sets, struct flow_set *out)
{
	const uint8_t *set = sets->bytes + sets->at;
	uint32_t length;

	if (sets->at == sets->end)
		return false;
	length = wire_get16(set + 2);
	*out = (struct flow_set){set + NETFLOW_SET_BYTES, length - NETFLOW_SET_BYTES, wire_get16(set)};
	sets->at += length;
	return true;
}

// Learns from the template sets (domain: whose; put NULL: says nothing of them). The first fault in them, or CODEC_OK.
enum codec_fault netflow_learn_sets(const struct codec_record *record, const struct template_domain *domain,
				    struct flow_sets sets, struct flow_put *put);

// When the exporter started, in nanoseconds, by what it had told around the record's arrival; 0 when it did not.
uint64_t netflow_init_ns(const struct codec_record *record, const struct template_domain *domain);
