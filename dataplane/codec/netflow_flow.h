// One flow of NetFlow v5, v9 or IPFIX, taken apart by its template.
#pragma once

#include "dataplane/codec/flow_put.h"
#include "dataplane/codec/templates.h"

struct flow_message { /* what its flows have in common */
	struct flow_put put;
	uint64_t export_ns;
	uint64_t init_ns;   /* IPFIX: when the exporter started, by its options; 0 unknown */
	uint32_t uptime_ms; /* v5, v9: of the exporter when it sent this */
	uint16_t version;
};

extern const struct template netflow_v5_template;

#define NETFLOW_V5_FLOW_BYTES 48u

// Bytes of the record at `at`, of which `left` are there; 0 when it is not whole.
uint32_t flow_bytes(const struct template *template, const uint8_t *at, uint32_t left);

// Puts the whole record at `at` as an object.
void flow_put_record(struct flow_message *m, const struct template *template, const uint8_t *at);

// When the exporter started, in ms since 1970, by a whole record whose template has system_init; 0 for no time.
uint64_t flow_system_init(const struct template *template, const uint8_t *at);
