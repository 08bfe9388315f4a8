// One flow of NetFlow v5, v9 or IPFIX, taken apart by its template.
#pragma once

#include "dataplane/codec/flow_put.h"
#include "dataplane/codec/templates.h"

struct flow_message { /* what its flows have in common */
	struct flow_put put;
	uint64_t export_ns;
	uint32_t uptime_ms; /* of the exporter when it sent this; IPFIX has none */
	uint16_t version;
};

extern const struct template netflow_v5_template;

#define NETFLOW_V5_FLOW_BYTES 48u

// Bytes of the record at `at`, of which `left` are there; 0 when it is not whole.
uint32_t flow_bytes(const struct template *template, const uint8_t *at, uint32_t left);

// Puts the whole record at `at` as an object.
void flow_put_record(struct flow_message *m, const struct template *template, const uint8_t *at);
