// Frames with tunnels for tests, built from the inside out by plain code that shares nothing with what it tests.
#pragma once

#include "tests/support/frame_build.h"

#define STACK_BYTES 70000u

/* What has been built so far is bytes[start..end): every header goes in front of it. */
struct stack {
	uint32_t start, end;
	uint8_t bytes[STACK_BYTES];
};

// Begins with `payload` bytes of a pattern.
void stack_begin(struct stack *s, uint32_t payload);

// What has been built, and its bytes.
uint8_t *stack_head(struct stack *s);
uint32_t stack_length(const struct stack *s);

// Puts `count` bytes in front.
void stack_push(struct stack *s, const void *bytes, uint32_t count);
void stack_push16(struct stack *s, uint32_t value);
void stack_push32(struct stack *s, uint32_t value);

// A UDP header from port 40,000, with its checksum for `family` and addresses (NULL: peer's, own), or 0; then the IP
// header.
void stack_udp(struct stack *s, uint8_t family, const uint8_t *source, const uint8_t *destination, uint16_t port,
	       bool no_checksum);

// An IP header of 20 or 40 bytes. NULL: the peer's address, the own address.
void stack_ip(struct stack *s, uint8_t family, const uint8_t *source, const uint8_t *destination, uint8_t protocol);

// An Ethernet header from peer to own MAC, and a tag that stands behind it (so before stack_ethernet()): `type` is what
// follows the tag.
void stack_ethernet(struct stack *s, uint16_t type);
void stack_tag(struct stack *s, uint16_t tci, uint16_t type);

void stack_mpls(struct stack *s, uint32_t label, bool bottom);
void stack_pppoe(struct stack *s, uint16_t session, uint16_t protocol);
void stack_vxlan(struct stack *s, uint32_t vni);
void stack_vxlan_gpe(struct stack *s, uint32_t vni, uint8_t next);
void stack_geneve(struct stack *s, uint32_t vni, uint16_t type, uint32_t option_words);

// `flags` 0x8000 checksum, 0x2000 key, 0x1000 sequence number.
void stack_gre(struct stack *s, uint16_t flags, uint16_t type, uint32_t key);

// ERSPAN II or III with GRE in front; III with the platform's subheader.
void stack_erspan(struct stack *s, uint32_t version, uint16_t session);

// A G-PDU; with sequence number, and `extensions` extension headers of 4 bytes.
void stack_gtp(struct stack *s, uint32_t teid, bool sequence, uint32_t extensions);

/* One of each kind around a datagram to `port` with 30 bytes, in a frame of the port's: for tests that go through all.
 */
struct stack_kind {
	const char *name;
	uint8_t tunnel; /* enum config_tunnel */
	uint32_t vni;
	uint8_t inner_family;
	void (*wrap)(struct stack *s); /* an IP packet into a frame for frame_host() */
};

extern const struct stack_kind stack_kinds[];
extern const uint32_t stack_kinds_count;

extern const uint8_t stack_inner4[8], stack_inner6[32]; /* source, destination of what is inside: nobody's */

// Builds kind `k` of stack_kinds.
void stack_build(struct stack *s, uint32_t k, uint16_t port, uint32_t payload);

/* A fragment: `length` bytes from `offset` of what an IP packet carries. */
struct stack_fragment {
	uint8_t family;                      /* 4 or 6 */
	const uint8_t *source, *destination; /* NULL: the peer's address, the own address */
	uint32_t id;
	uint8_t protocol; /* 0: UDP */
	const uint8_t *bytes;
	uint32_t offset, length;
	bool more;
	uint32_t extensions; /* IPv6: hop-by-hop or destination options of 8 bytes in front of the fragment header */
};

// Begins with the IP packet of a fragment.
void stack_fragment(struct stack *s, const struct stack_fragment *what);
