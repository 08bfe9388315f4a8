#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/codec/codec.h"
#include "tests/support/field_text.h"
#include "tests/support/samples.h"

static const char *fields_of(const void *bytes, size_t length)
{
	return field_text_of(codec_by_id(CODEC_COLLECTD), bytes, length);
}

static void expect_sample(struct sample sample, const char *fields)
{
	assert_string_equal(fields_of(sample.bytes, sample.length), fields);
}

/*
 * Expected is what was typed into collectd's unixsock plugin:
 *
 *   PUTVAL host-1/interface-eth0/if_octets interval=10 1385053862.5:12:34
 *   PUTVAL web/disk-sda1/disk_ops interval=2.5 1385053862.307:-5:9223372036854775807
 *   PUTVAL web/t/temperature-core0 interval=10 1385053863:-40.25
 *   PUTVAL web/t/gauge interval=10 1385053863:U
 *   PUTVAL web/http/http_requests interval=10 1385053863:7
 *   PUTVAL web/c/counter interval=10 1385053863:18446744073709551615
 *   PUTVAL web/c/absolute-x interval=10 1385053863:42
 *
 * collectd keeps time in 2^-30 s, read from a double.
 */
static void what_collectd_was_given_is_decoded(void **state)
{
	(void)state;
	expect_sample(
		sample_collectd_values,
		"{\"values\":[{\"time\":2013-11-21T17:11:02.500000000Z,\"interval\":10,\"host\":\"host-1\","
		"\"plugin\":\"interface\",\"plugin_instance\":\"eth0\",\"type\":\"if_octets\","
		"\"dstypes\":[\"derive\",\"derive\"],\"values\":[12,34]},{\"time\":2013-11-21T17:11:02.306999922Z,"
		"\"interval\":2.5,\"host\":\"web\",\"plugin\":\"disk\",\"plugin_instance\":\"sda1\","
		"\"type\":\"disk_ops\",\"dstypes\":[\"derive\",\"derive\"],\"values\":[-5,9223372036854775807]},"
		"{\"time\":2013-11-21T17:11:03.000000000Z,\"interval\":10,\"host\":\"web\",\"plugin\":\"t\","
		"\"type\":\"temperature\",\"type_instance\":\"core0\",\"dstypes\":[\"gauge\"],\"values\":[-40.25]},"
		"{\"time\":2013-11-21T17:11:03.000000000Z,\"interval\":10,\"host\":\"web\",\"plugin\":\"t\","
		"\"type\":\"gauge\",\"dstypes\":[\"gauge\"],\"values\":[nan]},"
		"{\"time\":2013-11-21T17:11:03.000000000Z,\"interval\":10,\"host\":\"web\",\"plugin\":\"http\","
		"\"type\":\"http_requests\",\"dstypes\":[\"derive\"],\"values\":[7]},"
		"{\"time\":2013-11-21T17:11:03.000000000Z,\"interval\":10,\"host\":\"web\",\"plugin\":\"c\","
		"\"type\":\"counter\",\"dstypes\":[\"counter\"],\"values\":[18446744073709551615]},"
		"{\"time\":2013-11-21T17:11:03.000000000Z,\"interval\":10,\"host\":\"web\",\"plugin\":\"c\","
		"\"type\":\"absolute\",\"type_instance\":\"x\",\"dstypes\":[\"absolute\"],\"values\":[42]}]}");
}

/* PUTNOTIF message="disk is \"full\"" severity=failure time=1385053864 host=web plugin=df plugin_instance=root ... */
static void a_notification_is_decoded(void **state)
{
	(void)state;
	expect_sample(sample_collectd_notification,
		      "{\"notifications\":[{\"time\":2013-11-21T17:11:04.000000000Z,\"host\":\"web\",\"plugin\":\"df\","
		      "\"plugin_instance\":\"root\",\"type\":\"percent_bytes\",\"type_instance\":\"used\","
		      "\"severity\":\"failure\",\"message\":\"disk is \\\"full\\\"\"}]}");
}

