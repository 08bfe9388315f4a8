// Records of inputs that ask for more than lines and a plain key: what is sent says what must become of it.
#include "control/replay/rework.h"
#include "tests/dpdk/refine_send.h"
#include "tests/support/samples.h"

#define BURST 32u

static struct sent burst[BURST_MAX];

static void every_input_brings_its_records_to_where_they_belong(void **state)
{
	(void)state;
	for (uint32_t input = 0; input < config.inputs_count; input++)
		for (uint32_t round = 0; round < 60; round++) {
			draw_sent(burst, input);
			run_burst(burst, 1, NULL);
		}
	assert_true(counters[RECORD_APPENDED] > 500 && counters[WORKER_DEAD_LETTERS] > 50);
}

static void mixtures_of_inputs_are_what_was_sent(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		uint32_t count = 1 + draw(round % 5 ? BURST : BURST_MAX);

		for (uint32_t i = 0; i < count; i++)
			draw_sent(&burst[i], draw(config.inputs_count));
		run_burst(burst, count, NULL);
	}
	/* Everything that can happen did. */
	for (unsigned c = RECORD_APPENDED; c <= RECORD_SAMPLED_OUT; c++)
		if (c != RECORD_LANE_FULL)
			assert_true(counters[c] > 50);
	for (unsigned c = WORKER_MALFORMED; c < WORKER_HELD; c++)
		assert_true(counters[c] > 50);
}

static void segmented_frames_equal_whole_ones_at_every_split(void **state)
{
	uint32_t cuts[2] = {0, 0};

	(void)state;
	for (uint32_t input = 0; input < config.inputs_count; input++) {
		if (input == SAMPLED_INPUT || input == GELF_INPUT) /* whose next record depends on those before */
			continue;
		draw_sent(&burst[0], input);
		for (uint32_t cut = 1; cut < burst[0].frame_length; cut++) {
			cuts[0] = cut;
			burst[1] = burst[0];
			cuts[1] = cut % 3 ? cut : 0;
			run_burst(burst, 2, cuts);
		}
	}
}

/* Far more than the worker's rooms for records, keys and copies hold at once. */
static void large_datagrams_are_taken_in_several_rounds(void **state)
{
	static char text[64000];
	static uint8_t frame[FRAME_BUILD_MAX];
	struct rte_mbuf *frames[8];
	uint32_t length = 0, lines = 0;

	(void)state;
	while (length + 20 < sizeof text) {
		length += (uint32_t)sprintf(text + length, "user=u%u\n", lines % 100);
		lines++;
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];

		for (uint32_t i = 0; i < 8; i++)
			frames[i] = make_mbuf(frame, make_frame(frame, RULES_INPUT, text, length), 0);
		rig->process(rig->worker, frames, 8);
		worker_commit(rig->worker);
		for (uint32_t i = 0; i < 8; i++)
			free_mbuf(frames[i]);
		assert_int_equal(rig->words[WORKER_PARSED], 8 * lines);
		assert_int_equal(rig->words[RECORD_APPENDED] + rig->words[RECORD_LANE_FULL], 8 * lines);
		assert_true(rig->words[RECORD_APPENDED] > 8 * lines / 4);
		for (uint32_t s = 0; s < SLOTS; s++)
			for (uint64_t at = 0; at < rig->worker->lanes[s].lane.position;) {
				uint32_t total =
					record_check(rig->lanes[s] + at, rig->worker->lanes[s].lane.position - at);
				const struct record *r = (const void *)(rig->lanes[s] + at);

				assert_true(total > 0);
				if (r->kind == RECORD_DATA) { /* key and payload belong to each other */
					assert_memory_equal(record_payload(r), "user=", 5);
					assert_int_equal(r->key_length, r->length - 5);
					assert_memory_equal(record_payload(r) + 5, record_key(r), r->key_length);
				}
				at += total;
			}
	}
}

/* ---- keys that records brought ---- */

static void user_records_with_a_rule(void)
{
	strcpy(add_input(CODEC_KPL, KEY_OWN, "a")->dead_letter, "dead");
	add_rule(0, "bad", "temperature", VERDICT_DEAD_LETTER);
}

/* Nothing in their bytes says it: it would be lost. */
static void dead_letters_of_user_records_have_their_keys(void **state)
{
	const char *data = "{\"n\":0,\"temperature\":21.5}";

	(void)state;
	start_rigs(user_records_with_a_rule);
	expect_nothing();
	memset(burst, 0, offsetof(struct sent, wants));
	send_bytes(burst, 0, sample_kpl_aggregate.bytes, sample_kpl_aggregate.length);
	for (uint32_t i = 0; i < 6; i++) {
		uint32_t length = (uint32_t)strlen(data);
		struct want *w = want_dead(burst, length, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, input_id("bad"), data, length);

		w->payload[24 + 5] = (uint8_t)('0' + i);
		sprintf(w->key_text, "sensor-%u", i % 3);
		w->key = i % 3 == 2 ? WANT_HASH : WANT_STORED;
		w->hash = (struct hash_key){1ull << 63, 0};
	}
	run_burst(burst, 1, NULL);
	end_rigs();
	set = NULL;
}

/* ---- replayed ---- */

struct letter {
	struct rework_sink sink;
	const struct record *record;
	uint32_t again;
};

