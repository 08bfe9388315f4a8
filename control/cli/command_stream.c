// penstock stream create | list | describe | delete
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/stream_view.h"
#include "control/cli/units.h"
#include "dataplane/seam/region.h"

#define SECOND_NS 1000000000ull
#define DELETE_LOOKS 20 /* of 2.5 s each, behind the 10 s that stream.delete itself waits */

enum { OPTION_SHARDS = ARGUMENT_LONG, OPTION_RETENTION, OPTION_RETENTION_BYTES, OPTION_YES, OPTION_JSON };

static const struct argument_option create_options[] = {
	{"shards", OPTION_SHARDS, "N", "how many shards the hash keys are divided among"},
	{"retention", OPTION_RETENTION, "TIME", "how long records are kept: 90s, 15m, 24h, 7d (default 24h)"},
	{"retention-bytes", OPTION_RETENTION_BYTES, "SIZE", "and how much at most: 10GiB (default: as time says)"},
	{"json", OPTION_JSON, NULL, "the stream made, as JSON"},
	{NULL, 0, NULL, NULL},
};

static const struct argument_option json_options[] = {
	{"json", OPTION_JSON, NULL, "as JSON"},
	{NULL, 0, NULL, NULL},
};

static const struct argument_option delete_options[] = {
	{"yes", OPTION_YES, NULL, "do not ask"},
	{"json", OPTION_JSON, NULL, "the answer as JSON"},
	{NULL, 0, NULL, NULL},
};

struct stream_arguments {
	uint64_t shards, retention_ns, retention_bytes;
	bool yes, json;
	const char *name;
};

// One parser for the four: their tables say which options each of them takes. 0; -1 to end with *status.
static int parse(struct cli *cli, const struct command *self, int argc, char **argv, int operands,
		 struct stream_arguments *out, int *status)
{
	struct arguments a;
	int option;

	arguments_start(&a, cli, self, argc, argv);
	*status = 0;
	while (!*status && (option = arguments_next(&a)) > 0) {
		if (option == OPTION_SHARDS)
			*status = arguments_number(self, "shards", optarg, 1, SHARDS_MAX, &out->shards);
		else if (option == OPTION_RETENTION)
			*status = arguments_duration(self, "retention", optarg, &out->retention_ns);
		else if (option == OPTION_RETENTION_BYTES)
			*status = arguments_bytes(self, "retention-bytes", optarg, &out->retention_bytes);
		else if (option == OPTION_YES)
			out->yes = true;
		else if (option == OPTION_JSON)
			out->json = true;
	}
	if (*status)
		return -1;
	if (option == 0) {
		*status = a.status;
		return -1;
	}
	*status = arguments_operands(&a, operands, operands);
	if (*status)
		return -1;
	out->name = operands ? argv[optind] : NULL;
	return 0;
}

static json_t *request_for(const char *op, const char *name)
{
	json_t *request = json_pack("{s:s, s:s}", "op", op, "name", name);

	if (!request)
		fprintf(stderr, "penstock: the stream name is not UTF-8\n");
	return request;
}

// Connects, asks once, and closes. 0 with *answer, or the exit status.
static int ask(struct cli *cli, json_t *request, struct message *answer)
{
	struct client client;
	int status;

	if (!request)
		return 1;
	status = client_open(&client, cli);
	if (status) {
		json_decref(request);
		return status;
	}
	status = client_call(&client, request, answer);
	client_close(&client);
	return status;
}

static int create(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct stream_arguments a = {0};
	struct message answer;
	json_t *request;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status))
		return status;
	if (!a.shards)
		return arguments_error(self, "--shards is missing: how many shards is %s to have?", a.name);
	if (a.retention_ns && a.retention_ns < SECOND_NS)
		return arguments_error(self, "--retention: a second is the least");
	request = request_for("stream.create", a.name);
	if (request) {
		json_object_set_new(request, "shards", json_integer((json_int_t)a.shards));
		if (a.retention_ns)
			json_object_set_new(request, "retention_seconds", json_integer((json_int_t)(a.retention_ns / SECOND_NS)));
		if (a.retention_bytes)
			json_object_set_new(request, "retention_bytes", json_integer((json_int_t)a.retention_bytes));
	}
	status = ask(cli, request, &answer);
	if (status)
		return status;
	message_free(&answer);
	if (!a.json) {
		printf("stream %s created with %" PRIu64 " shard%s\n", a.name, a.shards, a.shards == 1 ? "" : "s");
		return client_finish_output();
	}
	status = ask(cli, request_for("stream.describe", a.name), &answer);
	if (status)
		return status;
	status = client_print_json(json_object_get(answer.json, "stream"), false);
	message_free(&answer);
	return status;
}