static void signed_and_encrypted_parts_are_told(void **state)
{
	(void)state;
	expect_sample(sample_collectd_signed,
		      "{\"signed\":true,\"user\":\"alice\",\"notifications\":[{\"time\":2013-11-21T17:11:05.000000000Z,"
		      "\"host\":\"web\",\"severity\":\"okay\",\"message\":\"all well\"}]}");
	expect_sample(
		sample_collectd_encrypted,
		"{\"encrypted\":true,\"user\":\"alice\",\"iv\":0x86b15c5d00eeb94a0805ccf1765ee291,"
		"\"data\":0x5a72c49d95022eea705a0732c94653b7abc8b152539c653357ff756142c23b805a24330f16e3628ea898c1ece"
		"3bd54b6446f5512610e83503f428f6f208b17f715}");
}

struct values { /* counts what a full datagram has */
	struct field_sink sink;
	uint32_t depth, lists, hosts;
};

static bool count_lists(struct field_sink *sink, const struct field *field)
{
	struct values *v = (struct values *)sink;

	v->lists += field->type == FIELD_OBJECT && v->depth == 1;
	v->hosts += field->name && field->name_length == 4 && memcmp(field->name, "host", 4) == 0 &&
		    field->length == 6 && memcmp(field->bytes, "host-1", 6) == 0;
	v->depth += field->type == FIELD_OBJECT || field->type == FIELD_ARRAY;
	v->depth -= field->type == FIELD_END;
	return true;
}

static void a_full_datagram_has_all_its_value_lists(void **state)
{
	struct values values = {.sink.put = count_lists};
	struct codec_record record = {.bytes = sample_collectd_load.bytes, .length = sample_collectd_load.length};
	uint32_t lists = 0;

	(void)state;
	/* Counted as tshark's dissector would: parts of type 6. */
	for (uint32_t at = 0; at < record.length; at += (uint32_t)(record.bytes[at + 2] << 8 | record.bytes[at + 3]))
		lists += record.bytes[at] == 0 && record.bytes[at + 1] == 6;
	assert_int_equal(collectd_decode(&record, &values.sink), CODEC_OK);
	assert_int_equal(values.lists, lists);
	assert_int_equal(values.hosts, lists);
	assert_int_equal(values.depth, 0);
	assert_true(lists > 20);
}

/* A datagram being made by hand. */
struct made {
	uint8_t bytes[70000];
	uint32_t length;
};

static void part(struct made *m, uint16_t type, const void *bytes, uint32_t length)
{
	uint8_t header[4] = {(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)((length + 4) >> 8), (uint8_t)(length + 4)};

	memcpy(m->bytes + m->length, header, 4);
	memcpy(m->bytes + m->length + 4, bytes, length);
	m->length += 4 + length;
}

static void text(struct made *m, uint16_t type, const char *value)
{
	part(m, type, value, (uint32_t)strlen(value) + 1);
}

static void number(struct made *m, uint16_t type, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
	part(m, type, bytes, 8);
}

static const uint8_t one_counter[] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5};

static void expect(const struct made *m, const char *fields)
{
	assert_string_equal(fields_of(m->bytes, m->length), fields);
}

static void expect_part(uint16_t type, const void *bytes, uint32_t length, const char *label)
{
	static struct made m;
	char fields[64];

	m.length = 0;
	text(&m, 0, "h");
	part(&m, type, bytes, length);
	part(&m, 6, one_counter, sizeof one_counter);
	snprintf(fields, sizeof fields, "%s {}", label);
	expect(&m, fields);
}

static void old_seconds_and_unknown_parts_are_read(void **state)
{
	static struct made m;

	(void)state;
	m.length = 0;
	text(&m, 0, "h");
	number(&m, 1, 1385053862);
	number(&m, 7, 10);
	text(&m, 0x0999, "from the future");
	part(&m, 0x0998, "", 0);
	part(&m, 6, one_counter, sizeof one_counter);
	number(&m, 1, 0);
	number(&m, 7, 0);
	text(&m, 0, "");
	part(&m, 6, one_counter, sizeof one_counter);
	number(&m, 0x0101, 3);
	text(&m, 0x0100, "odd");
	expect(&m, "{\"values\":[{\"time\":2013-11-21T17:11:02.000000000Z,\"interval\":10,\"host\":\"h\","
		   "\"dstypes\":[\"counter\"],\"values\":[5]},{\"dstypes\":[\"counter\"],\"values\":[5]}],"
		   "\"notifications\":[{\"severity\":3,\"message\":\"odd\"}]}");
}

