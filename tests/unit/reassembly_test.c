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

static void start(size_t bytes)
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

static int set_up(void **state)
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

static int tear_down(void **state)
{
	(void)state;
	free(memory);
	memory = NULL;
	return 0;
}

/* The equation holds at every moment. */
static void settle(void)
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

static uint64_t counted(enum counter_fragment row)
{
	return counts[row - COUNTER_FRAGMENT_BASE];
}

/* The fragment's frame, decoded and added; out of a block of exactly its size that is gone afterwards. */
static enum counter_frame add_packet(uint32_t vlan, uint8_t tunnel, uint32_t vni)
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

static enum counter_frame add(const struct stack_fragment *what)
{
	stack_fragment(&stack, what);
	return add_packet(0, 0, 0);
}

/* Bytes [offset, offset + length) of `text`, of IPv4 and datagram `id`. */
static enum counter_frame piece(uint32_t id, uint32_t offset, uint32_t length, bool more)
{
	return add(&(struct stack_fragment){
		.family = 4, .id = id, .bytes = text + offset, .offset = offset, .length = length, .more = more});
}

static enum counter_frame piece6(uint32_t id, uint32_t offset, uint32_t length, bool more)
{
	return add(&(struct stack_fragment){
		.family = 6, .id = id, .bytes = text + offset, .offset = offset, .length = length, .more = more});
}

/* ---- whole datagrams ---- */

/* Sends a UDP datagram of `payload` bytes in pieces of `step` bytes, in the order of `order`, and looks at the result.
 */
static void send_in_pieces(uint8_t family, uint32_t payload, uint32_t step, int order, uint32_t extensions)
{
	static struct stack whole;
	uint32_t header = family == 6 ? 40 : 20, total, count, done = 0;
	struct datagram d = {.vlan = RECORD_VLAN_NONE};
	uint32_t indexes[REASSEMBLY_FRAGMENTS_MAX];
	uint64_t waiting = counted(FRAGMENTS_WAITING);

	stack_begin(&whole, payload);
	stack_udp(&whole, family, NULL, NULL, 514, false);
	total = stack_length(&whole) - header;
	count = (total + step - 1) / step;
	for (uint32_t i = 0; i < count; i++)
		indexes[i] = order < 0 ? count - 1 - i : i;
	for (uint32_t i = count - 1; order == 0 && i > 0; i--) {
		uint32_t j = (uint32_t)(frame_random(&series) % (i + 1)), swap = indexes[i];

		indexes[i] = indexes[j];
		indexes[j] = swap;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t offset = indexes[i] * step, length = total - offset < step ? total - offset : step;
		struct stack_fragment what = {.family = family,
					      .id = 0xfeed,
					      .offset = offset,
					      .length = length,
					      .bytes = stack_head(&whole) + header + offset,
					      .more = offset + length < total,
					      .extensions = extensions};

		assert_int_equal(add(&what), i + 1 < count ? FRAME_FRAGMENT_HELD : FRAME_ACCEPTED);
		done += length;
	}
	assert_int_equal(done, total);
	assert_int_equal(packet_length, header + total);
	assert_memory_equal(packet + header, stack_head(&whole) + header, total);
	assert_int_equal(tunnel_packet(packet, packet_length, &host, &d), FRAME_ACCEPTED);
	assert_int_equal(d.length, payload);
	assert_memory_equal(packet + d.payload, stack_head(&whole) + header + 8, payload);
	assert_memory_equal(d.addresses, stack_head(&whole) + (family == 6 ? 8 : 12), family == 6 ? 32 : 8);
	assert_int_equal(counted(FRAGMENTS_WAITING), waiting);
}

/* The same among others that it displaces. */
static void send_over(uint32_t payload, uint32_t step)
{
	uint32_t total = payload + 8;

	for (uint32_t offset = 0; offset < total; offset += step) {
		uint32_t length = total - offset < step ? total - offset : step;

		assert_int_equal(piece(0xabcd, offset, length, offset + length < total),
				 offset + length < total ? HELD : FRAME_ACCEPTED);
	}
	assert_memory_equal(packet + 20, text, total);
	assert_true(counted(FRAGMENTS_DISPLACED) > 0);
}

