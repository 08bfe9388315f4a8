#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "config/config.h"
#include "dataplane/packet/decode.h"
#include "tests/support/frame_build.h"

static struct host host;

static int set_up(void **state)
{
	(void)state;
	frame_host(&host);
	return 0;
}

static void expect(struct frame_build what, enum counter_frame expected)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct datagram d;

	assert_int_equal(decode_frame(frame, frame_build(&what, frame), &host, 0, &d), expected);
}

static void only_own_destinations_are_taken(void **state)
{
	static const uint8_t limited[4] = {255, 255, 255, 255}, directed[4] = {192, 0, 2, 255}, net[4] = {192, 0, 2, 0},
			     beside[4] = {192, 0, 3, 255}, group[4] = {224, 0, 0, 251};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};

	(void)state;
	expect((struct frame_build){.destination = limited}, FRAME_ACCEPTED);
	expect((struct frame_build){.destination = directed}, FRAME_ACCEPTED);
	expect((struct frame_build){.destination = frame_peer4}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.destination = net}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.destination = beside}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.destination = group}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.family = 6, .destination = frame_link_local}, FRAME_ACCEPTED);
	expect((struct frame_build){.family = 6, .destination = frame_peer6}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.family = 6, .destination = all_nodes}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.family = 6, .destination = frame_solicited}, FRAME_OTHER_ADDRESS);
	expect((struct frame_build){.family = 6,
				    .destination = frame_solicited,
				    .protocol = 58,
				    .message = (const uint8_t *)"\x87\0\0\0\0\0\0",
				    .message_bytes = 8},
	       FRAME_ANSWERED);
}

static void every_configured_address_is_own(void **state)
{
	struct config_address own[HOST_ADDRESSES_MAX];

	(void)state;
	for (uint32_t i = 0; i < HOST_ADDRESSES_MAX; i++) {
		own[i] = (struct config_address){
			.family = i % 2 ? 6 : 4, .prefix_length = 31, .bytes = {10, 1, 2, (uint8_t)i}};
	}
	assert_int_equal(host_init(&host, frame_own_mac, own, HOST_ADDRESSES_MAX, 0), 0);
	for (uint32_t i = 0; i < HOST_ADDRESSES_MAX; i++)
		expect((struct frame_build){.family = own[i].family, .destination = own[i].bytes}, FRAME_ACCEPTED);
	/* A /31 has no broadcast address: its other end is another host. */
	expect((struct frame_build){.destination = (const uint8_t[]){10, 1, 2, 1}}, FRAME_OTHER_ADDRESS);
}

static void hosts_that_cannot_be_are_refused(void **state)
{
	static const struct config_address bad[] = {
		{.family = 0, .bytes = {1, 2, 3, 4}},
		{.family = 4, .prefix_length = 33, .bytes = {1, 2, 3, 4}},
		{.family = 4, .prefix_length = 8},
		{.family = 4, .prefix_length = 8, .bytes = {224, 0, 0, 1}},
		{.family = 4, .prefix_length = 32, .bytes = {255, 255, 255, 255}},
		{.family = 6, .prefix_length = 129, .bytes = {0x20, 1}},
		{.family = 6, .prefix_length = 64},
		{.family = 6, .prefix_length = 64, .bytes = {0xff, 2, [15] = 1}},
	};
	struct config_address many[HOST_ADDRESSES_MAX + 1] = {{.family = 4}};
	struct host h;

	(void)state;
	for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_true(host_init(&h, frame_own_mac, &bad[i], 1, 0) < 0);
	assert_true(host_init(&h, frame_own_mac, many, HOST_ADDRESSES_MAX + 1, 0) < 0);
	assert_true(host_init(&h, frame_own_mac, NULL, 0, HOST_VLAN_DEPTH_MAX + 1) < 0);
	assert_true(host_init_tap(&h, HOST_VLAN_DEPTH_MAX + 1) < 0);
}

static void an_address_given_twice_counts_once(void **state)
{
	struct config_address own[4] = {{.family = 4, .prefix_length = 24, .bytes = {192, 0, 2, 1}},
					{.family = 6, .prefix_length = 64}};

	(void)state;
	memcpy(own[1].bytes, frame_link_local, 16); /* the one that comes by itself */
	own[2] = own[0];
	own[3] = own[1];
	assert_int_equal(host_init(&host, frame_own_mac, own, 4, 0), 0);
	assert_int_equal(host.ipv4_count, 1);
	assert_int_equal(host.ipv6_count, 1);
	expect((struct frame_build){.family = 6, .destination = frame_link_local}, FRAME_ACCEPTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_own_destinations_are_taken, set_up),
		cmocka_unit_test_setup(every_configured_address_is_own, set_up),
		cmocka_unit_test_setup(hosts_that_cannot_be_are_refused, set_up),
		cmocka_unit_test_setup(an_address_given_twice_counts_once, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
