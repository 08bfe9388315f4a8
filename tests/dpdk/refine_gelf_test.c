// Messages that stay incomplete, and messages that come packed: what rules, keys and dead letters make of them.
#include "tests/dpdk/refine_send.h"
#include "tests/support/gelf_pack.h"

static struct sent burst[4];

/* ---- incomplete messages ---- */

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

/* ---- packed messages ---- */

#define PACKED_INPUT 0u
#define PACKED_PLAIN_INPUT 1u
#define PACKED_SECRET_INPUT 2u /* keeps what is invalid, and redacts */
#define PACKED_TAGGED_INPUT 3u /* keeps it, and only tags */

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
	in = add_input(CODEC_GELF, KEY_FLOW, "a");
	strcpy(in->dead_letter, "dead");
	add_rule(PACKED_SECRET_INPUT, "card", "card=[0-9]+", VERDICT_REDACT);
	add_rule(PACKED_SECRET_INPUT, "without a level", "level", VERDICT_DEAD_LETTER)->invert = true;
	add_input(CODEC_GELF, KEY_FLOW, "a");
	add_rule(PACKED_TAGGED_INPUT, "paid", "card=[0-9]+", VERDICT_TAG);
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

static void what_cannot_be_unpacked_is_not_kept_where_a_rule_redacts(void **state)
{
	static const uint8_t chunk[] = {0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 3, 2, 0x1f, 0x8b}; /* the fourth of two */
	uint8_t packed[500];
	char text[400];

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t bytes = gelf_pack(ways[i], text, write_message(text, "card=4711"), packed, sizeof packed) - 1;

		memset(burst, 0, 3 * sizeof *burst);
		send_bytes(&burst[0], PACKED_SECRET_INPUT, packed, bytes);
		tell(want(&burst[0], RECORD_INVALID, bytes), WORKER_MALFORMED);
		send_bytes(&burst[1], PACKED_TAGGED_INPUT, packed, bytes);
		want_stored(&burst[1], "a", CODEC_GELF, "", packed, bytes)->key = WANT_FLOW;
		tell(&burst[1].wants[0], WORKER_MALFORMED);
		send_bytes(&burst[2], PACKED_SECRET_INPUT, chunk, sizeof chunk);
		tell(want(&burst[2], RECORD_INVALID, sizeof chunk), WORKER_MALFORMED);
		run_burst(burst, 3, NULL);
	}
}

static void incomplete_ones_that_may_be_packed_are_not_kept_there_either(void **state)
{
	(void)state;
	stop_with_half_a_message(PACKED_SECRET_INPUT, 80, "\x1f\x8b\x08 card=4711", RECORD_INCOMPLETE);
	stop_with_half_a_message(PACKED_SECRET_INPUT, 81, "card=4711", RECORD_INCOMPLETE);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(incomplete_messages_end_in_a_counter_or_as_dead_letters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_rule_drops_a_message_that_stays_incomplete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_killed_or_stopped_worker_held_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rules_and_capture_keys_see_what_is_packed, set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_unpacked_stays_packed_and_is_invalid, set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_unpacked_is_not_kept_where_a_rule_redacts, set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(incomplete_ones_that_may_be_packed_are_not_kept_there_either, set_up_packed, tear_down),
		cmocka_unit_test_setup_teardown(a_burst_of_large_packed_messages_is_taken_in_several_rounds,
						set_up_packed, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
