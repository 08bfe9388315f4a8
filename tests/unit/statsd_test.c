#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fuzz/codec.h"
#include "tests/support/field_text.h"

static const char *decoded(const char *text)
{
	return field_text_of(codec_by_id(CODEC_STATSD), text, strlen(text));
}

static void each_type_of_metric(void **state)
{
	(void)state;
	assert_string_equal(decoded("gorets:1|c"), "{\"name\":\"gorets\",\"type\":\"counter\",\"value\":1}");
	assert_string_equal(decoded("gorets:1|c|@0.1"),
			    "{\"name\":\"gorets\",\"type\":\"counter\",\"value\":1,\"sample_rate\":0.1}");
	assert_string_equal(decoded("glork:320|ms|@0.1"),
			    "{\"name\":\"glork\",\"type\":\"timer\",\"value\":320,\"sample_rate\":0.1}");
	assert_string_equal(decoded("gaugor:333|g"), "{\"name\":\"gaugor\",\"type\":\"gauge\",\"value\":333}");
	assert_string_equal(decoded("uniques:765|s"), "{\"name\":\"uniques\",\"type\":\"set\",\"value\":\"765\"}");
	assert_string_equal(decoded("uniques:user@example.com:8|s"),
			    "{\"name\":\"uniques\",\"type\":\"set\",\"value\":\"user@example.com:8\"}");
	assert_string_equal(decoded("a b.c/d:0.5|h"), "{\"name\":\"a b.c/d\",\"type\":\"histogram\",\"value\":0.5}");
	assert_string_equal(decoded("a:-0.5e-3|d"), "{\"name\":\"a\",\"type\":\"distribution\",\"value\":-0.5e-3}");
	assert_string_equal(decoded("a:7|m"), "{\"name\":\"a\",\"type\":\"meter\",\"value\":7}");
}

static void a_signed_gauge_is_a_change(void **state)
{
	(void)state;
	assert_string_equal(decoded("gaugor:-10|g"),
			    "{\"name\":\"gaugor\",\"type\":\"gauge\",\"value\":-10,\"delta\":true}");
	assert_string_equal(decoded("gaugor:+4|g"),
			    "{\"name\":\"gaugor\",\"type\":\"gauge\",\"value\":4,\"delta\":true}");
	assert_string_equal(decoded("count:+4|c"), "{\"name\":\"count\",\"type\":\"counter\",\"value\":4}");
}

static void numbers_that_json_has_not_are_written_as_json_has_them(void **state)
{
	static const struct {
		const char *text, *number;
	} cases[] = {
		{".5", "0.5"},
		{"-.5", "-0.5"},
		{"5.", "5"},
		{"+5.", "5"},
		{"007", "7"},
		{"-007.50", "-7.50"},
		{"00", "0"},
		{"0.", "0"},
		{"+.25e+3", "0.25e+3"},
		{"5.e3", "5e3"},
		{"00.5", "0.5"},
		{"1E5", "1E5"},
		{"123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"},
	};
	static const char *const none[] = {"",    "+",     "-",    ".",    "-.",  "e5",   ".e5", "1e",
					   "1e+", "1.2.3", "1..2", "0x10", "1 ",  " 1",   "1,5", "--1",
					   "+-1", "nan",   "inf",  "5.e",  "5..", "1e5.5"};
	char record[96], expected[128];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(record, sizeof record, "a:%s|c", cases[i].text);
		snprintf(expected, sizeof expected, "{\"name\":\"a\",\"type\":\"counter\",\"value\":%s}",
			 cases[i].number);
		assert_string_equal(decoded(record), expected);
	}
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		snprintf(record, sizeof record, "a:%s|c", none[i]);
		assert_string_equal(decoded(record), "number {\"name\":\"a\",\"type\":\"counter\"}");
	}
}

