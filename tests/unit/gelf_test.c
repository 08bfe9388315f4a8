#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/codec/gelf.h"
#include "tests/support/field_text.h"
#include "tests/support/gelf_pack.h"
#include "tests/support/samples.h"

/* The specification's own example (GELF Payload Specification), its line breaks left out. */
#define EXAMPLE                                                                                                        \
	"{\"version\":\"1.1\",\"host\":\"example.org\",\"short_message\":\"A short message that helps you identify "   \
	"what is going on\",\"full_message\":\"Backtrace here\\n\\nmore stuff\",\"timestamp\":1385053862.3072,"        \
	"\"level\":1,\"_user_id\":9001,\"_some_info\":\"foo\",\"_some_env_var\":\"bar\"}"
#define EXAMPLE_FIELDS                                                                                                 \
	"{\"version\":\"1.1\",\"host\":\"example.org\",\"short_message\":\"A short message that helps you identify "   \
	"what is going on\",\"full_message\":\"Backtrace here\\x0a\\x0amore stuff\","                                  \
	"\"timestamp\":2013-11-21T17:11:02.307200000Z,\"level\":1,\"_user_id\":9001,\"_some_info\":\"foo\","           \
	"\"_some_env_var\":\"bar\"}"

static const char *fields_of(const void *bytes, size_t length)
{
	return field_text_of(codec_by_id(CODEC_GELF), bytes, length);
}

static void expect(const char *message, const char *fields)
{
	assert_string_equal(fields_of(message, strlen(message)), fields);
}

/* A message of the members given and those it must have. */
static void expect_member(const char *member, const char *fields)
{
	char message[512], expected[512];

	snprintf(message, sizeof message, "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m\",%s}", member);
	snprintf(expected, sizeof expected, "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m\",%s}", fields);
	expect(message, expected);
}

static void expect_fault(const char *member, const char *label)
{
	char message[512];
	const char *text;

	snprintf(message, sizeof message, "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"m\",%s}", member);
	text = fields_of(message, strlen(message));
	if (strncmp(text, label, strlen(label)) != 0 || text[strlen(label)] != ' ')
		fail_msg("%s instead of %s", text, label);
}

static void the_specifications_example_is_decoded(void **state)
{
	(void)state;
	expect(EXAMPLE, EXAMPLE_FIELDS);
	expect("  \r\n\t" EXAMPLE "\n", EXAMPLE_FIELDS);
}

static void zeros_behind_a_message_are_none_of_it(void **state)
{
	static const char message[] = EXAMPLE "\0\0\0", spaced[] = EXAMPLE " \n", inside[] = EXAMPLE "\0 ";

	(void)state;
	for (size_t zeros = 1; zeros <= 4; zeros++)
		assert_string_equal(fields_of(message, sizeof EXAMPLE - 1 + zeros), EXAMPLE_FIELDS);
	assert_string_equal(fields_of(spaced, sizeof spaced), EXAMPLE_FIELDS);
	assert_memory_equal(fields_of(inside, sizeof inside), "syntax {", 8);
	assert_string_equal(fields_of("\0\0", 2), "empty {}");
	assert_string_equal(fields_of("{\0", 2), "truncated {}");
}

static void gzip_and_zlib_are_told_by_their_first_bytes(void **state)
{
	(void)state;
	assert_string_equal(fields_of(sample_gelf_gzip.bytes, sample_gelf_gzip.length), EXAMPLE_FIELDS);
	assert_string_equal(fields_of(sample_gelf_zlib.bytes, sample_gelf_zlib.length), EXAMPLE_FIELDS);
	assert_string_equal(fields_of(sample_gelf_gzip_named.bytes, sample_gelf_gzip_named.length), EXAMPLE_FIELDS);
}

