#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/match.h"
#include "tests/support/frame_build.h"

#define PORT 3u

static struct match *match;

static int set_up(void **state)
{
	(void)state;
	match = malloc(sizeof *match);
	return match ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(match);
	return 0;
}

static struct config_input input(int32_t vlan, const struct config_address *destination, uint32_t udp_port)
{
	struct config_input i = {
		.port_index = PORT, .vlan = vlan, .any_destination = !destination, .udp_port = udp_port};

	if (destination)
		i.destination = *destination;
	return i;
}

static uint8_t through; /* the tunnel that find()'s datagram came through, and its number */
static uint32_t number;

// What a datagram to `destination`, `udp_port` under `vlan` (-1: untagged) is matched to.
static uint32_t find(int32_t vlan, const struct config_address *destination, uint32_t udp_port)
{
	uint8_t addresses[32] = {0}, ports[4] = {0, 9};
	struct datagram d = {.addresses = addresses,
			     .ports = ports,
			     .family = destination->family,
			     .tunnel = through,
			     .vni = number,
			     .vlan_tags = vlan >= 0,
			     .vlan = vlan < 0 ? RECORD_VLAN_NONE : (uint16_t)(vlan | 0x6000)};

	memcpy(addresses + (d.family == 4 ? 4 : 16), destination->bytes, d.family == 4 ? 4 : 16);
	wire_put16(ports + 2, (uint16_t)udp_port);
	return match_find(match, &d);
}

static const struct config_address a4 = {4, 24, {10, 0, 0, 1}}, b4 = {4, 24, {10, 0, 0, 2}};
static const struct config_address a6 = {6, 64, {0x20, 1, [15] = 1}}, b6 = {6, 64, {0x20, 1, [15] = 2}};

static void the_most_specific_input_has_it(void **state)
{
	const struct config_input inputs[] = {input(-1, NULL, 514), input(7, NULL, 514), input(-1, &a4, 514),
					      input(7, &a4, 514),   input(0, &a6, 514),  input(-1, NULL, 0)};

	(void)state;
	assert_int_equal(match_init(match, inputs, 6, PORT), 0);
	assert_int_equal(find(-1, &b4, 514), 0);
	assert_int_equal(find(7, &b4, 514), 1);
	assert_int_equal(find(-1, &a4, 514), 2);
	assert_int_equal(find(7, &a4, 514), 3);
	assert_int_equal(find(-1, &a6, 514), 4);
	assert_int_equal(find(0, &a6, 514), 4);
	assert_int_equal(find(7, &a6, 514), 1);
	assert_int_equal(find(7, &a4, 515), 5);
}

static void among_equals_the_first_configured_has_it(void **state)
{
	const struct config_input inputs[] = {input(-1, NULL, 9), input(-1, NULL, 9), input(5, NULL, 0),
					      input(5, NULL, 0)};

	(void)state;
	assert_int_equal(match_init(match, inputs, 4, PORT), 0);
	assert_int_equal(find(5, &a4, 9), 0);
	assert_int_equal(find(5, &a4, 10), 2);
}

static void what_nobody_asks_for_is_nobodys(void **state)
{
	struct config_input inputs[] = {input(-1, &a4, 514), input(-1, NULL, 514)};

	(void)state;
	assert_int_equal(match_init(match, inputs, 0, PORT), 0);
	assert_int_equal(find(-1, &a4, 514), INPUT_NONE);
	inputs[1].port_index = PORT + 1; /* another NIC's */
	assert_int_equal(match_init(match, inputs, 2, PORT), 0);
	assert_int_equal(find(-1, &a4, 514), 0);
	assert_int_equal(find(-1, &b4, 514), INPUT_NONE);
	assert_int_equal(find(-1, &a4, 513), INPUT_NONE);
	assert_int_equal(find(-1, &a4, 0), INPUT_NONE);
	assert_int_equal(match_init(match, inputs, 2, PORT + 1), 0);
	assert_int_equal(find(-1, &a4, 514), 1);
}

static void families_do_not_mix(void **state)
{
	const struct config_address as4 = {4, 24, {0x20, 1, 0, 0}};
	const struct config_input inputs[] = {input(-1, &as4, 1), input(-1, &b6, 1)};
	const struct config_address starts_alike = {6, 64, {0x20, 1, 0, 0, [15] = 9}};

	(void)state;
	assert_int_equal(match_init(match, inputs, 2, PORT), 0);
	assert_int_equal(find(-1, &starts_alike, 1), INPUT_NONE);
	assert_int_equal(find(-1, &as4, 1), 0);
	assert_int_equal(find(-1, &b6, 1), 1);
}