static void the_last_moment_of_each_clock_is_told(void **state)
{
	static struct made m;

	(void)state;
	m.length = 0;
	number(&m, 1, 18446744073);
	part(&m, 6, one_counter, sizeof one_counter);
	number(&m, 8, UINT64_MAX);
	part(&m, 6, one_counter, sizeof one_counter);
	expect(&m, "{\"values\":[{\"time\":2554-07-21T23:34:33.000000000Z,\"dstypes\":[\"counter\"],\"values\":[5]},"
		   "{\"time\":2514-05-30T01:53:03.999999999Z,\"dstypes\":[\"counter\"],\"values\":[5]}]}");
	m.length = 0;
	number(&m, 1, 18446744074);
	part(&m, 6, one_counter, sizeof one_counter);
	expect(&m, "time {}");
}

static void a_length_that_lies_is_refused(void **state)
{
	static const uint8_t two_of_one[] = {0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 5}, none[] = {0, 0},
			     alien[] = {0, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t short_part[] = {0, 0, 0, 3, 'x'}, long_part[] = {0, 0, 0, 7, 'x', 0}, header[] = {0, 0, 0};
	static const uint8_t long_user[60] = {0, 30}, no_user[60] = {0, 0};
	char name[130];

	(void)state;
	assert_string_equal(fields_of(short_part, sizeof short_part), "length {}");
	assert_string_equal(fields_of(long_part, sizeof long_part), "truncated {}");
	assert_string_equal(fields_of(header, sizeof header), "truncated {}");
	expect_part(6, two_of_one, sizeof two_of_one, "length");
	expect_part(6, one_counter, sizeof one_counter - 1, "length");
	expect_part(6, one_counter, 1, "length");
	expect_part(6, none, sizeof none, "empty");
	expect_part(6, alien, sizeof alien, "number");
	expect_part(0, "", 0, "length");
	expect_part(2, "no end", 6, "syntax");
	expect_part(2, "in\0side", 8, "syntax");
	expect_part(8, "1234567", 7, "length");
	expect_part(8, "123456789", 9, "length");
	expect_part(0x200, long_user, 32, "length");
	expect_part(0x210, long_user, 1, "length");
	expect_part(0x210, long_user, 2 + 30 + 16, "length");
	expect_part(0x210, no_user, sizeof no_user, "length");
	memset(name, 'n', sizeof name);
	name[128] = 0;
	expect_part(0, name, 129, "too_large");
}

static void more_than_one_envelope_is_refused(void **state)
{
	static const uint8_t user[60] = {0, 5};
	static const char signature[] = "01234567890123456789012345678901" "alice  bob";
	static struct made m;

	(void)state;
	m.length = 0;
	part(&m, 0x200, signature, 37);
	part(&m, 0x210, user, 60);
	part(&m, 6, one_counter, sizeof one_counter);
	expect(&m, "too_many {\"signed\":true,\"user\":\"alice\"}");
	m.length = 0;
	part(&m, 0x200, signature, 37);
	part(&m, 6, one_counter, sizeof one_counter);
	part(&m, 0x200, signature, 40);
	expect(&m, "too_many {\"signed\":true,\"user\":\"alice\",\"values\":[{\"dstypes\":[\"counter\"],\"values\":[5]}]}");
}

/* Two value lists and a notification of host h, then what is wrong. */
static void expect_in_front_of(const void *wrong, uint32_t length, const char *label)
{
	static struct made m;
	char fields[256];

	m.length = 0;
	text(&m, 0, "h");
	part(&m, 6, one_counter, sizeof one_counter);
	text(&m, 0x0100, "told");
	part(&m, 6, one_counter, sizeof one_counter);
	memcpy(m.bytes + m.length, wrong, length);
	m.length += length;
	snprintf(fields, sizeof fields,
		 "%s {\"values\":[{\"host\":\"h\",\"dstypes\":[\"counter\"],\"values\":[5]},"
		 "{\"host\":\"h\",\"dstypes\":[\"counter\"],\"values\":[5]}],"
		 "\"notifications\":[{\"host\":\"h\",\"message\":\"told\"}]}",
		 label);
	expect(&m, fields);
}

static void what_is_in_front_of_a_wrong_part_is_put(void **state)
{
	static const uint8_t alien[] = {0, 6, 0, 15, 0, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8};
	static struct made wrong;
	char name[130];

	(void)state;
	memset(name, 'n', sizeof name);
	name[129] = 0;
	wrong.length = 0;
	part(&wrong, 0, name, sizeof name);
	part(&wrong, 6, one_counter, sizeof one_counter);
	expect_in_front_of(wrong.bytes, wrong.length, "too_large");
	wrong.length = 0;
	part(&wrong, 6, one_counter, sizeof one_counter);
	expect_in_front_of(wrong.bytes, wrong.length - 3, "truncated");
	expect_in_front_of("\0\0\0\0", 4, "length");
	expect_in_front_of("\0", 1, "truncated");
	expect_in_front_of(alien, sizeof alien, "number");
}

static void a_sink_that_has_enough_in_front_of_a_wrong_part_hears_of_no_fault(void **state)
{
	static struct field_text t;
	static struct made m;
	struct codec_record record = {.bytes = m.bytes};

	(void)state;
	m.length = 0;
	text(&m, 0, "h");
	part(&m, 6, one_counter, sizeof one_counter);
	part(&m, 0, "", 0);
	record.length = m.length;
	t.stop_after = 3;
	field_text_begin(&t);
	assert_int_equal(collectd_decode(&record, &t.sink), CODEC_OK);
}

static void a_datagram_that_says_nothing_is_empty(void **state)
{
	static struct made m;

	(void)state;
	assert_string_equal(fields_of("", 0), "empty {}");
	m.length = 0;
	text(&m, 0, "h");
	expect(&m, "empty {}");
}

/* What a datagram is decoded to without its fault. */
static const char *behind_label(const char *fields)
{
	return fields[0] == '{' ? fields : strchr(fields, ' ') + 1;
}

static void cut_anywhere_it_has_what_is_in_front_and_nothing_is_read_outside(void **state)
{
	const struct sample samples[] = {sample_collectd_values, sample_collectd_notification, sample_collectd_signed,
					 sample_collectd_encrypted};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		static char whole[FIELD_TEXT_MAX]; /* of the parts in front */
		uint32_t boundary = 0;
		bool says = false; /* a value list, message or encrypted part lies in front */

		strcpy(whole, "{}");
		for (uint32_t length = 0; length < samples[i].length; length++) {
			const uint8_t *at = samples[i].bytes + boundary;
			const char *fields = fields_of(samples[i].bytes, length);

			if (length && length == boundary + (uint32_t)(at[2] << 8 | at[3])) {
				says |= (at[0] << 8 | at[1]) == 6 || (at[0] << 8 | at[1]) == 0x100;
				boundary = length;
				strcpy(whole, behind_label(fields));
			}
			assert_int_equal(fields[0] == '{', says && length == boundary);
			assert_string_equal(behind_label(fields), whole);
		}
	}
}

