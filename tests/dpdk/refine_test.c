// Records of inputs that ask for more than lines and a plain key: what is sent says what must become of it.
#include <openssl/evp.h>

#include "control/replay/rework.h"
#include "tests/dpdk/refine_send.h"
#include "tests/support/gelf_pack.h"
#include "tests/support/samples.h"

#define BURST 32u
#define FLOOD_ROUNDS 600u

static int set_up(void **state)
{
	(void)state;
	start_rigs(all_inputs);
	expect_nothing();
	forget_messages();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	end_rigs();
	return 0;
}

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

static void incomplete_messages_end_in_a_counter_or_as_dead_letters(void **state)
{
	static const uint32_t inputs[] = {GELF_INPUT, GELF_PLAIN_INPUT};
	uint8_t datagram[64];

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(make_chunk(datagram, 77, 1, 3, "a secret=abc", 12), 24);
		memset(burst, 0, offsetof(struct sent, wants));
		send_bytes(burst, inputs[i], datagram, 24);
		burst->held = true;
		counters[WORKER_CHUNKS]++;
		counters[WORKER_HELD]++;
		run_burst(burst, 1, NULL);
	}
	/* Not yet. */
	for (uint32_t level = 0; level < rigs_count; level++) {
		rigs[level].worker->now_ns = now_ns + GELF_TIMEOUT_NS / 2;
		assert_false(refine_expire(rigs[level].worker));
	}
	check_rigs();
	now_ns += 2 * GELF_TIMEOUT_NS;
	for (uint32_t level = 0; level < rigs_count; level++) {
		rigs[level].worker->now_ns = now_ns;
		assert_true(refine_expire(rigs[level].worker));
	}
	counters[WORKER_HELD] = 0;
	for (uint32_t i = 0; i < 2; i++) {
		rows[inputs[i]][INPUT_RECORDS]++;
		rows[inputs[i]][INPUT_BYTES] += 12;
		counters[WORKER_PARSED]++;
		counters[WORKER_PARSED_BYTES] += 12;
	}
	rows[GELF_PLAIN_INPUT][INPUT_REFUSED]++;
	counters[RECORD_INCOMPLETE]++;
	counters[WORKER_DEAD_LETTERS]++;
	counters[WORKER_REDACTED]++; /* rules of the one input whose messages are kept */
	memset(burst, 0, offsetof(struct sent, wants));
	send_bytes(burst, GELF_INPUT, datagram, 12); /* for its origin */
	want_dead(burst, 12, DEAD_LETTER_AT_REASSEMBLY, DEAD_LETTER_REASSEMBLY_TIMEOUT, 1 | 3 << 16, "a **********", 12);
	expect_stored(burst, &burst->wants[0], find_stream("dead"));
	check_rigs();
}

/* The first of two chunks to `input`, whose worker then stops: its bytes are a record that is `reason`'s. */
static void stop_with_half_a_message(uint32_t input, uint8_t number, const char *half, uint32_t reason)
{
	uint32_t bytes = (uint32_t)strlen(half), length;
	uint8_t datagram[64];

	length = (uint32_t)make_chunk(datagram, number, 0, 2, half, bytes);
	assert_int_equal(length, 12 + bytes);
	memset(burst, 0, offsetof(struct sent, wants));
	send_bytes(burst, input, datagram, length);
	burst->held = true;
	counters[WORKER_CHUNKS]++;
	counters[WORKER_HELD]++;
	run_burst(burst, 1, NULL);
	for (uint32_t level = 0; level < rigs_count; level++)
		assert_true(refine_end(rigs[level].worker));
	rows[input][INPUT_RECORDS]++;
	rows[input][INPUT_BYTES] += bytes;
	rows[input][INPUT_REFUSED]++;
	counters[WORKER_PARSED]++;
	counters[WORKER_PARSED_BYTES] += bytes;
	counters[reason]++;
	counters[WORKER_HELD] = 0;
	check_rigs();
}

