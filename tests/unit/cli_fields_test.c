// `penstock read --format jsonl` against a real penstockd: fields of records, flows by their templates, dead letters.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <jansson.h>
#include <cmocka.h>

#include "dataplane/codec/dead_letter.h"
#include "tests/support/cli_daemon.h"

static struct cli_daemon d;

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

/* The nth line of a file as JSON; NULL behind the last. */
static json_t *line(const char *name, int n)
{
	char *text = cli_daemon_file(&d, name, NULL), *at = text;
	json_t *json;

	while (n-- && at)
		at = (at = strchr(at, '\n')) ? at + 1 : NULL;
	if (at && strchr(at, '\n'))
		*strchr(at, '\n') = '\0';
	else
		at = NULL;
	json = at ? json_loads(at, 0, NULL) : NULL;
	free(text);
	return json;
}

static void a_line_carries_the_fields_of_its_record(void **state)
{
	static const char text[] = "<13>1 2026-01-02T03:04:05Z host app 7 - [a b=\"c\"] hello";
	json_t *json, *fields;

	(void)state;
	cli_daemon_put(&d, "texts", 0, CODEC_SYSLOG, text, sizeof text - 1);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read texts --format jsonl"), 0);
	json = line("out", 0);
	assert_non_null(json);
	fields = json_object_get(json, "fields");
	assert_string_equal(text_at(json, "codec"), "syslog");
	assert_string_equal(text_at(json, "data"), text);
	assert_string_equal(text_at(json, "source"), "198.51.100.1");
	assert_true(json_object_size(fields) > 4);
	assert_null(json_object_get(json, "fault"));
	json_decref(json);
}

static void put_announcement(void)
{
	static const uint8_t bytes[] = {0, 9, 0, 1, 0, 0, 0, 1, 0x69, 0x56, 0x5d, 0x40, 0, 0, 0, 1, 0, 0, 0, 5,
					0, 0, 0, 16, 1, 0, 0, 2, 0, 8, 0, 4, 0, 1, 0, 4};

	cli_daemon_put(&d, "flows", 1, CODEC_NETFLOW, bytes, sizeof bytes);
	cli_daemon_settle(&d);
}

static void put_flow(uint8_t octets)
{
	const uint8_t bytes[] = {0, 9, 0, 1, 0, 0, 0, 1, 0x69, 0x56, 0x5d, 0x40, 0, 0, 0, 1, 0, 0, 0, 5,
				 1, 0, 0, 12, 192, 0, 2, 7, 0, 0, 0, octets};

	cli_daemon_put(&d, "flows", 0, CODEC_NETFLOW, bytes, sizeof bytes);
	cli_daemon_settle(&d);
}

static json_int_t octets_of(const json_t *json)
{
	const json_t *flow = json_array_get(json_object_get(json_object_get(json, "fields"), "flows"), 0);

	return json_integer_value(json_object_get(flow, "octetDeltaCount"));
}

static void flows_are_decoded_as_soon_as_their_template_is_known_and_after_a_crash(void **state)
{
	json_t *json;

	(void)state;
	put_flow(42);
	assert_int_equal(cli_daemon_run(&d, "read flows --shard 0 --format jsonl"), 0);
	json = line("out", 0);
	assert_string_equal(text_at(json, "fault"), "no_template");
	json_decref(json);
	put_announcement();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(cli_daemon_run(&d, "read flows --shard 0 --format jsonl"), 0);
		json = line("out", 0);
		assert_null(json_object_get(json, "fault"));
		assert_int_equal(octets_of(json), 42);
		json_decref(json);
		cli_daemon_crash(&d);
	}
}

