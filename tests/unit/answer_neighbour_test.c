// Neighbour discovery (RFC 4861, 4862), and the announcement of own addresses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

static struct host host;
static uint8_t frame[FRAME_BUILD_MAX], reply[200];
static enum counter_frame fate;

static const uint8_t nobody[16], all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t solicited_mac[6] = {0x33, 0x33, 0xff, 0x02, 0x00, 0x03};
static const uint8_t link_option[8] = {1, 1, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55};

static int set_up(void **state)
{
	(void)state;
	frame_host(&host);
	return 0;
}

static uint32_t ask_in(uint32_t length, uint32_t room)
{
	uint8_t *exact = frame_exact(frame, length), *out = malloc(room);
	uint32_t replied = answer_frame(&host, exact, length, out, room, &fate);

	memcpy(reply, out, replied);
	free(out);
	free(exact);
	return replied;
}

static void expect_silence(uint32_t length, enum counter_frame expected)
{
	assert_int_equal(ask_in(length, sizeof reply), 0);
	assert_int_equal(fate, expected);
}

// A solicitation for `target` with `option_bytes` of options, sent to its group.
static uint32_t solicit(const uint8_t *target, const uint8_t *options, uint32_t option_bytes, struct frame_build what)
{
	static uint8_t message[64];

	memset(message, 0, sizeof message);
	message[0] = 135;
	memcpy(message + 8, target, 16);
	memcpy(message + 24, options ? options : nobody, option_bytes);
	what.family = 6;
	what.protocol = 58;
	what.message = message;
	what.message_bytes = what.message_bytes ? what.message_bytes : 24 + option_bytes;
	what.to_mac = what.to_mac ? what.to_mac : solicited_mac;
	what.destination = what.destination ? what.destination : frame_solicited;
	what.hop_limit = what.hop_limit ? what.hop_limit : 255;
	return frame_build(&what, frame);
}

// What RFC 4861 4.4 says an advertisement of `target` is.
static void expect_advertisement(uint32_t at, const uint8_t *target, const uint8_t *to, uint8_t flags)
{
	uint8_t expected[72] = {0x60, 0, 0, 0, 0, 32, 58, 255, [40] = 136, [44] = flags, [64] = 2, [65] = 1};
	uint16_t sum;

	memcpy(expected + 8, target, 16);
	memcpy(expected + 24, to, 16);
	memcpy(expected + 48, target, 16);
	memcpy(expected + 66, frame_own_mac, 6);
	sum = frame_pseudo_checksum(expected + 8, 16, 58, expected + 40, 32);
	expected[42] = (uint8_t)(sum >> 8);
	expected[43] = (uint8_t)sum;
	assert_memory_equal(reply + at, expected, sizeof expected);
}

static void a_solicitation_is_answered(void **state)
{
	(void)state;
	assert_int_equal(ask_in(solicit(frame_own6, link_option, 8, (struct frame_build){0}), sizeof reply), 86);
	assert_int_equal(fate, FRAME_ANSWERED);
	assert_memory_equal(reply, link_option + 2, 6); /* to where the option says */
	assert_memory_equal(reply + 6, frame_own_mac, 6);
	assert_memory_equal(reply + 12, "\x86\xdd", 2);
	expect_advertisement(14, frame_own6, frame_peer6, 0x60);
	/* Without the option, and to the address itself: a neighbour sees whether we are still there. */
	assert_int_equal(ask_in(solicit(frame_own6, NULL, 0,
					(struct frame_build){.to_mac = frame_own_mac, .destination = frame_own6}),
				sizeof reply),
			 86);
	assert_memory_equal(reply, frame_peer_mac, 6);
	expect_advertisement(14, frame_own6, frame_peer6, 0x60);
	/* For the link-local address, through its own group. */
	assert_int_equal(ask_in(solicit(frame_link_local, link_option, 8,
					(struct frame_build){.destination = (const uint8_t[16]){0xff, 2, [11] = 1, 0xff,
												0x10, 0, 1}}),
				sizeof reply),
			 86);
	expect_advertisement(14, frame_link_local, frame_peer6, 0x60);
}

static void tags_of_a_solicitation_are_kept(void **state)
{
	(void)state;
	assert_int_equal(ask_in(solicit(frame_own6, link_option, 8,
					(struct frame_build){.tags = 2, .tpid = {0x88a8, 0x8100}, .tci = {0xe007, 3}}),
				sizeof reply),
			 94);
	assert_memory_equal(reply + 12, "\x88\xa8\xe0\x07\x81\x00\x00\x03\x86\xdd", 10);
	expect_advertisement(22, frame_own6, frame_peer6, 0x60);
}

static void a_duplicate_address_probe_is_answered_to_all_nodes(void **state)
{
	(void)state;
	assert_int_equal(ask_in(solicit(frame_own6, NULL, 0, (struct frame_build){.source = nobody}), sizeof reply),
			 86);
	assert_memory_equal(reply, "\x33\x33\0\0\0\1", 6);
	expect_advertisement(14, frame_own6, all_nodes, 0x20);
	/* With a nonce (RFC 7527), too. */
	assert_int_equal(ask_in(solicit(frame_own6, (const uint8_t[8]){14, 1, 9, 9, 9, 9, 9, 9}, 8,
					(struct frame_build){.source = nobody}),
				sizeof reply),
			 86);
}

