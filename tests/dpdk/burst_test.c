// The hot path: every codec and key, whole and in segments, mixtures, full lanes and holes, at every x86-64 level.
#include "tests/dpdk/burst_frames.h"
#include "tests/support/rounds.h"

static void every_codec_and_key_brings_its_records_to_their_lanes(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];

	(void)state;
	for (uint16_t udp_port = 514; udp_port <= 529; udp_port++)
		for (uint8_t family = 4; family <= 6; family += 2) {
			uint32_t length = good_frame(frame, udp_port, family, LINES);
			uint64_t accepted = reference.counters[FRAME_ACCEPTED];
			struct chain chain = make_chain(frame, length, NULL, 0);

			run_burst(&chain, 1);
			/* Nobody asks for 529; 526 for one IPv6 address. */
			assert_int_equal(reference.counters[FRAME_ACCEPTED] - accepted,
					 udp_port != 529 && (udp_port != 526 || family == 6));
		}
	assert_true(reference.counters[RECORD_APPENDED] > 30);
	assert_int_equal(reference.counters[RECORD_NO_STREAM], 2 * 4 + 2);
}

static void segmented_frames_equal_whole_ones_at_every_split(void **state)
{
	static const uint16_t ports[] = {514, 515, 516, 517, 521};
	static uint8_t frame[FRAME_BUILD_MAX];
	struct chain chains[2];

	(void)state;
	for (uint32_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		uint32_t length = good_frame(frame, ports[i], i % 2 ? 6 : 4, LINES);
		uint64_t records = 0;

		for (uint32_t cut = 0; cut <= length; cut++) {
			uint32_t cuts[2] = {cut / 2, cut - cut / 2};
			uint64_t before = reference.counters[RECORD_APPENDED];

			chains[0] = make_chain(frame, length, &cut, 1);
			chains[1] = make_chain(frame, length, cuts, 2);
			run_burst(chains, 2);
			if (cut == 0)
				records = reference.counters[RECORD_APPENDED] - before;
			assert_int_equal(reference.counters[RECORD_APPENDED] - before, records);
		}
		assert_true(records >= 2);
	}
}

static void mixtures_are_what_the_reference_makes_of_them(void **state)
{
	struct chain chains[BURST_MAX];

	(void)state;
	for (int round = 0; round < ROUNDS(1500); round++) {
		uint16_t count = (uint16_t)(1 + draw(round % 5 ? BURST : BURST_MAX));

		for (uint16_t i = 0; i < count; i++)
			chains[i] = draw_chain(round % 50 ? 1400 : 9000);
		run_burst(chains, count);
	}
	/* The mixture was one. */
	assert_true(reference.counters[FRAME_ACCEPTED] > ROUNDS(10000));
	assert_true(reference.counters[FRAME_EMPTY] > 10 && reference.counters[FRAME_UDP_CHECKSUM] > 10);
	assert_true(reference.counters[FRAME_OTHER_ADDRESS] > 10 && reference.counters[FRAME_NO_INPUT] > 10);
	assert_true(reference.counters[FRAME_IPV4_CHECKSUM] > 10 && reference.counters[FRAME_ANSWER_FAILED] > 10);
	assert_true(reference.counters[FRAME_RUNT] > 10 && reference.counters[FRAME_VLAN_DEPTH] > 10);
}

static void address_zero_is_nobodys(void **state)
{
	static const uint8_t zero[4];
	static uint8_t frame[FRAME_BUILD_MAX];
	struct frame_build what = {.destination = zero, .payload = 30};
	struct chain chain;

	(void)state;
	port.host.ipv4_count = reference.host.ipv4_count = 0;
	memset(port.host.ipv4, 0, sizeof port.host.ipv4);
	memset(reference.host.ipv4, 0, sizeof reference.host.ipv4);
	chain = make_chain(frame, frame_build(&what, frame), NULL, 0);
	run_burst(&chain, 1);
	assert_int_equal(reference.counters[FRAME_OTHER_ADDRESS], 1);
}

#define FULL_PORT 520 /* to the one shard, slot 19 */
#define FULL_SLOT 19u

/* Sends until the lane refuses; returns how many it took. */
static uint64_t fill(struct rig *rig, struct rte_mbuf **frames, uint64_t sent[static 1])
{
	uint64_t *row = rig->words + lane_word(FULL_SLOT, 0);

	for (*sent = 0; row[LANE_DROPPED] == 0 && *sent < 100000; *sent += BURST) {
		rig->process(rig->worker, frames, BURST);
		worker_commit(rig->worker);
	}
	return row[LANE_RECORDS];
}

