// Kinesis aggregates, as the Kinesis Producer Library makes them: many user records in one, each with its own key.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/codec/codec.h"
#include "dataplane/record/key.h"

/*
 * Source: "KPL Aggregated Record Format",
 * https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 *
 *   0            4                                             length-16     length
 *   +------------+---------------------------------------------+-------------+
 *   |f3 89 9a c2 | AggregatedRecord (protocol buffers 2)       | MD5 of that |
 *   +------------+---------------------------------------------+-------------+
 *
 *   message AggregatedRecord {
 *     repeated string partition_key_table = 1;
 *     repeated string explicit_hash_key_table = 2;
 *     repeated Record records = 3;
 *   }
 *   message Record {
 *     required uint64 partition_key_index = 1;
 *     optional uint64 explicit_hash_key_index = 2;
 *     required bytes data = 3;
 *     repeated Tag tags = 4;
 *   }
 */
#define KPL_TABLE_MAX 4096u /* keys of one aggregate, and explicit hashes; more are CODEC_TOO_MANY */

struct kpl_record {        /* all offsets from the datagram's first byte */
	struct slice data; /* may be empty */
	struct slice key;  /* partition key, UTF-8, 1 to RECORD_KEY_MAX bytes; empty: a plain record, which has none */
	struct slice explicit_hash; /* decimal, taken by kpl_hash_of(); empty: none */
};

// The user records of a datagram, at most `room` of them into `out`; returns how many. *at is 0 to begin with and says
// where to go on; it is `length` when all have been given out. A datagram without the magic is one plain record, as it
// is for the Kinesis Client Library. The whole aggregate is checked before its first record is given out: *fault is
// CODEC_OK, or there is none and *fault says why (*at is `length` then): CODEC_EMPTY, CODEC_TRUNCATED (magic, but no
// room for an MD5), CODEC_CHECKSUM, CODEC_LENGTH (a field runs over its end), CODEC_SYNTAX (not this message),
// CODEC_ENCODING (a key that is no UTF-8), CODEC_NUMBER (an index outside its table, a hash that is none),
// CODEC_TOO_MANY, CODEC_TOO_LARGE (a key over RECORD_KEY_MAX). Going on, the same bytes are believed to be what they
// were. length <= 65,536; time linear in it.
uint32_t kpl_records(const uint8_t *bytes, uint32_t length, struct kpl_record *out, uint32_t room, uint32_t *at,
		     enum codec_fault *fault);

// A decimal explicit hash key, 0 to 2^128 - 1, written as Kinesis wants it: 0, or digits that begin with 1 to 9. False:
// it is none.
bool kpl_hash_of(const uint8_t *text, uint32_t length, struct hash_key *out);