static void a_rule_drops_a_message_that_stays_incomplete(void **state)
{
	(void)state;
	stop_with_half_a_message(GELF_INPUT, 79, "debug secret=abc", RECORD_RULE_DROPPED);
}

static void what_a_killed_or_stopped_worker_held_is_counted(void **state)
{
	(void)state;
	stop_with_half_a_message(GELF_PLAIN_INPUT, 78, "begin", RECORD_INCOMPLETE);
	/* A predecessor's ledger, taken up. */
	for (uint32_t level = 0; level < rigs_count; level++) {
		ledger_set(&rigs[level].worker->ledger, WORKER_HELD, 3);
		assert_true(refine_begin(rigs[level].worker));
		assert_false(refine_begin(rigs[level].worker));
	}
	counters[WORKER_PARSED] += 3;
	counters[RECORD_INCOMPLETE] += 3;
	check_rigs();
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

/* ---- packed messages ---- */

#define PACKED_INPUT 0u
#define PACKED_PLAIN_INPUT 1u

static void packed_inputs(void)
{
	struct config_input *in = add_input(CODEC_GELF, KEY_CAPTURE, "b");

	strcpy(in->key_rule, "who");
	in->invalid = INVALID_DEAD_LETTER;
	strcpy(in->dead_letter, "dead");
	add_rule(PACKED_INPUT, "noise", "debug", VERDICT_DROP);
	add_rule(PACKED_INPUT, "secret", "secret=[a-z]+", VERDICT_REDACT);
	add_rule(PACKED_INPUT, "seen", "alert", VERDICT_TAG);
	add_rule(PACKED_INPUT, "who", "user=([a-z0-9]+)", VERDICT_KEEP);
	add_input(CODEC_GELF, KEY_FLOW, "a");
}

static int set_up_packed(void **state)
{
	(void)state;
	start_rigs(packed_inputs);
	expect_nothing();
	return 0;
}

/* Long enough to be packed, and not only wrapped. */
static uint32_t write_message(char *text, const char *what)
{
	return (uint32_t)sprintf(text, "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"%s %0200d\"}", what, 0);
}

static const uint16_t ways[] = {IGZIP_GZIP, IGZIP_ZLIB};

static void rules_and_capture_keys_see_what_is_packed(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t packed[500];
		char text[400];
		uint32_t length = write_message(text, "user=u7 secret=abc alert"), bytes;
		struct want *w;

		memset(burst, 0, 4 * sizeof *burst);
		bytes = gelf_pack(ways[i], text, length, packed, sizeof packed);
		assert_null(memmem(packed, bytes, "secret", 6));
		send_bytes(&burst[0], PACKED_INPUT, packed, bytes);
		send_bytes(&burst[1], PACKED_PLAIN_INPUT, packed, bytes); /* no rules: as it came */
		want_stored(&burst[1], "a", CODEC_GELF, "", packed, bytes)->key = WANT_FLOW;
		memset(strstr(text, "secret"), '*', 10);
		w = want_stored(&burst[0], "b", CODEC_GELF, "u7", text, length);
		w->tags[w->tags_count++] = input_id("seen");
		tell(w, WORKER_TAGGED);
		tell(w, WORKER_REDACTED);
		length = write_message(text, "user=u7 debug");
		send_bytes(&burst[2], PACKED_INPUT, packed, gelf_pack(ways[i], text, length, packed, sizeof packed));
		want(&burst[2], RECORD_RULE_DROPPED, length);
		/* Unpacked it is packed once more: rules would not see what is in there. */
		bytes = gelf_pack(ways[i], text, length, packed, 200);
		bytes = gelf_pack(ways[i], packed, bytes, packed + 200, 300);
		send_bytes(&burst[3], PACKED_INPUT, packed + 200, bytes);
		tell(want_dead(&burst[3], bytes, DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, 0, packed + 200, bytes),
		     WORKER_MALFORMED);
		run_burst(burst, 4, NULL);
	}
}

