// `penstock replay` against a real penstockd: dead letters through the configuration as it is, each once.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <jansson.h>
#include <cmocka.h>

#include "dataplane/codec/dead_letter.h"
#include "dataplane/record/key.h"
#include "tests/support/cli_daemon.h"
#include "tests/support/rounds.h"

static struct cli_daemon d;

#define PORT "ports:\n  - {name: p, device: net_null0, cores: [1]}\n"
#define STREAMS "streams:\n  - {name: texts, shards: 2}\n  - {name: other, shards: 1}\n  - {name: dead, shards: 2}\n"
#define METRICS "  - {name: metrics, port: p, udp_port: 8125, codec: statsd, stream: texts, key: {from: field, number: 1, separator: \":\"}, "
#define RULES "rules:\n" \
	"  - {name: noise, input: metrics, pattern: \"^noise\", verdict: drop}\n" \
	"  - {name: aside, input: metrics, pattern: \"^aside\", verdict: route, stream: other}\n" \
	"  - {name: marked, input: metrics, pattern: \"marked\", verdict: tag}\n"

static int set_up(void **state)
{
	(void)state;
	cli_daemon_start(&d, PORT "inputs:\n" METRICS "invalid: dead_letter, dead_letter: dead}\n" RULES STREAMS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return cli_daemon_stop(&d);
}

static void put_letter(uint32_t shard, const char *input, uint8_t stage, uint16_t reason, const char *text)
{
	const struct dead_letter_header header = {.stage = stage, .codec = CODEC_STATSD, .reason = reason,
						  .input = input_id(input), .arrival_ns = 1767268800123456789ull};
	uint8_t payload[4096];
	uint32_t length = dead_letter_write(&header, (const uint8_t *)text, (uint32_t)strlen(text), payload, sizeof payload);

	cli_daemon_put(&d, "dead", shard, CODEC_DEAD_LETTER, payload, length);
}

static json_t *result(void)
{
	char *text = cli_daemon_file(&d, "out", NULL);
	json_t *json = json_loads(text, 0, NULL);

	if (!json)
		print_error("%s\n", text);
	assert_non_null(json);
	free(text);
	return json;
}

static void expect(json_t *json, const char *key, json_int_t value)
{
	json_int_t found = json_integer_value(json_object_get(json, key));

	if (found != value)
		fail_msg("%s is %lld, not %lld", key, (long long)found, (long long)value);
}

static int lines_of(const char *stream, char **out)
{
	char command[64];
	int lines = 0;

	snprintf(command, sizeof command, "read %s", stream);
	assert_int_equal(cli_daemon_run(&d, "%s", command), 0);
	*out = cli_daemon_file(&d, "out", NULL);
	for (const char *at = *out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	return lines;
}

/* Letters that a replay made are read by the next one when they are durable: waits until `count` are. */
static void await_letters(int count)
{
	json_int_t found = -1;

	for (int i = 0; i < 300 && found != count; i++, usleep(100000)) {
		json_t *json;

		cli_daemon_run(&d, "replay dead --dry-run --json");
		json = result();
		found = json_integer_value(json_object_get(json, "letters"));
		json_decref(json);
	}
	assert_int_equal(found, count);
}

static void letters_become_what_the_configuration_makes_of_them(void **state)
{
	char *text, id[17];
	json_t *json;
	uint8_t digest[1][16];
	struct md5_key key = {(const uint8_t *)"a", 1};

	(void)state;
	put_letter(0, "metrics", DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, "a:1|c");
	put_letter(0, "metrics", DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, "bad line");
	put_letter(0, "metrics", DEAD_LETTER_AT_CUT, CODEC_LENGTH, "b:2|c\nc:3|g\n\nmarked:4|c");
	put_letter(0, "metrics", DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING, "noise:1|c");
	put_letter(0, "metrics", DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE, "aside:1|c");
	put_letter(1, "nobody", DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, "x:1|c");
	cli_daemon_put(&d, "dead", 1, CODEC_LINES, "no letter", 9);
	cli_daemon_settle(&d);

	assert_int_equal(cli_daemon_run(&d, "replay dead --dry-run --json"), 1);
	json = result();
	expect(json, "letters", 6);
	expect(json, "records", 5);
	json_decref(json);
	assert_int_equal(lines_of("texts", &text), 0);
	free(text);

	assert_int_equal(cli_daemon_run(&d, "replay dead --json"), 1);
	json = result();
	expect(json, "letters", 6);
	expect(json, "records", 5);
	expect(json, "dead", 2);
	expect(json, "orphans", 1);
	expect(json, "dropped", 1);
	expect(json, "unreadable", 1);
	expect(json, "gone", 0);
	json_decref(json);
	assert_int_equal(lines_of("texts", &text), 4);
	assert_non_null(strstr(text, "a:1|c\n"));
	assert_non_null(strstr(text, "b:2|c\n"));
	assert_non_null(strstr(text, "c:3|g\n"));
	assert_non_null(strstr(text, "marked:4|c\n"));
	free(text);
	assert_int_equal(lines_of("other", &text), 1);
	assert_string_equal(text, "aside:1|c\n");
	free(text);
	assert_int_equal(lines_of("dead", &text), 12); /* seven, one of them of four lines, and two that are dead again */
	free(text);

	/* As the worker would have stored it: key, origin, shard. */
	md5_batch(&key, 1, digest);
	snprintf(id, sizeof id, "%s", digest[0][0] < 0x80 ? "0" : "1");
	assert_int_equal(cli_daemon_run(&d, "read texts --shard %s --format jsonl", id), 0);
	text = cli_daemon_file(&d, "out", NULL);
	assert_non_null(strstr(text, "\"partition_key\":\"a\",\"source\":\"198.51.100.1\",\"source_port\":258,"));
	assert_non_null(strstr(text, "\"codec\":\"statsd\",\"fields\":{"));
	free(text);
	assert_int_equal(cli_daemon_run(&d, "ledger --json"), 0);
	json = result();
	assert_true(json_is_true(json_object_get(json, "balanced")));
	json_decref(json);
}

static void the_next_replay_takes_only_what_is_new_there(void **state)
{
	char *text;
	json_t *json;

	(void)state;
	await_letters(2);
	assert_int_equal(cli_daemon_run(&d, "replay dead --json"), 1);
	json = result();
	expect(json, "letters", 2);
	expect(json, "records", 0);
	expect(json, "dead", 2);
	json_decref(json);
	assert_int_equal(cli_daemon_run(&d, "replay dead --from trim-horizon --dry-run --json"), 1);
	json = result();
	expect(json, "letters", 10);
	expect(json, "records", 5);
	json_decref(json);
	await_letters(2);
	assert_int_equal(cli_daemon_run(&d, "replay dead --limit 1 --json"), 1);
	json = result();
	expect(json, "letters", 1);
	json_decref(json);
	assert_int_equal(lines_of("texts", &text), 4);
	free(text);
}

static void write_config(const char *text)
{
	char path[200], line[512];
	FILE *old, *new;

	/* The head that cli_daemon_start() wrote stays. */
	snprintf(path, sizeof path, "%s/penstock.yaml", d.directory);
	old = fopen(path, "r");
	assert_non_null(old);
	snprintf(path, sizeof path, "%s/new.yaml", d.directory);
	new = fopen(path, "w");
	while (fgets(line, sizeof line, old) && strncmp(line, "ports:", 6) != 0)
		fputs(line, new);
	fputs(text, new);
	fclose(new);
	fclose(old);
	snprintf(line, sizeof line, "%s/penstock.yaml", d.directory);
	assert_int_equal(rename(path, line), 0);
}

static void a_changed_configuration_is_the_one_that_counts(void **state)
{
	char *text;
	json_t *json;

	(void)state;
	write_config(PORT "inputs:\n" METRICS "invalid: keep}\n"
			  "  - {name: nobody, port: p, udp_port: 8126, codec: lines, stream: other}\n"
			  "  - {name: later, port: p, udp_port: 8127, codec: lines, stream: later}\n" STREAMS);
	(void)cli_daemon_run(&d, "reload"); /* the stand-in for the dataplane does not answer: penstockd works by it */
	await_letters(2);
	assert_int_equal(cli_daemon_run(&d, "replay dead --json"), 0);
	json = result();
	expect(json, "dead", 0);
	expect(json, "records", 2);
	json_decref(json);
	assert_int_equal(lines_of("texts", &text), 5);
	assert_non_null(strstr(text, "bad line\n"));
	free(text);
	assert_int_equal(lines_of("other", &text), 2);
	assert_non_null(strstr(text, "x:1|c\n"));
	free(text);
}

static void a_stream_that_is_not_there_takes_nothing_away(void **state)
{
	char *text;
	json_t *json;

	(void)state;
	put_letter(0, "later", DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, "late:1|c");
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "replay dead --json"), 1);
	text = cli_daemon_file(&d, "err", NULL);
	assert_non_null(strstr(text, "stream later does not exist"));
	free(text);
	assert_int_equal(cli_daemon_run(&d, "stream create later --shards 1"), 0);
	assert_int_equal(cli_daemon_run(&d, "replay dead --json"), 0);
	json = result();
	expect(json, "records", 1);
	json_decref(json);
	assert_int_equal(lines_of("later", &text), 1);
	free(text);
	assert_int_equal(cli_daemon_run(&d, "replay nothing"), 1);
	assert_int_equal(cli_daemon_run(&d, "replay"), 2);
	assert_int_equal(cli_daemon_run(&d, "replay dead --shard 9"), 1);
	assert_int_equal(cli_daemon_run(&d, "replay dead --from latest"), 2);
	assert_int_equal(cli_daemon_run(&d, "replay --help"), 0);
}

