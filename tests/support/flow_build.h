// NetFlow v9, IPFIX and sFlow datagrams for tests, byte by byte.
#pragma once

#include <stdint.h>

#include "dataplane/codec/templates.h"

#define FLOW_BUILD_MAX 65535u

struct flow_build {
	uint8_t bytes[FLOW_BUILD_MAX];
	uint32_t length;
	uint32_t open; /* where the set that is open starts */
};

void flow_build8(struct flow_build *b, uint32_t value);
void flow_build16(struct flow_build *b, uint32_t value);
void flow_build32(struct flow_build *b, uint32_t value);
void flow_build64(struct flow_build *b, uint64_t value);
void flow_build_bytes(struct flow_build *b, const void *bytes, uint32_t length);

// A header in an empty buffer: version 5, 9 or 10. Exported at 1,700,000,000 s (and 500 ns in v5) by an exporter that had
// been up 600,000 ms; sequence 7, domain (v5: engine type 1, id 2) 42.
void flow_build_header(struct flow_build *b, uint32_t version, uint32_t count);

// Opens a set; flow_build_set_end() fills in its length and, for IPFIX, the message's.
void flow_build_set(struct flow_build *b, uint32_t id);
void flow_build_set_end(struct flow_build *b);

// A template set of one template with `count` pairs of id and length, the first `scopes` of them scopes (0: no options
// template). Ids above 0xffff carry an enterprise number there: enterprise << 16 | id.
void flow_build_template(struct flow_build *b, uint32_t id, const uint32_t (*fields)[2], uint32_t count, uint32_t scopes);

// 30 flows of v5: a full datagram.
void flow_build_v5(struct flow_build *b, uint32_t flows);

// The usual 17 fields of v9 (without or with their template) or IPFIX, `flows` flows; template id 260.
void flow_build_usual(struct flow_build *b, uint32_t version, bool with_template, uint32_t flows);

// An sFlow datagram of `samples` flow samples, each a sampled header of a TCP packet and an extended switch, and a counters
// sample with generic and Ethernet counters.
void flow_build_sflow(struct flow_build *b, uint32_t samples);
