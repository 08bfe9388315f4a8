#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "dataplane/record/key.h"
#include "tests/support/frame_build.h"

static struct key find(const struct config_input *input, const char *payload, const void *origin, uint8_t origin_kind,
		       bool *found)
{
	static char scratch[KEY_SCRATCH];
	struct key_random random;
	struct key_rule rule;
	struct key key;

	key_random_init(&random, 7);
	key_rule_init(&rule, input);
	*found = key_find(&rule, &random, (const uint8_t *)payload, (uint32_t)strlen(payload), origin, origin_kind, scratch,
			  &key);
	return key;
}

static void expect_address4(const uint8_t address[4])
{
	char expected[64], text[16];
	uint32_t length = address4_text(address, text);

	inet_ntop(AF_INET, address, expected, sizeof expected);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(text, expected, length);
}

static void expect_address6(const uint8_t address[16])
{
	char expected[64], text[48];
	uint32_t length = address6_text(address, text);

	inet_ntop(AF_INET6, address, expected, sizeof expected);
	if (length != strlen(expected) || memcmp(text, expected, length) != 0)
		fail_msg("%.*s instead of %s", (int)length, text, expected);
}

static void addresses_are_written_as_inet_ntop_does(void **state)
{
	uint8_t address[16];

	(void)state;
	for (uint32_t n = 0; n < 256; n++)
		expect_address4((uint8_t[]){(uint8_t)n, (uint8_t)(255 - n), (uint8_t)(n * 7), (uint8_t)n});
	for (uint32_t round = 0; round < 200000; round++) {
		uint32_t zeros = (uint32_t)rand();

		/* Every pattern of zero groups, groups of every width. */
		for (uint32_t i = 0; i < 8; i++) {
			uint32_t group = zeros >> i & 1 ? 0 : (uint32_t)rand() >> (rand() % 31);

			address[2 * i] = (uint8_t)(group >> 8);
			address[2 * i + 1] = (uint8_t)group;
		}
		if (round % 16 == 0)
			memset(address, 0, 10);
		if (round % 32 == 0)
			address[10] = address[11] = 0xff;
		expect_address6(address);
	}
	memset(address, 0, sizeof address);
	expect_address6(address);
	address[15] = 1;
	expect_address6(address);
}

static void a_field_is_found_by_its_number(void **state)
{
	static const struct {
		const char *text;
		uint32_t field;
		const char *key; /* NULL: none */
	} cases[] = {
		{"a,b,c", 1, "a"}, {"a,b,c", 2, "b"}, {"a,b,c", 3, "c"}, {"a,b,c", 4, NULL}, {"a,,c", 2, NULL},
		{"a,,c", 3, "c"},  {"abc", 1, "abc"}, {"abc", 2, NULL},	 {"", 1, NULL},	     {",", 1, NULL},
		{",", 2, NULL},	   {"a,", 2, NULL},   {",b", 2, "b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct md5_key key;
		bool found = key_field((const uint8_t *)cases[i].text, (uint32_t)strlen(cases[i].text), ',',
				       cases[i].field, &key);

		assert_int_equal(found, cases[i].key != NULL);
		if (found) {
			assert_int_equal(key.length, strlen(cases[i].key));
			assert_memory_equal(key.bytes, cases[i].key, key.length);
		}
	}
}

static void a_long_field_is_cut_between_characters(void **state)
{
	struct md5_key key;
	char text[600];

	(void)state;
	memset(text, 'x', sizeof text);
	for (uint32_t before = 0; before <= 4; before++) {
		memset(text, 'x', sizeof text);
		memcpy(text + 256 - before, "\xf0\x9f\x90\x9f", 4);
		assert_true(key_field((const uint8_t *)text, sizeof text, ',', 1, &key));
		assert_int_equal(key.length, before == 4 ? 256 : 256 - before);
	}
	memset(text, 0x80, sizeof text);
	assert_true(key_field((const uint8_t *)text, sizeof text, ',', 1, &key));
	assert_int_equal(key.length, 256);
	assert_true(key_field((const uint8_t *)text, 256, ',', 1, &key));
	assert_int_equal(key.length, 256);
}

static void a_constant_key_is_hashed_once(void **state)
{
	struct config_input input = {.key = KEY_CONSTANT, .key_constant = "boiler-7"};
	uint8_t digest[16];
	bool found;
	struct key key = find(&input, "payload", NULL, RECORD_ORIGIN_NONE, &found);

	(void)state;
	EVP_Digest("boiler-7", 8, digest, NULL, EVP_md5(), NULL);
	assert_true(found);
	assert_int_equal(key.text.length, 0);
	assert_int_equal(key.hash.upper, hash_key_of_digest(digest).upper);
	assert_int_equal(key.hash.lower, hash_key_of_digest(digest).lower);
	assert_int_equal(key.hash.upper >> 56, digest[0]);
	assert_int_equal(key.stored, 8);
	assert_memory_equal(key.bytes, "boiler-7", 8);
	assert_int_equal(key.kind, RECORD_KEY_STORED);
}

static const struct origin4 origin4 = {{192, 0, 2, 7}, {198, 51, 100, 1}, {0x02, 0x02}, {0x1f, 0xbd}};
#define FLOW_HASH4 0x5bb29bf33d837925ull /* by another implementation that passes MurmurHash3's published vectors */
#define FLOW_HASH6 0xfdcafd21dddedee3ull
static const struct origin6 origin6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 7}, {[15] = 1}, {0xff, 0xff}, {0, 9}};