static void a_timestamp_is_exact_to_the_nanosecond(void **state)
{
	(void)state;
	expect_member("\"timestamp\":0", "\"timestamp\":1970-01-01T00:00:00.000000000Z");
	expect_member("\"timestamp\":1385053862", "\"timestamp\":2013-11-21T17:11:02.000000000Z");
	expect_member("\"timestamp\":1385053862.123456789", "\"timestamp\":2013-11-21T17:11:02.123456789Z");
	expect_member("\"timestamp\":1385053862.1234567899999999999", "\"timestamp\":2013-11-21T17:11:02.123456789Z");
	expect_member("\"timestamp\":1.3850538623072e9", "\"timestamp\":2013-11-21T17:11:02.307200000Z");
	expect_member("\"timestamp\":13850538623072E-4", "\"timestamp\":2013-11-21T17:11:02.307200000Z");
	expect_member("\"timestamp\":0.138505386230720000e+10", "\"timestamp\":2013-11-21T17:11:02.307200000Z");
	expect_member("\"timestamp\":\"1385053862.3072\"", "\"timestamp\":2013-11-21T17:11:02.307200000Z");
	expect_member("\"timestamp\":1e-400000000000000000000000", "\"timestamp\":1970-01-01T00:00:00.000000000Z");
	expect_member("\"timestamp\":9999999999.999999999", "\"timestamp\":2286-11-20T17:46:39.999999999Z");
	/* 19 digits count. */
	expect_member("\"timestamp\":18446744073.709551615", "\"timestamp\":2554-07-21T23:34:33.709551610Z");
	expect_fault("\"timestamp\":18446744074", "time");
	expect_fault("\"timestamp\":1e400000000000000000000000", "time");
	expect_fault("\"timestamp\":99999999999999999999999999999999999999999", "time");
	expect_fault("\"timestamp\":-1", "time");
	expect_fault("\"timestamp\":\"yesterday\"", "time");
	expect_fault("\"timestamp\":\"\"", "time");
	expect_fault("\"timestamp\":null", "time");
	expect_fault("\"timestamp\":{}", "time");
}

static void members_of_members_are_not_the_messages(void **state)
{
	(void)state;
	expect_member("\"_deep\":{\"version\":2,\"host\":[{\"timestamp\":\"x\"}]},\"_n\":null,\"_t\":true",
		      "\"_deep\":{\"version\":2,\"host\":[{\"timestamp\":\"x\"}]},\"_n\":null,\"_t\":true");
}

static void what_must_be_there_must_be_there_once(void **state)
{
	(void)state;
	expect("{\"host\":\"h\",\"short_message\":\"m\"}", "syntax {\"host\":\"h\",\"short_message\":\"m\"}");
	expect("{\"version\":\"1.1\",\"short_message\":\"m\"}", "syntax {\"version\":\"1.1\",\"short_message\":\"m\"}");
	expect("{\"version\":\"1.1\",\"host\":\"h\"}", "syntax {\"version\":\"1.1\",\"host\":\"h\"}");
	expect("{}", "syntax {}");
	expect("{\"version\":\"1.1\",\"host\":\"\",\"short_message\":\"m\"}", "syntax {\"version\":\"1.1\"}");
	expect("{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":7}",
	       "syntax {\"version\":\"1.1\",\"host\":\"h\"}");
	expect_fault("\"host\":\"other\"", "syntax");
	expect("{\"version\":\"1.0\",\"host\":\"h\",\"short_message\":\"m\"}",
	       "{\"version\":\"1.0\",\"host\":\"h\",\"short_message\":\"m\"}");
	expect("{\"version\":\"2.0\"}", "version {}");
	expect("{\"version\":1.1}", "syntax {}");
}

static void what_is_no_message_is_named(void **state)
{
	static const uint8_t chunk[] = {0x1e, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2, 'x'};

	(void)state;
	expect("", "empty {}");
	expect(" \n ", "empty {}");
	expect("[1,2]", "syntax {}");
	expect("\"text\"", "syntax {}");
	expect("{\"version\":\"1.1\"", "truncated {\"version\":\"1.1\"}");
	assert_string_equal(fields_of(chunk, sizeof chunk), "chunk {}");
	assert_string_equal(fields_of(chunk, 2), "chunk {}");
}

