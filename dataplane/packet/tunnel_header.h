// The headers of tunnels, each read on its own. Private to tunnel.c and its tests.
#pragma once

#include "config/config.h"
#include "dataplane/packet/wire.h"
#include "dataplane/seam/counters.h"

/* A header that was found good, and what lies behind it. */
struct tunnel_header {
	uint32_t id;    /* see struct datagram, vni */
	uint32_t bytes; /* of the header: what it carries begins there */
	uint32_t inner; /* bytes of what it carries; the rest of the room is padding */
	uint16_t type;  /* with TUNNEL_HOLDS_TYPE */
	uint8_t kind;   /* enum config_tunnel */
	uint8_t holds;
	bool summed; /* GRE: it has a checksum over all of it */
};

enum tunnel_holds {
	TUNNEL_HOLDS_TYPE,     /* what an EtherType says */
	TUNNEL_HOLDS_ETHERNET, /* a frame without its FCS */
	TUNNEL_HOLDS_IP,       /* IPv4 or IPv6, as its first four bits say */
};

#define TUNNEL_MPLS_LABELS_MAX 16u
#define TUNNEL_GTP_EXTENSIONS_MAX 8u

/*
 * Each looks at the `room` bytes at `header`, of which any number may be there, and fills `out`. FRAME_ACCEPTED; the
 * row of its protocol when header or lengths are cut off or a lie; FRAME_TUNNEL_INNER when it is well-formed and
 * carries what is not looked into: control messages, other protocols. Then kind and id are set, after a fault only
 * kind.
 */

// A label stack down to its bottom (RFC 3032). What is behind it nothing says but the labels 0 and 2 and the first
// bits: IPv4, IPv6, or a frame with (RFC 4448, 4385) or without a control word in front, if its EtherType makes sense.
enum counter_frame tunnel_mpls(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// PPPoE session (RFC 2516) with the PPP protocol field behind it, one byte or two (RFC 1661 6.5).
enum counter_frame tunnel_pppoe(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// RFC 7348; the group policy extension only uses more flags.
enum counter_frame tunnel_vxlan(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// draft-ietf-nvo3-vxlan-gpe-12, on a UDP port of its own.
enum counter_frame tunnel_vxlan_gpe(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// RFC 8926. Options are stepped over, not read, also critical ones.
enum counter_frame tunnel_geneve(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// RFC 2784 with key and sequence number (RFC 2890); ERSPAN I to III (draft-foschiano-erspan-03). The checksum is not
// verified here.
enum counter_frame tunnel_gre(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// The same where transparent Ethernet with a key and nothing else is taken for NVGRE (RFC 7637), as which a bridged GRE
// tunnel with a key looks as well.
enum counter_frame tunnel_nvgre(const uint8_t *header, uint32_t room, struct tunnel_header *out);

// GTP-U version 1 (3GPP TS 29.281) with its extension headers; only G-PDUs carry something.
enum counter_frame tunnel_gtp(const uint8_t *header, uint32_t room, struct tunnel_header *out);