static void a_follower_learns_what_comes_while_it_reads(void **state)
{
	json_t *json = NULL;
	pid_t reader;

	(void)state;
	cli_daemon_crash(&d);
	reader = cli_daemon_spawn(&d, "followed", "read flows --shard 0 --format jsonl --from latest --follow");
	/* It begins at what is the end when it has got there: more comes until it shows some. */
	for (int i = 0; i < 300 && !json; i++) {
		put_flow(1);
		usleep(100000);
		json = line("followed", 0);
	}
	assert_non_null(json);
	json_decref(json);
	/* The same template on another domain, announced after the follower began. */
	{
		static const uint8_t announced[] = {0, 9, 0, 1, 0, 0, 0, 1, 0x69, 0x56, 0x5d, 0x40, 0, 0, 0, 1, 0, 0, 0, 6,
						    0, 0, 0, 16, 1, 0, 0, 2, 0, 8, 0, 4, 0, 1, 0, 4};
		static const uint8_t flow[] = {0, 9, 0, 1, 0, 0, 0, 1, 0x69, 0x56, 0x5d, 0x40, 0, 0, 0, 1, 0, 0, 0, 6,
					       1, 0, 0, 12, 192, 0, 2, 7, 0, 0, 0, 99};

		cli_daemon_put(&d, "flows", 1, CODEC_NETFLOW, announced, sizeof announced);
		cli_daemon_settle(&d);
		usleep(1500000);
		cli_daemon_put(&d, "flows", 0, CODEC_NETFLOW, flow, sizeof flow);
		cli_daemon_settle(&d);
	}
	json = NULL;
	for (int i = 0, n = 1; i < 100 && !json; i++) {
		for (; (json = line("followed", n)) && octets_of(json) == 1; n++)
			json_decref(json);
		usleep(50000);
	}
	kill(reader, SIGTERM);
	waitpid(reader, NULL, 0);
	assert_non_null(json);
	assert_null(json_object_get(json, "fault"));
	assert_int_equal(octets_of(json), 99);
	json_decref(json);
}

static void a_dead_letter_shows_where_and_why_it_ended_and_raw_gives_what_came(void **state)
{
	static const char original[] = "not:a\xffstatsd";
	const struct dead_letter_header header = {.stage = DEAD_LETTER_AT_DECODE, .codec = CODEC_STATSD, .reason = CODEC_SYNTAX,
						  .input = input_id("metrics"), .arrival_ns = 1767268800123456789ull};
	uint8_t payload[200];
	uint32_t length = dead_letter_write(&header, (const uint8_t *)original, sizeof original - 1, payload, sizeof payload);
	json_t *json, *fields;
	char *raw;
	size_t got;

	(void)state;
	cli_daemon_put(&d, "dead", 0, CODEC_DEAD_LETTER, payload, length);
	cli_daemon_put(&d, "dead", 0, CODEC_DEAD_LETTER, "broken", 6);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "read dead --format jsonl"), 0);
	json = line("out", 0);
	fields = json_object_get(json, "fields");
	assert_string_equal(text_at(json, "codec"), "dead_letter");
	assert_string_equal(text_at(fields, "stage"), "decode");
	assert_string_equal(text_at(fields, "reason"), "syntax");
	assert_string_equal(text_at(fields, "codec"), "statsd");
	assert_string_equal(text_at(fields, "input"), "metrics");
	assert_string_equal(text_at(fields, "time"), "2026-01-01T12:00:00.123456789Z");
	assert_int_equal(json_integer_value(json_object_get(fields, "parser_version")), CODEC_PARSER_VERSION);
	assert_null(json_object_get(fields, "data"));
	assert_null(json_object_get(fields, "data_base64"));
	assert_string_equal(text_at(json, "data_base64"), "bm90OmH/c3RhdHNk");
	json_decref(json);
	json = line("out", 1);
	assert_string_equal(text_at(json, "fault"), "truncated");
	assert_string_equal(text_at(json, "data_base64"), "YnJva2Vu");
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "read dead"), 0);
	raw = cli_daemon_file(&d, "out", &got);
	assert_int_equal(got, sizeof original - 1 + 1 + 7);
	assert_memory_equal(raw, "not:a\xffstatsd\nbroken\n", got);
	free(raw);
}

static int set_up(void **state)
{
	(void)state;
	cli_daemon_start(&d, "ports:\n  - {name: p, device: net_null0, cores: [1]}\n"
			     "inputs:\n"
			     "  - {name: exporters, port: p, udp_port: 2055, codec: netflow, stream: flows}\n"
			     "  - {name: metrics, port: p, udp_port: 8125, codec: statsd, stream: texts}\n"
			     "streams:\n  - {name: flows, shards: 2}\n  - {name: texts, shards: 1}\n  - {name: dead, shards: 1}\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return cli_daemon_stop(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_carries_the_fields_of_its_record),
		cmocka_unit_test(flows_are_decoded_as_soon_as_their_template_is_known_and_after_a_crash),
		cmocka_unit_test(a_follower_learns_what_comes_while_it_reads),
		cmocka_unit_test(a_dead_letter_shows_where_and_why_it_ended_and_raw_gives_what_came),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
