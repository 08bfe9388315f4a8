// Frames for tests/dpdk/burst_rig.h: good ones, and mixtures of good, cut, damaged and segmented ones.
#pragma once

#include "tests/dpdk/burst_rig.h"

static inline void set_payload(uint8_t *frame, const struct datagram *d, const char *text, uint32_t text_length)
{
	uint8_t *udp = frame + d->l4;
	uint32_t one = d->family == 4 ? 4 : 16, bytes = d->length < text_length ? d->length : text_length;
	uint16_t sum16;

	memcpy(frame + d->payload, text, bytes);
	memset(udp + 6, 0, 2);
	sum16 = frame_pseudo_checksum(d->addresses, one, 17, udp, 8 + d->length);
	wire_put16(udp + 6, sum16 ? sum16 : 0xffff);
}

/* A frame as `what` says, with a text for the payload that it has room for: what becomes of it. One that is not accepted keeps
 * the payload of frame_build(), which does not say where things lie: decode_frame() does. */
static inline enum counter_frame text_frame(uint8_t *frame, const struct frame_build *what, const char *text, uint32_t *length)
{
	struct datagram d;
	enum counter_frame fate;

	*length = frame_build(what, frame);
	fate = decode_frame(frame, *length, &port.host, 0, &d);
	if (fate == FRAME_ACCEPTED)
		set_payload(frame, &d, text, what->payload);
	return fate;
}

/* Words, separators, newlines: with and without the fields that keys ask for. */
static inline uint32_t draw_text(char *text, uint32_t most)
{
	static const char *const pieces[] = {"host-", "a", " ", ",", ", ", "\n", "\r\n", "\n\n", "metric.value=17", "\xc3\xa4",
					     "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz", "x y,z"};
	uint32_t length = 0, wanted = draw(4) ? draw(120) : draw(most);
	static char long_field[400];

	memset(long_field, 'k', sizeof long_field);
	while (length < wanted) {
		const char *piece = pieces[draw(sizeof pieces / sizeof pieces[0])];
		uint32_t bytes = (uint32_t)strlen(piece);

		if (draw(40) == 0) {
			piece = long_field;
			bytes = 200 + draw(200);
		}
		bytes = bytes < wanted - length ? bytes : wanted - length;
		memcpy(text + length, piece, bytes);
		length += bytes;
	}
	return length;
}

static inline uint32_t draw_frame(uint8_t *frame, uint32_t most)
{
	static char text[66000];
	static const uint8_t broadcast4[4] = {192, 0, 2, 255}, other4[4] = {192, 0, 2, 77};
	uint32_t bytes = draw_text(text, most);
	uint8_t source4[4] = {192, 0, 2, (uint8_t)draw(256)}, source6[16];
	struct frame_build what = {.destination_port = (uint16_t)(514 + draw(16)), .payload = bytes, .source = source4};
	uint32_t length;

	memcpy(source6, frame_peer6, 16);
	source6[15] = source4[3];
	if (draw(3) == 0)
		what.tags = draw(4);
	if (draw(4) == 0) {
		what.family = 6;
		what.source = source6;
	} else if (draw(8) == 0) {
		what.options = 4 * draw(11);
	} else if (draw(20) == 0) {
		what.destination = draw(2) ? broadcast4 : other4;
	}
	what.padding = draw(6) ? 0 : draw(30);
	text_frame(frame, &what, text, &length);
	if (what.family != 6 && draw(12) == 0)
		memset(frame + 14 + 4 * what.tags + 20 + what.options + 6, 0, 2); /* no checksum */
	return length;
}

static inline struct chain draw_chain(uint32_t most)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	uint32_t length = draw_frame(frame, most), cuts[4], cuts_count = 0, left;
	struct chain chain;

	switch (draw(8)) {
	case 0: /* a lie somewhere */
		for (uint32_t i = 1 + draw(3); i > 0; i--)
			frame[draw(length < 64 ? length : 64)] ^= (uint8_t)(1u << draw(8));
		break;
	case 1:
		length = draw(length + 1);
		break;
	case 2:
		length = frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);
		break;
	}
	left = length;
	if (draw(8) == 0)
		for (; cuts_count < 1 + draw(4) && cuts_count < 4; cuts_count++) {
			cuts[cuts_count] = draw(left + 1);
			left -= cuts[cuts_count];
		}
	chain = make_chain(frame, length, cuts, cuts_count);
	if (draw(4) == 0) {
		if (draw(4)) {
			chain.mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
			chain.verified |= DECODE_IP_CHECKSUM_GOOD;
		}
		if (draw(4)) {
			chain.mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
			chain.verified |= DECODE_L4_CHECKSUM_GOOD;
		}
	} else if (draw(40) == 0) {
		bool ip = draw(2);

		chain.mbuf->ol_flags |= ip ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
		chain.verified |= ip ? DECODE_IP_CHECKSUM_BAD : DECODE_L4_CHECKSUM_BAD;
	}
	return chain;
}

/* A good datagram for an input, by its UDP port. */
static inline uint32_t good_frame(uint8_t *frame, uint16_t udp_port, uint8_t family, const char *text)
{
	struct frame_build what = {.destination_port = udp_port, .payload = (uint32_t)strlen(text), .family = family};
	uint32_t length;

	assert_int_equal(text_frame(frame, &what, text, &length), FRAME_ACCEPTED);
	return length;
}

#define LINES "host-1 up,cpu,1\r\nhost-2,disk 9\n\nhost-3 ,,\nlast line, with a key"
