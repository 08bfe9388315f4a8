// The frames that nearly all are, decoded without a call: the short way in front of decode_frame().
#pragma once

#include "dataplane/packet/decode.h"

#define DECODE_USUAL_HEADERS (WIRE_ETHERNET_BYTES + WIRE_IPV4_BYTES + WIRE_UDP_BYTES)
#define DECODE_USUAL_BYTES (DECODE_USUAL_HEADERS + WIRE_VLAN_BYTES)

#define USUAL_SHORT 64u /* bytes of a payload that are looked at as one vector */
#define USUAL_KEY 32u   /* bytes of a short key, moved as one */
/* Bytes from a usual frame's start that vectors may read of its buffer, however short it is: a key's from anywhere in a short
 * payload. */
#define USUAL_READS (DECODE_USUAL_BYTES + USUAL_SHORT + USUAL_KEY)

/* The usual frame, whose IPv4 header lies at a constant offset. */
static inline __attribute__((always_inline)) bool decode_usual_at(const uint8_t *frame, uint32_t length, uint32_t l3,
								  const struct host *host, uint32_t verified,
								  struct datagram *out)
{
	const uint8_t *ip = frame + l3;
	uint32_t total, udp, destination;
	uint64_t addresses = wire_raw64(ip + 12), ports;

	/* The type, the version and a header of 20 bytes; neither more fragments nor an offset, and UDP. */
	if ((wire_raw32(ip - 2) & 0xffffff) != 0x450008 || (wire_raw32(ip + 6) & 0xff00ff3f) != 0x11000000)
		return false;
	total = wire_get16(ip + 2);
	udp = wire_get16(ip + WIRE_IPV4_BYTES + 4);
	/* Bytes of IP behind those of UDP are not usual. */
	if (total != udp + WIRE_IPV4_BYTES || udp <= WIRE_UDP_BYTES || total > length - l3)
		return false;
	destination = (uint32_t)(addresses >> 32);
	if (__builtin_expect(destination != host->ipv4[0] || destination == 0, 0) && host_ipv4(host, destination) == HOST_NONE)
		return false;
	ports = wire_raw64(ip + WIRE_IPV4_BYTES);
	if (__builtin_expect(verified == 0, 1)) {
		uint64_t header = checksum_add64(wire_raw64(ip), addresses), pseudo, rest;

		rest = checksum_sum(ip + WIRE_IPV4_BYTES + WIRE_UDP_BYTES, udp - WIRE_UDP_BYTES);
		pseudo = checksum_add64(checksum_add64(addresses, ports), rest + (ports >> 32 & 0xffff) + (WIRE_UDP << 8));
		if (__builtin_expect(!checksum_is_right64(checksum_add64(header, wire_raw32(ip + 8))), 0))
			return false;
		if (__builtin_expect(!checksum_is_right64(pseudo), 0))
			return false;
	}
	if (ports >> 48 == 0) /* no checksum: decode_frame() knows what is right */
		return false;
	out->payload = l3 + WIRE_IPV4_BYTES + WIRE_UDP_BYTES;
	out->length = udp - WIRE_UDP_BYTES;
	return true;
}


// True for the frames that nearly all are, and then decode_frame() would have said FRAME_ACCEPTED with the same payload,
// length, vlan and vlan_tags, and addresses and ports in front of the payload as they always are: at most one tag
// (802.1Q), IPv4 without options, whole, nothing behind UDP, UDP with a checksum and at least a byte of payload. Sets
// nothing else in `out`. False says nothing: ask decode_frame(). `verified` is 0 or DECODE_ALL_GOOD. Not for a tap.
static inline __attribute__((always_inline)) bool decode_usual(const uint8_t *frame, uint32_t length,
							       const struct host *host, uint32_t verified,
							       struct datagram *out)
{
	if (length < DECODE_USUAL_BYTES || wire_mac(frame) != host->mac)
		return false;
	out->vlan = RECORD_VLAN_NONE;
	out->vlan_tags = 0;
	if (__builtin_expect((wire_raw32(frame + 12) & 0xffff) != 0x0081, 1)) /* WIRE_TYPE_VLAN as it lies */
		return decode_usual_at(frame, length, WIRE_ETHERNET_BYTES, host, verified, out);
	if (host->vlan_depth == 0)
		return false;
	out->vlan = wire_get16(frame + WIRE_ETHERNET_BYTES);
	out->vlan_tags = 1;
	return decode_usual_at(frame, length, WIRE_ETHERNET_BYTES + WIRE_VLAN_BYTES, host, verified, out);
}
