// Tunnels that lie, end early, never end or were hit by noise: one fate each, at bounded cost, and nothing read outside.
#include "tests/unit/tunnel_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_lie_of_a_header_is_named),
		cmocka_unit_test(a_frame_cut_at_every_byte_has_a_fate),
		cmocka_unit_test(a_tunnel_cut_at_every_byte_is_never_a_datagram),
		cmocka_unit_test(sixteen_layers_are_entered_and_no_more),
		cmocka_unit_test(bombs_are_cheap),
		cmocka_unit_test(any_change_of_any_byte_gives_one_fate),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
