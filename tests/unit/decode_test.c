#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_expect.h"

static uint8_t *const frame = frame_expected;
static struct datagram d;

static void expect(uint32_t length, enum counter_frame expected)
{
	frame_expect(length, 0, expected, &d);
}

static uint32_t build(struct frame_build what)
{
	return frame_build(&what, frame);
}

static void set16(uint32_t at, uint16_t value)
{
	wire_put16(frame + at, value);
}

// An IPv4 datagram with one field of its header changed and the checksum right again.
static uint32_t ipv4_with(uint32_t at, uint16_t value)
{
	uint32_t length = build((struct frame_build){.payload = 40});

	set16(14 + at, value);
	frame_fix_ipv4(frame + 14);
	return length;
}

static void tags_are_counted_and_the_outer_one_kept(void **state)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};

	(void)state;
	for (uint32_t outer = 0; outer < 3; outer++)
		for (uint32_t family = 4; family <= 6; family += 2) {
			expect(build((struct frame_build){.family = (uint8_t)family,
							  .tags = 2,
							  .tpid = {types[outer], 0x8100},
							  .tci = {0xe123, 7},
							  .payload = 5}),
			       FRAME_ACCEPTED);
			assert_int_equal(d.vlan, 0xe123);
			assert_int_equal(datagram_vlan_id(&d), 0x123);
			assert_int_equal(d.vlan_tags, 2);
			assert_int_equal(d.l3, 22);
			assert_int_equal(d.length, 5);
		}
	expect(build((struct frame_build){.tags = 1, .tci = {0xa000}}), FRAME_ACCEPTED);
	assert_int_equal(datagram_vlan_id(&d), 0);
	expect(build((struct frame_build){.tags = 1, .tci = {0xffff}}), FRAME_ACCEPTED);
	assert_int_equal(datagram_vlan_id(&d), 0xfff);
}

static void stacks_deeper_than_allowed_are_named(void **state)
{
	struct config_address own = {.family = 4, .prefix_length = 24, .bytes = {192, 0, 2, 1}};

	(void)state;
	for (uint32_t depth = 0; depth <= HOST_VLAN_DEPTH_MAX; depth++) {
		assert_int_equal(host_init(&frame_expected_host, frame_own_mac, &own, 1, depth), 0);
		for (uint32_t tags = 0; tags <= FRAME_TAGS_MAX; tags++)
			expect(build((struct frame_build){.tags = tags}),
			       tags <= depth ? FRAME_ACCEPTED : FRAME_VLAN_DEPTH);
	}
	frame_host(&frame_expected_host);
	build((struct frame_build){.tags = 1});
	for (uint32_t length = 14; length < 18; length++)
		expect(length, FRAME_VLAN_TRUNCATED);
	expect(18, FRAME_IPV4_TRUNCATED);
	for (uint32_t i = 0; i < 64; i++) /* a bomb of 64 tags */
		set16(12 + 4 * i, 0x8100);
	expect(12 + 4 * 64 + 2, FRAME_VLAN_DEPTH);
}

static void frames_are_as_long_as_ethernet_allows(void **state)
{
	(void)state;
	build((struct frame_build){.payload = 10});
	for (uint32_t length = 0; length < 14; length++)
		expect(length, FRAME_RUNT);
	expect(65535, FRAME_ACCEPTED);
	expect(65536, FRAME_TOO_LONG);
	assert_int_equal(decode_frame(frame, UINT32_MAX, &frame_expected_host, 0, &d), FRAME_TOO_LONG);
}

