// Dead letters through an input as it is configured: each record ends as the worker would have it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/replay/rework.h"
#include "dataplane/codec/codec.h"
#include "tests/support/gelf_pack.h"
#include "tests/support/samples.h"
#include "tests/support/tunnel_build.h"

#define ARRIVAL 1767268800123456789ull
#define ENDS_MAX 64u

struct end { /* what became of a record that is stored */
	char stream[32];
	bool dead;
	struct hash_key hash;
	uint32_t bytes;
	_Alignas(8) uint8_t record[4096];
};

struct bench {
	struct config *config;
	struct rework *rework;
	struct rework_sink sink;
	struct end ends[ENDS_MAX];
	uint32_t count;
};

static const struct origin4 sender = {{198, 51, 100, 1}, {192, 0, 2, 9}, {1, 2}, {8, 7}};

static bool note(struct rework_sink *sink, const struct rework_record *record)
{
	struct bench *b = (struct bench *)((char *)sink - offsetof(struct bench, sink));
	struct end *end = &b->ends[b->count++];

	assert_true(b->count <= ENDS_MAX && record->bytes <= sizeof end->record);
	assert_int_equal(record_check(record->record, record->bytes), record->bytes);
	snprintf(end->stream, sizeof end->stream, "%s", record->stream);
	end->dead = record->dead;
	end->hash = record->hash;
	end->bytes = record->bytes;
	memcpy(end->record, record->record, record->bytes);
	return true;
}

static const struct record *record_of(const struct end *end)
{
	return (const struct record *)(const void *)end->record;
}

/* An input "in" of stream "main", with dead letters in "dead"; changed as the test wants before open_bench(). */
static struct config_input *new_bench(struct bench *b, uint8_t codec, enum config_key key)
{
	struct config_input *input;

	memset(b, 0, sizeof *b);
	b->config = calloc(1, sizeof *b->config);
	assert_non_null(b->config);
	b->config->inputs_count = 1;
	b->config->rule_seconds = 30;
	b->config->rule_memory = 512u << 20;
	input = &b->config->inputs[0];
	strcpy(input->name, "in");
	strcpy(input->stream, "main");
	strcpy(input->dead_letter, "dead");
	input->codec = codec;
	input->key = key;
	input->key_field = 1;
	input->key_separator = ' ';
	return input;
}

static struct config_rule *add_rule(struct bench *b, const char *pattern, enum config_verdict verdict)
{
	struct config_rule *rule = &b->config->rules[b->config->rules_count++];

	snprintf(rule->name, sizeof rule->name, "rule%u", b->config->rules_count);
	snprintf(rule->pattern, sizeof rule->pattern, "%s", pattern);
	strcpy(rule->stream, "aside");
	rule->verdict = verdict;
	return rule;
}

static void new_step(struct bench *b)
{
	b->count = 0;
	b->sink = (struct rework_sink){.put = note};
}

static void open_bench(struct bench *b)
{
	assert_int_equal(rework_open(b->config, 0, stderr, &b->rework), 0);
	new_step(b);
}

static void close_bench(struct bench *b)
{
	rework_close(b->rework);
	free(b->config);
}

/* A dead letter as the worker stores it; of `origin`, NULL: none. */
static struct end letter_of(const struct dead_letter_header *header, const void *bytes, uint32_t length,
			    const struct origin4 *origin)
{
	struct end letter = {.dead = true};
	struct record record = {.kind = RECORD_DATA, .arrival_ns = ARRIVAL, .vlan = RECORD_VLAN_NONE,
				.codec = CODEC_DEAD_LETTER, .key_kind = RECORD_KEY_HASH};
	uint8_t *at = letter.record + sizeof record;

	if (origin) {
		record.origin = RECORD_ORIGIN_IPV4;
		record.key_kind = RECORD_KEY_FLOW;
		memcpy(at, origin, sizeof *origin);
		at += sizeof *origin;
	}
	record.length = dead_letter_write(header, bytes, length, at, sizeof letter.record - 128);
	assert_true(record.length > 0);
	memcpy(letter.record, &record, sizeof record);
	letter.bytes = record_bytes(record.origin, 0, record.length);
	return letter;
}

static void replay(struct bench *b, const struct end *end)
{
	const struct record *record = record_of(end);
	struct dead_letter letter;

	assert_int_equal(dead_letter_read(record_payload(record), record->length, &letter), CODEC_OK);
	assert_true(rework_apply(b->rework, record, &letter, &b->sink));
}