static void what_cannot_be_unpacked_stays_packed_and_is_invalid(void **state)
{
	static char zeros[70000];
	static uint8_t packed[2000];

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t bytes = gelf_pack(ways[i], zeros, sizeof zeros, packed, sizeof packed);

		memset(burst, 0, 2 * sizeof *burst);
		send_bytes(&burst[0], PACKED_INPUT, packed, bytes);
		tell(want_dead(&burst[0], bytes, DEAD_LETTER_AT_DECODE, CODEC_TOO_LARGE, 0, packed, bytes),
		     WORKER_MALFORMED);
		bytes = gelf_pack(ways[i], zeros, 300, packed, sizeof packed) - 1;
		send_bytes(&burst[1], PACKED_INPUT, packed, bytes);
		tell(want_dead(&burst[1], bytes, DEAD_LETTER_AT_DECODE, CODEC_TRUNCATED, 0, packed, bytes),
		     WORKER_MALFORMED);
		run_burst(burst, 2, NULL);
	}
}

/* Many in one burst, each as large as it may be: they do not fit into the block together. */
static void a_burst_of_large_packed_messages_is_taken_in_several_rounds(void **state)
{
	static char text[GELF_MESSAGE_MAX];
	static uint8_t packed[GELF_MESSAGE_MAX];
	static uint8_t frame[FRAME_BUILD_MAX];
	struct rte_mbuf *frames[8];
	uint32_t length, bytes;

	(void)state;
	length = write_message(text, "user=u1 secret=abc") - 2;
	while (length < sizeof text - 2)
		text[length++] = (char)('a' + draw(26));
	memcpy(text + sizeof text - 2, "\"}", 2);
	bytes = gelf_pack(IGZIP_GZIP, text, sizeof text, packed, sizeof packed);
	bytes = make_frame(frame, PACKED_INPUT, packed, bytes);
	memset(strstr(text, "secret=abc "), '*', 10);
	for (uint32_t i = 0; i < 8; i++)
		frames[i] = make_mbuf(frame, bytes, 0);
	rigs[0].process(rigs[0].worker, frames, 8);
	worker_commit(rigs[0].worker);
	for (uint32_t i = 0; i < 8; i++)
		free_mbuf(frames[i]);
	assert_int_equal(rigs[0].words[WORKER_REDACTED], 8);
	for (uint32_t s = 0; s < SLOTS; s++)
		for (uint64_t at = 0, end = rigs[0].worker->lanes[s].lane.position; at < end;) {
			const struct record *r = (const void *)(rigs[0].lanes[s] + at);

			assert_int_equal(r->length, sizeof text);
			assert_memory_equal(record_payload(r), text, sizeof text);
			at += record_check(rigs[0].lanes[s] + at, end - at);
		}
}

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

/* ---- floods: what one key, one input or one shard suffers, the others do not see ---- */

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
		cmocka_unit_test_setup_teardown(every_input_brings_its_records_to_where_they_belong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mixtures_of_inputs_are_what_was_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(segmented_frames_equal_whole_ones_at_every_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(large_datagrams_are_taken_in_several_rounds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(incomplete_messages_end_in_a_counter_or_as_dead_letters, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_rule_drops_a_message_that_stays_incomplete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_killed_or_stopped_worker_held_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_replay_by_the_same_configuration_gives_the_same_dead_letters, set_up,
						tear_down),
		cmocka_unit_test(dead_letters_of_user_records_have_their_keys),
		cmocka_unit_test_setup_teardown(rules_and_capture_keys_see_what_is_packed, set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_unpacked_stays_packed_and_is_invalid, set_up_packed,
						tear_down),
		cmocka_unit_test_setup_teardown(a_burst_of_large_packed_messages_is_taken_in_several_rounds,
						set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(
			what_finds_its_lane_full_is_neither_tagged_nor_routed_nor_a_dead_letter, set_up_full, tear_down),
		cmocka_unit_test(rules_of_another_input_change_nothing_for_one_without),
		cmocka_unit_test_setup_teardown(a_flood_on_one_key_leaves_other_shards_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_colliding_keys_leaves_other_shards_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_on_one_input_leaves_other_streams_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