static void frames_without_a_datagram_go_to_inputs_for_all(void **state)
{
	const struct config_input inputs[] = {input(-1, &a4, 0), input(12, NULL, 0), input(-1, NULL, 514)};
	uint8_t addresses[8] = {1, 2, 3, 4, 10, 0, 0, 1};
	struct datagram arp = {.vlan = 12, .vlan_tags = 1}, tcp = {.addresses = addresses, .family = 4};

	(void)state;
	assert_int_equal(match_init(match, inputs, 3, PORT), 0);
	assert_int_equal(match_find(match, &arp), 1);
	assert_int_equal(match_find(match, &tcp), 0);
	arp.vlan = 13;
	assert_int_equal(match_find(match, &arp), INPUT_NONE);
}

static void tunnels_and_their_numbers_choose(void **state)
{
	struct config_input inputs[] = {input(-1, NULL, 514), input(-1, NULL, 514), input(-1, NULL, 514),
					input(7, NULL, 514), input(-1, &a4, 514)};

	(void)state;
	inputs[1].tunnel = TUNNEL_VXLAN;
	inputs[1].vni = -1;
	inputs[2].tunnel = TUNNEL_ANY;
	inputs[2].vni = 42;
	inputs[3].tunnel = TUNNEL_ANY;
	inputs[3].vni = -1;
	inputs[4].tunnel = TUNNEL_ANY;
	inputs[4].vni = -1;
	assert_int_equal(match_init(match, inputs, 5, PORT), 0);
	assert_int_equal(find(-1, &b4, 514), 0);
	assert_int_equal(find(7, &b4, 514), 0); /* without a tunnel comes before a VLAN */
	assert_int_equal(find(7, &a4, 514), 4);
	through = TUNNEL_VXLAN;
	assert_int_equal(find(-1, &b4, 514), 1);
	number = 42;
	assert_int_equal(find(-1, &b4, 514), 2);
	through = TUNNEL_GRE;
	assert_int_equal(find(7, &b4, 514), 2);
	number = 41;
	assert_int_equal(find(7, &b4, 514), 3);
	assert_int_equal(find(8, &b4, 514), INPUT_NONE);
	through = TUNNEL_NONE;
	number = 0;
	/* The short way takes what needs no look at the tunnel, as it has none. */
	assert_int_equal(match_port(match, __builtin_bswap16(514)), INPUT_NONE);
	assert_int_equal(match_init(match, inputs, 1, PORT), 0);
	assert_int_equal(match_port(match, __builtin_bswap16(514)), 0);
	assert_int_equal(match_init(match, inputs + 1, 1, PORT), 0);
	assert_int_equal(match_port(match, __builtin_bswap16(514)), INPUT_NONE);
	assert_int_equal(match_init(match, inputs + 2, 1, PORT), 0);
	assert_int_equal(match_port(match, __builtin_bswap16(514)), INPUT_NONE);
	inputs[0].tunnel = TUNNEL_ANY;
	inputs[0].vni = -1;
	assert_int_equal(match_init(match, inputs, 1, PORT), 0);
	assert_int_equal(match_port(match, __builtin_bswap16(514)), 0);
}

static void tunnels_ports_are_no_inputs(void **state)
{
	struct config_input every = input(-1, NULL, 0), one = input(-1, NULL, 4789);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct host host = {.tunnels = 0};

		assert_int_equal(match_init(match, i ? &one : &every, 1, PORT), 0);
		assert_int_equal(match_port(match, __builtin_bswap16(4789)), 0);
		match_leave_tunnels(match, &host);
		host.tunnels = 1u << TUNNEL_GENEVE | 1u << TUNNEL_GRE;
		match_leave_tunnels(match, &host);
		assert_int_equal(match_port(match, __builtin_bswap16(4789)), 0);
		assert_int_equal(match_port(match, __builtin_bswap16(6081)), INPUT_NONE);
		host.tunnels = 1u << TUNNEL_VXLAN;
		match_leave_tunnels(match, &host);
		assert_int_equal(match_port(match, __builtin_bswap16(4789)), INPUT_NONE);
		assert_int_equal(find(-1, &a4, 4790), INPUT_NONE);
		assert_int_equal(match_init(match, i ? &one : &every, 1, PORT), 0);
		host.vxlan_port = 14789;
		match_leave_tunnels(match, &host);
		assert_int_equal(match_port(match, __builtin_bswap16(4789)), 0);
		assert_int_equal(match_port(match, __builtin_bswap16(14789)), INPUT_NONE);
	}
}

