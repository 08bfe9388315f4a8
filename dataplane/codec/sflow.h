// sFlow version 5 datagrams (sflow.org, "sFlow Version 5", July 2004, and its later structures): the datagram is the record.
#pragma once

#include "dataplane/codec/codec.h"
#include "dataplane/codec/flow_put.h"

/*
 * sflow_decode() puts version, agent, sub_agent, sequence, uptime_ms and
 *
 *   samples ARRAY of objects:
 *     type "flow": sequence, source_class, source_index, sampling_rate, sample_pool, drops, input_format, input,
 *                  output_format, output, records        (expanded or not: the same fields)
 *     type "counters": sequence, source_class, source_index, records
 *     type "discard": sequence, source_class, source_index, drops, input, output, reason, records
 *     else enterprise, format, bytes
 *   records ARRAY of objects: type and the fields of the structure, named as the specification does; "rest" is what a
 *     structure has behind those. One that is not known: enterprise, format, bytes
 *
 * A sampled packet's header is put as it came ("header") and taken apart into fields with IANA's element names.
 * A length that is wrong ends the sample or record it is in, whose fields in front of it are put; the others go on.
 */

struct sflow_body { /* XDR (RFC 4506) yet to be read */
	const uint8_t *at;
	uint32_t left;
};

// Puts a flow (counters: counter) record of enterprise 0 as fields of the object that is open. CODEC_NO_TEMPLATE for a
// format that is not known, with nothing put; CODEC_LENGTH for a body that ends early.
enum codec_fault sflow_put_record(struct flow_put *p, bool counters, uint32_t format, struct sflow_body body);

// Puts what a sampled header says; `protocol` is the specification's header_protocol. Stops where the bytes do.
void sflow_put_packet(struct flow_put *p, uint32_t protocol, const uint8_t *bytes, uint32_t length);
