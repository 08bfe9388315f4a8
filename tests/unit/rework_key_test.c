// Keys of replayed records: of the addresses in a tap's frame, and those that records brought along.
#include "tests/support/samples.h"
#include "tests/support/tunnel_build.h"
#include "tests/unit/rework_fixture.h"

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
		cmocka_unit_test(a_frame_of_a_tap_has_the_key_of_the_addresses_in_it),
		cmocka_unit_test(a_frame_with_a_tunnel_has_the_key_of_the_innermost_addresses),
		cmocka_unit_test(a_frame_that_is_dead_again_stays_with_its_flow),
		cmocka_unit_test(what_is_no_frame_of_ip_lacks_the_key),
		cmocka_unit_test(user_records_keep_their_keys_and_hashes_through_dead_letters),
		cmocka_unit_test(an_old_letter_of_a_user_record_has_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