static bool expect_the_same(struct rework_sink *sink, const struct rework_record *record)
{
	struct letter *letter = (struct letter *)((char *)sink - offsetof(struct letter, sink));
	const struct record *r = letter->record;
	uint32_t bytes = (uint32_t)(record_payload(r) + r->length - (const uint8_t *)r);

	assert_true(record->dead);
	assert_int_equal(record->bytes, record_bytes(r->origin, r->key_length, r->length));
	assert_memory_equal(record->record, r, bytes);
	letter->again++;
	return true;
}

static void replay_letter(struct rework **reworks, const struct record *r)
{
	struct letter state = {.sink = {.put = expect_the_same}, .record = r};
	struct dead_letter letter;

	assert_int_equal(r->codec, CODEC_DEAD_LETTER);
	assert_int_equal(dead_letter_read(record_payload(r), r->length, &letter), CODEC_OK);
	for (uint32_t i = 0; i < config.inputs_count; i++)
		if (input_id(config.inputs[i].name) == letter.header.input)
			assert_true(rework_apply(reworks[i], r, &letter, &state.sink));
	assert_int_equal(state.again, 1);
	assert_int_equal(state.sink.dropped, 0);
}

/* The worker's steps and the replay's are two pieces of code: what the one makes a dead letter of is the same one, byte for byte,
 * when the other has had it. */
static void a_replay_by_the_same_configuration_gives_the_same_dead_letters(void **state)
{
	struct rework *reworks[INPUTS_MAX];
	uint32_t letters = 0;

	(void)state;
	for (uint32_t i = 0; i < config.inputs_count; i++)
		assert_int_equal(rework_open(&config, i, stderr, &reworks[i]), 0);
	for (int round = 0; round < 600; round++) {
		uint64_t from[2];

		for (uint32_t i = 0; i < 2; i++)
			from[i] = rigs[0].worker->lanes[20 + i].lane.position;
		draw_sent(burst, draw(config.inputs_count));
		run_burst(burst, 1, NULL);
		for (uint32_t i = 0; i < 2; i++)
			for (uint64_t end = rigs[0].worker->lanes[20 + i].lane.position; from[i] < end; letters++) {
				const struct record *r = (const void *)(rigs[0].lanes[20 + i] + from[i] % LANE_SIZE);

				replay_letter(reworks, r);
				from[i] += record_bytes(r->origin, r->key_length, r->length);
			}
	}
	assert_true(letters > 100);
	for (uint32_t i = 0; i < config.inputs_count; i++)
		rework_close(reworks[i]);
}

/* ---- no rules ---- */

static void one_without_rules(void)
{
	add_input(CODEC_LINES, KEY_FIELD, "a");
	strcpy(add_input(CODEC_JSON, KEY_PATH, "a")->key_path, "host");
	add_input(CODEC_LINES, KEY_FIELD, "a");
}

static void one_with_rules_beside(void)
{
	one_without_rules();
	add_rule(2, "noise", "debug", VERDICT_DROP);
	add_rule(2, "seen", "alert", VERDICT_TAG);
}

/* The same plan for the input, and nothing of rules in it: then burst.c does the same for its frames, too. */
static void rules_of_another_input_change_nothing_for_one_without(void **state)
{
	struct plan_input alone;

	(void)state;
	start_rigs(one_without_rules);
	assert_null(set);
	alone = plan->inputs[0];
	assert_null(alone.refine);
	assert_true(refine_needed(&config, 1) && !plan->inputs[1].refine->rules);
	end_rigs();
	set = NULL;
	start_rigs(one_with_rules_beside);
	assert_non_null(set);
	assert_null(plan->inputs[0].refine);
	assert_int_equal(plan->inputs[0].codec, alone.codec);
	assert_int_equal(plan->inputs[0].index, alone.index);
	assert_int_equal(plan->inputs[0].labels, alone.labels);
	assert_int_equal(plan->inputs[0].only_slot, alone.only_slot);
	assert_memory_equal(&plan->inputs[0].key, &alone.key, sizeof alone.key);
	assert_non_null(plan->inputs[1].refine);
	assert_null(plan->inputs[1].refine->rules);
	assert_non_null(plan->inputs[2].refine->rules);
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rte_mbuf *frame;
		uint8_t bytes[200];

		/* A worker that has no refiner takes them. */
		refiner_free(rigs[level].worker->refiner);
		rigs[level].worker->refiner = NULL;
		frame = make_mbuf(bytes, make_frame(bytes, 0, "k debug\nl alert\n", 16), 0);
		rigs[level].process(rigs[level].worker, &frame, 1);
		worker_commit(rigs[level].worker);
		free_mbuf(frame);
		assert_int_equal(rigs[level].words[RECORD_APPENDED], 2);
	}
	end_rigs();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_input_brings_its_records_to_where_they_belong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mixtures_of_inputs_are_what_was_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(segmented_frames_equal_whole_ones_at_every_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(large_datagrams_are_taken_in_several_rounds, set_up, tear_down),
		cmocka_unit_test(dead_letters_of_user_records_have_their_keys),
		cmocka_unit_test_setup_teardown(a_replay_by_the_same_configuration_gives_the_same_dead_letters,
						set_up, tear_down),
		cmocka_unit_test(rules_of_another_input_change_nothing_for_one_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