static void a_full_lane_refuses_counts_and_tells_how_many(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct rte_mbuf *frames[BURST];
	struct chain chains[BURST];
	uint32_t length = good_frame(frame, FULL_PORT, 4, "key and a text of some length, so that it ends anywhere");

	(void)state;
	for (uint32_t i = 0; i < BURST; i++) {
		chains[i] = make_chain(frame, length, NULL, 0);
		frames[i] = chains[i].mbuf;
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];
		uint64_t *row = rig->words + lane_word(FULL_SLOT, 0), sent, taken, refused, position;
		uint32_t payload = length - 42;
		const struct record *gap, *next;
		struct gap told;

		/* penstockd has made some durable, not on a line's boundary; behind it lies what it has not. */
		rig->process(rig->worker, frames, 1);
		worker_commit(rig->worker);
		position = rig->worker->lanes[FULL_SLOT].lane.position;
		atomic_store(&rig->heads[FULL_SLOT], position);
		taken = fill(rig, frames, &sent);
		refused = sent + 1 - taken;
		assert_true(refused > 0 && refused <= BURST);
		assert_int_equal(row[LANE_DROPPED], refused);
		assert_int_equal(row[LANE_GAP_COUNT], refused);
		assert_int_equal(row[LANE_GAP_BYTES], refused * payload);
		assert_int_equal(rig->words[RECORD_LANE_FULL], refused);
		assert_int_equal(rig->words[input_word(6, INPUT_REFUSED)], refused);
		assert_int_equal(rig->words[WORKER_PARSED], sum(rig->words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
		assert_int_equal(rig->words[WORKER_POLLED], sum(rig->words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
		/* Every record it took is whole: nothing was written over what is not yet durable. */
		for (uint64_t at = position; at < row[LANE_POSITION];) {
			const uint8_t *bytes = rig->lanes[FULL_SLOT] + at % LANE_SIZE;
			uint32_t total = record_check(bytes, row[LANE_POSITION] - at);

			assert_true(total > 0);
			assert_memory_equal(record_payload((const void *)bytes), frame + 42, payload);
			at += total;
		}
		/* Room again: the gap stands in front of the next record. */
		position = row[LANE_POSITION];
		atomic_store(&rig->heads[FULL_SLOT], position);
		rig->process(rig->worker, frames, 1);
		worker_commit(rig->worker);
		gap = (const void *)(rig->lanes[FULL_SLOT] + position % LANE_SIZE);
		assert_int_equal(gap->kind, RECORD_GAP);
		memcpy(&told, record_payload(gap), sizeof told);
		assert_int_equal(told.count, refused);
		assert_int_equal(told.bytes, refused * payload);
		assert_int_equal(told.reason, GAP_LANE_FULL);
		assert_int_equal(told.scope, GAP_SCOPE_SHARD);
		next = (const void *)((const uint8_t *)gap + record_bytes(0, 0, sizeof told));
		assert_int_equal(next->kind, RECORD_DATA);
		assert_memory_equal(record_payload(next), frame + 42, payload);
		assert_int_equal(row[LANE_GAP_COUNT], 0);
		assert_int_equal(row[LANE_RECORDS], taken + 1);
		assert_int_equal(rig->words[WORKER_GAPS], 1);
	}
	for (uint32_t i = 0; i < BURST; i++)
		free_chain(&chains[i]);
}

static void a_hole_is_told_once_to_every_shard_of_the_port(void **state)
{
	(void)state;
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];
		uint32_t bytes = record_bytes(0, 0, sizeof(struct gap));

		atomic_store(&rig->worker->down.first_ns, 5);
		atomic_store(&rig->worker->down.last_ns, 9);
		atomic_store(&rig->worker->down.frames, 7);
		/* One of them has no room: then nobody is told yet. */
		rig->worker->lanes[3].lane = (struct lane_writer){.slot = 3};
		worker_run(rig->worker);
		assert_int_equal(rig->words[WORKER_GAPS], 0);
		lane_writer_init(&rig->worker->lanes[3].lane, rig->lanes[3], LANE_SIZE, 3, &rig->worker->ledger,
				 &rig->heads[3]);
		for (int again = 0; again < 2; again++) {
			worker_run(rig->worker);
			assert_int_equal(rig->words[WORKER_DOWN_TOLD], 7);
			assert_int_equal(rig->words[WORKER_GAPS], SLOTS);
			for (uint32_t s = 0; s < SLOTS; s++) {
				const struct record *r = (const void *)rig->lanes[s];
				struct gap told;

				assert_int_equal(rig->words[lane_word(s, LANE_POSITION)], bytes);
				assert_int_equal(record_check(r, bytes), bytes);
				assert_int_equal(r->kind, RECORD_GAP);
				memcpy(&told, record_payload(r), sizeof told);
				assert_int_equal(told.count, 7);
				assert_int_equal(told.first_ns, 5);
				assert_int_equal(told.last_ns, 9);
				assert_int_equal(told.reason, GAP_DATAPLANE_DOWN);
				assert_int_equal(told.scope, GAP_SCOPE_PORT);
			}
		}
		assert_int_equal(rig->words[RECORD_APPENDED], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_codec_and_key_brings_its_records_to_their_lanes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(segmented_frames_equal_whole_ones_at_every_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mixtures_are_what_the_reference_makes_of_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(address_zero_is_nobodys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_lane_refuses_counts_and_tells_how_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hole_is_told_once_to_every_shard_of_the_port, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
