#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/decode.h"
#include "tests/support/frame_expect.h"

static uint8_t *const frame = frame_expected;
static struct datagram d;

static void expect_verified(uint32_t length, uint32_t verified, enum counter_frame expected)
{
	frame_expect(length, verified, expected, &d);
}

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

static void an_ipv4_datagram_is_described(void **state)
{
	uint8_t origin[36];
	uint32_t length = build((struct frame_build){.payload = 22, .padding = 4});

	(void)state;
	expect(length, FRAME_ACCEPTED);
	assert_int_equal(d.family, RECORD_ORIGIN_IPV4);
	assert_int_equal(d.l3, 14);
	assert_int_equal(d.l4, 34);
	assert_int_equal(d.payload, 42);
	assert_int_equal(d.length, 22);
	assert_int_equal(d.vlan, RECORD_VLAN_NONE);
	assert_int_equal(d.vlan_tags, 0);
	assert_int_equal(datagram_copy_origin(&d, origin), 12);
	assert_memory_equal(origin, "\300\000\002\143\300\000\002\001\x9c\x40\x02\x02", 12);
}

static void an_ipv6_datagram_is_described(void **state)
{
	uint8_t origin[36];
	uint32_t length = build((struct frame_build){.family = 6, .payload = 22, .padding = 9});

	(void)state;
	expect(length, FRAME_ACCEPTED);
	assert_int_equal(d.family, RECORD_ORIGIN_IPV6);
	assert_int_equal(d.l3, 14);
	assert_int_equal(d.l4, 54);
	assert_int_equal(d.payload, 62);
	assert_int_equal(d.length, 22);
	assert_int_equal(datagram_copy_origin(&d, origin), 36);
	assert_memory_equal(origin, frame_peer6, 16);
	assert_memory_equal(origin + 16, frame_own6, 16);
	assert_memory_equal(origin + 32, "\x9c\x40\x02\x02", 4);
}

static void a_udp_header_that_ip_cuts_off_is_named(void **state)
{
	(void)state;
	for (uint16_t left = 0; left < 8; left++) {
		uint32_t length = build((struct frame_build){.payload = 10});

		set16(16, 20 + left);
		frame_fix_ipv4(frame + 14);
		expect(length, FRAME_UDP_TRUNCATED);
		length = build((struct frame_build){.family = 6, .payload = 10});
		set16(18, left);
		expect(length, left ? FRAME_UDP_TRUNCATED : FRAME_IPV6_HEADER);
	}
}

static void udp_lengths_that_lie_are_named(void **state)
{
	static const uint16_t lies[] = {0, 1, 7, 49, 65535};

	(void)state;
	for (uint32_t family = 4; family <= 6; family += 2) {
		uint32_t l4 = family == 4 ? 34 : 54, length;

		for (uint32_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
			length = build((struct frame_build){.family = (uint8_t)family, .payload = 40, .padding = 10});
			set16(l4 + 4, lies[i]);
			expect(length, FRAME_UDP_LENGTH);
		}
		length = build((struct frame_build){.family = (uint8_t)family, .payload = 40});
		set16(l4 + 4, 47);
		expect(length, FRAME_UDP_CHECKSUM);
		expect(build((struct frame_build){.family = (uint8_t)family, .payload = 0}), FRAME_ACCEPTED);
		assert_int_equal(d.length, 0);
	}
}

static void bytes_behind_the_udp_length_are_ignored(void **state)
{
	uint32_t length = build((struct frame_build){.payload = 40, .padding = 12, .no_checksum = true});

	(void)state;
	set16(16, 20 + 48 + 12);
	frame_fix_ipv4(frame + 14);
	expect(length, FRAME_ACCEPTED);
	assert_int_equal(d.length, 40);
}

static void udp_checksums_are_checked_in_every_bit(void **state)
{
	(void)state;
	for (uint32_t family = 4; family <= 6; family += 2)
		for (uint32_t payload = 0; payload < 300; payload += 37) {
			uint32_t l3 = 14, l4 = family == 4 ? 34 : 54;
			uint32_t length = build((struct frame_build){.family = (uint8_t)family, .payload = payload});

			expect(length, FRAME_ACCEPTED);
			for (uint32_t at = l4; at < length; at++) {
				if (at == l4 + 4 || at == l4 + 5)
					continue;
				frame[at] ^= 1;
				expect(length, FRAME_UDP_CHECKSUM);
				frame[at] ^= 1;
			}
			frame[l3 + (family == 4 ? 15 : 23)] ^= 1; /* the source is part of the sum */
			if (family == 4)
				frame_fix_ipv4(frame + l3);
			expect(length, FRAME_UDP_CHECKSUM);
		}
}

