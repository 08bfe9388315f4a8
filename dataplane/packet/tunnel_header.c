#include "dataplane/packet/tunnel_header.h"

#include <stdbool.h>

/* What `bytes` of header leave of the room; for headers that do not say how long their content is. */
static enum counter_frame carries(struct tunnel_header *out, uint32_t bytes, uint32_t room, enum tunnel_holds holds)
{
	out->bytes = bytes;
	out->inner = room - bytes;
	out->holds = holds;
	return FRAME_ACCEPTED;
}

static enum counter_frame carries_type(struct tunnel_header *out, uint32_t bytes, uint32_t room, uint16_t type)
{
	out->type = type;
	return carries(out, bytes, room, type == WIRE_TYPE_BRIDGED ? TUNNEL_HOLDS_ETHERNET : TUNNEL_HOLDS_TYPE);
}

/* Whether a frame seems to begin at `at`: its EtherType is one that is often met, and what follows begins as it must.
 */
static bool like_ethernet(const uint8_t *at, uint32_t room)
{
	uint32_t nibble;

	if (room < WIRE_ETHERNET_BYTES)
		return false;
	nibble = room > WIRE_ETHERNET_BYTES ? at[WIRE_ETHERNET_BYTES] >> 4 : 0;
	switch (wire_get16(at + 12)) {
	case WIRE_TYPE_IPV4:
		return nibble == 4;
	case WIRE_TYPE_IPV6:
		return nibble == 6;
	case WIRE_TYPE_ARP:
	case WIRE_TYPE_VLAN:
	case WIRE_TYPE_QINQ:
	case WIRE_TYPE_MPLS:
	case WIRE_TYPE_MPLS_UPSTREAM:
	case WIRE_TYPE_PPPOE:
		return true;
	default: /* 802.3: a length that fits */
		return wire_get16(at + 12) >= 3 && wire_get16(at + 12) <= room - WIRE_ETHERNET_BYTES &&
		       wire_get16(at + 12) <= 1500;
	}
}

enum counter_frame tunnel_mpls(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	uint32_t at = 0, entry, label, nibble;

	out->kind = TUNNEL_MPLS;
	do {
		if (at == TUNNEL_MPLS_LABELS_MAX * 4 || room - at < 4)
			return FRAME_MPLS;
		entry = wire_get32(header + at);
		at += 4;
	} while (!(entry & 0x100));
	label = out->id = entry >> 12;
	if (room == at)
		return FRAME_MPLS;
	nibble = header[at] >> 4;
	if (nibble == 4 || label == 0) /* IPv4 explicit NULL; 2 is that of IPv6 */
		return carries_type(out, at, room, WIRE_TYPE_IPV4);
	if (nibble == 6 || label == 2)
		return carries_type(out, at, room, WIRE_TYPE_IPV6);
	if (nibble == 0 && room - at > 4 && like_ethernet(header + at + 4, room - at - 4))
		return carries(out, at + 4, room, TUNNEL_HOLDS_ETHERNET);
	if (nibble != 1 && like_ethernet(header + at, room - at)) /* 1: an associated channel (RFC 4385) */
		return carries(out, at, room, TUNNEL_HOLDS_ETHERNET);
	return FRAME_TUNNEL_INNER;
}

enum counter_frame tunnel_pppoe(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	uint32_t length, protocol, bytes;

	out->kind = TUNNEL_PPPOE;
	if (room < 8 || header[0] != 0x11 || header[1] != 0) /* version and type; data */
		return FRAME_PPPOE;
	out->id = wire_get16(header + 2);
	length = wire_get16(header + 4);
	if (length < 2 || length > room - 6)
		return FRAME_PPPOE;
	/* The low bit ends the field: a compressed one has a byte only. */
	bytes = header[6] & 1 ? 1 : 2;
	protocol = bytes == 1 ? header[6] : wire_get16(header + 6);
	out->type = protocol == 0x21    ? WIRE_TYPE_IPV4
		    : protocol == 0x57  ? WIRE_TYPE_IPV6
		    : protocol == 0x281 ? WIRE_TYPE_MPLS
					: 0;
	out->bytes = 6 + bytes;
	out->inner = length - bytes;
	out->holds = TUNNEL_HOLDS_TYPE;
	return out->type ? FRAME_ACCEPTED : FRAME_TUNNEL_INNER;
}

enum counter_frame tunnel_vxlan(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	out->kind = TUNNEL_VXLAN;
	if (room < 8 || !(header[0] & 0x08)) /* the VNI is valid: must be said */
		return FRAME_VXLAN;
	out->id = wire_get32(header + 4) >> 8;
	return carries(out, 8, room, TUNNEL_HOLDS_ETHERNET);
}

enum counter_frame tunnel_vxlan_gpe(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	out->kind = TUNNEL_VXLAN;
	/* The version is 0; the VNI must be valid. */
	if (room < 8 || (header[0] & 0x30) != 0 || !(header[0] & 0x08))
		return FRAME_VXLAN;
	out->id = wire_get32(header + 4) >> 8;
	if (header[0] & 0x01) /* OAM */
		return FRAME_TUNNEL_INNER;
	if (!(header[0] & 0x04)) /* no next protocol is said: as VXLAN */
		return carries(out, 8, room, TUNNEL_HOLDS_ETHERNET);
	switch (header[3]) {
	case 1:
		return carries_type(out, 8, room, WIRE_TYPE_IPV4);
	case 2:
		return carries_type(out, 8, room, WIRE_TYPE_IPV6);
	case 3:
		return carries(out, 8, room, TUNNEL_HOLDS_ETHERNET);
	case 5:
		return carries_type(out, 8, room, WIRE_TYPE_MPLS);
	default:
		return FRAME_TUNNEL_INNER;
	}
}

