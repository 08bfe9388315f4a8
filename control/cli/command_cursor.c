// penstock cursor list | delete
#include <stdio.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/stream_view.h"

enum { OPTION_JSON = ARGUMENT_LONG };

static const struct argument_option options[] = {
	{"json", OPTION_JSON, NULL, "as JSON"},
	{NULL, 0, NULL, NULL},
};

// Parses, connects and asks; the second operand is the cursor's name where `op` has one. 0 with *answer; else the end with
// *status.
static int ask(struct cli *cli, const struct command *self, int argc, char **argv, const char *op, int operands, bool *json,
	       struct message *answer, int *status)
{
	struct arguments a;
	struct client client;
	json_t *request;
	int option;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0)
		*json |= option == OPTION_JSON;
	*status = option == 0 ? a.status : arguments_operands(&a, operands, operands);
	if (option == 0 || *status)
		return -1;
	request = json_pack("{s:s, s:s, s:s*}", "op", op, "stream", argv[optind], "name", operands > 1 ? argv[optind + 1] : NULL);
	if (!request) {
		fputs("penstock cursor: names must be UTF-8\n", stderr);
		*status = 1;
		return -1;
	}
	*status = client_open(&client, cli);
	if (*status) {
		json_decref(request);
		return -1;
	}
	*status = client_call(&client, request, answer);
	client_close(&client);
	return *status ? -1 : 0;
}

static int list(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct message answer;
	bool json = false;
	int status;

	if (ask(cli, self, argc, argv, "cursor.list", 1, &json, &answer, &status))
		return status;
	if (json) {
		status = client_print_json(json_object_get(answer.json, "cursors"), false);
	} else {
		stream_print_cursors(json_object_get(answer.json, "cursors"));
		status = client_finish_output();
	}
	message_free(&answer);
	return status;
}

static int delete (struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct message answer;
	bool json = false;
	int status;

	if (ask(cli, self, argc, argv, "cursor.delete", 2, &json, &answer, &status))
		return status;
	message_free(&answer);
	printf("cursor %s of stream %s deleted\n", argv[optind + 1], argv[optind]);
	return client_finish_output();
}

static const struct command cursor_list = {
	"list", "STREAM [--json]", "A stream's cursors", NULL, options, list, &command_cursor};
static const struct command cursor_delete = {
	"delete", "STREAM NAME", "Forget a cursor on all shards",
	"No record goes with it. A reader that still uses it makes it again with the next place it stores.", NULL, delete,
	&command_cursor};
static const struct command *const cursor_commands[] = {&cursor_list, &cursor_delete, NULL};

static int cursor(struct cli *cli, const struct command *self, int argc, char **argv)
{
	(void)self;
	if (argc < 2) {
		fputs("penstock cursor: list or delete? (see penstock cursor --help)\n", stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		puts("Usage: penstock cursor COMMAND ...\n\nCommands (each has its own --help):");
		commands_list(cursor_commands);
		return client_finish_output();
	}
	return commands_dispatch(cli, cursor_commands, "cursor", argc - 1, argv + 1);
}

const struct command command_cursor = {"cursor", "list|delete ...", "List and delete cursors", NULL, NULL, cursor, NULL};
