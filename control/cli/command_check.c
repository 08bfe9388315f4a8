// penstock check CONFIG
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/reports.h"
#include "dataplane/rule/rule.h"

enum { OPTION_JSON = ARGUMENT_LONG, OPTION_SAMPLE, OPTION_NO_HOST };

static const struct argument_option options[] = {
	{"no-host", OPTION_NO_HOST, NULL, "the file alone, not whether this host has its cores, nodes and directories"},
	{"sample", OPTION_SAMPLE, NULL, "print a sample file with every knob at its default instead"},
	{"json", OPTION_JSON, NULL, "{\"ok\", \"errors\": [{file, line, column, severity, message}]}"},
	{NULL, 0, NULL, NULL},
};

static void print_summary(const char *path, const struct config *config)
{
	printf("ok: %s: %u port%s with %u worker%s, %u input%s, %u stream%s, %u deliver%s\n", path, config->ports_count,
	       config->ports_count == 1 ? "" : "s", config_workers(config), config_workers(config) == 1 ? "" : "s",
	       config->inputs_count, config->inputs_count == 1 ? "" : "s", config->streams_count,
	       config->streams_count == 1 ? "" : "s", config->deliveries_count, config->deliveries_count == 1 ? "y" : "ies");
}

// All checks run although the first may find something; a file with errors has nothing to hold against the host.
static int check_file(const char *path, bool host, FILE *errors, struct config **config)
{
	int error = config_load(path, errors, config);

	if (error) {
		*config = NULL;
		return error;
	}
	error = rules_check(*config, NULL, errors);
	if (host && config_check_host(*config, errors) != 0)
		error = -EINVAL;
	return error;
}

static int check(struct cli *cli, const struct command *self, int argc, char **argv)
{
	bool json = false, host = true;
	struct config *config = NULL;
	struct arguments a;
	int option, status, error;
	char *text = NULL;
	const char *path;
	size_t length;
	FILE *errors;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0) {
		if (option == OPTION_SAMPLE) {
			config_print_sample(stdout);
			return client_finish_output();
		}
		json |= option == OPTION_JSON;
		host &= option != OPTION_NO_HOST;
	}
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, cli->config ? 0 : 1, 1);
	if (status)
		return status;
	path = optind < argc ? argv[optind] : cli->config;
	errors = open_memstream(&text, &length);
	if (!errors) {
		perror("penstock check");
		return 1;
	}
	error = check_file(path, host, errors, &config);
	if (fclose(errors)) {
		perror("penstock check");
		error = error ? error : -1;
	}
	if (json) {
		json_t *answer = json_pack("{s:b, s:o}", "ok", !error, "errors", reports_parse(text));

		status = client_print_json(answer, false);
		json_decref(answer);
	} else {
		/* Warnings of a good file come along; errors are what was asked for, yet belong on stderr. */
		fputs(text, stderr);
		if (!error)
			print_summary(path, config);
		status = client_finish_output();
	}
	if (config)
		config_free(config);
	free(text);
	return error ? 1 : status;
}

const struct command command_check = {
	"check", "CONFIG [--json]", "All errors of a configuration, with line and column",
	"Reads CONFIG and conf.d/*.yaml beside it as the daemons do, and starts nothing. Exit status 1 when there is an error.",
	options, check, NULL};