static void datagrams_come_out_as_they_went_in_by_any_order(void **state)
{
	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2)
		for (int order = -1; order <= 1; order++) {
			for (uint32_t step = 8; step <= 200; step += 8)
				send_in_pieces(family, 200, step, order, 0);
			send_in_pieces(family, 1473, 1480, order, 0);
			send_in_pieces(family, 9000, 1480, order, 0);
			send_in_pieces(family, 30000, 1448, order, family == 6 ? 2 : 0);
			send_in_pieces(family, 3000, 24, order, 0);
		}
	assert_int_equal(counted(FRAGMENTS_EXPIRED) + counted(FRAGMENTS_OVERLAPPED) + counted(FRAGMENTS_DISPLACED), 0);
}

static void the_longest_datagrams_fit_and_longer_ones_are_invalid(void **state)
{
	(void)state;
	send_in_pieces(4, 65507, 552, 0, 0);
	send_in_pieces(4, 65507, 32760, 1, 0);
	send_in_pieces(6, 65527, 1232, 0, 0);
	assert_int_equal(piece(1, 65512, 3, false), HELD);
	assert_int_equal(piece(2, 65512, 4, false), FRAME_FRAGMENT_INVALID);
	assert_int_equal(piece(3, 65528, 8, true), FRAME_FRAGMENT_INVALID);
	assert_int_equal(piece6(4, 65528, 7, false), HELD);
	assert_int_equal(piece6(5, 65528, 8, true), FRAME_FRAGMENT_INVALID);
}

static void fragments_of_impossible_length_are_invalid(void **state)
{
	(void)state;
	assert_int_equal(piece(1, 0, 0, true), FRAME_FRAGMENT_INVALID);
	assert_int_equal(piece(1, 8, 0, false), FRAME_FRAGMENT_INVALID);
	for (uint32_t length = 9; length < 16; length++)
		assert_int_equal(piece(1, 0, length, true), FRAME_FRAGMENT_INVALID);
	assert_int_equal(piece6(1, 0, 12, true), FRAME_FRAGMENT_INVALID);
	assert_int_equal(piece(1, 0, 8, true), HELD); /* the datagram itself took no harm */
	assert_int_equal(piece(1, 8, 5, false), FRAME_ACCEPTED);
	assert_int_equal(packet_length, 33);
}

static void what_differs_in_any_part_of_the_key_is_another_datagram(void **state)
{
	static const uint8_t other4[4] = {192, 0, 2, 98}, other6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 0x98};
	const struct stack_fragment variants[] = {
		{.family = 4, .id = 1},
		{.family = 4, .id = 2},
		{.family = 4, .id = 1, .source = other4},
		{.family = 4, .id = 1, .protocol = 47},
		{.family = 6, .id = 1},
		{.family = 6, .id = 0x10001},
		{.family = 6, .id = 1, .source = other6},
	};
	const struct {
		uint32_t vlan, vni;
		uint8_t tunnel;
	} around[] = {{0, 0, 0}, {5, 0, 0}, {0, 0, TUNNEL_VXLAN}, {0, 7, TUNNEL_VXLAN}, {0, 7, TUNNEL_GENEVE}};

	(void)state;
	for (int last = 0; last < 2; last++)
		for (uint32_t v = 0; v < sizeof variants / sizeof variants[0]; v++)
			for (uint32_t a = 0; a < sizeof around / sizeof around[0]; a++) {
				struct stack_fragment what = variants[v];

				what.bytes = text + v * 100 + a;
				what.offset = last ? 16 : 0;
				what.length = 16;
				what.more = !last;
				stack_fragment(&stack, &what);
				assert_int_equal(add_packet(around[a].vlan, around[a].tunnel, around[a].vni),
						 last ? FRAME_ACCEPTED : FRAME_FRAGMENT_HELD);
				if (last)
					assert_memory_equal(packet + packet_length - 32, text + v * 100 + a, 16);
			}
}

static void of_ipv6_the_first_fragments_header_names_what_follows(void **state)
{
	struct stack_fragment what = {.family = 6, .id = 9, .bytes = text, .offset = 16, .length = 8, .protocol = 6};

	(void)state;
	assert_int_equal(add(&what), HELD);
	what = (struct stack_fragment){.family = 6, .id = 9, .bytes = text, .length = 16, .more = true, .protocol = 60};
	assert_int_equal(add(&what), FRAME_ACCEPTED);
	assert_int_equal(packet[6], 60);
	assert_int_equal(packet_length, 64);
}

