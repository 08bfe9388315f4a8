#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/tunnel.h"
#include "dataplane/packet/tunnel_header.h"
#include "tests/support/tunnel_build.h"

#define PORT 514u
#define PAYLOAD 30u

static struct host port, plain, tap;
static struct stack stack;

static int set_up(void **state)
{
	(void)state;
	frame_host(&port);
	port.tunnels = UINT32_MAX;
	frame_host(&plain);
	assert_int_equal(host_init_tap(&tap, 2), 0);
	return 0;
}

/* What becomes of `length` bytes at `frame`, out of a block of exactly this size. Pointers in `d` are into `frame`. */
static enum counter_frame look(const struct host *host, const uint8_t *frame, uint32_t length, struct datagram *d)
{
	uint8_t *exact = frame_exact(frame, length);
	enum counter_frame fate;

	memset(d, 0xa5, sizeof *d); /* what is not set must not be used */
	fate = decode_frame(exact, length, host, host->tap ? DECODE_ALL_GOOD : 0, d);
	fate = tunnel_enter(exact, length, host, fate, d);
	if (fate == FRAME_ACCEPTED && !host->tap) {
		assert_true(d->payload <= length && d->length <= length - d->payload);
		assert_true(d->ports >= exact && d->ports + 8 <= exact + length);
	}
	d->addresses = d->addresses ? frame + (d->addresses - exact) : NULL;
	d->ports = d->ports ? frame + (d->ports - exact) : NULL;
	free(exact);
	return fate;
}

static void expect(const struct host *host, enum counter_frame expected, struct datagram *d)
{
	enum counter_frame fate = look(host, stack_head(&stack), stack_length(&stack), d);

	if (fate != expected)
		print_error("%s instead of %s\n", counter_label(fate), counter_label(expected));
	assert_int_equal(fate, expected);
}

/* An ordinary datagram inside, for nobody's address. */
static void begin(uint8_t family)
{
	stack_begin(&stack, PAYLOAD);
	if (family == 6)
		stack_udp(&stack, 6, stack_inner6, stack_inner6 + 16, PORT, false);
	else
		stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, PORT, false);
}

static void in_own_ip(uint8_t protocol)
{
	stack_ip(&stack, 4, NULL, NULL, protocol);
	stack_ethernet(&stack, 0x0800);
}

static void in_own_udp(uint16_t udp_port)
{
	stack_udp(&stack, 4, NULL, NULL, udp_port, false);
	stack_ethernet(&stack, 0x0800);
}

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
		fate = look(&host, stack_head(&stack), stack_length(&stack), &d);
		assert_int_not_equal(d.tunnel, stack_kinds[k].tunnel);
		/* Over UDP it is then a datagram like any other. */
		if (fate == FRAME_ACCEPTED)
			assert_int_not_equal(wire_get16(d.ports + 2), PORT);
		else
			assert_true(fate == FRAME_PROTOCOL || fate == FRAME_TUNNEL_INNER || fate == FRAME_UDP_CHECKSUM);
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

/* The header built by `build` with one byte changed. */
#define LIE(build, offset, value, protocol, fate)                                                                      \
	do {                                                                                                           \
		begin(4);                                                                                              \
		build;                                                                                                 \
		stack_head(&stack)[offset] = (value);                                                                  \
		in_own_ip(protocol);                                                                                   \
		expect(&port, fate, &d);                                                                               \
	} while (0)
#define LIE_UDP(build, offset, value, udp_port, fate)                                                                  \
	do {                                                                                                           \
		begin(4);                                                                                              \
		build;                                                                                                 \
		stack_head(&stack)[offset] = (value);                                                                  \
		in_own_udp(udp_port);                                                                                  \
		expect(&port, fate, &d);                                                                               \
	} while (0)

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