static void any_two_bytes_changed_are_survived(void **state)
{
	uint8_t changed[512];
	struct sample sample = sample_collectd_values;

	(void)state;
	for (uint32_t at = 0; at + 1 < sample.length; at++)
		for (uint32_t i = 0; i < 4; i++) {
			static const uint8_t values[4][2] = {{0, 0}, {0xff, 0xff}, {0x80, 0}, {0, 4}};
			const char *fields;

			memcpy(changed, sample.bytes, sample.length);
			memcpy(changed + at, values[i], 2);
			fields = fields_of(changed, sample.length);
			assert_null(strstr(fields, "WRONG"));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_collectd_was_given_is_decoded),
		cmocka_unit_test(a_notification_is_decoded),
		cmocka_unit_test(signed_and_encrypted_parts_are_told),
		cmocka_unit_test(a_full_datagram_has_all_its_value_lists),
		cmocka_unit_test(old_seconds_and_unknown_parts_are_read),
		cmocka_unit_test(the_last_moment_of_each_clock_is_told),
		cmocka_unit_test(a_length_that_lies_is_refused),
		cmocka_unit_test(more_than_one_envelope_is_refused),
		cmocka_unit_test(a_datagram_that_says_nothing_is_empty),
		cmocka_unit_test(what_is_in_front_of_a_wrong_part_is_put),
		cmocka_unit_test(a_sink_that_has_enough_in_front_of_a_wrong_part_hears_of_no_fault),
		cmocka_unit_test(cut_anywhere_it_has_what_is_in_front_and_nothing_is_read_outside),
		cmocka_unit_test(any_two_bytes_changed_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
