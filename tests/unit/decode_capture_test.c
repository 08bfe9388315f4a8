// Every Ethernet frame of the captures beside the checkout, when they are there, decoded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "dataplane/packet/answer.h"
#include "dataplane/packet/decode.h"
#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "tests/support/captures.h"
#include "tests/support/frame_build.h"

#define GOOD (DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD)
#define ANSWER_ROOM 4096u
#define ROUNDS 6u
#define TUNNEL_ROUNDS 4u

static uint32_t results[COUNTER_FRAME_END], tunnelled[COUNTER_FRAME_END], frames, datagrams, in_tunnels;
static uint64_t held, counts[REASSEMBLY_COUNTS];
static struct reassembly *reassembly;
static uint64_t seed = 5;

// A host that the frame may be for: its destinations, if it has some, or noise.
static void random_host(struct host *host, const uint8_t *frame, uint32_t length)
{
	struct config_address addresses[2] = {{.family = 4, .prefix_length = frame_random(&seed) % 33},
					      {.family = 6, .prefix_length = frame_random(&seed) % 129}};
	uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
	struct datagram d;

	assert_int_equal(host_init_tap(host, HOST_VLAN_DEPTH_MAX), 0);
	decode_frame(frame, length, host, GOOD, &d);
	for (uint32_t i = 0; i < 16; i++)
		addresses[0].bytes[i] = addresses[1].bytes[i] = (uint8_t)(frame_random(&seed) % 127 + 1);
	if (d.addresses && frame_random(&seed) % 8) {
		if (d.family == RECORD_ORIGIN_IPV4)
			memcpy(addresses[0].bytes, d.addresses + 4, 4);
		else
			memcpy(addresses[1].bytes, d.addresses + 16, 16);
	}
	if (length >= 6 && frame_random(&seed) % 8)
		memcpy(mac, frame, 6);
	/* A group is nobody's own address: then the host has none but its link-local one. */
	if (host_init(host, mac, addresses, 2, frame_random(&seed) % (HOST_VLAN_DEPTH_MAX + 1)) != 0)
		assert_int_equal(host_init(host, mac, NULL, 0, frame_random(&seed) % (HOST_VLAN_DEPTH_MAX + 1)), 0);
}

static void judge(const uint8_t *bytes, uint32_t length)
{
	uint8_t *frame = frame_exact(bytes, length), *out = malloc(ANSWER_ROOM);
	struct host host;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t verified = round % 2 ? GOOD : 0;
		enum counter_frame fate, answered;
		struct datagram d;

		random_host(&host, frame, length);
		fate = decode_frame(frame, length, &host, verified, &d);
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_UDP_CHECKSUM);
		results[fate]++;
		if (fate == FRAME_ACCEPTED) {
			assert_true(d.payload <= length && d.length <= length - d.payload);
			datagrams++;
		}
		assert_true((answer_frame(&host, frame, length, out, ANSWER_ROOM, &answered) > 0) ==
			    (answered == FRAME_ANSWERED));
		assert_in_range(answered, FRAME_ACCEPTED, FRAME_ANSWER_FAILED);
	}
	frames++;
	free(out);
	free(frame);
}

/* The same frame on a port that ends every tunnel and puts fragments together. */
static void judge_tunnels(const uint8_t *bytes, uint32_t length)
{
	uint8_t *frame = frame_exact(bytes, length);

	for (uint32_t round = 0; round < TUNNEL_ROUNDS; round++) {
		uint64_t moved[REASSEMBLY_COUNTS], sum = 0;
		const uint8_t *packet = frame;
		uint32_t room = length, turns = 0;
		enum counter_frame fate;
		struct datagram d;
		struct host host;

		random_host(&host, frame, length);
		if (round == 0)
			assert_int_equal(host_init_tap(&host, HOST_VLAN_DEPTH_MAX), 0);
		host.tunnels = UINT32_MAX;
		fate = tunnel_enter(frame, length, &host, decode_frame(frame, length, &host, host.tap ? GOOD : 0, &d), &d);
		/* For a tap every fragment is its own. */
		while (host.tap && (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT) && turns++ < 20) {
			fate = reassembly_add(reassembly, packet, &d, frames * 1000000ull, &packet, &room);
			held += fate == FRAME_FRAGMENT_HELD;
			if (fate == FRAME_ACCEPTED)
				fate = tunnel_packet(packet, room, &host, &d);
		}
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_GTP);
		tunnelled[fate]++;
		if (fate == FRAME_ACCEPTED && !host.tap) {
			assert_true(d.payload <= room && d.length <= room - d.payload);
			in_tunnels += d.layers > 0;
		}
		if (reassembly_take_counts(reassembly, moved))
			for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
				counts[i] += moved[i];
		for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
			sum += counts[i];
		assert_int_equal(sum, held);
	}
	free(frame);
}

static void take(int link, const uint8_t *bytes, uint32_t length)
{
	if (link != DLT_EN10MB)
		return;
	judge(bytes, length);
	judge_tunnels(bytes, length);
}

static void every_captured_frame_has_one_result(void **state)
{
	static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {4};
	void *memory = aligned_alloc(64, REASSEMBLY_BYTES_MIN);
	uint64_t fates = 0;

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, REASSEMBLY_BYTES_MIN);
	reassembly = reassembly_init(memory, REASSEMBLY_BYTES_MIN, 30000000000ull, secret);
	assert_non_null(reassembly);
	if (!captures_each(take)) {
		free(memory);
		skip();
	}
	print_message("# %u frames, %u times accepted; with tunnels, %u times out of one; %u fragments held, %u joined\n",
		      frames, datagrams, in_tunnels, (unsigned)held, (unsigned)counts[0]);
	free(memory);
	for (uint32_t fate = 0; fate < COUNTER_FRAME_END; fate++) {
		fates += results[fate] + tunnelled[fate];
		if (results[fate] || tunnelled[fate])
			print_message("# %s %u, with tunnels %u\n", counter_label(fate), results[fate], tunnelled[fate]);
	}
	assert_true(frames > 0);
	assert_int_equal(fates, ROUNDS * frames + TUNNEL_ROUNDS * frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_captured_frame_has_one_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