static void replay_text(struct bench *b, uint8_t stage, uint16_t reason, const char *text)
{
	struct dead_letter_header header = {.stage = stage, .codec = b->config->inputs[0].codec, .reason = reason,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	struct end letter = letter_of(&header, text, (uint32_t)strlen(text), &sender);

	replay(b, &letter);
}

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

/* ---- frames of a tap ---- */

/* A letter of a tap's frame to peer's flow; `frame` has FRAME_BUILD_MAX. */
static struct end letter_of_frame(uint8_t *frame, struct origin4 *flow)
{
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_RULE, .codec = CODEC_FRAME, .reason = DEAD_LETTER_RULE,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	uint32_t length = frame_build(&(struct frame_build){.payload = 40}, frame);

	memcpy(flow, frame + 26, sizeof *flow); /* addresses and ports: there are no tags or options */
	return letter_of(&header, frame, length, NULL);
}

static struct hash_key hash_of(const void *text, size_t length)
{
	struct md5_key key = {text, (uint32_t)length};
	uint8_t digest[1][16];

	md5_batch(&key, 1, digest);
	return hash_key_of_digest(digest[0]);
}

static void a_frame_of_a_tap_has_the_key_of_the_addresses_in_it(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	const struct record *record;
	struct origin4 flow;
	struct end letter = letter_of_frame(frame, &flow);
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_FRAME, KEY_SOURCE)->missing = MISSING_DEAD_LETTER;
	open_bench(&b);
	replay(&b, &letter);
	assert_int_equal(b.count, 1);
	assert_string_equal(b.ends[0].stream, "main");
	record = record_of(&b.ends[0]);
	assert_int_equal(record->origin, RECORD_ORIGIN_NONE);
	assert_int_equal(record->key_kind, RECORD_KEY_STORED);
	assert_int_equal(record->key_length, 10);
	assert_memory_equal(record_key(record), "192.0.2.99", 10);
	assert_memory_equal(&b.ends[0].hash, &(struct hash_key[]){hash_of("192.0.2.99", 10)}, sizeof(struct hash_key));
	close_bench(&b);

	new_bench(&b, CODEC_FRAME, KEY_FLOW)->missing = MISSING_DEAD_LETTER;
	open_bench(&b);
	replay(&b, &letter);
	assert_int_equal(b.count, 1);
	assert_string_equal(b.ends[0].stream, "main");
	record = record_of(&b.ends[0]);
	assert_int_equal(record->key_kind, RECORD_KEY_HASH);
	assert_true(record->hash == key_flow_hash((const uint8_t *)&flow, sizeof flow));
	close_bench(&b);
}

static void a_frame_with_a_tunnel_has_the_key_of_the_innermost_addresses(void **state)
{
	static const uint8_t inner[4] = {198, 51, 100, 7};
	static struct stack s;
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_RULE, .codec = CODEC_FRAME, .reason = DEAD_LETTER_RULE,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	struct end letter;
	struct bench b;

	(void)state;
	stack_begin(&s, 30);
	stack_udp(&s, 4, inner, NULL, 514, true);
	stack_ethernet(&s, 0x0800);
	stack_vxlan(&s, 7);
	stack_udp(&s, 4, NULL, NULL, 9999, true);
	stack_ethernet(&s, 0x0800);
	letter = letter_of(&header, stack_head(&s), stack_length(&s), NULL);
	new_bench(&b, CODEC_FRAME, KEY_SOURCE);
	b.config->ports_count = 1;
	b.config->ports[0].vxlan_port = 9999;
	open_bench(&b);
	replay(&b, &letter);
	assert_int_equal(b.count, 1);
	assert_int_equal(record_of(&b.ends[0])->key_length, 12);
	assert_memory_equal(record_key(record_of(&b.ends[0])), "198.51.100.7", 12);
	close_bench(&b);
}

static void a_frame_that_is_dead_again_stays_with_its_flow(void **state)
{
	static uint8_t frame[FRAME_BUILD_MAX];
	struct origin4 flow;
	struct end letter = letter_of_frame(frame, &flow);
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_FRAME, KEY_RANDOM);
	add_rule(&b, "\\x08\\x00", VERDICT_DEAD_LETTER); /* the type of IPv4 */
	open_bench(&b);
	replay(&b, &letter);
	assert_int_equal(b.count, 1);
	assert_true(b.ends[0].dead);
	assert_int_equal(record_of(&b.ends[0])->key_kind, RECORD_KEY_HASH);
	assert_true(b.ends[0].hash.upper == key_flow_hash((const uint8_t *)&flow, sizeof flow));
	close_bench(&b);
}

static void what_is_no_frame_of_ip_lacks_the_key(void **state)
{
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_RULE, .codec = CODEC_FRAME, .reason = DEAD_LETTER_RULE,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	struct end letter;
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_FRAME, KEY_SOURCE)->missing = MISSING_DEAD_LETTER;
	open_bench(&b);
	for (uint32_t length = 0; length < 40; length++) {
		uint8_t bytes[40] = {0};

		letter = letter_of(&header, bytes, length, NULL);
		b.count = 0;
		replay(&b, &letter);
		assert_int_equal(b.count, 1);
		assert_true(b.ends[0].dead);
	}
	close_bench(&b);
}

