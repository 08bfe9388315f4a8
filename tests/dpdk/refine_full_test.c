// Lanes that are full, by floods above all: what one key, one input or one shard suffers, the others do not see.
#include "tests/dpdk/refine_send.h"

#define BURST 32u
#define FLOOD_ROUNDS 600u

/* ---- full lanes ---- */

static void rules_and_nobody_who_drains(void)
{
	struct config_input *in = add_input(CODEC_LINES, KEY_SOURCE, "one");

	strcpy(in->dead_letter, "dead");
	add_rule(0, "seen", "alert", VERDICT_TAG);
	strcpy(add_rule(0, "audit", "audit", VERDICT_ROUTE)->stream, "b");
	add_rule(0, "bad", "poison", VERDICT_DEAD_LETTER);
}

static int set_up_full(void **state)
{
	(void)state;
	start_rigs(rules_and_nobody_who_drains);
	return 0;
}

static uint64_t in_lanes(const struct rig *rig, uint32_t first, uint32_t end)
{
	uint64_t records = 0;

	for (uint32_t s = first; s < end; s++)
		records += rig->words[lane_word(s, LANE_RECORDS)];
	return records;
}

/* Tags, routes and dead letters tell what is in streams. */
static void what_finds_its_lane_full_is_neither_tagged_nor_routed_nor_a_dead_letter(void **state)
{
	static const char *const words[] = {"alert", "audit", "poison"};
	uint8_t frame[600];

	(void)state;
	for (uint32_t level = 0; level < rigs_count; level++) {
		struct rig *rig = &rigs[level];

		for (uint32_t i = 0; i < 6000; i++) {
			char text[500];
			uint32_t length = (uint32_t)sprintf(text, "%s %0400u\n", words[i % 3], i);
			struct rte_mbuf *m = make_mbuf(frame, make_frame(frame, 0, text, length), 0);

			rig->process(rig->worker, &m, 1);
			free_mbuf(m);
		}
		worker_commit(rig->worker);
		assert_true(rig->words[RECORD_LANE_FULL] > 1000);
		assert_int_equal(rig->words[RECORD_APPENDED] + rig->words[RECORD_LANE_FULL], 6000);
		assert_int_equal(rig->words[WORKER_TAGGED], in_lanes(rig, 19, 20));
		assert_int_equal(rig->words[WORKER_ROUTED], in_lanes(rig, 16, 19));
		assert_int_equal(rig->words[WORKER_DEAD_LETTERS], in_lanes(rig, 20, 22));
	}
}

/* ---- floods ---- */

/* A burst of 32 with `calm` datagrams of CALM_INPUT among those of the flood; penstockd drains all lanes but those
 * stuck. */
static void flood(struct rig *rig, const struct sent *flood_sent, const struct sent *calm, uint64_t stuck,
		  uint64_t calm_sent[SLOTS])
{
	struct rte_mbuf *frames[BURST];

	for (uint32_t round = 0; round < FLOOD_ROUNDS; round++) {
		for (uint32_t i = 0; i < BURST; i++) {
			const struct sent *s =
				i % 8 ? &flood_sent[(round + i) % 16] : &calm[(round * 4 + i / 8) % 64];

			frames[i] = make_mbuf(s->frame, s->frame_length, 0);
		}
		for (uint32_t i = 0; i < BURST; i += 8) {
			const struct want *w = &calm[(round * 4 + i / 8) % 64].wants[0];

			calm_sent[find_slot(find_stream(w->stream), hash_of(w->key_text))]++;
		}
		rig->worker->now_ns = now_ns;
		rig->process(rig->worker, frames, BURST);
		worker_commit(rig->worker);
		for (uint32_t s = 0; s < SLOTS; s++)
			if (!(stuck >> s & 1))
				atomic_store(&rig->heads[s], rig->worker->lanes[s].lane.position);
		for (uint32_t i = 0; i < BURST; i++)
			free_mbuf(frames[i]);
	}
}