static void every_lie_of_a_header_is_named(void **state)
{
	struct datagram d;

	(void)state;
	LIE_UDP(stack_vxlan(&stack, 1), 0, 0x00, 4789, FRAME_VXLAN);
	LIE_UDP(stack_vxlan(&stack, 1), 0, 0xf7, 4789, FRAME_VXLAN);
	LIE_UDP(stack_vxlan_gpe(&stack, 1, 1), 0, 0x1c, 4790, FRAME_VXLAN);
	LIE_UDP(stack_vxlan_gpe(&stack, 1, 1), 0, 0x04, 4790, FRAME_VXLAN);
	LIE_UDP(stack_vxlan_gpe(&stack, 1, 1), 0, 0x0d, 4790, FRAME_TUNNEL_INNER);
	LIE_UDP(stack_vxlan_gpe(&stack, 1, 1), 3, 77, 4790, FRAME_TUNNEL_INNER);
	LIE_UDP(stack_geneve(&stack, 1, 0x0800, 2), 0, 0x42, 6081, FRAME_GENEVE);
	LIE_UDP(stack_geneve(&stack, 1, 0x0800, 2), 0, 0x3f, 6081, FRAME_GENEVE);
	LIE_UDP(stack_geneve(&stack, 1, 0x0800, 2), 0, 0x03, 6081, FRAME_IPV4_HEADER); /* an option too far */
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 0, 0x16, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 0, 0x56, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 2, 1, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 3, 3, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 12, 0, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, 2), 12, 255, 2152, FRAME_GTP);
	LIE_UDP(stack_gtp(&stack, 1, true, TUNNEL_GTP_EXTENSIONS_MAX + 1), 9, 0, 2152, FRAME_GTP);
	LIE(stack_gre(&stack, 0x2000, 0x0800, 1), 0, 0x60, 47, FRAME_GRE); /* routing */
	LIE(stack_gre(&stack, 0x2000, 0x0800, 1), 0, 0x28, 47, FRAME_GRE);
	LIE(stack_gre(&stack, 0x2000, 0x0800, 1), 0, 0x24, 47, FRAME_GRE);
	LIE(stack_gre(&stack, 0x2000, 0x0800, 1), 1, 0x02, 47, FRAME_GRE);
	LIE(stack_erspan(&stack, 2, 1), 8, 0x20, 47, FRAME_ERSPAN);
	LIE(stack_erspan(&stack, 3, 1), 8, 0x10, 47, FRAME_ERSPAN);
	LIE(stack_erspan(&stack, 3, 1), 18, 0x84, 47, FRAME_TUNNEL_INNER);
	LIE(stack_mpls(&stack, 1, true), 2, 0x10, 137, FRAME_TUNNEL_INNER); /* the packet is taken for a label */
	for (uint32_t byte = 0; byte < 2; byte++) {
		begin(4);
		stack_pppoe(&stack, 1, 0x21);
		stack_head(&stack)[byte] ^= 0x11;
		stack_ethernet(&stack, 0x8864);
		expect(&port, FRAME_PPPOE, &d);
	}
	for (uint32_t length = 0; length < 2; length++) {
		begin(4);
		stack_pppoe(&stack, 1, 0x21);
		stack_head(&stack)[4] = length == 0 ? 0 : 9;
		stack_head(&stack)[5] = 1;
		stack_ethernet(&stack, 0x8864);
		expect(&port, FRAME_PPPOE, &d);
	}
	/* IPv6 behind labels that ends before any UDP header: nothing of one is looked at. */
	stack_begin(&stack, 4);
	stack_ip(&stack, 6, NULL, NULL, 0);
	stack_mpls(&stack, 2, true);
	stack_ethernet(&stack, 0x8847);
	expect(&port, FRAME_IPV6_EXTENSION, &d);
	/* Tags inside are counted anew, and bounded. */
	begin(4);
	for (uint32_t tag = 0; tag < 3; tag++)
		stack_tag(&stack, (uint16_t)tag, tag ? 0x8100 : 0x0800);
	stack_ethernet(&stack, 0x8100);
	stack_vxlan(&stack, 1);
	in_own_udp(4789);
	expect(&port, FRAME_VLAN_DEPTH, &d);
	/* Labels without end. */
	begin(4);
	for (uint32_t label = 0; label < TUNNEL_MPLS_LABELS_MAX + 1; label++)
		stack_mpls(&stack, label, label == 0);
	in_own_ip(137);
	expect(&port, FRAME_MPLS, &d);
}

/* Cut off at every byte, with the lengths outside made right: the frame has a fate, and nothing behind it is read. */
static void a_frame_cut_at_every_byte_has_a_fate(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		stack_build(&stack, k, PORT, PAYLOAD);
		for (uint32_t length = 0; length < stack_length(&stack); length++) {
			struct datagram d;

			assert_int_not_equal(look(&port, stack_head(&stack), length, &d), FRAME_ACCEPTED);
			look(&tap, stack_head(&stack), length, &d);
		}
	}
}

