// From a frame's bytes to the UDP datagram in it, or to the one reason why there is none. See README.md beside.
#pragma once

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/host.h"
#include "dataplane/packet/wire.h"
#include "dataplane/seam/counters.h"
#include "dataplane/seam/record.h"

/*
 * The order of checks. A frame with several faults is counted under the first one:
 *
 *   frame    RUNT, TOO_LONG, OTHER_MAC (a unicast one; groups are sorted out by their IP address)
 *   tags     VLAN_DEPTH, VLAN_TRUNCATED, ETHERTYPE
 *   IPv4     IPV4_TRUNCATED (below 20 bytes), IPV4_HEADER (version, header length), IPV4_TRUNCATED (options),
 *            IPV4_HEADER (total length below the header), IPV4_TRUNCATED (total length), IPV4_CHECKSUM,
 *            OTHER_ADDRESS, IPV4_FRAGMENT, PROTOCOL
 *   IPv6     IPV6_TRUNCATED (below 40 bytes), IPV6_HEADER (version), IPV6_HEADER (payload length 0 with a next
 *            header), IPV6_TRUNCATED (payload length), OTHER_ADDRESS; then header by header along the chain
 *            IPV6_EXTENSION, IPV6_FRAGMENT; PROTOCOL
 *   UDP      OTHER_ADDRESS (to a solicited-node group), UDP_TRUNCATED, UDP_LENGTH, UDP_CHECKSUM
 *
 * ARP and ICMP come out as FRAME_ANSWERED without a look inside: answer_frame() looks, and names their fate.
 *
 * Bytes behind the IP length (padding, an FCS) and behind the UDP length are ignored. Options of IPv4 and of IPv6
 * extension headers are stepped over, not read. Length fields are believed only after they were checked against the
 * bytes that are there, whatever the NIC said.
 */

/* What the NIC found out about a frame's checksums; without a word from it they are computed here. */
enum decode_verified {
	DECODE_IP_CHECKSUM_GOOD = 1,
	DECODE_IP_CHECKSUM_BAD = 2, /* wins over GOOD */
	DECODE_L4_CHECKSUM_GOOD = 4,
	DECODE_L4_CHECKSUM_BAD = 8,
};

#define DECODE_ALL_GOOD (DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD)

#define DECODE_EXTENSIONS_MAX 8u         /* IPv6 extension headers in a chain */
#define DECODE_EXTENSION_BYTES_MAX 2048u /* their bytes together */

struct datagram {
	const uint8_t *addresses; /* source, then destination, as on the wire; NULL without a valid IP header */
	const uint8_t *ports;     /* source, then destination, as on the wire; NULL but for an accepted datagram */
	uint32_t payload; /* offset of the UDP payload in the frame; with FRAME_ANSWERED of the ARP or ICMP message */
	uint32_t length;  /* its bytes; with FRAME_ANSWERED all that IP, or the frame for ARP, has */
	uint16_t l3;      /* offset of the ARP, IPv4 or IPv6 header */
	uint16_t l4;      /* offset of the UDP or ICMP header */
	uint16_t vlan;    /* the outer tag's control information, RECORD_VLAN_NONE when untagged */
	uint8_t vlan_tags;
	uint8_t family; /* enum record_origin: RECORD_ORIGIN_NONE as long as `addresses` is NULL */
	/* What tunnel_enter() found: of the innermost tunnel; 0 without one. */
	uint32_t vni;   /* VXLAN, GENEVE or NVGRE network, GRE key, MPLS bottom label, PPPoE or ERSPAN session, GTP TEID */
	uint8_t tunnel; /* enum config_tunnel */
	uint8_t layers; /* tunnels in one another */
	bool inside;    /* the addresses are of an IP header inside another one, that was for this port */
};

// Writes a datagram's origin as a record carries it (struct origin4 or origin6). Returns its bytes: 12 or 36, or 0
// when there are no ports.
static inline uint32_t datagram_copy_origin(const struct datagram *d, uint8_t *out)
{
	if (!d->ports)
		return 0;
	if (d->family == RECORD_ORIGIN_IPV4) {
		memcpy(out, d->addresses, 8);
		memcpy(out + 8, d->ports, 4);
		return sizeof(struct origin4);
	}
	memcpy(out, d->addresses, 32);
	memcpy(out + 32, d->ports, 4);
	return sizeof(struct origin6);
}

// The same of a frame that may be anything: the addresses alone where there are no ports. Sets what of the origin is there, each
// enum record_origin: *addresses, and *ports with the ports.
static inline void datagram_copy_known(const struct datagram *d, uint8_t *out, uint8_t *addresses, uint8_t *ports)
{
	*addresses = d->addresses ? d->family : RECORD_ORIGIN_NONE;
	*ports = datagram_copy_origin(d, out) ? d->family : RECORD_ORIGIN_NONE;
	if (*addresses && !*ports)
		memcpy(out, d->addresses, *addresses == RECORD_ORIGIN_IPV4 ? 8 : 32);
}