static void inputs_that_cannot_be_are_refused(void **state)
{
	static struct config_input many[INPUTS_MAX + 1];
	struct config_input bad;

	(void)state;
	assert_true(match_init(match, many, INPUTS_MAX + 1, PORT) < 0);
	bad = input(-2, NULL, 1);
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad = input(4095, NULL, 1);
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad = input(1, NULL, 65536);
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad = input(1, NULL, 1);
	bad.tunnel = TUNNEL_KINDS;
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad.tunnel = TUNNEL_ANY;
	bad.vni = 1ll << 32;
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad.vni = -2;
	assert_true(match_init(match, &bad, 1, PORT) < 0);
	bad = input(1, &(struct config_address){5, 0, {0}}, 1);
	assert_true(match_init(match, &bad, 1, PORT) < 0);
}

// The rule as README.md says it, read off one input at a time.
static uint32_t find_naively(const struct config_input *inputs, uint32_t count, int32_t vlan,
			     const struct config_address *destination, uint32_t udp_port)
{
	uint32_t best = INPUT_NONE, best_rank = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct config_input *in = &inputs[i];
		bool vni = in->tunnel != TUNNEL_NONE && in->vni >= 0;
		uint32_t rank = 1 + (in->udp_port != 0) * 16 + !in->any_destination * 8 + vni * 4 +
				(in->tunnel != TUNNEL_ANY) * 2 + (in->vlan >= 0);

		if (in->port_index != PORT || (in->udp_port != 0 && in->udp_port != udp_port))
			continue;
		if (in->tunnel != TUNNEL_ANY && in->tunnel != through)
			continue;
		if (vni && (through == TUNNEL_NONE || in->vni != number))
			continue;
		if (in->vlan >= 0 && in->vlan != (vlan < 0 ? 0 : vlan))
			continue;
		if (!in->any_destination &&
		    (in->destination.family != destination->family ||
		     memcmp(in->destination.bytes, destination->bytes, destination->family == 4 ? 4 : 16) != 0))
			continue;
		if (rank > best_rank) {
			best = i;
			best_rank = rank;
		}
	}
	return best;
}

static void random_configurations_match_as_read(void **state)
{
	static struct config_input inputs[INPUTS_MAX];
	static const struct config_address *const addresses[] = {&a4, &b4, &a6, &b6};
	static const int32_t vlans[] = {-1, 0, 1, 4094};
	static const uint16_t ports[] = {0, 1, 514, 65535};
	static const uint8_t kinds[] = {TUNNEL_NONE, TUNNEL_VXLAN, TUNNEL_GRE, TUNNEL_ANY};
	uint64_t seed = 7;

	(void)state;
	for (uint32_t round = 0; round < 400; round++) {
		uint32_t count = frame_random(&seed) % (round % 4 ? 8 : INPUTS_MAX + 1);
		bool spread = frame_random(&seed) % 2;

		for (uint32_t i = 0; i < count; i++) {
			inputs[i] = input(vlans[frame_random(&seed) % 4],
					  frame_random(&seed) % 2 ? addresses[frame_random(&seed) % 4] : NULL,
					  spread ? frame_random(&seed) % 100 : ports[frame_random(&seed) % 4]);
			inputs[i].port_index = PORT - frame_random(&seed) % 8 / 7;
			inputs[i].tunnel = kinds[frame_random(&seed) % 4];
			inputs[i].vni = (int64_t)(frame_random(&seed) % 3) - 1;
		}
		assert_int_equal(match_init(match, inputs, count, PORT), 0);
		for (uint32_t i = 0; i < 300; i++) {
			int32_t vlan = vlans[frame_random(&seed) % 4];
			const struct config_address *to = addresses[frame_random(&seed) % 4];
			uint32_t udp_port = spread ? frame_random(&seed) % 110 : ports[frame_random(&seed) % 4];

			through = kinds[frame_random(&seed) % 3];
			number = through == TUNNEL_NONE ? 0 : frame_random(&seed) % 2;
			assert_int_equal(find(vlan, to, udp_port), find_naively(inputs, count, vlan, to, udp_port));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_input_has_it),
		cmocka_unit_test(among_equals_the_first_configured_has_it),
		cmocka_unit_test(what_nobody_asks_for_is_nobodys),
		cmocka_unit_test(families_do_not_mix),
		cmocka_unit_test(frames_without_a_datagram_go_to_inputs_for_all),
		cmocka_unit_test(tunnels_and_their_numbers_choose),
		cmocka_unit_test(tunnels_ports_are_no_inputs),
		cmocka_unit_test(inputs_that_cannot_be_are_refused),
		cmocka_unit_test(random_configurations_match_as_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
