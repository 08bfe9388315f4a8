// Hosts that look into frames with tunnels: a port that enters every kind, one that enters none, and a tap.
#pragma once

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

static inline int set_up(void **state)
{
	(void)state;
	frame_host(&port);
	port.tunnels = UINT32_MAX;
	frame_host(&plain);
	assert_int_equal(host_init_tap(&tap, 2), 0);
	return 0;
}

/* What becomes of `length` bytes at `frame`, out of a block of exactly this size. Pointers in `d` are into `frame`. */
static inline enum counter_frame look(const struct host *host, const uint8_t *frame, uint32_t length, struct datagram *d)
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

static inline void expect(const struct host *host, enum counter_frame expected, struct datagram *d)
{
	enum counter_frame fate = look(host, stack_head(&stack), stack_length(&stack), d);

	if (fate != expected)
		print_error("%s instead of %s\n", counter_label(fate), counter_label(expected));
	assert_int_equal(fate, expected);
}

/* An ordinary datagram inside, for nobody's address. */
static inline void begin(uint8_t family)
{
	stack_begin(&stack, PAYLOAD);
	if (family == 6)
		stack_udp(&stack, 6, stack_inner6, stack_inner6 + 16, PORT, false);
	else
		stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, PORT, false);
}

static inline void in_own_ip(uint8_t protocol)
{
	stack_ip(&stack, 4, NULL, NULL, protocol);
	stack_ethernet(&stack, 0x0800);
}

static inline void in_own_udp(uint16_t udp_port)
{
	stack_udp(&stack, 4, NULL, NULL, udp_port, false);
	stack_ethernet(&stack, 0x0800);
}
