// Dead letters through an input as it is configured: each record ends as the worker would have it.
#include "tests/support/gelf_pack.h"
#include "tests/unit/rework_fixture.h"

/* ---- messages that stayed incomplete ---- */

#define STUMP "half of a message"

static void replay_stump(struct bench *b)
{
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_REASSEMBLY, .codec = CODEC_GELF,
					    .reason = DEAD_LETTER_REASSEMBLY_TIMEOUT, .input = input_id("in"),
					    .detail = 1 | 2 << 16, .arrival_ns = ARRIVAL};
	struct end letter = letter_of(&header, STUMP, sizeof STUMP - 1, &sender);

	replay(b, &letter);
}

static void expect_stump_dead(const struct end *end)
{
	const struct record *record = record_of(end);
	struct dead_letter letter;

	assert_true(end->dead);
	assert_string_equal(end->stream, "dead");
	assert_int_equal(dead_letter_read(record_payload(record), record->length, &letter), CODEC_OK);
	assert_int_equal(letter.header.stage, DEAD_LETTER_AT_REASSEMBLY);
	assert_int_equal(letter.header.reason, DEAD_LETTER_REASSEMBLY_TIMEOUT);
	assert_int_equal(letter.header.detail, 1 | 2 << 16);
	assert_int_equal(letter.length, sizeof STUMP - 1);
	assert_memory_equal(letter.bytes, STUMP, letter.length);
	assert_int_equal(record->hash, key_flow_hash((const uint8_t *)&sender, sizeof sender));
}

static void an_incomplete_message_stays_a_dead_letter_whatever_is_done_with_invalid_ones(void **state)
{
	static const enum config_invalid all[] = {INVALID_KEEP, INVALID_DROP, INVALID_DEAD_LETTER};
	struct bench b;

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		new_bench(&b, CODEC_GELF, KEY_RANDOM)->invalid = all[i];
		open_bench(&b);
		replay_stump(&b);
		assert_int_equal(b.count, 1);
		assert_int_equal(b.sink.dropped, 0);
		expect_stump_dead(&b.ends[0]);
		close_bench(&b);
	}
}

static void rules_see_an_incomplete_message_but_do_not_route_it(void **state)
{
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_GELF, KEY_RANDOM);
	add_rule(&b, "half", VERDICT_ROUTE);
	open_bench(&b);
	replay_stump(&b);
	assert_int_equal(b.count, 1);
	expect_stump_dead(&b.ends[0]);
	close_bench(&b);

	new_bench(&b, CODEC_GELF, KEY_RANDOM);
	add_rule(&b, "half", VERDICT_DROP);
	open_bench(&b);
	replay_stump(&b);
	assert_int_equal(b.count, 0);
	assert_int_equal(b.sink.dropped, 1);
	close_bench(&b);
}

static void a_refused_chunk_is_what_the_input_does_with_invalid_ones(void **state)
{
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_GELF, KEY_RANDOM)->invalid = INVALID_KEEP;
	open_bench(&b);
	replay_text(&b, DEAD_LETTER_AT_REASSEMBLY, DEAD_LETTER_CHUNK_COUNT, "chunk");
	assert_int_equal(b.count, 1);
	assert_string_equal(b.ends[0].stream, "main");
	close_bench(&b);
}

/* ---- packed messages ---- */

static void replay_incomplete(struct bench *b, const char *text)
{
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_REASSEMBLY, .codec = CODEC_GELF,
					    .reason = DEAD_LETTER_REASSEMBLY_TIMEOUT, .input = input_id("in"),
					    .detail = 1 | 2 << 16, .arrival_ns = ARRIVAL};
	struct end letter = letter_of(&header, text, (uint32_t)strlen(text), &sender);

	replay(b, &letter);
}

static void what_rules_could_not_look_into_is_not_kept_where_one_redacts(void **state)
{
	static const struct {
		enum config_verdict verdict;
		enum config_invalid invalid;
		uint64_t stored, dropped;
	} cases[] = {
		{VERDICT_REDACT, INVALID_KEEP, 0, 1},
		{VERDICT_TAG, INVALID_KEEP, 1, 0},
		{VERDICT_REDACT, INVALID_DEAD_LETTER, 1, 0},
	};

	(void)state;
	for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bench b;

		new_bench(&b, CODEC_GELF, KEY_RANDOM)->invalid = cases[i].invalid;
		add_rule(&b, "card=[0-9]+", cases[i].verdict);
		open_bench(&b);
		replay_text(&b, DEAD_LETTER_AT_DECODE, CODEC_TRUNCATED, "\x1f\x8b\x08 card=4711");
		assert_int_equal(b.count, cases[i].stored);
		assert_int_equal(b.sink.dropped, cases[i].dropped);
		if (cases[i].stored)
			assert_string_equal(b.ends[0].stream, cases[i].invalid == INVALID_KEEP ? "main" : "dead");
		/* Nor what is there of a message that may be packed; of one that is text rules have seen what there is. */
		new_step(&b);
		replay_incomplete(&b, "\x1f\x8b\x08 card=4711");
		assert_int_equal(b.count, cases[i].stored);
		replay_incomplete(&b, "{\"card\":\"card=4711");
		assert_int_equal(b.count, cases[i].stored + 1);
		close_bench(&b);
	}
}