static void a_sink_that_has_enough_ends_it(void **state)
{
	static struct field_text t;
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	struct codec_record record = {
		.bytes = (const uint8_t *)EXAMPLE, .length = sizeof EXAMPLE - 1, .scratch = scratch};

	(void)state;
	t.stop_after = 2;
	field_text_begin(&t);
	assert_int_equal(gelf_decode(&record, &t.sink), CODEC_OK);
	assert_string_equal(field_text_end(&t), "{\"version\":\"1.1\",\"host\":\"example.org\"}");
}

/* What stands right before a page that may not be touched: sanitizers do not see into the decompressor. */
static const char *fields_at_the_edge(const uint8_t *bytes, size_t length)
{
	static uint8_t *pages;
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct codec_record record = {.length = (uint32_t)length, .scratch = scratch};

	if (!pages) {
		pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(pages, MAP_FAILED);
		assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	}
	record.bytes = memcpy(pages + page - length, bytes, length);
	return field_text_of_record(codec_by_id(CODEC_GELF), &record);
}

static void cut_anywhere_it_is_refused_and_nothing_behind_it_is_read(void **state)
{
	const struct sample whole[] = {{(const uint8_t *)EXAMPLE, sizeof EXAMPLE - 1},
				       sample_gelf_gzip,
				       sample_gelf_zlib,
				       sample_gelf_gzip_named};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(fields_at_the_edge(whole[i].bytes, whole[i].length), EXAMPLE_FIELDS);
		for (size_t length = 1; length < whole[i].length; length++) {
			const char *text = fields_at_the_edge(whole[i].bytes, length);

			if (strncmp(text, "truncated ", 10) != 0 && !(i > 0 && length == 1))
				fail_msg("%zu of message %zu: %s", length, i, text);
		}
	}
}

static void a_bit_turned_over_is_noticed(void **state)
{
	uint32_t length = sample_gelf_gzip.length, refused = 0;
	uint8_t turned[1024];

	(void)state;
	for (size_t bit = 0; bit < 8 * length; bit++) {
		const char *text;

		memcpy(turned, sample_gelf_gzip.bytes, length);
		turned[bit / 8] ^= (uint8_t)(1 << bit % 8);
		text = fields_at_the_edge(turned, length);
		if (text[0] != '{')
			refused++;
		else
			assert_string_equal(text, EXAMPLE_FIELDS);
	}
	/* Time, flags and operating system in gzip's header change nothing. */
	assert_true(refused >= 8 * (length - 10));
}

static void bytes_behind_a_packed_message_are_refused(void **state)
{
	const struct sample *const samples[] = {&sample_gelf_gzip, &sample_gelf_zlib};
	uint8_t more[1024];

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (size_t extra = 1; extra <= 40; extra++) {
			memset(more, 0, sizeof more);
			memcpy(more, samples[i]->bytes, samples[i]->length);
			assert_string_equal(fields_at_the_edge(more, samples[i]->length + extra), "compression {}");
		}
}

#define BLOCK 64u

static void zeros_packed_with_a_message_are_none_of_it(void **state)
{
	uint8_t plain[] = EXAMPLE "\0", packed[1024];

	(void)state;
	assert_string_equal(fields_at_the_edge(packed, gelf_pack(IGZIP_GZIP, plain, sizeof plain, packed, sizeof packed)), EXAMPLE_FIELDS);
}

/* `length` bytes (a little fewer where a whole block does not fit) of a message that its short_message fills up, packed. Of
 * each block the first `letters` are drawn, which say how tightly. */
static uint32_t pack(uint32_t length, const char *filling, uint32_t letters, uint8_t *out, uint32_t room)
{
	static const char front[] = "{\"version\":\"1.1\",\"host\":\"h\",\"short_message\":\"", back[] = "\"}";
	uint8_t *plain = malloc(length);
	uint32_t at = sizeof front - 1;

	memcpy(plain, front, at);
	length -= (length - at - (sizeof back - 1)) % BLOCK;
	for (uint32_t i = 0; at < length - (sizeof back - 1); i++)
		plain[at++] = i % BLOCK < letters ? (uint8_t)('a' + rand() % 26) : (uint8_t)filling[i % strlen(filling)];
	memcpy(plain + at, back, sizeof back - 1);
	length = gelf_pack(IGZIP_GZIP, plain, length, out, room);
	free(plain);
	return length;
}