static void dogstatsd_adds_values_tags_and_more(void **state)
{
	(void)state;
	assert_string_equal(decoded("a:1:2:3.5|d|@0.5"),
			    "{\"name\":\"a\",\"type\":\"distribution\",\"values\":[1,2,3.5],\"sample_rate\":0.5}");
	assert_string_equal(decoded("a:1::3|d"), "number {\"name\":\"a\",\"type\":\"distribution\",\"values\":[1]}");
	assert_string_equal(decoded("users.online:1|c|@0.5|#country:china,url:http://a:80,canary"),
			    "{\"name\":\"users.online\",\"type\":\"counter\",\"value\":1,\"sample_rate\":0.5,"
			    "\"tags\":{\"country\":\"china\",\"url\":\"http://a:80\",\"canary\":true}}");
	assert_string_equal(decoded("a:1|c|#"), "{\"name\":\"a\",\"type\":\"counter\",\"value\":1,\"tags\":{}}");
	assert_string_equal(decoded("a:1|c|#,x,,y:,"),
			    "{\"name\":\"a\",\"type\":\"counter\",\"value\":1,\"tags\":{\"x\":true,\"y\":\"\"}}");
	assert_string_equal(decoded("page.views:15|c|#env:dev|c:83c0a99c|T1656581400|e:it-false,cn-x|card:low|new"),
			    "{\"name\":\"page.views\",\"type\":\"counter\",\"value\":15,\"tags\":{\"env\":\"dev\"},"
			    "\"container_id\":\"83c0a99c\","
			    "\"timestamp\":2022-06-30T09:30:00.000000000Z,\"external_data\":\"it-false,cn-x\","
			    "\"cardinality\":\"low\","
			    "\"extension\":\"new\"}");
	assert_string_equal(decoded("a:1|c||"), "{\"name\":\"a\",\"type\":\"counter\",\"value\":1}");
	assert_string_equal(decoded("a:1|g|T-5"), "time {\"name\":\"a\",\"type\":\"gauge\",\"value\":1}");
	assert_string_equal(decoded("a:1|g|T99999999999"), "time {\"name\":\"a\",\"type\":\"gauge\",\"value\":1}");
	assert_string_equal(decoded("a:1|g|@x"), "number {\"name\":\"a\",\"type\":\"gauge\",\"value\":1}");
}

static void tags_that_are_there_again_are_numbered(void **state)
{
	char record[1024];
	int at = sprintf(record, "a:1|c|#first:1");

	(void)state;
	assert_string_equal(
		decoded("a:1|c|#env:prod,env:dev,x,env,x,x:1,env:prod"),
		"{\"name\":\"a\",\"type\":\"counter\",\"value\":1,\"tags\":{\"env\":\"prod\",\"env_2\":\"dev\","
		"\"x\":true,\"env_3\":true,\"x_2\":true,\"x_3\":\"1\",\"env_4\":\"prod\"}}");
	assert_string_equal(decoded("a:+1|c|#kube_deployment_name:a,kube_deployment_name:b,:,:"),
			    "{\"name\":\"a\",\"type\":\"counter\",\"value\":1,\"tags\":{\"kube_deployment_name\":\"a\","
			    "\"kube_deployment_name_2\":\"b\",\":\":true,\":_2\":true}}");
	assert_string_equal(decoded("_sc|a|0|#k:1,k:2"),
			    "{\"type\":\"service_check\",\"name\":\"a\",\"status\":0,\"status_name\":\"ok\","
			    "\"tags\":{\"k\":\"1\",\"k_2\":\"2\"}}");
	/* However many others are between, up to 64. */
	for (int others = 0; others < 40; others++) {
		sprintf(record + at, ",first:2");
		assert_string_equal(strrchr(decoded(record), ','), ",\"first_2\":\"2\"}}");
		at += sprintf(record + at, ",n%d:1", others);
	}
}

static void events(void **state)
{
	(void)state;
	assert_string_equal(decoded("_e{21,36}:An exception occurred|Cannot parse CSV file from "
				    "10.0.0.17|t:warning|#err_type:bad_file"),
			    "{\"type\":\"event\",\"title\":\"An exception occurred\",\"text\":\"Cannot parse CSV file "
			    "from 10.0.0.17\","
			    "\"alert_type\":\"warning\",\"tags\":{\"err_type\":\"bad_file\"}}");
	assert_string_equal(decoded("_e{3,7}:a|b|x\\ny|z:|d:1656581400|h:web|k:key|p:low|s:src|c:id"),
			    "{\"type\":\"event\",\"title\":\"a|b\",\"text\":\"x\\x0ay|z:\",\"timestamp\":2022-06-30T09:"
			    "30:00.000000000Z,"
			    "\"host\":\"web\",\"aggregation_key\":\"key\",\"priority\":\"low\",\"source_type\":\"src\","
			    "\"container_id\":\"id\"}");
	assert_string_equal(decoded("_e{0,0}:|"), "{\"type\":\"event\",\"title\":\"\",\"text\":\"\"}");
	assert_string_equal(decoded("_e{9,1}:a|b"), "length {}");
	assert_string_equal(decoded("_e{1,9}:a|b"), "length {}");
	assert_string_equal(decoded("_e{1,1}:ab|c"), "length {}");
	assert_string_equal(decoded("_e{1,1}:a|bc"), "length {}");
	assert_string_equal(decoded("_e{18446744073709551615,18446744073709551615}:a|b"), "length {}");
	assert_string_equal(decoded("_e{99999999999999999999,1}:a|b"), "number {}");
	assert_string_equal(decoded("_e{,1}:a|b"), "number {}");
	assert_string_equal(decoded("_e{1,1"), "truncated {}");
	assert_string_equal(decoded("_e{1;1}:a|b"), "syntax {}");
}

