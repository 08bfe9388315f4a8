// Fragments that overlap: all of the datagram is dropped (RFC 5722), a repetition alone.
#include "tests/unit/reassembly_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_repeated_fragment_is_dropped_alone),
		TEST(after_an_overlap_all_of_the_datagram_is_dropped),
		TEST(every_way_to_overlap_is_what_plain_code_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