static void solicitations_that_break_a_rule_are_named(void **state)
{
	static const uint8_t zero_option[8] = {1, 0, 1, 2, 3, 4, 5, 6}, long_option[8] = {1, 2, 1, 2, 3, 4, 5, 6};

	(void)state;
	for (uint32_t hops = 1; hops < 255; hops++)
		expect_silence(solicit(frame_own6, link_option, 8, (struct frame_build){.hop_limit = (uint8_t)hops}),
			       FRAME_ICMP_MALFORMED);
	expect_silence(solicit(frame_own6, zero_option, 8, (struct frame_build){0}), FRAME_ICMP_MALFORMED);
	expect_silence(solicit(frame_own6, long_option, 8, (struct frame_build){0}), FRAME_ICMP_MALFORMED);
	for (uint32_t bytes = 1; bytes < 8; bytes++)
		expect_silence(solicit(frame_own6, link_option, bytes, (struct frame_build){0}), FRAME_ICMP_MALFORMED);
	for (uint32_t bytes = 8; bytes < 24; bytes++)
		expect_silence(solicit(frame_own6, NULL, 0, (struct frame_build){.message_bytes = bytes}),
			       FRAME_ICMP_MALFORMED);
	expect_silence(solicit(frame_solicited, NULL, 0, (struct frame_build){0}), FRAME_ICMP_MALFORMED);
	/* From nobody: only to a group, and without a link-layer address. */
	expect_silence(solicit(frame_own6, NULL, 0, (struct frame_build){.source = nobody, .destination = frame_own6}),
		       FRAME_ICMP_MALFORMED);
	expect_silence(solicit(frame_own6, link_option, 8, (struct frame_build){.source = nobody}),
		       FRAME_ICMP_MALFORMED);
}

static void solicitations_for_others_are_named(void **state)
{
	static const uint8_t group_option[8] = {1, 1, 0x33, 0x33, 0, 0, 0, 1};
	uint8_t same_group[16], own_option[8] = {1, 1};

	(void)state;
	memcpy(same_group, frame_own6, 16);
	same_group[8] = 0xaa; /* the same last 24 bits, so the same group */
	memcpy(own_option + 2, frame_own_mac, 6);
	expect_silence(solicit(same_group, link_option, 8, (struct frame_build){0}), FRAME_ICMP_OTHER);
	expect_silence(solicit(frame_own6, group_option, 8, (struct frame_build){0}), FRAME_ICMP_OTHER);
	expect_silence(solicit(frame_own6, own_option, 8, (struct frame_build){0}), FRAME_ICMP_OTHER);
	expect_silence(solicit(frame_own6, link_option, 8, (struct frame_build){.source = frame_own6}),
		       FRAME_ICMP_OTHER);
	expect_silence(solicit(frame_own6, link_option, 8, (struct frame_build){.source = all_nodes}),
		       FRAME_ICMP_OTHER);
}

static void an_advertisement_without_room_is_counted(void **state)
{
	(void)state;
	for (uint32_t room = 0; room < 86; room++) {
		assert_int_equal(ask_in(solicit(frame_own6, link_option, 8, (struct frame_build){0}), room), 0);
		assert_int_equal(fate, FRAME_ANSWER_FAILED);
	}
}

static void every_own_address_is_announced(void **state)
{
	static const uint8_t arp[60] = {
		255,  255,  255,  255,  255,  255,  0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x08, 0x06, /* to all */
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,                                     /* a request */
		0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 192,  0,    2,    1,                            /* from us */
		0,    0,    0,    0,    0,    0,    192,  0,    2,    1,                            /* about us */
	};

	(void)state;
	assert_int_equal(answer_announcements(&host), 3);
	assert_int_equal(answer_announce(&host, 0, RECORD_VLAN_NONE, reply, 90), 60);
	assert_memory_equal(reply, arp, 60);
	assert_int_equal(answer_announce(&host, 1, RECORD_VLAN_NONE, reply, 90), 86);
	assert_memory_equal(reply, "\x33\x33\0\0\0\1\x02\x00\x5e\x10\x00\x01\x86\xdd", 14);
	expect_advertisement(14, frame_own6, all_nodes, 0x20);
	assert_int_equal(answer_announce(&host, 2, 0x2064, reply, 90), 90);
	assert_memory_equal(reply + 12, "\x81\x00\x20\x64\x86\xdd", 6);
	expect_advertisement(18, frame_link_local, all_nodes, 0x20);
	assert_int_equal(answer_announce(&host, 0, 0x2064, reply, 90), 60);
	assert_memory_equal(reply + 12, "\x81\x00\x20\x64\x08\x06\0\1", 8);
	assert_int_equal(answer_announce(&host, 3, RECORD_VLAN_NONE, reply, 90), 0);
	assert_int_equal(answer_announce(&host, 0, RECORD_VLAN_NONE, reply, 89), 0);
}

static void our_own_announcements_ask_nothing_of_us(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < answer_announcements(&host); i++) {
		uint32_t length = answer_announce(&host, i, RECORD_VLAN_NONE, frame, 90);

		expect_silence(length, i == 0 ? FRAME_ARP_OTHER : FRAME_OTHER_ADDRESS);
	}
}

static void a_tap_announces_nothing(void **state)
{
	struct host tap;

	(void)state;
	assert_int_equal(host_init_tap(&tap, 0), 0);
	assert_int_equal(answer_announcements(&tap), 0);
	assert_int_equal(answer_announce(&tap, 0, RECORD_VLAN_NONE, reply, 90), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicitation_is_answered),
		cmocka_unit_test(tags_of_a_solicitation_are_kept),
		cmocka_unit_test(a_duplicate_address_probe_is_answered_to_all_nodes),
		cmocka_unit_test(solicitations_that_break_a_rule_are_named),
		cmocka_unit_test(solicitations_for_others_are_named),
		cmocka_unit_test(an_advertisement_without_room_is_counted),
		cmocka_unit_test(every_own_address_is_announced),
		cmocka_unit_test(our_own_announcements_ask_nothing_of_us),
		cmocka_unit_test(a_tap_announces_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