static void service_checks(void **state)
{
	(void)state;
	assert_string_equal(
		decoded("_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s"),
		"{\"type\":\"service_check\",\"name\":\"Redis connection\",\"status\":2,\"status_name\":\"critical\","
		"\"tags\":{\"env\":\"dev\"},\"message\":\"Redis connection timed out after 10s\"}");
	assert_string_equal(decoded("_sc|a|0|d:1656581400|h:web|m:bars | and m\\: and\\nlines"),
			    "{\"type\":\"service_check\",\"name\":\"a\",\"status\":0,\"status_name\":\"ok\","
			    "\"timestamp\":2022-06-30T09:30:00.000000000Z,\"host\":\"web\",\"message\":\"bars | and m: "
			    "and\\x0alines\"}");
	assert_string_equal(decoded("_sc|a|4"), "number {}");
	assert_string_equal(decoded("_sc|a|10"), "number {}");
	assert_string_equal(decoded("_sc|a|"), "truncated {}");
	assert_string_equal(decoded("_sc||1"), "syntax {}");
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	assert_string_equal(decoded(""), "empty {}");
	assert_string_equal(decoded("a"), "truncated {}");
	assert_string_equal(decoded("a:1"), "truncated {}");
	assert_string_equal(decoded("a:1:2"), "truncated {}");
	assert_string_equal(decoded("a:1|"), "truncated {}");
	assert_string_equal(decoded("a|c"), "syntax {}");
	assert_string_equal(decoded(":1|c"), "syntax {}");
	assert_string_equal(decoded("a:1|x"), "syntax {}");
	assert_string_equal(decoded("a:1|msx"), "syntax {}");
	assert_string_equal(decoded("a:1||c"), "syntax {}");
	assert_string_equal(decoded("a:1|counter"), "syntax {}");
}

static void a_packet_is_a_metric_a_line(void **state)
{
	static const char datagram[] = "gorets:1|c\nglork:320|ms\r\ngaugor:333|g\n\nuniques:765|s\n";
	uint32_t left_out;

	(void)state;
	assert_int_equal(codec_check_datagram(codec_by_id(CODEC_STATSD), (const uint8_t *)datagram, sizeof datagram - 1,
					      3, &left_out),
			 4);
	assert_int_equal(left_out, 6);
}

static void nothing_is_read_outside_a_record(void **state)
{
	static const char *const records[] = {
		"page.views:15:.5:+007|d|@0.5|#env:dev,b,c:d:e|c:83c0a99c|T1656581400|e:it|card:low|new\na:1|c",
		"_e{3,7}:a|b|x\\ny|z:|d:1656581400|h:web|k:key|p:low|s:src|c:id",
		"_sc|a|0|d:1656581400|h:web|m:bars | and m\\: and\\nlines",
		"gaugor:+4|g",
		"a:1|c|#k,k:1,k_of_more_than_16_bytes:,k_of_more_than_16_bytes",
	};

	(void)state;
	for (size_t i = 0; i < sizeof records / sizeof *records; i++)
		codec_check_between_guards(codec_by_id(CODEC_STATSD), records[i], (uint32_t)strlen(records[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_of_metric),
		cmocka_unit_test(a_signed_gauge_is_a_change),
		cmocka_unit_test(numbers_that_json_has_not_are_written_as_json_has_them),
		cmocka_unit_test(dogstatsd_adds_values_tags_and_more),
		cmocka_unit_test(tags_that_are_there_again_are_numbered),
		cmocka_unit_test(events),
		cmocka_unit_test(service_checks),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_packet_is_a_metric_a_line),
		cmocka_unit_test(nothing_is_read_outside_a_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
