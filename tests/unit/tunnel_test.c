// What is in a tunnel is found, for whom it is meant, and if it is none, what it is.
#include "dataplane/packet/match.h"
#include "tests/unit/tunnel_fixture.h"

static void the_innermost_datagram_of_every_kind_is_found(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		const struct stack_kind *kind = &stack_kinds[k];
		struct datagram d, outer;

		stack_build(&stack, k, PORT, PAYLOAD);
		expect(&port, FRAME_ACCEPTED, &d);
		assert_int_equal(d.length, PAYLOAD);
		assert_int_equal(d.payload, stack_length(&stack) - PAYLOAD);
		assert_int_equal(wire_get16(d.ports + 2), PORT);
		assert_int_equal(d.family, kind->inner_family == 6 ? RECORD_ORIGIN_IPV6 : RECORD_ORIGIN_IPV4);
		assert_memory_equal(d.addresses, kind->inner_family == 6 ? stack_inner6 : stack_inner4,
				    kind->inner_family == 6 ? 32 : 8);
		assert_int_equal(d.tunnel, kind->tunnel);
		assert_int_equal(d.vni, kind->vni);
		assert_true(d.inside && d.layers >= 1);
		assert_int_equal(d.vlan, d.vlan_tags ? 100 : RECORD_VLAN_NONE);
		/* A tap sees the same, but takes no sum's word. */
		expect(&tap, FRAME_ACCEPTED, &outer);
		assert_memory_equal(&d, &outer, sizeof d);
	}
}

static void a_port_without_tunnels_sees_what_it_always_saw(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		struct datagram d = {0}, same;
		enum counter_frame fate;

		stack_build(&stack, k, PORT, PAYLOAD);
		fate = decode_frame(stack_head(&stack), stack_length(&stack), &plain, 0, &d);
		same = d;
		assert_int_equal(tunnel_enter(stack_head(&stack), stack_length(&stack), &plain, fate, &same), fate);
		assert_memory_equal(&d, &same, sizeof d);
		assert_int_equal(d.layers, 0);
		assert_int_equal(d.tunnel, TUNNEL_NONE);
	}
}

static void only_the_tunnels_of_the_list_are_entered(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		struct host host = plain;
		struct datagram d;
		enum counter_frame fate;

		host.tunnels = 1u << stack_kinds[k].tunnel;
		stack_build(&stack, k, PORT, PAYLOAD);
		fate = look(&host, stack_head(&stack), stack_length(&stack), &d);
		if (d.layers == 1)
			assert_int_equal(fate, FRAME_ACCEPTED);
		host.tunnels = ~host.tunnels;
		if (stack_kinds[k].tunnel == TUNNEL_NVGRE) /* without it, it is GRE */
			host.tunnels &= ~(1u << TUNNEL_GRE);
		fate = look(&host, stack_head(&stack), stack_length(&stack), &d);
		assert_int_not_equal(d.tunnel, stack_kinds[k].tunnel);
		/* Over UDP it is then a datagram like any other. */
		if (fate == FRAME_ACCEPTED)
			assert_int_not_equal(wire_get16(d.ports + 2), PORT);
		else
			assert_true(fate == FRAME_PROTOCOL || fate == FRAME_TUNNEL_INNER || fate == FRAME_UDP_CHECKSUM);
	}
}

static void bridged_gre_with_a_key(uint32_t key)
{
	begin(4);
	stack_ethernet(&stack, 0x0800);
	stack_gre(&stack, 0x2000, 0x6558, key);
	in_own_ip(47);
}

