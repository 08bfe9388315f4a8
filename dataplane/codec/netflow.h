// NetFlow v5 and v9 (RFC 3954) and IPFIX (RFC 7011) datagrams: the export packet is the record.
#pragma once

#include "dataplane/codec/codec.h"

/*
 * netflow_decode() puts the header's fields, then what the datagram has of each kind of set, together whatever their order:
 *
 *   version, sequence, export_time; v5: uptime_ms, count, engine_type, engine_id, sampling_mode, sampling_interval;
 *   v9: uptime_ms, count, source_id; IPFIX: domain_id
 *   templates  ARRAY of {template_id, fields, scopes?}: as announced here. Only if there are. Fields 0 is a
 *              withdrawal, which ends nothing: RFC 7011 8.4 has collectors ignore those that come over UDP
 *   flows      ARRAY of objects with IANA's element names (netflow_elements.h); always there
 *   options    ARRAY of the same whose scope fields stand in an object "scope". Only if there are
 *   undecoded  ARRAY of {template_id, bytes} without a template (CODEC_NO_TEMPLATE), {set_id, bytes} of sets with a
 *              reserved number. Only if there are
 *
 * Times relative to the exporter's start or to the export stand as they came, and as absolute times named
 * flowStartMilliseconds, flowEndMilliseconds (...Microseconds) behind the other fields, where the flow has no absolute
 * ones itself; for IPFIX if the exporter's start is known, from the flow or from options (systemInitTimeMilliseconds), which
 * the template store keeps with the time they came, as it does templates. A field of length 0 and padding are not put: what
 * is shorter than a record, and in v9 up to 3 zeros that end a set at a multiple of 4 bytes, whatever records are as short.
 *
 * Lists of RFC 6313 (IPFIX) are objects with their "semantic" (exactlyOneOf, ...; its number when it has no name) and
 *   basicList             an ARRAY of values under the name of their element
 *   subTemplateList       template_id, and an ARRAY "records" of objects
 *   subTemplateMultiList  an ARRAY "lists" of objects with those two
 * One that contradicts its length, of an unknown template, in more than FLOW_LISTS_MAX others or with more records than a
 * datagram may have is bytes, as any value is that cannot be what its element says.
 *
 * What is wrong with a datagram never hides what was right in front of it: sets up to the first that contradicts its
 * length are decoded, and the fault is returned. Faults of one template or data set do not end the others.
 */

/*
 * Flows, options and records of lists in them, of a datagram: more are CODEC_TOO_MANY. Also no more than one for each NETFLOW_FLOW_BYTES of it, though
 * a template may describe flows of one byte: what a byte can cost stays near what it costs in flows of tens of bytes.
 */
#define NETFLOW_FLOWS_MAX 8192u
#define NETFLOW_FLOW_BYTES 3u

// Learns a datagram's templates into record->templates (not NULL), with its arrival time, and puts nothing. CODEC_OK also
// for one that has none; else what is wrong with the datagram.
enum codec_fault netflow_learn(const struct codec_record *record);
