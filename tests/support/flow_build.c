#include "tests/support/flow_build.h"

#include <stdlib.h>
#include <string.h>

void flow_build_bytes(struct flow_build *b, const void *bytes, uint32_t length)
{
	if (length > FLOW_BUILD_MAX - b->length)
		abort();
	memcpy(b->bytes + b->length, bytes, length);
	b->length += length;
}

void flow_build8(struct flow_build *b, uint32_t value)
{
	flow_build_bytes(b, (uint8_t[]){(uint8_t)value}, 1);
}

void flow_build16(struct flow_build *b, uint32_t value)
{
	flow_build8(b, value >> 8);
	flow_build8(b, value);
}

void flow_build32(struct flow_build *b, uint32_t value)
{
	flow_build16(b, value >> 16);
	flow_build16(b, value);
}

void flow_build64(struct flow_build *b, uint64_t value)
{
	flow_build32(b, (uint32_t)(value >> 32));
	flow_build32(b, (uint32_t)value);
}

void flow_build_header(struct flow_build *b, uint32_t version, uint32_t count)
{
	b->length = 0;
	flow_build16(b, version);
	flow_build16(b, version == 10 ? 16 : count);
	if (version != 10)
		flow_build32(b, 600000);
	flow_build32(b, 1700000000);
	if (version == 5)
		flow_build32(b, 500);
	flow_build32(b, 7);
	if (version == 5) {
		flow_build8(b, 1);
		flow_build8(b, 2);
		flow_build16(b, 1u << 14 | 100);
	} else {
		flow_build32(b, 42);
	}
}

static void set16(struct flow_build *b, uint32_t at, uint32_t value)
{
	b->bytes[at] = (uint8_t)(value >> 8);
	b->bytes[at + 1] = (uint8_t)value;
}

void flow_build_set(struct flow_build *b, uint32_t id)
{
	b->open = b->length;
	flow_build16(b, id);
	flow_build16(b, 0);
}

void flow_build_set_end(struct flow_build *b)
{
	set16(b, b->open + 2, b->length - b->open);
	if (b->bytes[1] == 10)
		set16(b, 2, b->length);
}

void flow_build_template(struct flow_build *b, uint32_t id, const uint32_t (*fields)[2], uint32_t count, uint32_t scopes)
{
	bool v9 = b->bytes[1] == 9;

	flow_build_set(b, (v9 ? 0 : 2) + (scopes > 0));
	flow_build16(b, id);
	if (scopes && v9) {
		flow_build16(b, 4 * scopes);
		flow_build16(b, 4 * (count - scopes));
	} else {
		flow_build16(b, count);
		if (scopes)
			flow_build16(b, scopes);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t enterprise = fields[i][0] >> 16;

		flow_build16(b, (fields[i][0] & 0xffff) | (enterprise ? 0x8000 : 0));
		flow_build16(b, fields[i][1]);
		if (enterprise)
			flow_build32(b, enterprise);
	}
	flow_build_set_end(b);
}

void flow_build_v5(struct flow_build *b, uint32_t flows)
{
	flow_build_header(b, 5, flows);
	for (uint32_t i = 0; i < flows; i++) {
		flow_build32(b, 0xc0000201 + i); /* 192.0.2.1 */
		flow_build32(b, 0xc6336401);     /* 198.51.100.1 */
		flow_build32(b, 0xcb007101);     /* 203.0.113.1 */
		flow_build16(b, 3);
		flow_build16(b, 4);
		flow_build32(b, 10 + i);
		flow_build32(b, 15000);
		flow_build32(b, 590000);
		flow_build32(b, 599500);
		flow_build16(b, 40000 + i);
		flow_build16(b, 443);
		flow_build8(b, 0);
		flow_build8(b, 0x1b);
		flow_build8(b, 6);
		flow_build8(b, 8);
		flow_build16(b, 64500);
		flow_build16(b, 64501);
		flow_build8(b, 24);
		flow_build8(b, 16);
		flow_build16(b, 0);
	}
}