#define LETTERS ROUNDS(6000)
#define KILLS 15

static void killed_at_any_moment_each_letter_is_replayed_once(void **state)
{
	static uint8_t seen[LETTERS];
	int kills = 0, status;
	char *text;

	(void)state;
	for (int i = 0; i < LETTERS; i++) {
		char line[64];

		snprintf(line, sizeof line, "number%d:1|c", i);
		put_letter((uint32_t)i % 2, "metrics", DEAD_LETTER_AT_DECODE, CODEC_SYNTAX, line);
		if (i % 500 == 499)
			cli_daemon_settle(&d);
	}
	cli_daemon_settle(&d);
	for (;;) {
		char path[200];
		pid_t replay;

		snprintf(path, sizeof path, "%s/replayed", d.directory);
		unlink(path); /* it would be appended to */
		replay = cli_daemon_spawn(&d, "replayed", "replay dead --json --limit %d", LETTERS / 10);

		if (kills++ < KILLS) {
			usleep((useconds_t)(2000 + rand() % 60000));
			cli_daemon_crash(&d);
		}
		assert_int_equal(waitpid(replay, &status, 0), replay);
		if (kills <= KILLS)
			continue;
		text = cli_daemon_file(&d, "replayed", NULL);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && strstr(text, "\"letters\": 0"))
			break;
		free(text);
	}
	free(text);
	assert_int_equal(lines_of("texts", &text), LETTERS + 5);
	for (const char *at = text; (at = strstr(at, "number")) != NULL; at++) {
		int number = atoi(at + 6);

		assert_in_range(number, 0, LETTERS - 1);
		if (seen[number]++)
			fail_msg("letter %d was replayed twice", number);
	}
	for (int i = 0; i < LETTERS; i++)
		if (!seen[i])
			fail_msg("letter %d was not replayed", i);
	free(text);
	cli_daemon_settle(&d);
	assert_int_equal(cli_daemon_run(&d, "ledger"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_become_what_the_configuration_makes_of_them),
		cmocka_unit_test(the_next_replay_takes_only_what_is_new_there),
		cmocka_unit_test(a_changed_configuration_is_the_one_that_counts),
		cmocka_unit_test(a_stream_that_is_not_there_takes_nothing_away),
		cmocka_unit_test(killed_at_any_moment_each_letter_is_replayed_once),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
