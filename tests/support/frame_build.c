#include "tests/support/frame_build.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"

const uint8_t frame_own_mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0x01};
const uint8_t frame_peer_mac[6] = {0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee};
const uint8_t frame_own4[4] = {192, 0, 2, 1};
const uint8_t frame_peer4[4] = {192, 0, 2, 99};
const uint8_t frame_own6[16] = {0x20, 0x01, 0x0d, 0xb8, [11] = 1, [13] = 2, [15] = 3};
const uint8_t frame_peer6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x99};
const uint8_t frame_link_local[16] = {0xfe, 0x80, [10] = 0x5e, 0xff, 0xfe, 0x10, 0x00, 0x01};
const uint8_t frame_solicited[16] = {0xff, 0x02, [11] = 1, 0xff, 0x02, 0x00, 0x03};

static void put(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void frame_host(struct host *host)
{
	struct config_address addresses[2] = {{.family = 4, .prefix_length = 24}, {.family = 6, .prefix_length = 64}};

	memcpy(addresses[0].bytes, frame_own4, 4);
	memcpy(addresses[1].bytes, frame_own6, 16);
	if (host_init(host, frame_own_mac, addresses, 2, 2) != 0)
		abort();
}

uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) {
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
		while (sum > 0xffff)
			sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

void frame_fix_ipv4(uint8_t *ip)
{
	put(ip + 10, 0);
	put(ip + 10, ~frame_sum(0, ip, (ip[0] & 15u) * 4));
}

uint16_t frame_pseudo_checksum(const uint8_t *addresses, uint32_t address_bytes, uint8_t protocol,
			       const uint8_t *message, uint32_t length)
{
	uint8_t rest[6] = {
		(uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, 0, protocol};
	uint32_t sum = frame_sum(frame_sum(0, addresses, 2 * address_bytes), rest, sizeof rest);

	return (uint16_t)~frame_sum(sum, message, length);
}

static uint32_t put_ethernet(const struct frame_build *w, uint8_t *out)
{
	uint32_t at = 12;

	memcpy(out, w->to_mac ? w->to_mac : frame_own_mac, 6);
	memcpy(out + 6, frame_peer_mac, 6);
	for (uint32_t i = 0; i < w->tags; i++, at += 4) {
		put(out + at, w->tpid[i] ? w->tpid[i] : 0x8100);
		put(out + at + 2, w->tci[i] ? w->tci[i] : 100 + i);
	}
	put(out + at, w->family == 6 ? 0x86dd : 0x0800);
	return at + 2;
}

// The UDP or ICMP message. Returns its bytes.
static uint32_t put_message(const struct frame_build *w, uint8_t *out, const uint8_t *addresses, uint32_t address_bytes)
{
	uint32_t length = 8 + w->payload, checksum_at = 6;
	uint16_t checksum;

	if (w->protocol) {
		length = w->message_bytes;
		checksum_at = 2;
		memcpy(out, w->message, length);
		if (length < 4)
			return length;
	} else {
		put(out, 40000);
		put(out + 2, w->destination_port ? w->destination_port : 514);
		put(out + 4, length);
		for (uint32_t i = 0; i < w->payload; i++)
			out[8 + i] = (uint8_t)(i * 31 + 7);
	}
	put(out + checksum_at, 0);
	checksum = w->protocol == 1 ? (uint16_t)~frame_sum(0, out, length)
				    : frame_pseudo_checksum(addresses, address_bytes, w->protocol ? w->protocol : 17,
							    out, length);
	if (checksum == 0 && !w->protocol)
		checksum = 0xffff;
	put(out + checksum_at, w->no_checksum ? 0 : checksum);
	return length;
}

static uint32_t put_ipv4(const struct frame_build *w, uint8_t *ip)
{
	uint32_t header = 20 + w->options, total;

	memset(ip, 0, 20);
	memset(ip + 20, 1, w->options);
	memcpy(ip + 12, w->source ? w->source : frame_peer4, 4);
	memcpy(ip + 16, w->destination ? w->destination : frame_own4, 4);
	total = header + put_message(w, ip + header, ip + 12, 4);
	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = 0xb9;
	put(ip + 2, total);
	put(ip + 4, 0x1234);
	ip[6] = 0x40;
	ip[8] = w->hop_limit ? w->hop_limit : 61;
	ip[9] = w->protocol ? w->protocol : 17;
	frame_fix_ipv4(ip);
	return total;
}

static uint32_t put_ipv6(const struct frame_build *w, uint8_t *ip)
{
	uint32_t payload;

	memset(ip, 0, 40);
	ip[0] = 0x6b;
	ip[1] = 0x9c;
	ip[3] = 0x77;
	ip[6] = w->extensions ? w->next : w->protocol ? w->protocol : 17;
	ip[7] = w->hop_limit ? w->hop_limit : 61;
	memcpy(ip + 8, w->source ? w->source : frame_peer6, 16);
	memcpy(ip + 24, w->destination ? w->destination : frame_own6, 16);
	if (w->extensions)
		memcpy(ip + 40, w->extensions, w->extension_bytes);
	payload = w->extension_bytes + put_message(w, ip + 40 + w->extension_bytes, ip + 8, 16);
	put(ip + 4, payload);
	return 40 + payload;
}

uint32_t frame_build(const struct frame_build *w, uint8_t *out)
{
	uint32_t at = put_ethernet(w, out);

	at += w->family == 6 ? put_ipv6(w, out + at) : put_ipv4(w, out + at);
	memset(out + at, 0xa5, w->padding);
	return at + w->padding;
}

uint32_t frame_build_arp(uint8_t *out, const uint8_t *to_mac, uint16_t operation, const uint8_t *sender,
			 const uint8_t *target)
{
	static const uint8_t fixed[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4};

	memset(out, 0, 42);
	memcpy(out, to_mac, 6);
	memcpy(out + 6, frame_peer_mac, 6);
	memcpy(out + 12, fixed, sizeof fixed);
	put(out + 20, operation);
	memcpy(out + 22, frame_peer_mac, 6);
	memcpy(out + 28, sender, 4);
	memcpy(out + 38, target, 4);
	return 42;
}

uint8_t *frame_exact(const uint8_t *frame, uint32_t length)
{
	uint8_t *copy = malloc(length);

	if (length == 0)
		return copy;
	if (!copy)
		abort();
	return memcpy(copy, frame, length);
}

uint64_t frame_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}