struct measure { /* how long the longest text was */
	struct field_sink sink;
	uint32_t longest;
};

static bool measure_put(struct field_sink *sink, const struct field *field)
{
	struct measure *m = (struct measure *)sink;

	m->longest = field->length > m->longest ? field->length : m->longest;
	return true;
}

static enum codec_fault decode_packed(uint32_t length, const char *filling, uint32_t letters, uint32_t *longest)
{
	static uint8_t packed[1 << 17];
	struct measure m = {.sink.put = measure_put};
	uint8_t *scratch = malloc(CODEC_SCRATCH_BYTES);
	struct codec_record record = {.bytes = packed, .scratch = scratch};
	enum codec_fault fault;

	record.length = pack(length, filling, letters, packed, sizeof packed);
	fault = gelf_decode(&record, &m.sink);
	free(scratch);
	*longest = m.longest;
	return fault;
}

static void a_message_unpacks_to_half_the_scratch_and_no_more(void **state)
{
	uint32_t longest;

	(void)state;
	srand(1);
	assert_int_equal(decode_packed(GELF_UNPACKED_MAX, "x", 8, &longest), CODEC_OK);
	assert_true(longest > GELF_UNPACKED_MAX - 200);
	/* Escapes all through it: they are unescaped into the other half. */
	assert_int_equal(decode_packed(GELF_UNPACKED_MAX, "\\n", 8, &longest), CODEC_OK);
	assert_true(longest > GELF_UNPACKED_MAX / 2);
	assert_int_equal(decode_packed(GELF_UNPACKED_MAX + BLOCK, "x", 8, &longest), CODEC_TOO_LARGE);
}

static void a_message_that_is_packed_too_tightly_is_refused(void **state)
{
	uint32_t longest;

	(void)state;
	assert_int_equal(decode_packed(GELF_UNPACKED_FREE, "x", 0, &longest), CODEC_OK);
	assert_int_equal(decode_packed(100000, "x", 8, &longest), CODEC_OK);
	assert_int_equal(decode_packed(100000, "x", 2, &longest), CODEC_TOO_LARGE);
	assert_int_equal(decode_packed(10000, "x", 0, &longest), CODEC_TOO_LARGE);
	assert_int_equal(decode_packed(4 << 20, "x", 0, &longest), CODEC_TOO_LARGE);
	assert_int_equal(gelf_unpacked_max(0), GELF_UNPACKED_FREE);
	assert_int_equal(gelf_unpacked_max(UINT32_MAX), GELF_UNPACKED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_specifications_example_is_decoded),
		cmocka_unit_test(zeros_behind_a_message_are_none_of_it),
		cmocka_unit_test(gzip_and_zlib_are_told_by_their_first_bytes),
		cmocka_unit_test(a_timestamp_is_exact_to_the_nanosecond),
		cmocka_unit_test(members_of_members_are_not_the_messages),
		cmocka_unit_test(what_must_be_there_must_be_there_once),
		cmocka_unit_test(what_is_no_message_is_named),
		cmocka_unit_test(a_sink_that_has_enough_ends_it),
		cmocka_unit_test(cut_anywhere_it_is_refused_and_nothing_behind_it_is_read),
		cmocka_unit_test(a_bit_turned_over_is_noticed),
		cmocka_unit_test(bytes_behind_a_packed_message_are_refused),
		cmocka_unit_test(zeros_packed_with_a_message_are_none_of_it),
		cmocka_unit_test(a_message_unpacks_to_half_the_scratch_and_no_more),
		cmocka_unit_test(a_message_that_is_packed_too_tightly_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
