// Records to bytes: raw, JSON lines, pcapng. Used by deliveries and by whoever prints records.
#pragma once

#include <stdint.h>

#include "config/config.h"
#include "control/delivery/sink.h"
#include "dataplane/seam/record.h"

/*
 * raw     payload, then the delimiter, for every data record; of a dead letter the bytes that could not be taken. A gap
 *         adds nothing.
 *
 * jsonl   one object per line, fields in this order, absent where a record has none:
 *           {"sequence":"…","arrival":"2026-01-31T23:59:59.000000001Z","partition_key":"…","source":"192.0.2.1",
 *            "source_port":514,"vlan":7,"input":"syslog","codec":"syslog","tags":["…"],"fields":{…},"fault":"…","data":"…"}
 *         data_base64 stands for data where the payload is no UTF-8, is of a binary codec (or base64 was asked for),
 *         partition_key_base64 likewise; an input or tag without a known name is its id in 8 hexadecimal digits; vlan
 *         is the outer tag's VLAN id.
 *         fields are what the record's codec decodes, as that orders them (dataplane/codec/): numbers as they stand in
 *         the record, or the fewest digits that read back as the same double, null for one that is no number; times like
 *         arrival; addresses as text; name_base64 for what is no text (in an array {"base64":"…"}); a byte in a name
 *         that is no UTF-8, or NUL, as U+FFFD. A name that stands twice in the record stands twice here. Codecs that decode
 *         nothing have no fields. A dead letter's fields are stage, reason, codec, parser_version, input, detail, time and
 *         length; its data is what could not be taken. fault (codec_fault_label()) stands behind fields that could not be decoded to their end.
 *         A gap: {"gap":{"sequence":"…","arrival":"…","reason":"lane_full","scope":"shard","count":3,"bytes":291,
 *           "first":"…","last":"…","worker":0}}; count is null where nobody can know it, worker is absent where
 *         penstockd found the gap.
 *
 * pcapng  (draft-ietf-opsawg-pcapng) little endian; one interface per input, if_name its name, if_tsresol 9; Ethernet
 *         for records of codec frame, USER0 for others (libpcap reads no file that mixes the two; Wireshark does).
 *         Each record is an Enhanced Packet Block with its sequence as epb_packetid. A gap is an Interface Statistics
 *         Block of an interface of its own named "gaps": isb_ifdrop counts the missing records since the object's
 *         start, the comment says the rest. libpcap and tshark pass over it, Wireshark shows it.
 *
 * The same records give the same bytes, always: nothing is taken from clocks, hosts or versions.
 */
struct format_options {
	enum config_format format;
	enum config_payload payload; /* jsonl */
	const char *delimiter;       /* raw; NULL: none */
	// The name of an input or tag by its id, or NULL when it is not known; may be NULL itself.
	const char *(*input_name)(void *context, uint32_t input);
	// Told of each flow datagram before it is decoded, and again (`missing`) when a template of it is not known. True: the
	// templates in use know more by now. NULL where they are what they are.
	bool (*flows)(void *context, bool missing);
	void *context;
};

struct codec_templates;

struct format; /* opaque: one object after another, not shared between threads; about 100 KiB, for jsonl 1 MiB more */

// 0; -ENOMEM; -EINVAL for an unknown format. Copies the options; the strings they point to must outlive it.
int format_open(const struct format_options *options, struct format **out);
void format_close(struct format *f);

// Decodes flows by these templates from now on; they stay the caller's, and learn from what they decode. NULL: none.
void format_use_templates(struct format *f, struct codec_templates *templates);

// Begins an object. The sink must stay until format_end().
int format_begin(struct format *f, const struct sink *sink);

// Adds a record that record_check() has passed. `shard` is its shard's number. 0, or the sink's -errno (also of
// earlier records: bytes are gathered before they are sent on).
int format_add(struct format *f, uint32_t shard, uint64_t sequence, const struct record *r);

// Sends on everything gathered so far, so that a reader sees every record added. 0 or the sink's -errno.
int format_flush(struct format *f);

// Ends the object. 0 or the sink's -errno.
int format_end(struct format *f);

// ".raw", ".jsonl" or ".pcapng".
const char *format_extension(enum config_format format);

// "lane_full" and so on; "unknown" for a number nobody defined.
const char *format_gap_reason(uint32_t reason);

// RFC 3339 in UTC with nanoseconds: "2026-01-31T23:59:59.000000001Z".
#define FORMAT_TIME_MAX 40
void format_time(char text[FORMAT_TIME_MAX], uint64_t ns);
