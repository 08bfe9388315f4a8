// Any bytes as a series of fragments: frames as they are, or fragments of known text chosen by three bytes each.
#include <stdlib.h>

#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "tests/fuzz/fuzz.h"

#define TIMEOUT 1000000000ull

static const struct config_address addresses[] = {
	{.family = 4, .prefix_length = 24, .bytes = {192, 0, 2, 1}},
	{.family = 6, .prefix_length = 64, .bytes = {0x20, 0x01, 0x0d, 0xb8, [11] = 1, [13] = 2, [15] = 3}},
};
static const uint8_t mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0x01};

static struct host host;
static struct reassembly *reassembly;
static uint8_t text[4096];
static uint64_t now, held, counts[REASSEMBLY_COUNTS];

static void settle(void)
{
	uint64_t moved[REASSEMBLY_COUNTS], sum = 0;

	if (reassembly_take_counts(reassembly, moved))
		for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
			counts[i] += moved[i];
	for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++) {
		fuzz_require(counts[i] < 1ull << 40);
		sum += counts[i];
	}
	fuzz_require(sum == held);
}

/* As a worker does it. The packet put together, or NULL. */
static const uint8_t *add(const uint8_t *frame, uint32_t length, uint32_t *packet_length)
{
	struct datagram d;
	enum counter_frame fate = decode_frame(frame, length, &host, 0, &d);
	const uint8_t *bytes = frame;
	uint32_t rounds = 0;

	fate = tunnel_enter(frame, length, &host, fate, &d);
	while (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT) {
		uint8_t layers = d.layers;

		fuzz_require(rounds++ <= TUNNEL_LAYERS_MAX);
		fate = reassembly_add(reassembly, bytes, &d, now, &bytes, packet_length);
		held += fate == FRAME_FRAGMENT_HELD;
		settle();
		fuzz_require(fate == FRAME_ACCEPTED || (fate >= FRAME_FRAGMENT_HELD && fate <= FRAME_FRAGMENT_EXCESS));
		if (fate != FRAME_ACCEPTED)
			return NULL;
		fuzz_require(*packet_length <= 65535 + 40);
		fate = tunnel_packet(bytes, *packet_length, &host, &d);
		fuzz_require(fate != FRAME_ACCEPTED ||
			     (d.payload <= *packet_length && d.length <= *packet_length - d.payload));
		if (d.layers == layers)
			break;
	}
	return rounds ? bytes : NULL;
}

/* `choice`: which datagram, IPv6, more to come, time that passes; offset; length. */
static void add_chosen(const uint8_t choice[3])
{
	uint32_t offset = choice[1] * 8u, bytes = choice[2], header, packet_length;
	uint8_t frame[14 + 48 + 255] = {0}, *ip = frame + 14;
	bool v6 = choice[0] & 4, more = choice[0] & 0x10;
	const uint8_t *packet;

	memcpy(frame, mac, 6);
	wire_put16(frame + 12, v6 ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4);
	if (v6) {
		ip[0] = 0x60;
		wire_put16(ip + 4, (uint16_t)(8 + bytes));
		ip[6] = WIRE_FRAGMENT;
		memcpy(ip + 24, addresses[1].bytes, 16);
		ip[40] = 253; /* for experiments: nothing is looked for in it */
		wire_put16(ip + 42, (uint16_t)(offset | more));
		ip[47] = choice[0] & 3;
		header = 48;
	} else {
		uint16_t sum;

		ip[0] = 0x45;
		wire_put16(ip + 2, (uint16_t)(20 + bytes));
		ip[5] = choice[0] & 3;
		wire_put16(ip + 6, (uint16_t)(offset / 8 | (more ? 0x2000 : 0)));
		ip[9] = 253;
		ip[12] = 10;
		memcpy(ip + 16, addresses[0].bytes, 4);
		sum = checksum_finish(checksum_sum_ipv4(ip));
		memcpy(ip + 10, &sum, 2);
		header = 20;
	}
	memcpy(ip + header, text + offset, bytes);
	packet = add(frame, 14 + header + bytes, &packet_length);
	if (packet) {
		header = v6 ? 40 : 20;
		fuzz_require(packet_length > header && packet_length - header <= sizeof text);
		fuzz_require(memcmp(packet + header, text, packet_length - header) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {1, 2, 3};
	static uint8_t memory[REASSEMBLY_BYTES_MIN] __attribute__((aligned(64)));
	uint32_t ignored;

	if (!reassembly) {
		fuzz_require(host_init(&host, mac, addresses, 2, 2) == 0);
		host.tunnels = UINT32_MAX;
		for (uint32_t i = 0; i < sizeof text; i++)
			text[i] = (uint8_t)(i * 7 + i / 256);
	}
	memset(memory, 0, sizeof memory);
	reassembly = reassembly_init(memory, sizeof memory, TIMEOUT, secret);
	fuzz_require(reassembly);
	now = held = 0;
	memset(counts, 0, sizeof counts);
	while (size >= 3) {
		if (data[0] & 0x80) {
			uint32_t length = wire_get16(data + 1);
			uint8_t *frame;

			data += 3;
			size -= 3;
			length = length < size ? length : (uint32_t)size;
			frame = fuzz_allocate(length); /* exactly: a sanitizer sees the first byte read past it */
			memcpy(frame, data, length);
			add(frame, length, &ignored);
			free(frame);
			data += length;
			size -= length;
			continue;
		}
		add_chosen(data);
		now += (data[0] >> 5 & 3) * (TIMEOUT / 4);
		reassembly_expire(reassembly, now);
		data += 3;
		size -= 3;
	}
	now += TIMEOUT;
	for (int i = 0; i < 100; i++)
		reassembly_expire(reassembly, now);
	settle();
	fuzz_require(counts[FRAGMENTS_WAITING - COUNTER_FRAGMENT_BASE] == 0);
	return 0;
}