static void other_stations_frames_are_named(void **state)
{
	static const uint8_t other[6] = {0x02, 0, 0x5e, 0x10, 0, 2}, all[6] = {255, 255, 255, 255, 255, 255};

	(void)state;
	expect(build((struct frame_build){.to_mac = other}), FRAME_OTHER_MAC);
	expect(build((struct frame_build){.to_mac = all}), FRAME_ACCEPTED);
	for (uint32_t bit = 1; bit < 48; bit++) { /* bit 0 makes it a group */
		build((struct frame_build){0});
		frame[bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect(64, FRAME_OTHER_MAC);
	}
}

static void ethertypes_that_nobody_reads_are_named(void **state)
{
	static const uint16_t types[] = {0, 38, 1500, 0x0600, 0x0801, 0x8035, 0x8847, 0x8864, 0x88cc, 0x9200, 0xffff};

	(void)state;
	for (uint32_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		build((struct frame_build){.payload = 30});
		set16(12, types[i]);
		expect(72, FRAME_ETHERTYPE);
		expect(14, FRAME_ETHERTYPE);
	}
}

static void arp_is_left_to_answer(void **state)
{
	(void)state;
	expect(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4), FRAME_ANSWERED);
	assert_int_equal(d.l3, 14);
	assert_int_equal(d.length, 28);
	assert_null(d.addresses);
	expect(14, FRAME_ANSWERED); /* a look inside is answer_frame()'s */
}

static void ipv4_headers_that_lie_are_named(void **state)
{
	uint32_t length;

	(void)state;
	for (uint32_t first = 0; first < 256; first++) {
		length = build((struct frame_build){.payload = 40});
		frame[14] = (uint8_t)first;
		if (first != 0x45)
			expect(length, first >> 4 != 4 || first % 16 < 5 ? FRAME_IPV4_HEADER : FRAME_IPV4_CHECKSUM);
	}
	expect(ipv4_with(2, 0), FRAME_IPV4_HEADER); /* what segmentation offload leaves */
	expect(ipv4_with(2, 1), FRAME_IPV4_HEADER);
	expect(ipv4_with(2, 19), FRAME_IPV4_HEADER);
	expect(ipv4_with(2, 69), FRAME_IPV4_TRUNCATED);
	expect(ipv4_with(2, 65535), FRAME_IPV4_TRUNCATED);
	expect(ipv4_with(2, 67), FRAME_UDP_LENGTH);
	expect(ipv4_with(2, 27), FRAME_UDP_TRUNCATED);
	expect(ipv4_with(2, 20), FRAME_UDP_TRUNCATED);
	build((struct frame_build){.options = 40});
	expect(14 + 59, FRAME_IPV4_TRUNCATED);
	set16(16, 59);
	expect(14 + 59, FRAME_IPV4_TRUNCATED);
	build((struct frame_build){.options = 40});
	set16(16, 59);
	expect(14 + 68, FRAME_IPV4_HEADER);
}

static void options_are_stepped_over_and_summed(void **state)
{
	(void)state;
	for (uint32_t options = 0; options <= 40; options += 4) {
		uint32_t length = build((struct frame_build){.options = options, .payload = 11, .padding = 3});

		expect(length, FRAME_ACCEPTED);
		assert_int_equal(d.l4, 34 + options);
		assert_int_equal(d.length, 11);
		for (uint32_t i = 0; i < options; i++) {
			frame[34 + i] ^= 0x10;
			expect(length, FRAME_IPV4_CHECKSUM);
			frame[34 + i] ^= 0x10;
		}
	}
}

static void fragments_are_named(void **state)
{
	(void)state;
	expect(ipv4_with(6, 0x2000), FRAME_IPV4_FRAGMENT);
	expect(ipv4_with(6, 0x0001), FRAME_IPV4_FRAGMENT);
	expect(ipv4_with(6, 0x1fff), FRAME_IPV4_FRAGMENT);
	expect(ipv4_with(6, 0x4000), FRAME_ACCEPTED);
	expect(ipv4_with(6, 0x8000), FRAME_ACCEPTED);
}

static void protocols_that_nobody_reads_are_named(void **state)
{
	(void)state;
	for (uint32_t protocol = 0; protocol < 256; protocol++) {
		uint32_t length = build((struct frame_build){.payload = 40});

		frame[23] = (uint8_t)protocol;
		frame_fix_ipv4(frame + 14);
		expect(length, protocol == 17 ? FRAME_ACCEPTED : protocol == 1 ? FRAME_ANSWERED : FRAME_PROTOCOL);
	}
}

