// One flow of NetFlow v5, v9 or IPFIX, taken apart by its template.
#pragma once

#include "dataplane/codec/flow_put.h"
#include "dataplane/codec/templates.h"

#define FLOW_LISTS_MAX 4u /* in one another; further in they are bytes. Each may take 5 of FIELD_DEPTH_MAX */

struct flow_message { /* what its flows have in common */
	struct flow_put put;
	struct codec_templates *templates; /* for lists of records; `of` the exporter's domain, NULL: nothing known */
	struct templates_of *of;
	uint64_t arrival_ns;
	uint32_t records_left; /* flows, options and records in lists that may still be put */
	uint32_t lists;        /* that are open */
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

// The length of a variable field (RFC 7011 7) at *at, which is moved to its value; false when it is not whole.
static inline bool flow_variable_length(const uint8_t **at, uint32_t *left, uint32_t *length)
{
	uint32_t header = 1;

	if (*left < 1)
		return false;
	*length = (*at)[0];
	if (*length == 255) {
		header = 3;
		if (*left < 3)
			return false;
		*length = wire_get16(*at + 1);
	}
	if (*length > *left - header)
		return false;
	*at += header;
	*left -= header;
	return true;
}

// Puts a value that is no list by its enum element_kind, under the name that is set in `out`.
void flow_put_value(struct flow_put *p, struct field *out, uint8_t kind, const uint8_t *at, uint32_t length);

// netflow_list.c: puts a list of RFC 6313 under a name (NULL in an array). False, and nothing was put, for one that
// contradicts its length, whose template is not known, or that is too deep or has too many records: it is bytes then.
bool flow_put_list(struct flow_message *m, uint8_t kind, const char *name, uint32_t name_length, const uint8_t *at,
		   uint32_t length);