static void a_source_key_is_the_address_and_is_not_stored(void **state)
{
	struct config_input input = {.key = KEY_SOURCE};
	bool found;
	struct key key = find(&input, "", &origin4, RECORD_ORIGIN_IPV4, &found);

	(void)state;
	assert_true(found);
	assert_int_equal(key.kind, RECORD_KEY_SOURCE);
	assert_int_equal(key.stored, 0);
	assert_int_equal(key.text.length, 9);
	assert_memory_equal(key.text.bytes, "192.0.2.7", 9);
	key = find(&input, "", &origin6, RECORD_ORIGIN_IPV6, &found);
	assert_true(found);
	assert_int_equal(key.text.length, 11);
	assert_memory_equal(key.text.bytes, "2001:db8::7", 11);
}

static void a_flow_has_one_hash_and_others_have_others(void **state)
{
	struct config_input input = {.key = KEY_FLOW};
	struct origin4 other = origin4;
	bool found;
	struct key first = find(&input, "a", &origin4, RECORD_ORIGIN_IPV4, &found);
	struct key second = find(&input, "b", &other, RECORD_ORIGIN_IPV4, &found);

	(void)state;
	assert_true(found);
	assert_int_equal(first.kind, RECORD_KEY_FLOW);
	assert_int_equal(first.text.length, 0);
	assert_int_equal(first.hash.upper, second.hash.upper);
	/* Written down: a stored hash must mean the same to every version. */
	assert_true(first.hash.upper == key_flow_hash((const uint8_t *)&origin4, 12));
	assert_true(first.hash.upper == FLOW_HASH4);
	assert_true(key_flow_hash((const uint8_t *)&origin6, 36) == FLOW_HASH6);
	other.source_port[1]++;
	second = find(&input, "b", &other, RECORD_ORIGIN_IPV4, &found);
	assert_true(first.hash.upper != second.hash.upper);
}

static void many_flows_have_the_hashes_of_each(void **state)
{
	uint32_t source[48], destination[48], ports[48];
	uint64_t hash[48], state64 = 9;

	(void)state;
	for (uint32_t count = 1; count <= 48; count++) {
		for (uint32_t i = 0; i < 48; i++) {
			uint64_t random = frame_random(&state64);

			source[i] = (uint32_t)random;
			destination[i] = (uint32_t)(random >> 32);
			ports[i] = (uint32_t)frame_random(&state64);
		}
		key_flow_hashes(source, destination, ports, count, hash);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t origin[3] = {source[i], destination[i], ports[i]};

			assert_true(hash[i] == key_flow_hash((const uint8_t *)origin, sizeof origin));
		}
	}
}

static void without_its_key_a_record_is_keyed_at_random_and_told(void **state)
{
	struct config_input field = {.key = KEY_FIELD, .key_field = 3, .key_separator = ' '};
	struct config_input source = {.key = KEY_SOURCE}, flow = {.key = KEY_FLOW}, any = {.key = KEY_RANDOM};
	bool found;
	struct key key = find(&field, "only two", NULL, RECORD_ORIGIN_NONE, &found);

	(void)state;
	assert_false(found);
	assert_int_equal(key.kind, RECORD_KEY_HASH);
	assert_int_equal(key.stored, 0);
	assert_int_equal(key.text.length, 0);
	find(&source, "", NULL, RECORD_ORIGIN_NONE, &found);
	assert_false(found);
	find(&flow, "", NULL, RECORD_ORIGIN_NONE, &found);
	assert_false(found);
	find(&any, "", NULL, RECORD_ORIGIN_NONE, &found);
	assert_true(found);
	key = find(&field, "one two three four", NULL, RECORD_ORIGIN_NONE, &found);
	assert_true(found);
	assert_int_equal(key.stored, 5);
	assert_memory_equal(key.bytes, "three", 5);
}