/* By the counters that were committed. */
static void expect_only_stuck_lost(struct rig *rig, uint64_t stuck, const uint64_t calm_sent[SLOTS])
{
	uint32_t lines = worker_lines(SLOTS), calm_shards = 0;
	uint64_t *words = malloc(lines * sizeof(struct ledger_line)), dropped = 0, calm = 0;

	assert_non_null(words);
	assert_true(ledger_read(rig->ledger, lines, 0, lines, words));
	for (uint32_t s = 0; s < SLOTS; s++) {
		const uint64_t *row = words + lane_word(s, 0);

		dropped += row[LANE_DROPPED];
		if (stuck >> s & 1) {
			assert_int_equal(calm_sent[s], 0);
			continue;
		}
		calm += calm_sent[s];
		calm_shards += calm_sent[s] > 0;
		assert_int_equal(row[LANE_DROPPED], 0);
		assert_true(row[LANE_RECORDS] * 100 >= calm_sent[s] * 99);
	}
	assert_true(calm == FLOOD_ROUNDS * BURST / 8 && calm_shards >= 15);
	assert_true(dropped > 1000);
	assert_int_equal(words[RECORD_LANE_FULL], dropped);
	assert_int_equal(words[WORKER_PARSED], sum(words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
	free(words);
}

static void json_line(struct sent *s, uint32_t input, const char *stream, const char *host)
{
	char text[600];
	int length = sprintf(text, "{\"host\":\"%s\",\"text\":\"%0400d\"}", host, 7);

	memset(s, 0, offsetof(struct sent, wants));
	send_bytes(s, input, text, (uint32_t)length);
	want_stored(s, stream, config.inputs[input].codec, host, text, (uint32_t)length);
}

static void one_key(struct sent *out, uint32_t i)
{
	(void)i;
	json_line(out, 0, "a", "the-one");
}

/* Keys that MD5 sends to shard 5 of stream a: to whoever knows the ranges, found in no time. */
static void colliding_keys(struct sent *out, uint32_t i)
{
	static uint32_t tried;
	char host[32];

	if (i == 0)
		tried = 0;
	do {
		sprintf(host, "k%u", tried++);
	} while (find_slot(find_stream("a"), hash_of(host)) != 5);
	json_line(out, 0, "a", host);
}

static void flood_with(void (*make)(struct sent *out, uint32_t i), uint64_t stuck)
{
	static struct sent flood_sent[16], calm[64];

	for (uint32_t i = 0; i < 16; i++)
		make(&flood_sent[i], i);
	for (uint32_t i = 0, tried = 0; i < 64; i++) {
		char host[32];

		/* Hosts on all the other shards of the same stream. */
		do {
			sprintf(host, "calm%u", tried++);
		} while (stuck >> find_slot(find_stream("a"), hash_of(host)) & 1);
		json_line(&calm[i], 0, "a", host);
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		uint64_t calm_sent[SLOTS] = {0};

		flood(&rigs[level], flood_sent, calm, stuck, calm_sent);
		expect_only_stuck_lost(&rigs[level], stuck, calm_sent);
	}
}

static void a_flood_on_one_key_leaves_other_shards_alone(void **state)
{
	(void)state;
	flood_with(one_key, 1ull << find_slot(find_stream("a"), hash_of("the-one")));
}

static void a_flood_of_colliding_keys_leaves_other_shards_alone(void **state)
{
	(void)state;
	flood_with(colliding_keys, 1ull << 5);
}

static void one_input(struct sent *out, uint32_t i)
{
	char host[32];

	sprintf(host, "h%u", i);
	json_line(out, FLOODED_INPUT, "b", host);
}

static void a_flood_on_one_input_leaves_other_streams_alone(void **state)
{
	(void)state;
	flood_with(one_input, 7ull << 16); /* all shards of stream b stand still */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_finds_its_lane_full_is_neither_tagged_nor_routed_nor_a_dead_letter,
						set_up_full, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_on_one_key_leaves_other_shards_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_colliding_keys_leaves_other_shards_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_on_one_input_leaves_other_streams_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
