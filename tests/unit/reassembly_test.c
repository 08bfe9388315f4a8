// Fragments: whole datagrams, and the limits of what waits.
#include "tests/unit/reassembly_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(datagrams_come_out_as_they_went_in_by_any_order),
		TEST(the_longest_datagrams_fit_and_longer_ones_are_invalid),
		TEST(fragments_of_impossible_length_are_invalid),
		TEST(what_differs_in_any_part_of_the_key_is_another_datagram),
		TEST(of_ipv6_the_first_fragments_header_names_what_follows),
		TEST(a_datagram_has_a_number_of_fragments_and_no_more),
		TEST(what_waits_too_long_is_dropped),
		TEST(a_flood_displaces_the_oldest_and_is_counted),
		TEST(the_largest_datagram_fits_into_the_smallest_memory),
		TEST(anything_in_any_order_keeps_the_books),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