static void bridged_gre_with_a_key_is_nvgre_only_where_that_is_listed(void **state)
{
	static const struct {
		uint32_t tunnels;
		uint8_t tunnel;
		uint32_t vni;
	} lists[] = {
		{1u << TUNNEL_GRE, TUNNEL_GRE, 1234},
		{1u << TUNNEL_NVGRE, TUNNEL_NVGRE, 1234 >> 8},
		{1u << TUNNEL_GRE | 1u << TUNNEL_NVGRE, TUNNEL_NVGRE, 1234 >> 8},
		{~(1u << TUNNEL_NVGRE), TUNNEL_GRE, 1234},
		{UINT32_MAX, TUNNEL_NVGRE, 1234 >> 8},
	};
	struct host host = plain;
	struct datagram d;

	(void)state;
	bridged_gre_with_a_key(1234);
	for (uint32_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		host.tunnels = lists[i].tunnels;
		expect(&host, FRAME_ACCEPTED, &d);
		assert_int_equal(d.tunnel, lists[i].tunnel);
		assert_int_equal(d.vni, lists[i].vni);
		assert_int_equal(d.length, PAYLOAD);
		assert_int_equal(wire_get16(d.ports + 2), PORT);
	}
	host.tunnels = 1u << TUNNEL_ERSPAN;
	expect(&host, FRAME_PROTOCOL, &d);
}

static void an_input_of_gre_is_found_by_the_whole_key(void **state)
{
	static const struct config_input input = {
		.vlan = -1, .any_destination = true, .udp_port = PORT, .tunnel = TUNNEL_GRE, .vni = 5};
	static const uint32_t keys[] = {5, 5 << 8, 0x80000005, 0};
	static struct match match;
	struct host host = plain;
	struct datagram d;

	(void)state;
	host.tunnels = 1u << TUNNEL_GRE;
	assert_int_equal(match_init(&match, &input, 1, 0), 0);
	for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		bridged_gre_with_a_key(keys[i]);
		expect(&host, FRAME_ACCEPTED, &d);
		assert_int_equal(match_find(&match, &d), keys[i] == 5 ? 0 : INPUT_NONE);
	}
}

static void the_outermost_address_must_be_the_ports(void **state)
{
	static const uint8_t other4[4] = {192, 0, 2, 77}, other6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 0x55};
	struct datagram d;

	(void)state;
	begin(4);
	stack_ip(&stack, 4, NULL, other4, 4);
	stack_ethernet(&stack, 0x0800);
	expect(&port, FRAME_OTHER_ADDRESS, &d);
	begin(4);
	stack_gre(&stack, 0, 0x0800, 0);
	stack_ip(&stack, 6, NULL, other6, 47);
	stack_ethernet(&stack, 0x86dd);
	expect(&port, FRAME_OTHER_ADDRESS, &d);
	/* Labels and sessions have no address: what is in them must be for the port. */
	begin(4);
	stack_mpls(&stack, 16, true);
	stack_ethernet(&stack, 0x8847);
	expect(&port, FRAME_OTHER_ADDRESS, &d);
	stack_begin(&stack, PAYLOAD);
	stack_udp(&stack, 4, NULL, NULL, PORT, false);
	stack_mpls(&stack, 16, true);
	stack_ethernet(&stack, 0x8847);
	expect(&port, FRAME_ACCEPTED, &d);
	assert_false(d.inside);
	assert_int_equal(d.tunnel, TUNNEL_MPLS);
	stack_begin(&stack, PAYLOAD);
	stack_udp(&stack, 6, NULL, NULL, PORT, false);
	stack_pppoe(&stack, 9, 0x57);
	stack_tag(&stack, 200, 0x8864);
	stack_ethernet(&stack, 0x88a8);
	expect(&port, FRAME_ACCEPTED, &d);
	assert_int_equal(d.vlan, 200);
	assert_int_equal(d.vni, 9);
	/* Neighbour solicitations go to groups, tunnels do not. */
	begin(4);
	stack_ip(&stack, 6, NULL, frame_solicited, 4);
	stack_ethernet(&stack, 0x86dd);
	expect(&port, FRAME_PROTOCOL, &d);
}

