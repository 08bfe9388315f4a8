#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

#define ROOM 66000u

static struct host host;
static uint8_t frame[FRAME_BUILD_MAX], reply[ROOM];
static enum counter_frame fate;

static int set_up(void **state)
{
	(void)state;
	frame_host(&host);
	return 0;
}

static uint32_t ask_in(uint32_t length, uint32_t room)
{
	uint8_t *exact = frame_exact(frame, length), *out = malloc(room);
	uint32_t replied;

	memset(out, 0xee, room);
	replied = answer_frame(&host, exact, length, out, room, &fate);
	assert_true(replied <= room);
	memcpy(reply, out, replied);
	free(out);
	free(exact);
	return replied;
}

static uint32_t ask(uint32_t length)
{
	return ask_in(length, ROOM);
}

static void expect_silence(uint32_t length, enum counter_frame expected)
{
	assert_int_equal(ask(length), 0);
	assert_int_equal(fate, expected);
}

static void expect_reply(uint32_t length, const uint8_t *expected, uint32_t bytes)
{
	assert_int_equal(ask(length), bytes);
	assert_int_equal(fate, FRAME_ANSWERED);
	assert_memory_equal(reply, expected, bytes);
}

static void an_arp_request_is_answered(void **state)
{
	static const uint8_t expected[60] = {
		0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x08, 0x06, /* Ethernet */
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x02,                                     /* a reply */
		0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 192,  0,    2,    1,                            /* from us */
		0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 192,  0,    2,    99,                           /* to the peer */
	};
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255};

	(void)state;
	expect_reply(frame_build_arp(frame, all, 1, frame_peer4, frame_own4), expected, 60);
	expect_reply(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4), expected, 60);
}

static void an_arp_probe_is_answered(void **state)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, nobody[4] = {0};

	(void)state;
	assert_int_equal(ask(frame_build_arp(frame, all, 1, nobody, frame_own4)), 60);
	assert_memory_equal(reply + 28, frame_own4, 4);
	assert_memory_equal(reply + 32, frame_peer_mac, 6);
	assert_memory_equal(reply + 38, nobody, 4);
}

static void tags_of_an_arp_request_are_kept(void **state)
{
	uint8_t tags[8] = {0x88, 0xa8, 0xe0, 0x05, 0x81, 0x00, 0x00, 0x09};
	uint32_t length = frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);

	(void)state;
	memmove(frame + 20, frame + 12, length - 12);
	memcpy(frame + 12, tags, 8);
	assert_int_equal(ask(length + 8), 60);
	assert_memory_equal(reply + 12, tags, 8);
	assert_memory_equal(reply + 20, "\x08\x06\0\1\x08\0\6\4\0\2", 10);
}

static void arp_that_asks_nothing_of_us_is_named(void **state)
{
	static const uint8_t own_broadcast[4] = {192, 0, 2, 255};
	uint32_t length;

	(void)state;
	expect_silence(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_peer4), FRAME_ARP_OTHER);
	expect_silence(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, own_broadcast), FRAME_ARP_OTHER);
	for (uint16_t operation = 0; operation < 30; operation++)
		if (operation != 1)
			expect_silence(frame_build_arp(frame, frame_own_mac, operation, frame_peer4, frame_own4),
				       FRAME_ARP_OTHER);
	length = frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);
	memcpy(frame + 22, frame_own_mac, 6); /* our own announcement, come back */
	expect_silence(length, FRAME_ARP_OTHER);
}

static void arp_that_cannot_be_is_named(void **state)
{
	static const uint8_t fixed_at[] = {14, 15, 16, 17, 18, 19};
	uint32_t length = frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4);

	(void)state;
	for (uint32_t cut = 14; cut < length; cut++)
		expect_silence(cut, FRAME_ARP_MALFORMED);
	for (uint32_t i = 0; i < sizeof fixed_at; i++)
		for (uint32_t bit = 0; bit < 8; bit++) {
			frame[fixed_at[i]] ^= (uint8_t)(1 << bit);
			expect_silence(length, FRAME_ARP_MALFORMED);
			frame[fixed_at[i]] ^= (uint8_t)(1 << bit);
		}
	frame[22] |= 1; /* a group asks */
	expect_silence(length, FRAME_ARP_MALFORMED);
	memset(frame + 22, 0, 6);
	expect_silence(length, FRAME_ARP_MALFORMED);
}

static const uint8_t ping[] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'p', 'e', 'n', 's', 't', 'o', 'c', 'k', '!'};

static uint32_t build_ping(struct frame_build what)
{
	what.protocol = what.family == 6 ? 58 : 1;
	if (!what.message) {
		static uint8_t ping6[sizeof ping];

		memcpy(ping6, ping, sizeof ping);
		ping6[0] = 128;
		what.message = what.family == 6 ? ping6 : ping;
		what.message_bytes = sizeof ping;
	}
	return frame_build(&what, frame);
}