enum counter_frame tunnel_geneve(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	uint32_t bytes;

	out->kind = TUNNEL_GENEVE;
	if (room < 8 || header[0] >> 6 != 0)
		return FRAME_GENEVE;
	bytes = 8 + (header[0] & 63u) * 4;
	if (bytes > room)
		return FRAME_GENEVE;
	out->id = wire_get32(header + 4) >> 8;
	if (header[1] & 0x80) /* a control packet */
		return FRAME_TUNNEL_INNER;
	return carries_type(out, bytes, room, wire_get16(header + 2));
}

#define GRE_CHECKSUM 0x8000u
#define GRE_KEY 0x2000u
#define GRE_SEQUENCE 0x1000u
#define GRE_REFUSED 0x4c00u /* routing, and two bits more that RFC 2784 2.3 says to discard for */
#define GRE_VERSION 0x0007u

/* `at` is where GRE ended. */
static enum counter_frame erspan(const uint8_t *header, uint32_t at, uint32_t room, bool numbered,
				 struct tunnel_header *out)
{
	uint32_t version, bytes;

	out->kind = TUNNEL_ERSPAN;
	out->id = 0;
	if (out->type == WIRE_TYPE_ERSPAN && !numbered) /* I has no header, and no sequence number in GRE's */
		return carries(out, at, room, TUNNEL_HOLDS_ETHERNET);
	if (room - at < 8)
		return FRAME_ERSPAN;
	version = header[at] >> 4;
	if (version != (out->type == WIRE_TYPE_ERSPAN ? 1 : 2))
		return FRAME_ERSPAN;
	out->id = wire_get16(header + at + 2) & 0x3ff;
	bytes = version == 1 ? 8 : 12;
	if (room - at < bytes)
		return FRAME_ERSPAN;
	if (version == 2) {
		uint32_t frame_type = header[at + 10] >> 2 & 31u;

		bytes += header[at + 11] & 1 ? 8 : 0; /* the platform's subheader */
		if (room - at < bytes)
			return FRAME_ERSPAN;
		if (frame_type == 2)
			return carries(out, at + bytes, room, TUNNEL_HOLDS_IP);
		if (frame_type != 0)
			return FRAME_TUNNEL_INNER;
	}
	return carries(out, at + bytes, room, TUNNEL_HOLDS_ETHERNET);
}

enum counter_frame tunnel_gre(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	uint32_t flags, bytes = 4;

	out->kind = TUNNEL_GRE;
	out->id = 0;
	if (room < 4)
		return FRAME_GRE;
	flags = wire_get16(header);
	out->type = wire_get16(header + 2);
	if ((flags & GRE_VERSION) == 1) /* PPTP's (RFC 2637) */
		return FRAME_TUNNEL_INNER;
	if (flags & (GRE_REFUSED | GRE_VERSION))
		return FRAME_GRE;
	bytes += flags & GRE_CHECKSUM ? 4 : 0;
	if (flags & GRE_KEY && room >= bytes + 4)
		out->id = wire_get32(header + bytes);
	bytes += (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
	if (bytes > room)
		return FRAME_GRE;
	out->summed = flags & GRE_CHECKSUM;
	if (out->type == WIRE_TYPE_ERSPAN || out->type == WIRE_TYPE_ERSPAN3)
		return erspan(header, bytes, room, flags & GRE_SEQUENCE, out);
	return carries_type(out, bytes, room, out->type);
}

enum counter_frame tunnel_nvgre(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	enum counter_frame fate = tunnel_gre(header, room, out);

	if (fate == FRAME_ACCEPTED && out->type == WIRE_TYPE_BRIDGED &&
	    (wire_get16(header) & (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)) == GRE_KEY) {
		out->kind = TUNNEL_NVGRE;
		out->id >>= 8; /* behind it a flow id */
	}
	return fate;
}

#define GTP_G_PDU 255u

enum counter_frame tunnel_gtp(const uint8_t *header, uint32_t room, struct tunnel_header *out)
{
	uint32_t end, at = 8, next;

	out->kind = TUNNEL_GTP;
	if (room < 8 || (header[0] & 0xf0) != 0x30) /* version 1, of the user plane */
		return FRAME_GTP;
	end = 8 + (uint32_t)wire_get16(header + 2);
	if (end > room)
		return FRAME_GTP;
	out->id = wire_get32(header + 4);
	if (header[1] != GTP_G_PDU)
		return FRAME_TUNNEL_INNER;
	if (header[0] & 7) { /* any of extension, sequence, N-PDU: the fields of all three are there */
		if (end - at < 4)
			return FRAME_GTP;
		next = header[0] & 4 ? header[11] : 0;
		at += 4;
		for (uint32_t count = 0; next != 0; count++) {
			uint32_t bytes;

			if (count == TUNNEL_GTP_EXTENSIONS_MAX || end - at < 4)
				return FRAME_GTP;
			bytes = header[at] * 4u;
			if (bytes == 0 || bytes > end - at)
				return FRAME_GTP;
			at += bytes;
			next = header[at - 1];
		}
	}
	return carries(out, at, end, TUNNEL_HOLDS_IP);
}