// The outer VLAN id; 0 for an untagged or only priority-tagged frame (802.1Q 6.9).
static inline uint32_t datagram_vlan_id(const struct datagram *d)
{
	return d->vlan_tags ? d->vlan & 0xfffu : 0;
}

// Walks the IPv6 extension headers from *at up to `end`. FRAME_ACCEPTED with *next the first header that is none
// and *at its offset (at most `end`), or the reason against it.
enum counter_frame decode_extensions(const uint8_t *frame, uint32_t end, uint32_t *at, uint8_t *next);

static inline enum counter_frame decode_udp(const uint8_t *frame, uint32_t room, uint32_t verified,
					    struct datagram *out)
{
	const uint8_t *udp = frame + out->l4;
	uint32_t length, address_bytes = out->family == RECORD_ORIGIN_IPV4 ? 8 : 32;

	if (__builtin_expect(room < WIRE_UDP_BYTES, 0))
		return FRAME_UDP_TRUNCATED;
	length = wire_get16(udp + 4);
	if (__builtin_expect(length < WIRE_UDP_BYTES || length > room, 0))
		return FRAME_UDP_LENGTH;
	if (__builtin_expect(wire_get16(udp + 6) == 0, 0)) {
		/* The sender computed none: allowed over IPv4 only (RFC 768, RFC 8200 8.1). What the NIC makes of it
		 * is not asked: some call it bad. */
		if (out->family != RECORD_ORIGIN_IPV4)
			return FRAME_UDP_CHECKSUM;
	} else if (__builtin_expect(verified & DECODE_L4_CHECKSUM_BAD, 0)) {
		return FRAME_UDP_CHECKSUM;
	} else if (!(verified & DECODE_L4_CHECKSUM_GOOD)) {
		uint64_t sum = checksum_sum_pseudo(out->addresses, address_bytes, length, WIRE_UDP);

		if (__builtin_expect(!checksum_is_right(sum + checksum_sum(udp, length)), 0))
			return FRAME_UDP_CHECKSUM;
	}
	out->ports = udp;
	out->payload = out->l4 + WIRE_UDP_BYTES;
	out->length = length - WIRE_UDP_BYTES;
	return FRAME_ACCEPTED;
}

static inline enum counter_frame decode_icmp(uint32_t room, struct datagram *out)
{
	out->payload = out->l4;
	out->length = room;
	return FRAME_ANSWERED;
}

static inline enum counter_frame decode_ipv4(const uint8_t *frame, uint32_t length, const struct host *host,
					     uint32_t verified, struct datagram *out)
{
	const uint8_t *ip = frame + out->l3;
	uint32_t room = length - out->l3, header = WIRE_IPV4_BYTES, total;

	if (__builtin_expect(room < WIRE_IPV4_BYTES, 0))
		return FRAME_IPV4_TRUNCATED;
	if (__builtin_expect(ip[0] != 0x45, 0)) {
		header = (ip[0] & 15u) * 4;
		if (ip[0] >> 4 != 4 || header < WIRE_IPV4_BYTES)
			return FRAME_IPV4_HEADER;
		if (header > room)
			return FRAME_IPV4_TRUNCATED;
	}
	/* Total length 0 is what a host's segmentation offload leaves in a frame that no wire could carry. */
	total = wire_get16(ip + 2);
	if (__builtin_expect(total < header, 0))
		return FRAME_IPV4_HEADER;
	if (__builtin_expect(total > room, 0))
		return FRAME_IPV4_TRUNCATED;
	if (__builtin_expect(verified & DECODE_IP_CHECKSUM_BAD, 0))
		return FRAME_IPV4_CHECKSUM;
	if (!(verified & DECODE_IP_CHECKSUM_GOOD)) {
		uint64_t sum = checksum_sum_ipv4(ip);

		if (__builtin_expect(header > WIRE_IPV4_BYTES, 0))
			sum += checksum_sum_short(ip + WIRE_IPV4_BYTES, header - WIRE_IPV4_BYTES);
		if (__builtin_expect(!checksum_is_right(sum), 0))
			return FRAME_IPV4_CHECKSUM;
	}
	out->family = RECORD_ORIGIN_IPV4;
	out->addresses = ip + 12;
	if (__builtin_expect(host_ipv4(host, wire_raw32(ip + 16)) == HOST_NONE, 0))
		return FRAME_OTHER_ADDRESS;
	if (__builtin_expect(wire_get16(ip + 6) & 0x3fff, 0)) /* more fragments, or an offset */
		return FRAME_IPV4_FRAGMENT;
	out->l4 = (uint16_t)(out->l3 + header);
	if (__builtin_expect(ip[9] == WIRE_UDP, 1))
		return decode_udp(frame, total - header, verified, out);
	return ip[9] == WIRE_ICMP ? decode_icmp(total - header, out) : FRAME_PROTOCOL;
}

