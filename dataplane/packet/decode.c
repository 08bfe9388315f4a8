#include "dataplane/packet/decode.h"

// The bytes of the extension header of kind `kind` at `header`, of which `room` are there. 0: cut off, or impossible.
static uint32_t extension_bytes(uint8_t kind, const uint8_t *header, uint32_t room)
{
	uint32_t bytes;

	if (room < 8)
		return 0;
	if (kind == WIRE_FRAGMENT)
		return 8;
	/* AH counts 4-byte words less 2 (RFC 4302 2.2) and has at least its 12 fixed bytes; the others 8-byte words
	 * less 1. */
	bytes = kind == WIRE_AUTHENTICATION ? (header[1] + 2u) * 4 : (header[1] + 1u) * 8;
	if (kind == WIRE_AUTHENTICATION && bytes < 12)
		return 0;
	return bytes <= room ? bytes : 0;
}

// RFC 8200 section 4.1: hop-by-hop options first or nowhere; the others in any order.
__attribute__((cold)) enum counter_frame decode_extensions(const uint8_t *frame, uint32_t end, uint32_t *at,
							   uint8_t *next)
{
	uint32_t start = *at, count = 0;
	bool fragment = false;

	for (;; count++) {
		const uint8_t *header = frame + *at;
		uint8_t kind = *next;
		uint32_t bytes;

		if (kind != WIRE_HOP_BY_HOP && kind != WIRE_ROUTING && kind != WIRE_FRAGMENT &&
		    kind != WIRE_AUTHENTICATION && kind != WIRE_DESTINATION)
			return FRAME_ACCEPTED;
		bytes = extension_bytes(kind, header, end - *at);
		if (bytes == 0 || count == DECODE_EXTENSIONS_MAX || *at + bytes - start > DECODE_EXTENSION_BYTES_MAX)
			return FRAME_IPV6_EXTENSION;
		if (kind == WIRE_HOP_BY_HOP && count > 0)
			return FRAME_IPV6_EXTENSION;
		/* With segments left the datagram is on its way to someone else through us (RFC 8200 4.4, RFC 5095). */
		if (kind == WIRE_ROUTING && header[3] != 0)
			return FRAME_IPV6_EXTENSION;
		if (kind == WIRE_FRAGMENT) {
			if (fragment)
				return FRAME_IPV6_EXTENSION;
			/* Offset 0 and no more to come: an atomic fragment, whole as it is (RFC 6946). */
			if (wire_get16(header + 2) & 0xfff9)
				return FRAME_IPV6_FRAGMENT;
			fragment = true;
		}
		*next = header[0];
		*at += bytes;
	}
}
