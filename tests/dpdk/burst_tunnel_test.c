// The hot path on tunnels and fragments: kept whole by a tap, looked into where a port says so.
#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "tests/dpdk/burst_frames.h"
#include "tests/support/rounds.h"
#include "tests/support/tunnel_build.h"

static void a_tap_keeps_every_frame_whole(void **state)
{
	static struct stack stack;
	struct chain chains[BURST];

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (uint16_t i = 0; i < BURST; i++) {
			stack_build(&stack, draw(stack_kinds_count), (uint16_t)(514 + draw(3)), draw(200));
			chains[i] = draw(3) ? draw_chain(1400)
					    : make_chain(stack_head(&stack), stack_length(&stack), NULL, 0);
		}
		run_burst(chains, BURST);
	}
	assert_int_equal(reference.counters[FRAME_ACCEPTED] + reference.counters[FRAME_RUNT], 200 * BURST);
	assert_true(reference.counters[FRAME_ACCEPTED] > 200 * BURST * 9 / 10);
}

static struct reassembly *make_reassembly(void)
{
	static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {7};
	void *memory = aligned_alloc(64, REASSEMBLY_BYTES_MIN);

	assert_non_null(memory);
	memset(memory, 0, REASSEMBLY_BYTES_MIN);
	return reassembly_init(memory, REASSEMBLY_BYTES_MIN, 30000000000ull, secret);
}

/* Cuts the packet behind a frame's first `l3` bytes into two fragments; with `tunnel` inside VXLAN. */
static uint16_t cut_in_two(struct chain *chains, const uint8_t *frame, uint32_t length, bool tunnel)
{
	static struct stack piece;
	uint32_t id = draw(60000), carried = length - 34, first = (8 + draw(carried - 9)) & ~7u;

	for (int i = 0; i < 2; i++) {
		stack_fragment(&piece, &(struct stack_fragment){
			.family = 4, .id = id, .source = frame + 26, .destination = frame + 30, .protocol = frame[23],
			.bytes = frame + 34 + (i ? first : 0), .offset = i ? first : 0,
			.length = i ? carried - first : first, .more = i == 0});
		stack_ethernet(&piece, 0x0800);
		if (tunnel) {
			stack_vxlan(&piece, 77);
			stack_udp(&piece, 4, NULL, NULL, 4789, false);
			stack_ethernet(&piece, 0x0800);
		}
		chains[i] = make_chain(stack_head(&piece), stack_length(&piece), NULL, 0);
	}
	return 2;
}

/* Tunnels of all kinds, fragments, fragments in tunnels and tunnels in fragments, among ordinary frames. */
static void tunnels_and_fragments_bring_the_records_of_what_is_inside(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	static struct stack stack;
	struct config_input *input;
	struct chain chains[BURST_MAX];

	(void)state;
	input = add_input(514, CODEC_DATAGRAM, KEY_FLOW, "one");
	input->tunnel = TUNNEL_NVGRE;
	input->vni = 0x1234;
	for (uint32_t i = 0; i < 14; i++)
		config.inputs[i].tunnel = i % 2 ? TUNNEL_ANY : TUNNEL_NONE;
	port.host.tunnels = UINT32_MAX;
	plan_free(plan);
	assert_int_equal(plan_create(&config, NULL, 1, &map, 2, &plan), 0);
	match_leave_tunnels(&plan->matches[0], &port.host);
	reference.host = port.host;
	reference.match = plan->matches[0];
	reference.reassembly = make_reassembly();
	for (uint32_t level = 0; level < rigs_count; level++) {
		worker_take_plan(rigs[level].worker, plan);
		rigs[level].worker->reassembly = make_reassembly();
	}
	for (int round = 0; round < ROUNDS(600); round++) {
		uint16_t count = 0;

		while (count < BURST_MAX - 2) {
			uint32_t k = draw(stack_kinds_count), kind = draw(5);

			if (kind == 0) {
				chains[count++] = draw_chain(1400);
				continue;
			}
			stack_build(&stack, k, (uint16_t)(514 + draw(16)), 16 + draw(900));
			memcpy(frame, stack_head(&stack), stack_length(&stack));
			if (kind == 1 && frame[12] == 0x08 && frame[14] == 0x45)
				count += cut_in_two(chains + count, frame, stack_length(&stack), false);
			else if (kind == 2)
				count += cut_in_two(chains + count, frame, good_frame(frame, 517, 4, LINES), draw(2));
			else
				chains[count++] = make_chain(frame, stack_length(&stack), NULL, 0);
			if (draw(20) == 0 && count < BURST_MAX - 2) /* the second half of one is lost */
				free_chain(&chains[--count]);
		}
		run_burst(chains, count);
	}
	assert_true(reference.counters[FRAGMENTS_JOINED] > ROUNDS(1000));
	assert_true(reference.counters[FRAGMENTS_DISPLACED] > 0 || ROUNDS(10) < 10);
	assert_true(reference.counters[FRAME_FRAGMENT_HELD] > ROUNDS(1000));
	assert_true(reference.inputs[config.inputs_count - 1][INPUT_FRAMES] > ROUNDS(10) / 2);
	assert_true(reference.inputs[3][INPUT_FRAMES] > ROUNDS(1000)); /* 517, through tunnels or not */
	free(reference.reassembly);
	for (uint32_t level = 0; level < rigs_count; level++) {
		free(rigs[level].worker->reassembly);
		rigs[level].worker->reassembly = NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tap_keeps_every_frame_whole, set_up_tap, tear_down),
		cmocka_unit_test_setup_teardown(tunnels_and_fragments_bring_the_records_of_what_is_inside, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