static void checksums_inside_are_verified(void **state)
{
	struct datagram d;

	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		stack_build(&stack, k, PORT, PAYLOAD);
		stack_head(&stack)[stack_length(&stack) - 1] ^= 1;
		/* The first sum around it that is verified speaks up. */
		assert_int_not_equal(look(&port, stack_head(&stack), stack_length(&stack), &d), FRAME_ACCEPTED);
		expect(&tap, FRAME_ACCEPTED, &d);
	}
	begin(4);
	stack_head(&stack)[10] ^= 1;
	stack_gre(&stack, 0, 0x0800, 0);
	in_own_ip(47);
	expect(&port, FRAME_IPV4_CHECKSUM, &d);
	begin(4);
	stack_gre(&stack, 0x8000, 0x0800, 0);
	stack_head(&stack)[5] ^= 1;
	in_own_ip(47);
	expect(&port, FRAME_GRE, &d);
	/* Without a checksum over IPv6: a tunnel may, a datagram may not. */
	stack_begin(&stack, PAYLOAD);
	stack_udp(&stack, 6, stack_inner6, stack_inner6 + 16, PORT, true);
	in_own_ip(41);
	expect(&port, FRAME_UDP_CHECKSUM, &d);
	stack_begin(&stack, PAYLOAD);
	stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, PORT, true);
	in_own_ip(4);
	expect(&port, FRAME_ACCEPTED, &d);
}

static void what_is_no_datagram_inside_is_named(void **state)
{
	static const uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};
	struct datagram d;

	(void)state;
	stack_begin(&stack, 20);
	stack_ip(&stack, 4, stack_inner4, stack_inner4 + 4, 6); /* TCP */
	in_own_ip(4);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	stack_begin(&stack, 20);
	stack_ip(&stack, 4, stack_inner4, stack_inner4 + 4, 1); /* an echo request inside is not answered */
	stack_ethernet(&stack, 0x0800);
	stack_vxlan(&stack, 1);
	in_own_udp(4789);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	stack_begin(&stack, 0);
	stack_push(&stack, arp, sizeof arp);
	stack_ethernet(&stack, 0x0806);
	stack_vxlan(&stack, 1);
	in_own_udp(4789);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	/* A tap describes what is valid: the outer addresses and ports, but the tunnel. */
	look(&tap, stack_head(&stack), stack_length(&stack), &d);
	assert_memory_equal(d.addresses, frame_peer4, 4);
	assert_int_equal(wire_get16(d.ports + 2), 4789);
	assert_int_equal(d.tunnel, TUNNEL_VXLAN);
	assert_int_equal(d.vni, 1);
	stack_begin(&stack, 20);
	stack_push(&stack, (uint8_t[]){1, 1, 0, 4}, 4); /* LCP */
	stack_pppoe(&stack, 1, 0xc021);
	stack_ethernet(&stack, 0x8864);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	stack_begin(&stack, 10); /* a GTP echo request */
	stack_gtp(&stack, 0, true, 0);
	stack_head(&stack)[1] = 1;
	in_own_udp(2152);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	begin(4);
	stack_geneve(&stack, 1, 0x0800, 0);
	stack_head(&stack)[1] = 0x80; /* control */
	in_own_udp(6081);
	expect(&port, FRAME_TUNNEL_INNER, &d);
	begin(4);
	stack_gre(&stack, 0, 0x0800, 0);
	stack_head(&stack)[1] = 1; /* PPTP */
	in_own_ip(47);
	expect(&port, FRAME_TUNNEL_INNER, &d);
}

static void a_host_may_know_tunnels_by_other_ports(void **state)
{
	struct host host = port;
	struct datagram d;

	(void)state;
	host.vxlan_port = 14789;
	host.geneve_port = 16081;
	host.gtp_port = 12152;
	for (uint32_t own = 0; own < 2; own++) {
		const struct host *at = own ? &host : &port;

		begin(4);
		stack_ethernet(&stack, 0x0800);
		stack_vxlan(&stack, 1);
		in_own_udp(own ? 14789 : 4789);
		expect(at, FRAME_ACCEPTED, &d);
		assert_int_equal(d.tunnel, TUNNEL_VXLAN);
		begin(4);
		stack_geneve(&stack, 1, 0x0800, 0);
		in_own_udp(own ? 16081 : 6081);
		expect(at, FRAME_ACCEPTED, &d);
		assert_int_equal(d.tunnel, TUNNEL_GENEVE);
		begin(4);
		stack_gtp(&stack, 1, true, 0);
		in_own_udp(own ? 12152 : 2152);
		expect(at, FRAME_ACCEPTED, &d);
		assert_int_equal(d.tunnel, TUNNEL_GTP);
		/* What the other knows as GTP is a datagram. */
		expect(own ? &port : &host, FRAME_ACCEPTED, &d);
		assert_int_equal(d.tunnel, TUNNEL_NONE);
	}
}