static void an_echo_request_is_answered(void **state)
{
	/* Both sums worked out apart from any of this code. */
	static const uint8_t expected[60] = {
		0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x08, 0x00, /* Ethernet */
		0x45, 0xb8, 0x00, 0x25, 0x12, 0x34, 0x40, 0x00, 0x40, 0x01, 0xa3, 0x87,             /* TOS less ECN */
		192,  0,    2,    1,    192,  0,    2,    99,                                       /* addresses */
		0x00, 0x00, 0x16, 0x17, 0x12, 0x34, 0x00, 0x01,                                     /* echo reply */
		'p',  'e',  'n',  's',  't',  'o',  'c',  'k',  '!',
	};

	(void)state;
	expect_reply(build_ping((struct frame_build){.padding = 7}), expected, 60);
	expect_reply(build_ping((struct frame_build){.options = 12}), expected, 60);
}

static void an_ipv6_echo_request_is_answered(void **state)
{
	uint8_t expected[71] = {
		0x02, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x01, 0x86, 0xdd, /* Ethernet */
		0x6b, 0x80, 0x00, 0x00, 0x00, 0x11, 58,   64,                                       /* class 0xb8 */
	};
	uint16_t sum;

	(void)state;
	memcpy(expected + 22, frame_own6, 16);
	memcpy(expected + 38, frame_peer6, 16);
	memcpy(expected + 54, ping, sizeof ping);
	expected[54] = 129;
	sum = frame_pseudo_checksum(expected + 22, 16, 58, expected + 54, sizeof ping);
	expected[56] = (uint8_t)(sum >> 8);
	expected[57] = (uint8_t)sum;
	expect_reply(build_ping((struct frame_build){.family = 6, .padding = 3}), expected, 71);
	/* The link-local address is the source when it was asked. */
	assert_int_equal(ask(build_ping((struct frame_build){.family = 6, .destination = frame_link_local})), 71);
	assert_memory_equal(reply + 22, frame_link_local, 16);
	assert_int_equal(frame_pseudo_checksum(reply + 22, 16, 58, reply + 54, sizeof ping), 0);
}

// A reply is itself a frame that the one who asked can decode, to which the answer is silence.
static void replies_are_valid_to_the_one_who_asked(void **state)
{
	static uint8_t message[65000];
	struct host asker = host;
	struct datagram d;
	uint64_t seed = 11;

	(void)state;
	memcpy(&asker.mac, frame_peer_mac, 6);
	memcpy(asker.mac_bytes, frame_peer_mac, 6);
	asker.ipv4[0] = wire_raw32(frame_peer4);
	memcpy(asker.ipv6[0], frame_peer6, 16);
	for (uint32_t i = 8; i < sizeof message; i++)
		message[i] = (uint8_t)frame_random(&seed);
	for (uint32_t bytes = 8; bytes < sizeof message; bytes += bytes < 300 ? 1 : 6311)
		for (uint8_t family = 4; family <= 6; family += 2) {
			uint32_t l4 = 14 + 8 + (family == 4 ? 20 : 40), replied;

			message[0] = family == 4 ? 8 : 128;
			replied = ask(build_ping((struct frame_build){
				.family = family, .message = message, .tags = 2, .message_bytes = bytes}));
			assert_int_equal(replied, l4 + bytes < 60 ? 60 : l4 + bytes);
			assert_int_equal(decode_frame(reply, replied, &asker, 0, &d), FRAME_ANSWERED);
			assert_int_equal(d.l4, l4);
			assert_int_equal(d.length, bytes);
			assert_int_equal(d.vlan, 100);
			assert_int_equal(d.vlan_tags, 2);
			assert_memory_equal(reply + l4 + 4, message + 4, bytes - 4);
			assert_int_equal(reply[l4], family == 4 ? 0 : 129);
			if (family == 4)
				assert_int_equal(frame_sum(0, reply + l4, bytes), 0xffff);
			else
				assert_int_equal(frame_pseudo_checksum(d.addresses, 16, 58, reply + l4, bytes), 0);
			memcpy(frame, reply, replied);
			assert_int_equal(answer_frame(&asker, frame, replied, reply, ROOM, &fate), 0);
			assert_int_equal(fate, FRAME_ICMP_OTHER);
		}
}