/* ---- overlaps ---- */

static void a_repeated_fragment_is_dropped_alone(void **state)
{
	(void)state;
	assert_int_equal(piece(1, 0, 1480, true), HELD);
	assert_int_equal(piece(1, 0, 1480, true), FRAME_FRAGMENT_DUPLICATE);
	assert_int_equal(piece(1, 2960, 1000, false), HELD);
	assert_int_equal(piece(1, 2960, 1000, false), FRAME_FRAGMENT_DUPLICATE);
	assert_int_equal(piece(1, 0, 1480, true), FRAME_FRAGMENT_DUPLICATE);
	assert_int_equal(piece(1, 1480, 1480, true), FRAME_ACCEPTED);
	assert_memory_equal(packet + 20, text, 3960);
	/* The same place, but another byte. */
	assert_int_equal(piece(2, 0, 1480, true), HELD);
	text[1479] ^= 1;
	assert_int_equal(piece(2, 0, 1480, true), OVERLAP);
	text[1479] ^= 1;
	assert_int_equal(counted(FRAGMENTS_OVERLAPPED), 1);
}

static void after_an_overlap_all_of_the_datagram_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(piece6(1, 0, 80, true), HELD);
	assert_int_equal(piece6(1, 160, 80, true), HELD);
	assert_int_equal(piece6(1, 152, 16, true), OVERLAP);
	assert_int_equal(counted(FRAGMENTS_OVERLAPPED), 2);
	assert_int_equal(counted(FRAGMENTS_WAITING), 0);
	assert_int_equal(piece6(1, 80, 72, true), OVERLAP); /* one that comes later */
	now += TIMEOUT - 1;
	assert_int_equal(piece6(1, 0, 80, true), OVERLAP);
	now++;
	assert_int_equal(piece6(1, 0, 80, true), HELD);
	/* IPv4's identification comes again soon. */
	assert_int_equal(piece(1, 0, 80, true), HELD);
	assert_int_equal(piece(1, 8, 80, true), OVERLAP);
	now += SECOND - 1;
	assert_int_equal(piece(1, 0, 80, true), OVERLAP);
	now++;
	assert_int_equal(piece(1, 0, 80, true), HELD);
	assert_int_equal(piece(1, 80, 80, false), FRAME_ACCEPTED);
}

#define UNITS 5u

/* What plain code makes of the same fragments: one map of bytes, and where the end was said to be. */
struct model {
	int owner[UNITS + 1]; /* of 8 bytes each: the fragment that brought them, or -1 */
	uint32_t starts[8], ends[8], count;
	uint32_t total; /* 0: not known */
	bool lasts[8], dead;
};

static enum counter_frame model_add(struct model *m, uint32_t first, uint32_t end, bool last)
{
	bool overlap = false, whole;

	if (m->dead)
		return OVERLAP;
	for (uint32_t i = 0; i < m->count; i++) {
		if (m->starts[i] == first && m->ends[i] == end && m->lasts[i] == last)
			return FRAME_FRAGMENT_DUPLICATE;
		overlap |= first < m->ends[i] && m->starts[i] < end;
		overlap |= last && m->ends[i] > end;
	}
	overlap |= m->total && end > m->total;
	overlap |= m->total && last && end != m->total;
	if (overlap) {
		m->dead = true;
		return OVERLAP;
	}
	m->starts[m->count] = first;
	m->ends[m->count] = end;
	m->lasts[m->count++] = last;
	if (last)
		m->total = end;
	for (uint32_t i = first; i < end; i++)
		m->owner[i] = 1;
	whole = m->total > 0;
	for (uint32_t i = 0; i < m->total; i++)
		whole &= m->owner[i] == 1;
	return whole ? FRAME_ACCEPTED : HELD;
}