static inline enum counter_frame decode_ipv6(const uint8_t *frame, uint32_t length, const struct host *host,
					     uint32_t verified, struct datagram *out)
{
	const uint8_t *ip = frame + out->l3;
	uint32_t room = length - out->l3, at = out->l3 + WIRE_IPV6_BYTES, payload, end;
	enum host_reach reach;
	uint8_t next;

	if (__builtin_expect(room < WIRE_IPV6_BYTES, 0))
		return FRAME_IPV6_TRUNCATED;
	next = ip[6];
	payload = wire_get16(ip + 4);
	if (__builtin_expect(ip[0] >> 4 != 6, 0))
		return FRAME_IPV6_HEADER;
	/* 0 is a jumbogram or segmentation offload, of which no wire carries either to here, or an empty packet. */
	if (__builtin_expect(payload == 0 && next != WIRE_NO_NEXT, 0))
		return FRAME_IPV6_HEADER;
	if (__builtin_expect(payload > room - WIRE_IPV6_BYTES, 0))
		return FRAME_IPV6_TRUNCATED;
	out->family = RECORD_ORIGIN_IPV6;
	out->addresses = ip + 8;
	reach = host_ipv6(host, ip + 24);
	if (__builtin_expect(reach == HOST_NONE, 0))
		return FRAME_OTHER_ADDRESS;
	end = at + payload;
	if (__builtin_expect(next != WIRE_UDP && next != WIRE_ICMPV6, 0)) {
		enum counter_frame fate = decode_extensions(frame, end, &at, &next);

		if (fate != FRAME_ACCEPTED)
			return fate;
	}
	out->l4 = (uint16_t)at;
	if (__builtin_expect(next == WIRE_UDP, 1)) {
		if (__builtin_expect(reach != HOST_UNICAST, 0)) /* these groups are joined for their solicitations */
			return FRAME_OTHER_ADDRESS;
		return decode_udp(frame, end - at, verified, out);
	}
	return next == WIRE_ICMPV6 ? decode_icmp(end - at, out) : FRAME_PROTOCOL;
}

static inline bool decode_is_tag(uint32_t type)
{
	return type == WIRE_TYPE_VLAN || type == WIRE_TYPE_QINQ || type == WIRE_TYPE_QINQ_OLD;
}

// What becomes of the `length` contiguous bytes at `frame`: FRAME_ACCEPTED with `out` a UDP datagram for an address of
// `host`, wholly inside the frame; FRAME_ANSWERED for what answer_frame() should look at; else the reason to drop it.
// `verified` is of enum decode_verified. Always sets out->vlan, vlan_tags, family, addresses and ports, and that there is
// no tunnel; l3 also with what fails behind the tags; the rest only with those two results. Pointers in `out` point into
// the frame. Reads nothing outside it, keeps and writes nothing.
//
// A tap (host_init_tap()) wants the description, not the result: it gives both GOOD flags and takes every frame.
static inline enum counter_frame decode_frame(const uint8_t *frame, uint32_t length, const struct host *host,
					      uint32_t verified, struct datagram *out)
{
	uint32_t type, at = WIRE_ETHERNET_BYTES;

	out->addresses = NULL;
	out->ports = NULL;
	out->vlan = RECORD_VLAN_NONE;
	out->vlan_tags = 0;
	out->family = RECORD_ORIGIN_NONE;
	out->vni = 0;
	out->tunnel = 0;
	out->layers = 0;
	out->inside = false;
	if (__builtin_expect(length - WIRE_ETHERNET_BYTES > WIRE_FRAME_MAX - WIRE_ETHERNET_BYTES, 0))
		return length < WIRE_ETHERNET_BYTES ? FRAME_RUNT : FRAME_TOO_LONG;
	if (__builtin_expect(wire_mac(frame) != host->mac && !(frame[0] & 1) && !host->tap, 0))
		return FRAME_OTHER_MAC;
	type = wire_get16(frame + 12);
	while (__builtin_expect(type != WIRE_TYPE_IPV4, 0) && decode_is_tag(type)) {
		if (out->vlan_tags == host->vlan_depth)
			return FRAME_VLAN_DEPTH;
		if (length - at < WIRE_VLAN_BYTES)
			return FRAME_VLAN_TRUNCATED;
		if (out->vlan_tags++ == 0)
			out->vlan = wire_get16(frame + at);
		type = wire_get16(frame + at + 2);
		at += WIRE_VLAN_BYTES;
	}
	out->l3 = (uint16_t)at;
	if (__builtin_expect(type == WIRE_TYPE_IPV4, 1))
		return decode_ipv4(frame, length, host, verified, out);
	if (type == WIRE_TYPE_IPV6)
		return decode_ipv6(frame, length, host, verified, out);
	if (type != WIRE_TYPE_ARP)
		return FRAME_ETHERTYPE;
	out->l4 = (uint16_t)at;
	return decode_icmp(length - at, out);
}