static void no_udp_checksum_is_for_ipv4_only(void **state)
{
	(void)state;
	expect(build((struct frame_build){.payload = 8, .no_checksum = true}), FRAME_ACCEPTED);
	expect_verified(build((struct frame_build){.payload = 8, .no_checksum = true}), DECODE_L4_CHECKSUM_BAD,
			FRAME_ACCEPTED);
	expect(build((struct frame_build){.family = 6, .payload = 8, .no_checksum = true}), FRAME_UDP_CHECKSUM);
	expect_verified(build((struct frame_build){.family = 6, .payload = 8, .no_checksum = true}),
			DECODE_L4_CHECKSUM_GOOD, FRAME_UDP_CHECKSUM);
}

static void ipv4_checksums_are_checked_in_every_bit(void **state)
{
	uint32_t length = build((struct frame_build){.payload = 8});

	(void)state;
	for (uint32_t bit = 8; bit < 160; bit++) {
		if (bit / 8 == 2 || bit / 8 == 3)
			continue; /* the total length is judged before */
		frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		expect(length, FRAME_IPV4_CHECKSUM);
		frame[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void the_nic_is_believed_on_sums_and_never_on_lengths(void **state)
{
	const uint32_t good = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
	uint32_t length = build((struct frame_build){.payload = 40});

	(void)state;
	expect_verified(length, DECODE_IP_CHECKSUM_BAD, FRAME_IPV4_CHECKSUM);
	expect_verified(length, good | DECODE_IP_CHECKSUM_BAD, FRAME_IPV4_CHECKSUM);
	expect_verified(length, DECODE_L4_CHECKSUM_BAD, FRAME_UDP_CHECKSUM);
	expect_verified(length, good | DECODE_L4_CHECKSUM_BAD, FRAME_UDP_CHECKSUM);
	frame[24] ^= 1;
	frame[40] ^= 1;
	expect_verified(length, good, FRAME_ACCEPTED);
	expect_verified(length, DECODE_L4_CHECKSUM_GOOD, FRAME_IPV4_CHECKSUM);
	expect_verified(length, DECODE_IP_CHECKSUM_GOOD, FRAME_UDP_CHECKSUM);
	expect_verified(length - 1, good, FRAME_IPV4_TRUNCATED);
	set16(38, 49);
	expect_verified(length, good, FRAME_UDP_LENGTH);
	set16(16, 0);
	expect_verified(length, good, FRAME_IPV4_HEADER);
	frame[14] = 0x4f;
	expect_verified(length - 20, good, FRAME_IPV4_TRUNCATED);
}

static void a_tap_describes_every_frame(void **state)
{
	static const uint8_t other[6] = {0x02, 9, 9, 9, 9, 9};
	const uint32_t good = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
	uint32_t length;

	(void)state;
	assert_int_equal(host_init_tap(&frame_expected_host, 4), 0);
	expect_verified(build((struct frame_build){.to_mac = other, .tags = 3, .destination = frame_peer4}), good,
			FRAME_ACCEPTED);
	assert_int_equal(d.vlan, 100);
	assert_non_null(d.ports);
	expect_verified(build((struct frame_build){.to_mac = other, .family = 6, .destination = frame_peer6}), good,
			FRAME_ACCEPTED);
	length = build((struct frame_build){.to_mac = other, .payload = 30});
	frame[23] = 6;
	expect_verified(length, good, FRAME_PROTOCOL);
	assert_int_equal(d.family, RECORD_ORIGIN_IPV4);
	assert_non_null(d.addresses);
	assert_null(d.ports);
	assert_int_equal(datagram_copy_origin(&d, frame), 0);
	frame_host(&frame_expected_host);
}

static void every_reason_was_reached(void **state)
{
	(void)state;
	frame_expect_seen(FRAME_ACCEPTED);
	frame_expect_seen(FRAME_UDP_TRUNCATED);
	frame_expect_seen(FRAME_UDP_LENGTH);
	frame_expect_seen(FRAME_UDP_CHECKSUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv4_datagram_is_described),
		cmocka_unit_test(an_ipv6_datagram_is_described),
		cmocka_unit_test(a_udp_header_that_ip_cuts_off_is_named),
		cmocka_unit_test(udp_lengths_that_lie_are_named),
		cmocka_unit_test(bytes_behind_the_udp_length_are_ignored),
		cmocka_unit_test(udp_checksums_are_checked_in_every_bit),
		cmocka_unit_test(no_udp_checksum_is_for_ipv4_only),
		cmocka_unit_test(ipv4_checksums_are_checked_in_every_bit),
		cmocka_unit_test(the_nic_is_believed_on_sums_and_never_on_lengths),
		cmocka_unit_test(a_tap_describes_every_frame),
		cmocka_unit_test(every_reason_was_reached),
	};

	return cmocka_run_group_tests(tests, frame_expect_set_up, NULL);
}