/* Every sequence of four fragments of up to 40 bytes. */
static void every_way_to_overlap_is_what_plain_code_says(void **state)
{
	struct {
		uint32_t first, end;
		bool last;
	} all[UNITS * (UNITS + 1)];
	uint32_t kinds = 0, id = 0, seen[COUNTER_FRAME_END] = {0};

	(void)state;
	for (uint32_t first = 0; first < UNITS; first++)
		for (uint32_t end = first + 1; end <= UNITS; end++)
			for (int last = 0; last < 2; last++) {
				all[kinds].first = first;
				all[kinds].end = end;
				all[kinds++].last = last;
			}
	assert_int_equal(kinds, 30);
	for (uint32_t n = 0; n < kinds * kinds * kinds; n++) {
		uint32_t sequence[4] = {n % kinds, n / kinds % kinds, n / kinds / kinds,
					(uint32_t)(frame_random(&series) % kinds)};
		struct model m = {.count = 0};

		id++;
		for (uint32_t i = 0; i < 4; i++) {
			uint32_t first = all[sequence[i]].first, end = all[sequence[i]].end;
			bool last = all[sequence[i]].last;
			enum counter_frame expected;

			if (first == 0 && last) /* no fragment at all */
				continue;
			expected = model_add(&m, first, end, last);
			assert_int_equal(piece(id & 0xffff, first * 8, (end - first) * 8, !last), expected);
			seen[expected]++;
			if (expected == FRAME_ACCEPTED) {
				assert_int_equal(packet_length, 20 + m.total * 8);
				assert_memory_equal(packet + 20, text, m.total * 8);
				break;
			}
		}
		now += 100000; /* so that identifications come again long after their time */
		if (id % 60000 == 0)
			now += 2 * TIMEOUT;
	}
	assert_true(seen[FRAME_ACCEPTED] > 100 && seen[HELD] > 1000 && seen[OVERLAP] > 1000 &&
		    seen[FRAME_FRAGMENT_DUPLICATE] > 100);
}

/* ---- limits ---- */

static void a_datagram_has_a_number_of_fragments_and_no_more(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < REASSEMBLY_FRAGMENTS_MAX; i++)
		assert_int_equal(piece(1, i * 8, 8, true), HELD);
	assert_int_equal(piece(1, REASSEMBLY_FRAGMENTS_MAX * 8, 8, true), FRAME_FRAGMENT_EXCESS);
	assert_int_equal(counted(FRAGMENTS_EXCESS), REASSEMBLY_FRAGMENTS_MAX);
	assert_int_equal(piece(1, REASSEMBLY_FRAGMENTS_MAX * 8 + 8, 8, false), FRAME_FRAGMENT_EXCESS);
	assert_int_equal(counted(FRAGMENTS_WAITING), 0);
}

static void what_waits_too_long_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(piece(1, 0, 8, true), HELD);
	now += 10 * SECOND;
	assert_int_equal(piece(2, 0, 8, true), HELD);
	assert_int_equal(piece(1, 16, 8, true), HELD);
	now += 20 * SECOND - 1;
	reassembly_expire(r, now);
	settle();
	assert_int_equal(counted(FRAGMENTS_EXPIRED), 0);
	now++;
	reassembly_expire(r, now);
	settle();
	assert_int_equal(counted(FRAGMENTS_EXPIRED), 2);
	assert_int_equal(piece(2, 8, 8, false), FRAME_ACCEPTED);
	/* Also when nobody calls reassembly_expire(). */
	assert_int_equal(piece(3, 0, 8, true), HELD);
	now += TIMEOUT;
	assert_int_equal(piece(3, 8, 8, false), HELD);
	assert_int_equal(counted(FRAGMENTS_EXPIRED), 3);
	/* A clock that is put back harms nobody. */
	now -= 5 * SECOND;
	reassembly_expire(r, now);
	assert_int_equal(piece(3, 0, 8, true), FRAME_ACCEPTED);
	/* Many at once go in several calls. */
	for (uint32_t id = 100; id < 160; id++)
		assert_int_equal(piece(id, 0, 8, true), HELD);
	now += TIMEOUT;
	for (int call = 0; call < 3; call++)
		reassembly_expire(r, now);
	settle();
	assert_int_equal(counted(FRAGMENTS_WAITING), 0);
}

