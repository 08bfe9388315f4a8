// penstock reload
#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"

enum { OPTION_JSON = ARGUMENT_LONG, OPTION_DRY_RUN };

static const struct argument_option options[] = {
	{"dry-run", OPTION_DRY_RUN, NULL, "only say what would change"},
	{"json", OPTION_JSON, NULL, "penstockd's answer as JSON"},
	{NULL, 0, NULL, NULL},
};

// The changes that take effect now, or those that do not. How many.
static unsigned print_changes(const json_t *answer, bool live, const char *heading)
{
	const json_t *change;
	unsigned count = 0;
	size_t i;

	json_array_foreach(json_object_get(answer, "changes"), i, change) {
		if (client_true(change, "live") != live)
			continue;
		if (!count++)
			puts(heading);
		printf("  %s\n", client_text(change, "text"));
	}
	return count;
}

static void print_failures(const json_t *answer)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, "failures"), i, line)
		fprintf(stderr, "penstock reload: %s\n", json_string_value(line));
}

static void print(const json_t *answer)
{
	bool dry = client_true(answer, "dry_run"), works = !strcmp(client_text(answer, "dataplane"), "works");
	unsigned count;

	/* Errors, and warnings of a good file. */
	fputs(client_text(answer, "report"), stderr);
	if (client_true(answer, "refused")) {
		fputs("penstock reload: the configuration has errors: nothing changed\n", stderr);
		return;
	}
	count = print_changes(answer, true, dry ? "would change:" : "changed:");
	count += print_changes(answer, false, dry ? "would be left as it is:" : "left as it was:");
	if (!count)
		puts("nothing changed: the files say what is in use");
	print_failures(answer);
	if (works)
		printf("dataplane: %s\n", client_text(answer, "dataplane_text"));
	else if (!dry)
		fprintf(stderr, "penstock reload: dataplane: %s\n", client_text(answer, "dataplane_text"));
}

static int reload(struct cli *cli, const struct command *self, int argc, char **argv)
{
	bool json = false, dry = false;
	struct message answer;
	struct client client;
	struct arguments a;
	int option, status;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0) {
		json |= option == OPTION_JSON;
		dry |= option == OPTION_DRY_RUN;
	}
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 0, 0);
	if (!status)
		status = client_open(&client, cli);
	if (status)
		return status;
	status = client_call(&client, json_pack("{s:s, s:b}", "op", "reload", "dry_run", (int)dry), &answer);
	client_close(&client);
	if (status)
		return status;
	if (!json)
		print(answer.json);
	status = json ? client_print_json(answer.json, false) : client_finish_output();
	if (!client_true(answer.json, "complete"))
		status = 1;
	message_free(&answer);
	return status;
}

const struct command command_reload = {
	"reload", "[--dry-run] [--json]", "A changed configuration, applied while everything runs",
	"Both daemons read their configuration again and take up changed inputs, keys, streams, deliveries and the log level\n"
	"without losing a frame. What takes effect only at the next start is named, and left as it was; with an error in the\n"
	"files nothing changes. Exit status 0 when all that can change has, and every worker works by it.",
	options, reload, NULL};
