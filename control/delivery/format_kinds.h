// What the formats share among themselves.
#pragma once

#include <stdbool.h>

#include "control/delivery/format.h"
#include "dataplane/codec/codec.h"

struct pcapng_interface {
	uint32_t input;
	uint32_t link_type;
	bool gaps; /* the gaps' own interface */
};

struct format {
	struct format_options options;
	struct gather gather;
	struct pcapng_interface *interfaces; /* pcapng: those described in this object, in order */
	uint32_t interfaces_count, interfaces_room;
	uint64_t gap_records;                /* pcapng: of known count, so far in this object */
	uint8_t *scratch;                    /* jsonl: CODEC_SCRATCH_BYTES for decoders */
	struct codec_templates *templates;   /* jsonl: the caller's */
};

void format_jsonl_add(struct format *f, uint32_t shard, uint64_t sequence, const struct record *r);

// "fields":{…}, and, when the record could not be decoded to its end, "fault":"…", with the comma behind.
void format_fields_add(struct format *f, const struct codec *codec, const struct record *r);

void format_pcapng_begin(struct format *f);
int format_pcapng_add(struct format *f, uint64_t sequence, const struct record *r); /* -ENOMEM */

// The input's name or its id in hexadecimal.
const char *format_input(const struct format *f, uint32_t input, char text[9]);

struct original { /* what a record brought */
	const uint8_t *bytes;
	uint32_t length;
	const struct codec *codec; /* NULL: of a number nobody defined */
};

// A record's payload; of a dead letter that can be read, the bytes that could not be taken, with the codec they were for.
struct original format_original(const struct record *r);

// A gap record's payload, copied: it need not lie aligned.
struct gap format_gap(const struct record *r);