/* ---- keys that records brought ---- */

static void replay_aggregate(struct bench *b)
{
	struct dead_letter_header header = {.stage = DEAD_LETTER_AT_CUT, .codec = CODEC_KPL, .reason = CODEC_CHECKSUM,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	struct end letter = letter_of(&header, sample_kpl_aggregate.bytes, sample_kpl_aggregate.length, &sender);

	replay(b, &letter);
}

/* Six user records of three keys, the third with an explicit hash; twice through dead letters, or never. */
static void user_records_keep_their_keys_and_hashes_through_dead_letters(void **state)
{
	static struct bench straight, dead, again, back;

	(void)state;
	new_bench(&straight, CODEC_KPL, KEY_OWN);
	open_bench(&straight);
	replay_aggregate(&straight);
	new_bench(&dead, CODEC_KPL, KEY_OWN);
	add_rule(&dead, "temperature", VERDICT_DEAD_LETTER);
	open_bench(&dead);
	replay_aggregate(&dead);
	new_bench(&again, CODEC_KPL, KEY_OWN);
	add_rule(&again, "temperature", VERDICT_DEAD_LETTER);
	open_bench(&again);
	new_bench(&back, CODEC_KPL, KEY_OWN)->missing = MISSING_DEAD_LETTER;
	open_bench(&back);
	assert_int_equal(straight.count, 6);
	assert_int_equal(dead.count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		const struct record *record = record_of(&dead.ends[i]);
		char key[] = {'s', 'e', 'n', 's', 'o', 'r', '-', (char)('0' + i % 3)};
		struct hash_key hash = i % 3 == 2 ? (struct hash_key){1ull << 63, 0} : hash_of(key, sizeof key);

		assert_true(dead.ends[i].dead);
		assert_int_equal(record->key_kind, RECORD_KEY_STORED);
		assert_int_equal(record->key_length, sizeof key);
		assert_memory_equal(record_key(record), key, sizeof key);
		assert_true(record->hash == hash.upper);
		replay(&again, &dead.ends[i]);
		assert_int_equal(again.ends[i].bytes, dead.ends[i].bytes);
		assert_memory_equal(again.ends[i].record, dead.ends[i].record, dead.ends[i].bytes);
		replay(&back, &again.ends[i]);
		assert_string_equal(back.ends[i].stream, "main");
		assert_int_equal(back.ends[i].bytes, straight.ends[i].bytes);
		assert_memory_equal(back.ends[i].record, straight.ends[i].record, straight.ends[i].bytes);
		assert_true(back.ends[i].hash.upper == hash.upper);
		assert_true(i % 3 == 2 || back.ends[i].hash.lower == hash.lower);
	}
	close_bench(&straight);
	close_bench(&dead);
	close_bench(&again);
	close_bench(&back);
}

static void an_old_letter_of_a_user_record_has_no_key(void **state)
{
	struct bench b;

	(void)state;
	new_bench(&b, CODEC_KPL, KEY_OWN)->missing = MISSING_RANDOM;
	open_bench(&b);
	replay_text(&b, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, "a user record");
	assert_int_equal(b.count, 1);
	assert_string_equal(b.ends[0].stream, "main");
	assert_int_equal(record_of(&b.ends[0])->key_kind, RECORD_KEY_HASH);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_incomplete_message_stays_a_dead_letter_whatever_is_done_with_invalid_ones),
		cmocka_unit_test(rules_see_an_incomplete_message_but_do_not_route_it),
		cmocka_unit_test(a_refused_chunk_is_what_the_input_does_with_invalid_ones),
		cmocka_unit_test(rules_see_what_is_packed),
		cmocka_unit_test(what_a_sample_kept_before_it_failed_is_kept),
		cmocka_unit_test(others_are_sampled_one_in_so_many),
		cmocka_unit_test(a_dry_run_or_a_step_that_failed_changes_no_sample),
		cmocka_unit_test(a_frame_of_a_tap_has_the_key_of_the_addresses_in_it),
		cmocka_unit_test(a_frame_with_a_tunnel_has_the_key_of_the_innermost_addresses),
		cmocka_unit_test(a_frame_that_is_dead_again_stays_with_its_flow),
		cmocka_unit_test(what_is_no_frame_of_ip_lacks_the_key),
		cmocka_unit_test(user_records_keep_their_keys_and_hashes_through_dead_letters),
		cmocka_unit_test(an_old_letter_of_a_user_record_has_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
