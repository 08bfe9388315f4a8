// Fragments on their way to a reassembly of their own, whose books are looked at after each.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "tests/support/tunnel_build.h"

#define SECOND 1000000000ull
#define TIMEOUT (30 * SECOND)
#define HELD FRAME_FRAGMENT_HELD
#define OVERLAP FRAME_FRAGMENT_OVERLAP

static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static struct host host;
static struct reassembly *r;
static void *memory;
static struct stack stack;
static uint8_t text[70000]; /* what fragments carry, unless a datagram is built */
static uint64_t now, held, counts[REASSEMBLY_COUNTS], series;
static const uint8_t *packet;
static uint32_t packet_length;

static inline void start(size_t bytes)
{
	free(memory);
	memory = aligned_alloc(64, bytes); /* exactly: a sanitizer sees one byte too many */
	assert_non_null(memory);
	memset(memory, 0, bytes);
	r = reassembly_init(memory, bytes, TIMEOUT, secret);
	assert_non_null(r);
	memset(counts, 0, sizeof counts);
	held = 0;
}

static inline int set_up(void **state)
{
	(void)state;
	frame_host(&host);
	for (uint32_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	now = 1700000000 * SECOND;
	series = 3;
	start(REASSEMBLY_BYTES_MIN);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

/* The equation holds at every moment. */
static inline void settle(void)
{
	uint64_t moved[REASSEMBLY_COUNTS], sum = 0;

	if (reassembly_take_counts(r, moved))
		for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
			counts[i] += moved[i];
	for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++) {
		assert_true(counts[i] < 1ull << 32);
		sum += counts[i];
	}
	assert_int_equal(sum, held);
}

static inline uint64_t counted(enum counter_fragment row)
{
	return counts[row - COUNTER_FRAGMENT_BASE];
}

/* The fragment's frame, decoded and added; out of a block of exactly its size that is gone afterwards. */
static inline enum counter_frame add_packet(uint32_t vlan, uint8_t tunnel, uint32_t vni)
{
	enum counter_frame fate;
	struct datagram d;
	uint8_t *exact;
	bool v6 = stack_head(&stack)[0] >> 4 == 6;

	if (vlan)
		stack_tag(&stack, (uint16_t)vlan, v6 ? 0x86dd : 0x0800);
	stack_ethernet(&stack, vlan ? 0x8100 : v6 ? 0x86dd : 0x0800);
	exact = frame_exact(stack_head(&stack), stack_length(&stack));
	fate = decode_frame(exact, stack_length(&stack), &host, 0, &d);
	assert_int_equal(fate, v6 ? FRAME_IPV6_FRAGMENT : FRAME_IPV4_FRAGMENT);
	d.tunnel = tunnel;
	d.vni = vni;
	fate = reassembly_add(r, exact, &d, now, &packet, &packet_length);
	free(exact);
	held += fate == FRAME_FRAGMENT_HELD;
	settle();
	return fate;
}

static inline enum counter_frame add(const struct stack_fragment *what)
{
	stack_fragment(&stack, what);
	return add_packet(0, 0, 0);
}

/* Bytes [offset, offset + length) of `text`, of IPv4 and datagram `id`. */
static inline enum counter_frame piece(uint32_t id, uint32_t offset, uint32_t length, bool more)
{
	return add(&(struct stack_fragment){
		.family = 4, .id = id, .bytes = text + offset, .offset = offset, .length = length, .more = more});
}

static inline enum counter_frame piece6(uint32_t id, uint32_t offset, uint32_t length, bool more)
{
	return add(&(struct stack_fragment){
		.family = 6, .id = id, .bytes = text + offset, .offset = offset, .length = length, .more = more});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
