#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/cli/arguments.h"

enum { OPTION_LIMIT = 'n', OPTION_JSON = ARGUMENT_LONG, OPTION_SHARD };

static const struct argument_option options[] = {
	{"limit", OPTION_LIMIT, "N", "this many"},
	{"shard", OPTION_SHARD, "S", "one shard"},
	{"json", OPTION_JSON, NULL, "as JSON"},
	{NULL, 0, NULL, NULL},
};
static const struct command parent = {"stream", "", "Streams", NULL, NULL, NULL, NULL};
static const struct command command = {"read", "STREAM", "Read", NULL, options, NULL, &parent};

static char said[4096]; /* on stdout and stderr by the last parse() */

struct parsed {
	struct cli cli;
	const char *limit, *shard;
	bool json;
	int end, status, operands;
	const char *operand;
};

// Parses words as the shell would have split them, with both outputs caught.
static struct parsed parse(const char *line)
{
	static char words[512];
	char *argv[16], *save;
	int argc = 0, option, out = dup(1), err = dup(2), caught;
	struct parsed p = {0};
	struct arguments a;
	FILE *file = tmpfile();

	snprintf(words, sizeof(words), "read %s", line);
	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	fflush(stdout);
	caught = fileno(file);
	dup2(caught, 1);
	dup2(caught, 2);
	arguments_start(&a, &p.cli, &command, argc, argv);
	while ((option = arguments_next(&a)) > 0) {
		if (option == OPTION_LIMIT)
			p.limit = optarg;
		else if (option == OPTION_SHARD)
			p.shard = optarg;
		else if (option == OPTION_JSON)
			p.json = true;
	}
	p.end = option;
	p.status = option == 0 ? a.status : arguments_operands(&a, 1, 1);
	p.operands = argc - optind;
	p.operand = p.operands > 0 ? argv[optind] : NULL;
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	close(out);
	close(err);
	rewind(file);
	said[fread(said, 1, sizeof(said) - 1, file)] = '\0';
	fclose(file);
	return p;
}

static void options_and_operands_stand_in_any_order(void **state)
{
	struct parsed p;

	(void)state;
	p = parse("syslog --limit 5 --json --shard=3 -s /tmp/x --config f.yaml");
	assert_int_equal(p.end, -1);
	assert_int_equal(p.status, 0);
	assert_string_equal(p.operand, "syslog");
	assert_string_equal(p.limit, "5");
	assert_string_equal(p.shard, "3");
	assert_true(p.json);
	assert_string_equal(p.cli.socket, "/tmp/x");
	assert_string_equal(p.cli.config, "f.yaml");
	p = parse("-n7 --lim 8 -- --json");
	assert_int_equal(p.status, 0);
	assert_string_equal(p.limit, "8");
	assert_string_equal(p.operand, "--json");
	assert_false(p.json);
	assert_string_equal(said, "");
}

static void mistakes_are_named_and_end_with_2(void **state)
{
	static const char *const rows[][2] = {
		{"x --nonsense", "there is no option --nonsense"}, {"x -z", "there is no option -z"},
		{"x --limit", "--limit needs a value"},            {"x -n", "-n needs a value"},
		{"x --json=1", "--json=1 takes no value"},         {"", "something is missing: penstock stream read STREAM"},
		{"x y", "what is \"y\" for?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct parsed p = parse(rows[i][0]);

		assert_int_equal(p.status, EXIT_USAGE);
		if (strncmp(said, "penstock stream read: ", 22) || !strstr(said, rows[i][1]) ||
		    !strstr(said, "(see penstock stream read --help)"))
			fail_msg("\"%s\" said: %s", rows[i][0], said);
	}
}

static void help_lists_every_option_and_ends_with_0(void **state)
{
	struct parsed p = parse("--help");

	(void)state;
	assert_int_equal(p.end, 0);
	assert_int_equal(p.status, 0);
	assert_non_null(strstr(said, "Usage: penstock stream read STREAM\n"));
	assert_non_null(strstr(said, "-n, --limit N"));
	assert_non_null(strstr(said, "    --shard S"));
	assert_non_null(strstr(said, "--socket PATH"));
}

static void a_value_out_of_its_range_names_option_and_range(void **state)
{
	int err = dup(2), null = open("/dev/null", O_WRONLY);
	uint64_t value;

	(void)state;
	dup2(null, 2);
	assert_int_equal(arguments_number(&command, "shards", "256", 1, 256, &value), 0);
	assert_int_equal(value, 256);
	assert_int_equal(arguments_number(&command, "shards", "0", 1, 256, &value), EXIT_USAGE);
	assert_int_equal(arguments_number(&command, "shards", "257", 1, 256, &value), EXIT_USAGE);
	assert_int_equal(arguments_bytes(&command, "retention-bytes", "10GiB", &value), 0);
	assert_int_equal(arguments_bytes(&command, "retention-bytes", "ten", &value), EXIT_USAGE);
	assert_int_equal(arguments_duration(&command, "retention", "24h", &value), 0);
	assert_int_equal(arguments_duration(&command, "retention", "24hours", &value), EXIT_USAGE);
	dup2(err, 2);
	close(err);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_and_operands_stand_in_any_order),
		cmocka_unit_test(mistakes_are_named_and_end_with_2),
		cmocka_unit_test(help_lists_every_option_and_ends_with_0),
		cmocka_unit_test(a_value_out_of_its_range_names_option_and_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
