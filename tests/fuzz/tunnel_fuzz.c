// Any bytes as a frame with tunnels: whole, in segments, and as an IP packet that was put together.
#include <stdlib.h>

#include "dataplane/packet/match.h"
#include "dataplane/packet/segments.h"
#include "dataplane/packet/tunnel.h"
#include "tests/fuzz/fuzz.h"

/* The bytes in front of the frame choose all that is not in it. */
struct choice {
	uint8_t host, tunnels_low, tunnels_high, cut;
};

static const struct config_address addresses[] = {
	{.family = 4, .prefix_length = 24, .bytes = {192, 0, 2, 1}},
	{.family = 6, .prefix_length = 64, .bytes = {0x20, 0x01, 0x0d, 0xb8, [11] = 1, [13] = 2, [15] = 3}},
};
static const uint8_t mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0x01};

static const struct config_input inputs[] = {
	{.vlan = -1, .any_destination = true, .udp_port = 514, .tunnel = TUNNEL_ANY, .vni = -1},
	{.vlan = -1, .any_destination = true, .udp_port = 514, .tunnel = TUNNEL_VXLAN, .vni = 42},
	{.vlan = 100, .any_destination = true, .tunnel = TUNNEL_ANY, .vni = 7},
	{.vlan = -1, .destination = {.family = 4, .bytes = {10, 4, 5, 6}}, .tunnel = TUNNEL_GRE, .vni = -1},
};

struct cut { /* a frame in pieces, the next of which has `left` bytes of what its first byte chooses */
	const uint8_t *at, *end;
	uint32_t step;
};

static bool next_piece(void *chain, struct segment *out)
{
	struct cut *cut = chain;
	uint32_t left = (uint32_t)(cut->end - cut->at), bytes = cut->step ? cut->step : left;

	if (left == 0)
		return false;
	*out = (struct segment){cut->at, bytes < left ? bytes : left};
	cut->at += out->length;
	cut->step = cut->step * 3 % 251; /* of changing length, none among them */
	return true;
}

static void check(const struct datagram *d, enum counter_frame fate, const uint8_t *frame, uint32_t length,
		  const struct host *host, const struct match *match)
{
	uint32_t found = match_find(match, d), bytes = d->family == RECORD_ORIGIN_IPV6 ? 32 : 8;

	fuzz_require(fate >= 0 && fate < COUNTER_FRAME_END);
	fuzz_require(d->layers <= TUNNEL_LAYERS_MAX && (d->layers == 0) == (d->tunnel == TUNNEL_NONE));
	fuzz_require(d->tunnel < TUNNEL_KINDS && (d->layers == 0 || host->tunnels >> d->tunnel & 1));
	fuzz_require(found < 4 || found == INPUT_NONE);
	if (d->addresses)
		fuzz_require(d->addresses >= frame && d->addresses + bytes <= frame + length);
	if (d->ports)
		fuzz_require(d->addresses && d->ports >= frame && d->ports + 8 <= frame + length);
	if (fate != FRAME_ACCEPTED || host->tap)
		return;
	fuzz_require(d->ports && d->payload <= length && d->length <= length - d->payload);
	fuzz_require(d->ports + 8 == frame + d->payload);
}

static void check_packet(const uint8_t *data, uint32_t size, const struct host *host, const struct match *match)
{
	struct datagram d = {.vlan = RECORD_VLAN_NONE};
	enum counter_frame fate = tunnel_packet(data, size, host, &d);

	fuzz_require(fate != FRAME_ANSWERED);
	check(&d, fate, data, size, host, match);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch[SEGMENTS_SCRATCH_BYTES];
	static struct match match;
	static struct host hosts[4];
	static int ready;
	struct datagram d, again;
	enum counter_frame fate;
	struct choice choice;
	struct host *host;
	struct cut cut;
	uint32_t length;

	if (!ready++) {
		for (uint32_t i = 0; i < 3; i++)
			fuzz_require(host_init(&hosts[i], mac, addresses, 2, 2 * i) == 0);
		fuzz_require(host_init_tap(&hosts[3], 2) == 0);
		fuzz_require(match_init(&match, inputs, 4, 0) == 0);
	}
	if (size < sizeof choice)
		return -1;
	memcpy(&choice, data, sizeof choice);
	data += sizeof choice;
	size -= sizeof choice;
	host = &hosts[choice.host % 4];
	/* No bit set stands for all: so it is in most of the corpus. */
	host->tunnels = (uint32_t)(choice.tunnels_low | choice.tunnels_high << 8);
	host->tunnels = host->tunnels ? host->tunnels : UINT32_MAX;
	fate = decode_frame(data, (uint32_t)size, host, host->tap ? DECODE_ALL_GOOD : 0, &d);
	fate = tunnel_enter(data, (uint32_t)size, host, fate, &d);
	check(&d, fate, data, (uint32_t)size, host, &match);
	cut = (struct cut){data, data + size, choice.cut};
	if (segments_copy(next_piece, &cut, scratch, &length) == FRAME_ACCEPTED) {
		fuzz_require(length == size);
		fuzz_require(tunnel_enter(scratch, length, host,
					  decode_frame(scratch, length, host, host->tap ? DECODE_ALL_GOOD : 0, &again),
					  &again) == fate);
		fuzz_require(again.layers == d.layers && again.vni == d.vni && !again.addresses == !d.addresses);
		fuzz_require(!d.addresses || again.addresses - scratch == d.addresses - data);
	}
	if (size <= WIRE_FRAME_MAX)
		check_packet(data, (uint32_t)size, host, &match);
	return 0;
}