static void a_flood_displaces_the_oldest_and_is_counted(void **state)
{
	uint64_t sent = 0;

	(void)state;
	for (size_t bytes = REASSEMBLY_BYTES_MIN; bytes <= 4u << 20; bytes *= 8) {
		start(bytes);
		for (uint32_t id = 1; id <= 30000; id++, sent++) {
			now += 1000;
			assert_int_equal(piece6(id, 0, id % 50 ? 1448 : 40000, true), HELD);
			/* What has just come is there, whatever went for it. */
			if (id % 1000 == 0) {
				assert_int_equal(piece6(id, id % 50 ? 1448 : 40000, 8, false), FRAME_ACCEPTED);
				assert_int_equal(packet_length, 40 + (id % 50 ? 1448 : 40000) + 8);
			}
		}
		assert_true(counted(FRAGMENTS_DISPLACED) > 20000);
		assert_int_equal(counted(FRAGMENTS_JOINED), 30);
		/* As many wait as there is memory for, most of it in use. */
		assert_true(counted(FRAGMENTS_WAITING) * 2048 < bytes);
		assert_true(counted(FRAGMENTS_WAITING) * 8192 > bytes / 2);
		/* And all of it comes back. */
		now += TIMEOUT;
		for (int call = 0; call < 100; call++)
			reassembly_expire(r, now);
		settle();
		assert_int_equal(counted(FRAGMENTS_WAITING), 0);
	}
}

/* One datagram never displaces itself, however it is cut. */
static void the_largest_datagram_fits_into_the_smallest_memory(void **state)
{
	(void)state;
	for (uint32_t step = 520; step <= 1480; step += 80) {
		start(REASSEMBLY_BYTES_MIN);
		for (uint32_t id = 0; id < 500; id++)
			piece(id, 0, 1480, true);
		send_over(65507, step);
	}
	assert_null(reassembly_init(memory, REASSEMBLY_BYTES_MIN - 1, TIMEOUT, secret));
}

static void anything_in_any_order_keeps_the_books(void **state)
{
	uint32_t seen[COUNTER_FRAME_END] = {0};

	(void)state;
	for (uint32_t n = 0; n < 200000; n++) {
		uint64_t random = frame_random(&series);
		uint32_t offset = (uint32_t)(random >> 8 & 3) * 16;
		uint32_t length = random >> 10 & 63 ? 16 : (uint32_t)(random >> 48 & 7) * 8;
		uint32_t id = (uint32_t)(random >> 16 & 0x3f);
		bool more = (random >> 32 & 3) != 0 && offset > 0;
		enum counter_frame fate;

		if ((random & 0xff) == 7)
			offset = 8 * (uint32_t)(random >> 40 & 0x1fff) % 8000;
		if ((random & 0xff) == 8)
			length = (uint32_t)(random >> 40 & 0x3fff);
		more |= offset == 0;
		fate = random >> 34 & 1 ? piece(id, offset, length, more) : piece6(id, offset, length, more);
		assert_in_range(fate, FRAME_ACCEPTED, FRAME_FRAGMENT_EXCESS);
		seen[fate]++;
		if (fate == FRAME_ACCEPTED)
			assert_memory_equal(packet + (packet[0] >> 4 == 6 ? 40 : 20), text,
					    packet_length - (packet[0] >> 4 == 6 ? 40 : 20));
		now += random >> 35 & 0xffffff;
		if (n % 100 == 0)
			reassembly_expire(r, now);
	}
	assert_true(seen[FRAME_ACCEPTED] > 100 && seen[FRAME_FRAGMENT_OVERLAP] > 100 &&
		    seen[FRAME_FRAGMENT_INVALID] > 100);
	assert_true(seen[FRAME_FRAGMENT_DUPLICATE] > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(datagrams_come_out_as_they_went_in_by_any_order),
		TEST(the_longest_datagrams_fit_and_longer_ones_are_invalid),
		TEST(fragments_of_impossible_length_are_invalid),
		TEST(what_differs_in_any_part_of_the_key_is_another_datagram),
		TEST(of_ipv6_the_first_fragments_header_names_what_follows),
		TEST(a_repeated_fragment_is_dropped_alone),
		TEST(after_an_overlap_all_of_the_datagram_is_dropped),
		TEST(every_way_to_overlap_is_what_plain_code_says),
		TEST(a_datagram_has_a_number_of_fragments_and_no_more),
		TEST(what_waits_too_long_is_dropped),
		TEST(a_flood_displaces_the_oldest_and_is_counted),
		TEST(the_largest_datagram_fits_into_the_smallest_memory),
		TEST(anything_in_any_order_keeps_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
