// The replies a host owes its link: ARP, IPv6 neighbour discovery, echo; and the announcement of its addresses.
#pragma once

#include "dataplane/packet/host.h"
#include "dataplane/seam/counters.h"

/*
 * What is answered, and where it is written:
 *   ARP request for an own IPv4 address, probes included          RFC 826, RFC 5227
 *   neighbour solicitation for an own IPv6 address, DAD included  RFC 4861 7.1.1, 7.2.4; RFC 4862 5.4.3
 *   echo request to an own unicast address, over IPv4 and IPv6    RFC 792, RFC 1122 3.2.2.6; RFC 4443 4.2
 *
 * A reply goes back to the MAC address it came from, under the same VLAN tags. Nothing is answered that came from a
 * group address, from no address (but probes) or from ourselves, nor an echo that came to a group of either layer: a
 * forged request must not make many of us speak, or us to ourselves. IP options and extension headers stay behind.
 */

// Looks at a whole frame of which decode_frame() said FRAME_ANSWERED, and writes the reply to `out` (`room` bytes, not
// overlapping `frame`), padded to 60 bytes. Returns the reply's length and *fate FRAME_ANSWERED, or 0 and *fate the row
// to count the frame under: FRAME_ARP_MALFORMED, FRAME_ARP_OTHER, FRAME_ICMP_MALFORMED, FRAME_ICMP_OTHER,
// FRAME_ANSWER_FAILED when `room` is too small. It decodes once more itself, so any frame is safe to give: one that
// decode_frame() drops or accepts yields 0 and that result.
uint32_t answer_frame(const struct host *host, const uint8_t *frame, uint32_t length, uint8_t *out, uint32_t room,
		      enum counter_frame *fate);

// How many announcements there are: one for each own address.
uint32_t answer_announcements(const struct host *host);

// Writes announcement `index` (from 0), a gratuitous ARP request (RFC 5227 2.3) or an unsolicited neighbour
// advertisement (RFC 4861 7.2.6), under `vlan` (a TCI; RECORD_VLAN_NONE: untagged). Returns its length; 0 when there is
// no such announcement or `room` is below 90 bytes.
uint32_t answer_announce(const struct host *host, uint32_t index, uint16_t vlan, uint8_t *out, uint32_t room);
