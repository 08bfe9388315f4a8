// pcapng as in draft-ietf-opsawg-pcapng, sections 4.1 (Section Header), 4.2 (Interface Description), 4.3 (Enhanced
// Packet) and 4.6 (Interface Statistics). All integers little endian, every block and option padded to 4.
#include "control/delivery/format_kinds.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6 };
enum {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_PACKETID = 5,
	ISB_IFDROP = 5
};
enum { LINK_ETHERNET = 1, LINK_USER0 = 147 };

#define SMALL_BLOCK_MAX 512u

struct block { /* everything but a packet's payload is built here */
	uint8_t bytes[SMALL_BLOCK_MAX];
	uint32_t used;
};

static uint32_t padded(uint32_t length)
{
	return (length + 3) & ~3u;
}

static void put16(struct block *b, uint16_t value)
{
	memcpy(b->bytes + b->used, &value, 2);
	b->used += 2;
}

static void put32(struct block *b, uint32_t value)
{
	memcpy(b->bytes + b->used, &value, 4);
	b->used += 4;
}

static void put64(struct block *b, uint64_t value)
{
	memcpy(b->bytes + b->used, &value, 8);
	b->used += 8;
}

static void put_option(struct block *b, uint16_t code, const void *value, uint16_t length)
{
	put16(b, code);
	put16(b, length);
	memset(b->bytes + b->used, 0, padded(length));
	memcpy(b->bytes + b->used, value, length);
	b->used += padded(length);
}

static void begin_block(struct block *b, uint32_t type)
{
	b->used = 0;
	put32(b, type);
	put32(b, 0); /* total length, known at the end */
}

static void end_block(struct gather *w, struct block *b)
{
	uint32_t total = b->used + 4;

	put32(b, total);
	memcpy(b->bytes + 4, &total, 4);
	gather_put(w, b->bytes, b->used);
}

void format_pcapng_begin(struct format *f)
{
	struct block b;

	f->interfaces_count = 0;
	f->gap_records = 0;
	begin_block(&b, BLOCK_SECTION);
	put32(&b, 0x1a2b3c4d);
	put16(&b, 1);
	put16(&b, 0);
	put64(&b, UINT64_MAX); /* section length not given */
	put_option(&b, SHB_USERAPPL, "penstock", 8);
	put32(&b, OPTION_END);
	end_block(&f->gather, &b);
}

static void describe_interface(struct format *f, const struct pcapng_interface *interface)
{
	const uint8_t nanoseconds = 9;
	char id[9];
	const char *name = interface->gaps ? "gaps" : format_input(f, interface->input, id);
	struct block b;

	begin_block(&b, BLOCK_INTERFACE);
	put16(&b, (uint16_t)interface->link_type);
	put16(&b, 0);
	put32(&b, 0); /* no snap length: whole frames */
	put_option(&b, IF_NAME, name, (uint16_t)strnlen(name, 255));
	put_option(&b, IF_TSRESOL, &nanoseconds, 1);
	put32(&b, OPTION_END);
	end_block(&f->gather, &b);
}

// The number of this interface in the object, described first when it is new. -ENOMEM.
static int find_interface(struct format *f, const struct pcapng_interface *wanted)
{
	for (uint32_t i = 0; i < f->interfaces_count; i++) {
		const struct pcapng_interface *have = &f->interfaces[i];

		if (have->input == wanted->input && have->gaps == wanted->gaps &&
		    (wanted->gaps || have->link_type == wanted->link_type))
			return (int)i;
	}
	if (f->interfaces_count == f->interfaces_room) {
		uint32_t room = f->interfaces_room ? f->interfaces_room * 2 : 16;
		struct pcapng_interface *more = realloc(f->interfaces, room * sizeof *more);

		if (more == NULL)
			return -ENOMEM;
		f->interfaces = more;
		f->interfaces_room = room;
	}
	f->interfaces[f->interfaces_count] = *wanted;
	describe_interface(f, wanted);
	return (int)f->interfaces_count++;
}

static int add_gap(struct format *f, uint64_t sequence, const struct record *r)
{
	/* libpcap wants one link type in a file: the gaps take that of the frames around them. */
	uint32_t link_type = f->interfaces_count > 0 ? f->interfaces[0].link_type : LINK_ETHERNET;
	int number = find_interface(f, &(struct pcapng_interface){.link_type = link_type, .gaps = true});
	struct gap gap = format_gap(r);
	char comment[200], count[24] = "unknown";
	struct block b;
	int length;

	if (number < 0)
		return number;
	if (gap.count != GAP_COUNT_UNKNOWN) {
		f->gap_records += gap.count;
		snprintf(count, sizeof count, "%" PRIu64, gap.count);
	}
	length = snprintf(comment, sizeof comment,
			  "gap: sequence %" PRIu64 ", reason %s, scope %s, count %s, bytes %" PRIu64, sequence,
			  format_gap_reason(gap.reason), gap.scope == GAP_SCOPE_PORT ? "port" : "shard", count,
			  gap.bytes);
	begin_block(&b, BLOCK_STATISTICS);
	put32(&b, (uint32_t)number);
	put32(&b, (uint32_t)(r->arrival_ns >> 32));
	put32(&b, (uint32_t)r->arrival_ns);
	put_option(&b, OPTION_COMMENT, comment, (uint16_t)length);
	put_option(&b, ISB_IFDROP, &f->gap_records, 8);
	put32(&b, OPTION_END);
	end_block(&f->gather, &b);
	return 0;
}

int format_pcapng_add(struct format *f, uint64_t sequence, const struct record *r)
{
	static const uint8_t zeros[4];
	struct pcapng_interface interface = {r->input, r->codec == CODEC_FRAME ? LINK_ETHERNET : LINK_USER0, false};
	uint32_t total = 28 + padded(r->length) + 12 + 4 + 4;
	struct block b;
	int number;

	if (r->kind == RECORD_GAP)
		return add_gap(f, sequence, r);
	number = find_interface(f, &interface);
	if (number < 0)
		return number;
	b.used = 0;
	put32(&b, BLOCK_PACKET);
	put32(&b, total);
	put32(&b, (uint32_t)number);
	put32(&b, (uint32_t)(r->arrival_ns >> 32));
	put32(&b, (uint32_t)r->arrival_ns);
	put32(&b, r->length);
	put32(&b, r->length);
	gather_put(&f->gather, b.bytes, b.used);
	gather_put(&f->gather, record_payload(r), r->length);
	gather_put(&f->gather, zeros, padded(r->length) - r->length);
	b.used = 0;
	put_option(&b, EPB_PACKETID, &sequence, 8);
	put32(&b, OPTION_END);
	put32(&b, total);
	gather_put(&f->gather, b.bytes, b.used);
	return 0;
}
