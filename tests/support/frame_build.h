// Frames for tests, built by plain code that shares nothing with what it tests.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet/host.h"

#define FRAME_BUILD_MAX 70000u
#define FRAME_TAGS_MAX 8u

extern const uint8_t frame_own_mac[6], frame_peer_mac[6]; /* 02:00:5e:10:00:01, 02:aa:bb:cc:dd:ee */
extern const uint8_t frame_own4[4], frame_peer4[4];       /* 192.0.2.1/24, 192.0.2.99 */
extern const uint8_t frame_own6[16], frame_peer6[16];     /* 2001:db8::1:2:3/64, 2001:db8::99 */
extern const uint8_t frame_link_local[16];                /* fe80::5eff:fe10:1, of frame_own_mac */
extern const uint8_t frame_solicited[16];                 /* ff02::1:ff02:3, of frame_own6 */

struct frame_build {           /* zero means the ordinary */
	const uint8_t *to_mac; /* frame_own_mac */
	uint32_t tags;         /* each 0x8100 with VLAN id 100 + its place, unless set below */
	uint16_t tpid[FRAME_TAGS_MAX], tci[FRAME_TAGS_MAX];
	uint8_t family;                      /* 4 or 6; 0 is 4 */
	const uint8_t *source, *destination; /* peer and own address */
	uint32_t options;                    /* bytes of IPv4 options, a multiple of 4: no-operations */
	const uint8_t *extensions;           /* IPv6 extension headers, of which the last names what follows */
	uint32_t extension_bytes;
	uint8_t next;           /* IPv6 next header, when there are extensions */
	uint8_t protocol;       /* of the message; 0 is UDP */
	uint8_t hop_limit;      /* 0 is 61 */
	const uint8_t *message; /* ICMP: what stands behind IP, its checksum at offset 2 set here */
	uint32_t message_bytes;
	uint16_t destination_port; /* 0 is 514; the source port is 40,000 */
	uint32_t payload;          /* bytes of a pattern */
	uint32_t padding;          /* bytes of 0xa5 behind the IP packet */
	bool no_checksum;
};

// Builds the frame into `out` (FRAME_BUILD_MAX). Returns its length.
uint32_t frame_build(const struct frame_build *what, uint8_t *out);

// An ARP frame from peer to `to_mac`. Returns its length, 42.
uint32_t frame_build_arp(uint8_t *out, const uint8_t *to_mac, uint16_t operation, const uint8_t *sender,
			 const uint8_t *target);

// The host the frames above are for, with `vlan_depth` 2.
void frame_host(struct host *host);

// The 16-bit ones' complement sum, word by word, of big-endian words, going on from `sum`.
uint32_t frame_sum(uint32_t sum, const uint8_t *bytes, uint32_t length);

// Sets the checksum of the IPv4 header at `ip`, of the length its first byte says.
void frame_fix_ipv4(uint8_t *ip);

// The checksum of `length` bytes at `message` with the pseudo header of `addresses` (2 x address_bytes), as a number:
// 0 when the one among the bytes is right.
uint16_t frame_pseudo_checksum(const uint8_t *addresses, uint32_t address_bytes, uint8_t protocol,
			       const uint8_t *message, uint32_t length);

// A copy in a heap block of exactly this size, so that a sanitizer sees the first byte read past it.
uint8_t *frame_exact(const uint8_t *frame, uint32_t length);

// splitmix64: the next of a reproducible series.
uint64_t frame_random(uint64_t *state);