static void rules_see_what_is_packed(void **state)
{
	const char *text = "{\"version\":\"1.1\",\"host\":\"a\",\"short_message\":\"card=4711\"}";
	const char *redacted = "{\"version\":\"1.1\",\"host\":\"a\",\"short_message\":\"*********\"}";
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_KEY, .codec = CODEC_GELF, .reason = DEAD_LETTER_KEY_MISSING,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	uint8_t packed[256];
	struct end letter;
	struct bench b;

	(void)state;
	letter = letter_of(&header, packed, gelf_pack(IGZIP_GZIP, text, (uint32_t)strlen(text), packed, sizeof packed), &sender);
	new_bench(&b, CODEC_GELF, KEY_RANDOM);
	add_rule(&b, "card=[0-9]+", VERDICT_REDACT);
	open_bench(&b);
	replay(&b, &letter);
	assert_int_equal(b.count, 1);
	assert_int_equal(record_of(&b.ends[0])->length, strlen(redacted));
	assert_memory_equal(record_payload(record_of(&b.ends[0])), redacted, strlen(redacted));
	close_bench(&b);
}

/* ---- samples ---- */

static void open_sampling(struct bench *b)
{
	new_bench(b, CODEC_LINES, KEY_RANDOM);
	add_rule(b, "line", VERDICT_SAMPLE)->every = 10;
	open_bench(b);
}

static void what_a_sample_kept_before_it_failed_is_kept(void **state)
{
	struct bench b;

	(void)state;
	open_sampling(&b);
	for (uint32_t i = 0; i < 20; i++)
		replay_text(&b, i % 2 ? DEAD_LETTER_AT_KEY : DEAD_LETTER_AT_DECODE, i % 2 ? DEAD_LETTER_KEY_MISSING : CODEC_SYNTAX,
			    "a line");
	assert_int_equal(b.count, 20);
	assert_int_equal(b.sink.dropped, 0);
	close_bench(&b);
}

/* Dead by a rule that there is no more, or whole datagrams: nobody has sampled those. */
static void others_are_sampled_one_in_so_many(void **state)
{
	struct bench b;

	(void)state;
	open_sampling(&b);
	for (uint32_t i = 0; i < 40; i++)
		replay_text(&b, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, "a line");
	assert_int_equal(b.count, 4);
	assert_int_equal(b.sink.dropped, 36);
	new_step(&b);
	replay_text(&b, DEAD_LETTER_AT_CUT, CODEC_LENGTH,
		    "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\n");
	assert_int_equal(b.count, 1);
	assert_int_equal(b.sink.dropped, 9);
	close_bench(&b);
}

/* Lines that differ, told apart by their number: which of them a step keeps, one bit each. */
static uint64_t take_numbered(struct bench *b, uint32_t from, uint32_t count)
{
	uint64_t kept = 0;

	new_step(b);
	for (uint32_t i = from; i < from + count; i++) {
		uint32_t before = b->count;
		char text[32];

		snprintf(text, sizeof text, "line %u", i);
		replay_text(b, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, text);
		kept = kept << 1 | (b->count > before);
	}
	return kept;
}

static void a_dry_run_or_a_step_that_failed_changes_no_sample(void **state)
{
	uint32_t kept = 0;
	struct bench b;

	(void)state;
	open_sampling(&b);
	for (uint32_t from = 0; from < 1000; from += 7) {
		uint64_t dry = take_numbered(&b, from, 7);

		take_numbered(&b, from, 3); /* it failed, half through */
		assert_int_equal(take_numbered(&b, from, 7), dry);
	}
	/* Steps shorter than a sample's distance still keep a tenth. */
	for (uint32_t from = 0; from < 5000; from++)
		kept += (uint32_t)take_numbered(&b, from, 1);
	assert_in_range(kept, 400, 600);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_incomplete_message_stays_a_dead_letter_whatever_is_done_with_invalid_ones),
		cmocka_unit_test(rules_see_an_incomplete_message_but_do_not_route_it),
		cmocka_unit_test(a_refused_chunk_is_what_the_input_does_with_invalid_ones),
		cmocka_unit_test(what_rules_could_not_look_into_is_not_kept_where_one_redacts),
		cmocka_unit_test(rules_see_what_is_packed),
		cmocka_unit_test(what_a_sample_kept_before_it_failed_is_kept),
		cmocka_unit_test(others_are_sampled_one_in_so_many),
		cmocka_unit_test(a_dry_run_or_a_step_that_failed_changes_no_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