/* Every tunnel header and what is in it cut off at every byte, all lengths around it true. */
static void a_tunnel_cut_at_every_byte_is_never_a_datagram(void **state)
{
	static struct stack whole;

	(void)state;
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		struct datagram d = {0}, cut;
		uint8_t family, protocol;
		uint32_t inner;

		stack_build(&whole, k, PORT, PAYLOAD);
		decode_frame(stack_head(&whole), stack_length(&whole), &tap, DECODE_ALL_GOOD, &d);
		family = d.family == RECORD_ORIGIN_IPV6 ? 6 : 4;
		protocol = stack_head(&whole)[d.l3 + (family == 6 ? 6 : 9)];
		inner = d.l4 + (protocol == 17 ? 8 : 0);
		for (uint32_t bytes = 0; bytes < stack_length(&whole) - inner; bytes++) {
			stack_begin(&stack, 0);
			stack_push(&stack, stack_head(&whole) + inner, bytes);
			if (protocol == 17)
				stack_udp(&stack, family, NULL, NULL, wire_get16(stack_head(&whole) + d.l4 + 2), false);
			else
				stack_ip(&stack, family, NULL, NULL, protocol);
			stack_ethernet(&stack, family == 6 ? 0x86dd : 0x0800);
			assert_int_not_equal(look(&port, stack_head(&stack), stack_length(&stack), &cut),
					     FRAME_ACCEPTED);
			look(&tap, stack_head(&stack), stack_length(&stack), &cut);
		}
	}
}

static void sixteen_layers_are_entered_and_no_more(void **state)
{
	(void)state;
	for (uint32_t layers = 1; layers <= TUNNEL_LAYERS_MAX + 1; layers++) {
		struct datagram d;

		begin(4);
		for (uint32_t i = 1; i < layers; i++)
			stack_ip(&stack, i % 2 ? 4 : 6, i % 2 ? stack_inner4 : stack_inner6,
				 i % 2 ? stack_inner4 + 4 : stack_inner6 + 16, i == 1 || i % 2 == 0 ? 4 : 41);
		in_own_ip(layers == 1 || layers % 2 == 0 ? 4 : 41);
		expect(&port, layers <= TUNNEL_LAYERS_MAX ? FRAME_ACCEPTED : FRAME_TUNNEL_LAYERS, &d);
		assert_int_equal(d.layers, layers <= TUNNEL_LAYERS_MAX ? layers : TUNNEL_LAYERS_MAX);
	}
}

static void bombs_are_cheap(void **state)
{
	struct datagram d;

	(void)state;
	begin(4);
	for (uint32_t i = 0; i < 400; i++)
		stack_ip(&stack, 4, stack_inner4, stack_inner4 + 4, 4);
	in_own_ip(4);
	expect(&port, FRAME_TUNNEL_LAYERS, &d);
	look(&tap, stack_head(&stack), stack_length(&stack), &d);
	assert_int_equal(d.layers, TUNNEL_LAYERS_MAX);
	/* Sums over the same bytes again and again. */
	stack_begin(&stack, 60000);
	stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, PORT, false);
	for (uint32_t i = 0; i < 4; i++) {
		stack_gre(&stack, 0x8000, 0x0800, 0);
		stack_ip(&stack, 4, i < 3 ? stack_inner4 : NULL, i < 3 ? stack_inner4 + 4 : NULL, 47);
	}
	stack_ethernet(&stack, 0x0800);
	expect(&port, FRAME_TUNNEL_LAYERS, &d);
	/* One of them is not too much. */
	stack_begin(&stack, 60000);
	stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, PORT, false);
	stack_gre(&stack, 0x8000, 0x0800, 0);
	in_own_ip(47);
	expect(&port, FRAME_ACCEPTED, &d);
}

static void any_change_of_any_byte_gives_one_fate(void **state)
{
	uint64_t series = 7;

	(void)state;
	for (uint32_t round = 0; round < 40000; round++) {
		struct datagram d;
		enum counter_frame fate;

		stack_build(&stack, round % stack_kinds_count, PORT, PAYLOAD);
		for (uint32_t i = 0; i < 1 + round % 3; i++) {
			uint64_t random = frame_random(&series);

			stack_head(&stack)[random % stack_length(&stack)] = (uint8_t)(random >> 32);
		}
		fate = look(&port, stack_head(&stack), stack_length(&stack), &d);
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_GTP);
		fate = look(&tap, stack_head(&stack), stack_length(&stack), &d);
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_GTP);
		assert_true(d.layers <= TUNNEL_LAYERS_MAX);
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
		cmocka_unit_test(the_outermost_address_must_be_the_ports),
		cmocka_unit_test(checksums_inside_are_verified),
		cmocka_unit_test(what_is_no_datagram_inside_is_named),
		cmocka_unit_test(a_host_may_know_tunnels_by_other_ports),
		cmocka_unit_test(every_lie_of_a_header_is_named),
		cmocka_unit_test(a_frame_cut_at_every_byte_has_a_fate),
		cmocka_unit_test(a_tunnel_cut_at_every_byte_is_never_a_datagram),
		cmocka_unit_test(sixteen_layers_are_entered_and_no_more),
		cmocka_unit_test(bombs_are_cheap),
		cmocka_unit_test(any_change_of_any_byte_gives_one_fate),
		cmocka_unit_test(fragments_inside_are_described_for_reassembly),
		cmocka_unit_test(a_packet_put_together_is_gone_on_with),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