static int list(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct stream_arguments a = {0};
	struct message answer;
	int status;

	if (parse(cli, self, argc, argv, 0, &a, &status))
		return status;
	status = ask(cli, json_pack("{s:s}", "op", "stream.list"), &answer);
	if (status)
		return status;
	if (a.json)
		status = client_print_json(json_object_get(answer.json, "streams"), false);
	else
		status = stream_print_list(json_object_get(answer.json, "streams"));
	message_free(&answer);
	return status;
}

static int describe(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct stream_arguments a = {0};
	struct message answer;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status))
		return status;
	status = ask(cli, request_for("stream.describe", a.name), &answer);
	if (status)
		return status;
	if (a.json)
		status = client_print_json(json_object_get(answer.json, "stream"), false);
	else
		status = stream_print(json_object_get(answer.json, "stream"));
	message_free(&answer);
	return status;
}

// Deleting throws records away: it is asked about, and without a terminal to ask on --yes must say it.
static bool confirmed(const struct command *self, const char *name, int *status)
{
	char line[256];
	size_t length;

	if (!isatty(STDIN_FILENO)) {
		*status = arguments_error(self, "this deletes every record of stream %s: say so with --yes", name);
		return false;
	}
	fprintf(stderr, "This deletes stream %s with every record in it. Type its name to go on: ", name);
	*status = 1;
	if (!fgets(line, sizeof(line), stdin))
		return false;
	length = strcspn(line, "\n");
	line[length] = '\0';
	if (!strcmp(line, name))
		return true;
	fputs("penstock: nothing was deleted\n", stderr);
	return false;
}

// A stream marked for deletion goes when the last worker and reader have let go of it: waits for that, saying so.
// True once it is gone.
static bool wait_gone(struct cli *cli, const char *name, struct message *answer)
{
	uint64_t id = client_number(answer->json, "id");

	for (int looks = 0; !client_true(answer->json, "gone") && looks < DELETE_LOOKS; looks++) {
		json_t *request = json_pack("{s:s, s:I}", "op", "stream.gone", "id", (json_int_t)id);
		struct message next;

		if (!looks)
			fprintf(stderr, "penstock: stream %s is being deleted, waiting for its readers and the dataplane to let go of it\n",
				name);
		if (ask(cli, request, &next))
			return false;
		message_free(answer);
		*answer = next;
	}
	if (client_true(answer->json, "gone"))
		return true;
	fprintf(stderr, "penstock: stream %s is still being deleted: it takes no more records and goes as soon as nobody uses it; "
		"until then its name is taken (is the dataplane stuck? see penstock status)\n", name);
	return false;
}

static int delete (struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct stream_arguments a = {0};
	struct message answer;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status))
		return status;
	if (!a.yes && !confirmed(self, a.name, &status))
		return status;
	status = ask(cli, request_for("stream.delete", a.name), &answer);
	if (status)
		return status;
	if (!wait_gone(cli, a.name, &answer)) {
		status = 1;
	} else if (a.json) {
		status = client_print_json(answer.json, false);
	} else {
		printf("stream %s deleted\n", a.name);
		status = client_finish_output();
	}
	message_free(&answer);
	return status;
}

static const struct command stream_create = {
	"create", "NAME --shards N [--retention 24h] [--retention-bytes 10GiB]", "Make a stream",
	"Names are of letters, digits, \"_\", \".\" and \"-\", 128 at most. Records are kept until they are older than\n"
	"--retention or the stream is larger than --retention-bytes, whichever comes first; what the second takes before its\n"
	"time is counted as expired early.",
	create_options, create, &command_stream};
static const struct command stream_list = {
	"list", "[--json]", "All streams", NULL, json_options, list, &command_stream};
static const struct command stream_describe = {
	"describe", "NAME [--json]", "One stream with its shards and cursors", NULL, json_options, describe, &command_stream};
static const struct command stream_delete = {
	"delete", "NAME [--yes]", "Delete a stream with every record in it", NULL, delete_options, delete, &command_stream};

static const struct command *const stream_commands[] = {&stream_create, &stream_list, &stream_describe, &stream_delete, NULL};

static int stream(struct cli *cli, const struct command *self, int argc, char **argv)
{
	int at = 1;

	(void)self;
	if (at == argc) {
		fputs("penstock stream: create, list, describe or delete? (see penstock stream --help)\n", stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")) {
		puts("Usage: penstock stream COMMAND ...\n\nCommands (each has its own --help):");
		commands_list(stream_commands);
		return client_finish_output();
	}
	return commands_dispatch(cli, stream_commands, "stream", argc - at, argv + at);
}

const struct command command_stream = {
	"stream", "create|list|describe|delete ...", "Make, list, describe and delete streams", NULL, NULL, stream, NULL};
