// Any bytes as a frame: decoded, matched to an input and answered, for hosts and checksum reports of all kinds.
#include <stdlib.h>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/match.h"
#include "tests/fuzz/fuzz.h"

/* The bytes in front of the frame choose all that is not in it. */
struct choice {
	uint8_t verified, host, room;
};

#define ALL_SUMS_GOOD (DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD)

static const struct config_address addresses[] = {
	{.family = 4, .prefix_length = 24, .bytes = {192, 0, 2, 1}},
	{.family = 6, .prefix_length = 64, .bytes = {0x20, 0x01, 0x0d, 0xb8, [11] = 1, [13] = 2, [15] = 3}},
	{.family = 4, .prefix_length = 31, .bytes = {198, 51, 100, 7}},
};
static const uint8_t mac[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0x01};

static const struct config_input inputs[] = {
	{.vlan = -1, .any_destination = true, .udp_port = 514},
	{.vlan = 100, .any_destination = true, .udp_port = 514},
	{.vlan = -1, .destination = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [11] = 1, [13] = 2, [15] = 3}}},
	{.vlan = 0, .destination = {.family = 4, .bytes = {192, 0, 2, 1}}, .udp_port = 515},
};

static void check_accepted(const struct datagram *d, const uint8_t *frame, uint32_t length, const struct match *match)
{
	uint8_t origin[sizeof(struct origin6)];
	uint32_t origin_bytes = datagram_copy_origin(d, origin);

	fuzz_require(d->payload <= length && d->length <= length - d->payload);
	fuzz_require(d->ports >= frame && d->ports + 8 <= frame + length);
	fuzz_require(d->addresses >= frame && d->addresses + (origin_bytes - 4) <= frame + length);
	fuzz_require(origin_bytes == (d->family == RECORD_ORIGIN_IPV4 ? sizeof(struct origin4) : sizeof(struct origin6)));
	fuzz_require(match_find(match, d) < 4 || match_find(match, d) == INPUT_NONE);
}

static void check_answer(const struct host *host, const uint8_t *frame, uint32_t length, uint32_t room,
			 enum counter_frame decoded)
{
	uint8_t *reply = fuzz_allocate(room); /* exactly: a sanitizer sees one byte too many */
	enum counter_frame fate;
	uint32_t bytes = answer_frame(host, frame, length, reply, room, &fate);

	fuzz_require(bytes <= room && (bytes == 0 || (bytes >= 60 && fate == FRAME_ANSWERED)));
	fuzz_require(bytes > 0 || fate != FRAME_ANSWERED);
	/* It decodes with every sum computed: it may find a sum wrong that the NIC called good, never the reverse. */
	fuzz_require(bytes == 0 || decoded == FRAME_ANSWERED);
	free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct match match;
	static struct host hosts[8];
	static int ready;
	struct choice choice;
	struct datagram d;
	enum counter_frame result;
	struct host *host;

	if (!ready++) {
		for (uint32_t i = 0; i < 5; i++)
			fuzz_require(host_init(&hosts[i], mac, addresses, 3, i) == 0);
		fuzz_require(host_init(&hosts[5], mac, NULL, 0, 1) == 0);
		fuzz_require(host_init_tap(&hosts[6], 0) == 0 && host_init_tap(&hosts[7], 4) == 0);
		fuzz_require(match_init(&match, inputs, 4, 0) == 0);
	}
	if (size < sizeof choice)
		return -1;
	memcpy(&choice, data, sizeof choice);
	data += sizeof choice;
	size -= sizeof choice;
	host = &hosts[choice.host % 8];
	result = decode_frame(data, (uint32_t)size, host, choice.verified & 15u, &d);
	fuzz_require(result < COUNTER_FRAME_END);
	fuzz_require(d.vlan_tags <= host->vlan_depth);
	if (result == FRAME_ACCEPTED)
		check_accepted(&d, data, (uint32_t)size, &match);
	else if (result == FRAME_ANSWERED)
		fuzz_require(d.payload <= size && d.length <= size - d.payload);
	else
		match_find(&match, &d);
	if (!host->tap)
		check_answer(host, data, (uint32_t)size, (uint32_t)choice.room * 8, decode_frame(data, (uint32_t)size, host, 0, &d));
	/* Sums that the NIC vouches for take away a reason to drop, and no other: what was accepted stays so. */
	if (result == FRAME_ACCEPTED)
		fuzz_require(decode_frame(data, (uint32_t)size, host, ALL_SUMS_GOOD, &d) == FRAME_ACCEPTED);
	return 0;
}