static void ipv6_headers_that_lie_are_named(void **state)
{
	uint32_t length = build((struct frame_build){.family = 6, .payload = 40});

	(void)state;
	for (uint32_t version = 0; version < 16; version++) {
		frame[14] = (uint8_t)(version << 4 | 0xb);
		expect(length, version == 6 ? FRAME_ACCEPTED : FRAME_IPV6_HEADER);
	}
	frame[14] = 0x60;
	set16(18, 0);
	expect(length, FRAME_IPV6_HEADER);
	frame[20] = WIRE_NO_NEXT;
	expect(length, FRAME_PROTOCOL);
	frame[20] = WIRE_UDP;
	set16(18, 49);
	expect(length, FRAME_IPV6_TRUNCATED);
	set16(18, 65535);
	expect(length, FRAME_IPV6_TRUNCATED);
	set16(18, 47);
	expect(length, FRAME_UDP_LENGTH);
	set16(18, 7);
	expect(length, FRAME_UDP_TRUNCATED);
	expect(14 + 39, FRAME_IPV6_TRUNCATED);
	expect(14, FRAME_IPV6_TRUNCATED);
}

static enum counter_frame chain(const uint8_t *headers, uint32_t bytes, uint8_t next, enum counter_frame expected)
{
	expect(build((struct frame_build){.family = 6,
					  .extensions = headers,
					  .extension_bytes = bytes,
					  .next = next,
					  .payload = 9,
					  .padding = 2}),
	       expected);
	return expected;
}

static void extension_headers_are_stepped_over(void **state)
{
	static const uint8_t all[] = {
		60, 0, 5, 2,  0, 0, 1, 0,                         /* hop-by-hop: router alert */
		43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* destination options, 16 bytes */
		44, 0, 4, 0,  0, 0, 0, 0,                         /* routing, no segments left */
		51, 0, 0, 0,  1, 2, 3, 4,                         /* atomic fragment */
		17, 4, 0, 0,  0, 0, 1, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, /* AH, 24 bytes */
	};

	(void)state;
	chain(all, sizeof all, 0, FRAME_ACCEPTED);
	assert_int_equal(d.l4, 14 + 40 + sizeof all);
	assert_int_equal(d.length, 9);
	assert_int_equal(datagram_vlan_id(&d), 0);
}

static void chains_out_of_order_or_bounds_are_named(void **state)
{
	static const uint8_t hop_later[] = {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0};
	static const uint8_t segments_left[] = {17, 0, 4, 1, 0, 0, 0, 0};
	static const uint8_t short_ah[] = {17, 0, 0, 0, 0, 0, 0, 1};
	static const uint8_t two_fragments[] = {44, 0, 0, 0, 0, 0, 0, 1, 17, 0, 0, 0, 0, 0, 0, 1};
	static const uint8_t too_far[] = {17, 255, 0, 0, 0, 0, 0, 0};
	static const uint8_t esp[] = {50, 0, 0, 0, 0, 0, 0, 0}, none[] = {59, 0, 0, 0, 0, 0, 0, 0};
	uint8_t many[9 * 8] = {0}, big[2 * 1032] = {0};

	(void)state;
	chain(hop_later, sizeof hop_later, 60, FRAME_IPV6_EXTENSION);
	chain(segments_left, sizeof segments_left, 43, FRAME_IPV6_EXTENSION);
	chain(short_ah, sizeof short_ah, 51, FRAME_IPV6_EXTENSION);
	chain(two_fragments, sizeof two_fragments, 44, FRAME_IPV6_EXTENSION);
	chain(too_far, sizeof too_far, 60, FRAME_IPV6_EXTENSION);
	chain(esp, sizeof esp, 60, FRAME_PROTOCOL);
	chain(none, sizeof none, 0, FRAME_PROTOCOL);
	for (uint32_t i = 0; i < 9; i++)
		many[8 * i] = WIRE_DESTINATION;
	many[7 * 8] = many[8 * 8] = WIRE_UDP;
	chain(many, 8 * 8, WIRE_DESTINATION, FRAME_ACCEPTED);
	many[7 * 8] = WIRE_DESTINATION;
	chain(many, 9 * 8, WIRE_DESTINATION, FRAME_IPV6_EXTENSION);
	/* 1,032 and 1,016 bytes are the 2,048 allowed; 8 more are not. */
	big[0] = WIRE_DESTINATION;
	big[1] = 128;
	big[1032] = WIRE_UDP;
	big[1033] = 126;
	chain(big, 2048, WIRE_DESTINATION, FRAME_ACCEPTED);
	big[1033] = 127;
	chain(big, 2056, WIRE_DESTINATION, FRAME_IPV6_EXTENSION);
	/* Behind the header, 1 to 7 bytes of an extension. */
	build((struct frame_build){.family = 6});
	for (uint16_t left = 1; left < 8; left++) {
		set16(18, left);
		frame[20] = WIRE_DESTINATION;
		expect(62, FRAME_IPV6_EXTENSION);
		frame[20] = WIRE_FRAGMENT;
		expect(54u + left, FRAME_IPV6_EXTENSION);
	}
}