void flow_build_usual(struct flow_build *b, uint32_t version, bool with_template, uint32_t flows)
{
	static const uint32_t fields[17][2] = {{8, 4}, {12, 4}, {15, 4}, {10, 4}, {14, 4}, {2, 8}, {1, 8}, {7, 2}, {11, 2},
					       {6, 1}, {4, 1}, {5, 1}, {61, 1}, {16, 4}, {17, 4}, {22, 4}, {21, 4}};

	flow_build_header(b, version, flows + with_template);
	if (with_template)
		flow_build_template(b, 260, fields, 17, 0);
	flow_build_set(b, 260);
	for (uint32_t i = 0; i < flows; i++) {
		flow_build32(b, 0xc0000201 + i);
		flow_build32(b, 0xc6336401);
		flow_build32(b, 0xcb007101);
		flow_build32(b, 3);
		flow_build32(b, 4);
		flow_build64(b, 10 + i);
		flow_build64(b, 15000);
		flow_build16(b, 40000 + i);
		flow_build16(b, 443);
		flow_build32(b, 0x1b060800);
		flow_build32(b, 64500);
		flow_build32(b, 64501);
		flow_build32(b, 590000);
		flow_build32(b, 599500);
	}
	flow_build_set_end(b);
}

static void build_tcp_sample(struct flow_build *b, uint32_t number)
{
	static const uint8_t packet[58] = {
		0x02, 0, 0x5e, 0x10, 0, 1, 0x02, 0, 0x5e, 0x10, 0, 2, 0x81, 0, 0x20, 100, 8, 0, /* priority 1, VLAN 100 */
		0x45, 8, 0x05, 0xdc, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 1,
		0x9c, 0x40, 1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0};

	flow_build32(b, 1); /* flow sample */
	flow_build32(b, 140);
	flow_build32(b, number);
	flow_build32(b, 5);
	flow_build32(b, 1000);
	flow_build32(b, 1000000);
	flow_build32(b, 0);
	flow_build32(b, 5);
	flow_build32(b, 0x40000000 | 7);
	flow_build32(b, 2);
	flow_build32(b, 1); /* raw packet header */
	flow_build32(b, 16 + 60);
	flow_build32(b, 1);
	flow_build32(b, 1518);
	flow_build32(b, 4);
	flow_build32(b, sizeof packet);
	flow_build_bytes(b, packet, sizeof packet);
	flow_build16(b, 0);
	flow_build32(b, 1001); /* extended switch */
	flow_build32(b, 16);
	flow_build32(b, 100);
	flow_build32(b, 1);
	flow_build32(b, 200);
	flow_build32(b, 2);
}

void flow_build_sflow(struct flow_build *b, uint32_t samples)
{
	b->length = 0;
	flow_build32(b, 5);
	flow_build32(b, 1);
	flow_build32(b, 0xc0000209);
	flow_build32(b, 3);
	flow_build32(b, 77);
	flow_build32(b, 600000);
	flow_build32(b, samples + 1);
	for (uint32_t i = 0; i < samples; i++)
		build_tcp_sample(b, i);
	flow_build32(b, 2); /* counters sample */
	flow_build32(b, 12 + 8 + 88 + 8 + 52);
	flow_build32(b, 9);
	flow_build32(b, 0x02000007);
	flow_build32(b, 2);
	flow_build32(b, 1);
	flow_build32(b, 88);
	flow_build32(b, 7);
	flow_build32(b, 6);
	flow_build64(b, 10000000000);
	for (uint32_t i = 0; i < 18; i++) /* two of the numbers are 64 bits wide */
		flow_build32(b, i);
	flow_build32(b, 2);
	flow_build32(b, 52);
	for (uint32_t i = 0; i < 13; i++)
		flow_build32(b, 100 + i);
}