static void random_hashes_spread_over_all_shards(void **state)
{
	struct key_random random, other;
	uint32_t seen[16] = {0};

	(void)state;
	key_random_init(&random, 1);
	key_random_init(&other, 2);
	assert_true(key_random_next(&random) != key_random_next(&other));
	for (uint32_t i = 0; i < 16000; i++)
		seen[key_random_next(&random) >> 60]++;
	for (uint32_t i = 0; i < 16; i++)
		assert_in_range(seen[i], 850, 1150);
}

/* A record with everything in it, as it would lie in a batch. */
struct sample {
	struct record record;
	uint8_t bytes[RECORD_KEY_MAX + 64];
};

static void expect_text(struct sample *s, const char *expected)
{
	char text[KEY_TEXT_MAX];
	uint32_t length = key_text(&s->record, text);

	if (length != strlen(expected) || memcmp(text, expected, length) != 0)
		fail_msg("%.*s instead of %s", (int)length, text, expected);
}

static void readers_get_the_text_of_every_kind_of_key(void **state)
{
	struct sample s = {.record = {.kind = RECORD_DATA, .hash = 0x0123456789abcdef}};

	(void)state;
	s.record.key_kind = RECORD_KEY_HASH;
	expect_text(&s, "0123456789abcdef");
	s.record.key_kind = 77;
	expect_text(&s, "0123456789abcdef");
	s.record.key_kind = RECORD_KEY_STORED; /* nothing stored: a contradiction */
	expect_text(&s, "0123456789abcdef");
	s.record.key_kind = RECORD_KEY_FLOW;
	expect_text(&s, "0123456789abcdef");
	s.record.key_kind = RECORD_KEY_SOURCE;
	expect_text(&s, "0123456789abcdef");

	s.record.origin = RECORD_ORIGIN_IPV4;
	memcpy(s.bytes, &origin4, sizeof origin4);
	expect_text(&s, "192.0.2.7");
	s.record.key_kind = RECORD_KEY_FLOW;
	expect_text(&s, "192.0.2.7:514>198.51.100.1:8125/udp");
	s.record.key_kind = RECORD_KEY_STORED;
	s.record.key_length = 5;
	memcpy(s.bytes + sizeof origin4, "three", 5);
	expect_text(&s, "three");

	s.record.origin = RECORD_ORIGIN_IPV6;
	memcpy(s.bytes, &origin6, sizeof origin6);
	s.record.key_kind = RECORD_KEY_FLOW;
	expect_text(&s, "[2001:db8::7]:65535>[::1]:9/udp");
	s.record.key_kind = RECORD_KEY_SOURCE;
	expect_text(&s, "2001:db8::7");

	s.record.key_kind = RECORD_KEY_STORED;
	s.record.origin = RECORD_ORIGIN_NONE;
	s.record.key_length = RECORD_KEY_MAX;
	memset(s.bytes, 'k', RECORD_KEY_MAX);
	assert_int_equal(key_text(&s.record, (char[KEY_TEXT_MAX]){0}), RECORD_KEY_MAX);
	s.record.kind = RECORD_GAP;
	assert_int_equal(key_text(&s.record, (char[KEY_TEXT_MAX]){0}), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_written_as_inet_ntop_does),
		cmocka_unit_test(a_field_is_found_by_its_number),
		cmocka_unit_test(a_long_field_is_cut_between_characters),
		cmocka_unit_test(a_constant_key_is_hashed_once),
		cmocka_unit_test(a_source_key_is_the_address_and_is_not_stored),
		cmocka_unit_test(a_flow_has_one_hash_and_others_have_others),
		cmocka_unit_test(many_flows_have_the_hashes_of_each),
		cmocka_unit_test(without_its_key_a_record_is_keyed_at_random_and_told),
		cmocka_unit_test(random_hashes_spread_over_all_shards),
		cmocka_unit_test(readers_get_the_text_of_every_kind_of_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