static void ipv6_fragments_are_named(void **state)
{
	uint8_t fragment[] = {17, 0, 0, 0, 0, 0, 0, 1};

	(void)state;
	chain(fragment, 8, 44, FRAME_ACCEPTED);
	for (uint32_t bit = 0; bit < 16; bit++) {
		wire_put16(fragment + 2, (uint16_t)(1u << bit));
		chain(fragment, 8, 44, bit == 1 || bit == 2 ? FRAME_ACCEPTED : FRAME_IPV6_FRAGMENT);
	}
}

static void the_first_of_two_faults_counts(void **state)
{
	static const uint8_t other[6] = {0x02, 9, 9, 9, 9, 9};
	uint32_t length;

	(void)state;
	expect(build((struct frame_build){.to_mac = other, .tags = 5}), FRAME_OTHER_MAC);
	build((struct frame_build){.tags = 3});
	expect(24, FRAME_VLAN_DEPTH); /* too deep, and cut off inside the third tag */
	length = build((struct frame_build){.destination = frame_peer4, .payload = 8});
	set16(20, 0x2000);
	expect(length, FRAME_IPV4_CHECKSUM); /* before fragment and address */
	frame_fix_ipv4(frame + 14);
	expect(length, FRAME_OTHER_ADDRESS); /* before fragment */
	length = ipv4_with(6, 0x2000);
	frame[23] = 6;
	frame_fix_ipv4(frame + 14);
	expect(length, FRAME_IPV4_FRAGMENT); /* before protocol */
	length = build((struct frame_build){.payload = 8});
	frame[14] = 0x65;
	set16(16, 65535);
	expect(length, FRAME_IPV4_HEADER); /* before truncated */
	length = build((struct frame_build){.family = 6, .destination = frame_peer6, .payload = 8});
	frame[20] = 44;
	expect(length, FRAME_OTHER_ADDRESS); /* before the chain */
	length = build((struct frame_build){.payload = 8});
	set16(38, 3);
	frame[40] ^= 1;
	expect(length, FRAME_UDP_LENGTH); /* before its checksum */
}

static void every_reason_was_reached(void **state)
{
	(void)state;
	for (uint32_t fate = FRAME_ACCEPTED; fate <= FRAME_PROTOCOL; fate++)
		/* Those three are the codec's and answer_frame()'s. */
		if (fate != FRAME_EMPTY && fate != FRAME_ARP_MALFORMED && fate != FRAME_ARP_OTHER)
			frame_expect_seen(fate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tags_are_counted_and_the_outer_one_kept),
		cmocka_unit_test(stacks_deeper_than_allowed_are_named),
		cmocka_unit_test(frames_are_as_long_as_ethernet_allows),
		cmocka_unit_test(other_stations_frames_are_named),
		cmocka_unit_test(ethertypes_that_nobody_reads_are_named),
		cmocka_unit_test(arp_is_left_to_answer),
		cmocka_unit_test(ipv4_headers_that_lie_are_named),
		cmocka_unit_test(options_are_stepped_over_and_summed),
		cmocka_unit_test(fragments_are_named),
		cmocka_unit_test(protocols_that_nobody_reads_are_named),
		cmocka_unit_test(ipv6_headers_that_lie_are_named),
		cmocka_unit_test(extension_headers_are_stepped_over),
		cmocka_unit_test(chains_out_of_order_or_bounds_are_named),
		cmocka_unit_test(ipv6_fragments_are_named),
		cmocka_unit_test(the_first_of_two_faults_counts),
		cmocka_unit_test(every_reason_was_reached),
	};

	return cmocka_run_group_tests(tests, frame_expect_set_up, NULL);
}