static void echoes_to_groups_and_from_nobody_stay_unanswered(void **state)
{
	static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, limited[4] = {255, 255, 255, 255},
			     directed[4] = {192, 0, 2, 255};
	static const uint8_t bad4[][4] = {{0, 0, 0, 0},   {127, 0, 0, 1},   {224, 0, 0, 1}, {255, 255, 255, 255},
					  {192, 0, 2, 1}, {192, 0, 2, 255}, {240, 0, 0, 1}};
	static const uint8_t bad6[][16] = {{0}, {[15] = 1}, {0xff, 2, [15] = 1}};

	(void)state;
	expect_silence(build_ping((struct frame_build){.destination = limited}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.destination = directed}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.to_mac = all}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.family = 6, .to_mac = all}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.family = 6, .destination = frame_solicited}), FRAME_ICMP_OTHER);
	for (uint32_t i = 0; i < sizeof bad4 / sizeof bad4[0]; i++)
		expect_silence(build_ping((struct frame_build){.source = bad4[i]}), FRAME_ICMP_OTHER);
	for (uint32_t i = 0; i < sizeof bad6 / sizeof bad6[0]; i++)
		expect_silence(build_ping((struct frame_build){.family = 6, .source = bad6[i]}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.family = 6, .source = frame_own6}), FRAME_ICMP_OTHER);
	for (uint8_t family = 4; family <= 6; family += 2) {
		uint32_t length = build_ping((struct frame_build){.family = family});

		frame[6] |= 1;
		expect_silence(length, FRAME_ICMP_OTHER);
		memcpy(frame + 6, frame_own_mac, 6);
		expect_silence(length, FRAME_ICMP_OTHER);
		memset(frame + 6, 0, 6);
		expect_silence(length, FRAME_ICMP_OTHER);
	}
}

static void icmp_that_cannot_be_is_named(void **state)
{
	uint8_t message[sizeof ping];

	(void)state;
	memcpy(message, ping, sizeof ping);
	for (uint8_t family = 4; family <= 6; family += 2) {
		uint32_t l4 = family == 4 ? 34 : 54, length;

		message[0] = family == 4 ? 8 : 128;
		for (uint32_t bytes = 1; bytes < 8; bytes++)
			expect_silence(build_ping((struct frame_build){
					       .family = family, .message = message, .message_bytes = bytes}),
				       FRAME_ICMP_MALFORMED);
		length = build_ping((struct frame_build){.family = family});
		for (uint32_t bit = 0; bit < 8 * sizeof ping; bit++) {
			frame[l4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			expect_silence(length, FRAME_ICMP_MALFORMED);
			frame[l4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (uint32_t type = 0; type < 256; type++) {
			message[0] = (uint8_t)type;
			length = build_ping((struct frame_build){
				.family = family, .message = message, .message_bytes = sizeof message});
			if (type != (family == 4 ? 8u : 128u))
				expect_silence(length,
					       family == 6 && type == 135 ? FRAME_ICMP_MALFORMED : FRAME_ICMP_OTHER);
		}
		message[0] = family == 4 ? 8 : 128;
		message[1] = 1;
		expect_silence(build_ping((struct frame_build){
				       .family = family, .message = message, .message_bytes = sizeof message}),
			       FRAME_ICMP_OTHER);
		message[1] = 0;
	}
}

static void replies_without_room_are_counted(void **state)
{
	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2) {
		uint32_t length = build_ping((struct frame_build){.family = family});
		uint32_t needed = ask(length);

		for (uint32_t room = 0; room < needed; room++) {
			assert_int_equal(ask_in(length, room), 0);
			assert_int_equal(fate, FRAME_ANSWER_FAILED);
		}
		assert_int_equal(ask_in(length, needed), needed);
	}
	assert_int_equal(ask_in(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4), 59), 0);
	assert_int_equal(fate, FRAME_ANSWER_FAILED);
}

static void what_is_no_question_is_named_as_decoded(void **state)
{
	(void)state;
	expect_silence(frame_build(&(struct frame_build){.payload = 9}, frame), FRAME_ACCEPTED);
	expect_silence(3, FRAME_RUNT);
}

static void a_tap_answers_nothing(void **state)
{
	(void)state;
	assert_int_equal(host_init_tap(&host, 4), 0);
	expect_silence(frame_build_arp(frame, frame_own_mac, 1, frame_peer4, frame_own4), FRAME_ARP_OTHER);
	expect_silence(build_ping((struct frame_build){0}), FRAME_ICMP_OTHER);
	expect_silence(build_ping((struct frame_build){.family = 6}), FRAME_ICMP_OTHER);
	frame_host(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arp_request_is_answered),
		cmocka_unit_test(an_arp_probe_is_answered),
		cmocka_unit_test(tags_of_an_arp_request_are_kept),
		cmocka_unit_test(arp_that_asks_nothing_of_us_is_named),
		cmocka_unit_test(arp_that_cannot_be_is_named),
		cmocka_unit_test(an_echo_request_is_answered),
		cmocka_unit_test(an_ipv6_echo_request_is_answered),
		cmocka_unit_test(replies_are_valid_to_the_one_who_asked),
		cmocka_unit_test(echoes_to_groups_and_from_nobody_stay_unanswered),
		cmocka_unit_test(icmp_that_cannot_be_is_named),
		cmocka_unit_test(replies_without_room_are_counted),
		cmocka_unit_test(what_is_no_question_is_named_as_decoded),
		cmocka_unit_test(a_tap_answers_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