static void fragments_inside_are_described_for_reassembly(void **state)
{
	struct datagram d;

	(void)state;
	begin(4);
	stack_head(&stack)[6] = 0x20;
	frame_fix_ipv4(stack_head(&stack));
	stack_ethernet(&stack, 0x0800);
	stack_vxlan(&stack, 77);
	in_own_udp(4789);
	expect(&port, FRAME_IPV4_FRAGMENT, &d);
	assert_int_equal(d.l3, 14 + 28 + 8 + 14);
	assert_int_equal(d.vni, 77);
	assert_true(d.inside);
	assert_memory_equal(d.addresses, stack_inner4, 8);
}

static void a_packet_put_together_is_gone_on_with(void **state)
{
	struct datagram d = {
		.vlan = RECORD_VLAN_NONE, .tunnel = TUNNEL_GRE, .vni = 5, .layers = TUNNEL_LAYERS_MAX, .inside = true};
	struct datagram own = {.vlan = RECORD_VLAN_NONE};

	(void)state;
	begin(4);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &port, &d), FRAME_ACCEPTED);
	assert_int_equal(d.payload, 28);
	assert_int_equal(d.tunnel, TUNNEL_GRE);
	assert_int_equal(d.vni, 5);
	/* Its layers count. */
	begin(4);
	stack_ip(&stack, 4, stack_inner4, stack_inner4 + 4, 4);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &port, &d), FRAME_TUNNEL_LAYERS);
	/* Outside of a tunnel it is as a frame's: for an own address, with a right sum, and never answered. */
	begin(4);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &port, &own), FRAME_OTHER_ADDRESS);
	stack_begin(&stack, PAYLOAD);
	stack_udp(&stack, 6, NULL, NULL, PORT, false);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &plain, &own), FRAME_ACCEPTED);
	assert_int_equal(own.payload, 48);
	stack_head(&stack)[60] ^= 1;
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &plain, &own), FRAME_UDP_CHECKSUM);
	stack_begin(&stack, PAYLOAD);
	stack_ip(&stack, 4, NULL, NULL, 1);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &plain, &own), FRAME_ICMP_OTHER);
	stack_begin(&stack, PAYLOAD);
	stack_ip(&stack, 4, NULL, NULL, 47);
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &plain, &own), FRAME_PROTOCOL);
	stack_head(&stack)[0] = 0x15;
	assert_int_equal(tunnel_packet(stack_head(&stack), stack_length(&stack), &plain, &own), FRAME_IPV4_HEADER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_innermost_datagram_of_every_kind_is_found),
		cmocka_unit_test(a_port_without_tunnels_sees_what_it_always_saw),
		cmocka_unit_test(only_the_tunnels_of_the_list_are_entered),
		cmocka_unit_test(bridged_gre_with_a_key_is_nvgre_only_where_that_is_listed),
		cmocka_unit_test(an_input_of_gre_is_found_by_the_whole_key),
		cmocka_unit_test(the_outermost_address_must_be_the_ports),
		cmocka_unit_test(checksums_inside_are_verified),
		cmocka_unit_test(what_is_no_datagram_inside_is_named),
		cmocka_unit_test(a_host_may_know_tunnels_by_other_ports),
		cmocka_unit_test(fragments_inside_are_described_for_reassembly),
		cmocka_unit_test(a_packet_put_together_is_gone_on_with),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
