// Header fields as they lie in a frame: unaligned, big endian, and the numbers that name protocols.
#pragma once

#include <stdint.h>
#include <string.h>

#define WIRE_MAC_BYTES 6u
#define WIRE_ETHERNET_BYTES 14u
#define WIRE_VLAN_BYTES 4u
#define WIRE_ARP_BYTES 28u /* for Ethernet and IPv4 */
#define WIRE_IPV4_BYTES 20u
#define WIRE_IPV6_BYTES 40u
#define WIRE_UDP_BYTES 8u
#define WIRE_ICMP_BYTES 8u
#define WIRE_FRAME_MIN 60u /* what a sender pads to; the NIC adds the 4 bytes of FCS */
#define WIRE_FRAME_MAX 65535u

enum wire_ethertype { /* IEEE registration authority; below 0x0600 it is an 802.3 length */
		      WIRE_TYPE_IPV4 = 0x0800,
		      WIRE_TYPE_ARP = 0x0806,
		      WIRE_TYPE_VLAN = 0x8100,     /* 802.1Q */
		      WIRE_TYPE_QINQ = 0x88a8,     /* 802.1ad */
		      WIRE_TYPE_QINQ_OLD = 0x9100, /* before 802.1ad, still sent */
		      WIRE_TYPE_IPV6 = 0x86dd,
		      WIRE_TYPE_MPLS = 0x8847,
		      WIRE_TYPE_MPLS_UPSTREAM = 0x8848, /* upstream-assigned labels, once called multicast (RFC 5332) */
		      WIRE_TYPE_PPPOE = 0x8864,         /* session stage */
		      WIRE_TYPE_BRIDGED = 0x6558,       /* transparent Ethernet bridging, in GRE and GENEVE only */
		      WIRE_TYPE_ERSPAN = 0x88be,        /* I and II, in GRE only */
		      WIRE_TYPE_ERSPAN3 = 0x22eb,
};

enum wire_protocol { /* IANA protocol numbers */
		     WIRE_HOP_BY_HOP = 0,
		     WIRE_ICMP = 1,
		     WIRE_IPV4_IN_IP = 4,
		     WIRE_UDP = 17,
		     WIRE_IPV6_IN_IP = 41,
		     WIRE_ROUTING = 43,
		     WIRE_FRAGMENT = 44,
		     WIRE_GRE = 47,
		     WIRE_AUTHENTICATION = 51,
		     WIRE_ICMPV6 = 58,
		     WIRE_NO_NEXT = 59,
		     WIRE_DESTINATION = 60,
		     WIRE_MPLS_IN_IP = 137,
};

// The value of a big-endian field.
static inline uint16_t wire_get16(const uint8_t *p)
{
	uint16_t raw;

	memcpy(&raw, p, sizeof raw);
	return __builtin_bswap16(raw);
}

static inline uint32_t wire_get32(const uint8_t *p)
{
	uint32_t raw;

	memcpy(&raw, p, sizeof raw);
	return __builtin_bswap32(raw);
}

static inline void wire_put16(uint8_t *p, uint16_t value)
{
	value = __builtin_bswap16(value);
	memcpy(p, &value, sizeof value);
}

// Bytes as memory has them, for sums and comparisons that do not care about their order.
static inline uint16_t wire_raw16(const uint8_t *p)
{
	uint16_t raw;

	memcpy(&raw, p, sizeof raw);
	return raw;
}

static inline uint32_t wire_raw32(const uint8_t *p)
{
	uint32_t raw;

	memcpy(&raw, p, sizeof raw);
	return raw;
}

static inline uint64_t wire_raw64(const uint8_t *p)
{
	uint64_t raw;

	memcpy(&raw, p, sizeof raw);
	return raw;
}

// The MAC address at `p` as a number to compare. Reads 8 bytes.
static inline uint64_t wire_mac(const uint8_t *p)
{
	return wire_raw64(p) & 0xffffffffffffull;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "wire_get16() and the record format say little endian");
