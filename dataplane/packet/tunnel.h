// From a datagram or frame that carries another one to the innermost: tunnels and labels. See README.md beside.
#pragma once

#include "config/config.h"
#include "dataplane/packet/decode.h"

/*
 *   Ethernet (tags)     MPLS labels   PPPoE session
 *   IPv4, IPv6          IPv4 or IPv6 in it, GRE (NVGRE, ERSPAN I-III), MPLS
 *   UDP 4789, 8472      VXLAN         4790 VXLAN-GPE
 *   UDP 6081            GENEVE        2152 GTP-U        6635 MPLS      (4789, 6081, 2152: or what the host says)
 *
 * carry one another in any order. One loop goes from the outside in, one header a turn; every tunnel is a layer, of
 * which there are at most TUNNEL_LAYERS_MAX, and headers and what is summed are together at most TUNNEL_BYTES_MAX.
 *
 * What a port looks into is host->tunnels. The outermost IP header must be for an address of the port: there the
 * tunnel ends. What is in it may be for any address. Checksums are verified, the outermost and the innermost ones of
 * UDP, every one of IPv4 and GRE; over IPv6 a tunnel's UDP may have none (RFC 6935).
 */

#define TUNNEL_LAYERS_MAX 16u
#define TUNNEL_BYTES_MAX (2 * WIRE_FRAME_MAX)

// Goes on where decode_frame() said `fate` and described `d` of the `length` bytes at `frame`, with the same `host`:
// what becomes of the frame, and `d` of what is innermost. A frame without a tunnel, or with one that the host does not
// look into, keeps both. FRAME_ACCEPTED: d->addresses, ports, payload and length are of the innermost datagram, which
// lies wholly inside the frame. FRAME_IPV4_FRAGMENT, FRAME_IPV6_FRAGMENT: d->l3 is that of the innermost IP header.
// FRAME_ANSWERED only for a frame without a tunnel. d->vlan stays that of the outermost tag.
//
// Of a tap's frame `d` becomes that of the innermost valid IP header, with ports if a valid UDP header is next to it;
// no sum is verified, and the result means nothing.
enum counter_frame tunnel_enter(const uint8_t *frame, uint32_t length, const struct host *host, enum counter_frame fate,
				struct datagram *d);

// The same for the IP packet of `length` bytes at `packet`, put together of fragments of which `d` describes one: its
// tag and tunnels stay those of the packet. Pointers and offsets in `d` are then of `packet`. No checksum of UDP is
// believed. Never FRAME_ANSWERED: an ICMP message is FRAME_ICMP_OTHER.
enum counter_frame tunnel_packet(const uint8_t *packet, uint32_t length, const struct host *host, struct datagram *d);

// Whether datagrams to a UDP port are a tunnel's that the host looks into.
bool tunnel_takes_port(const struct host *host, uint32_t udp_port);

// A port's configured list as a host has it.
static inline uint32_t tunnel_mask(uint32_t configured)
{
	return configured & 1 ? UINT32_MAX : configured;
}
