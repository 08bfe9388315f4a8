// penstock delivery list | show | dead-letters | redrive
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/delivery_view.h"
#include "control/cli/units.h"
#include "control/cli/watch.h"

enum { OPTION_JSON = ARGUMENT_LONG, OPTION_OBJECT, OPTION_LIMIT = 'n' };

static const struct argument_option json_options[] = {
	{"json", OPTION_JSON, NULL, "as JSON"},
	{NULL, 0, NULL, NULL},
};

static const struct argument_option dead_options[] = {
	{"limit", OPTION_LIMIT, "N", "this many objects at most (default: all)"},
	{"json", OPTION_JSON, NULL, "as JSON: the objects' notes"},
	{NULL, 0, NULL, NULL},
};

static const struct argument_option redrive_options[] = {
	{"object", OPTION_OBJECT, "NAME", "this object only (default: all, in the order of their names)"},
	{"limit", OPTION_LIMIT, "N", "this many objects at most"},
	{"json", OPTION_JSON, NULL, "what became of them as JSON"},
	{NULL, 0, NULL, NULL},
};

struct delivery_arguments {
	bool json;
	uint64_t limit;
	const char *object, *name;
};

// 0; -1 to end with *status.
static int parse(struct cli *cli, const struct command *self, int argc, char **argv, int operands,
		 struct delivery_arguments *out, int *status)
{
	struct arguments a;
	int option = -1;

	*out = (struct delivery_arguments){.limit = UINT64_MAX};
	*status = 0;
	arguments_start(&a, cli, self, argc, argv);
	while (!*status && (option = arguments_next(&a)) > 0) {
		if (option == OPTION_JSON)
			out->json = true;
		else if (option == OPTION_OBJECT)
			out->object = optarg;
		else if (option == OPTION_LIMIT)
			*status = arguments_number(self, "limit", optarg, 1, INT64_MAX, &out->limit);
	}
	if (!*status && option == 0) {
		*status = a.status;
		return -1;
	}
	if (!*status)
		*status = arguments_operands(&a, operands, operands);
	if (*status)
		return -1;
	out->name = operands ? argv[optind] : NULL;
	return 0;
}

// Sends `request` (taken) over `client`; a request that could not be made is said.
static int ask(struct client *client, json_t *request, struct message *answer)
{
	if (request)
		return client_call(client, request, answer);
	fputs("penstock delivery: names must be UTF-8\n", stderr);
	return 1;
}

static int list(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct delivery_arguments a;
	struct message answer;
	struct client client;
	int status;

	if (parse(cli, self, argc, argv, 0, &a, &status))
		return status;
	status = client_open(&client, cli);
	if (status)
		return status;
	status = ask(&client, json_pack("{s:s}", "op", "delivery.list"), &answer);
	client_close(&client);
	if (status)
		return status;
	if (a.json)
		status = client_print_json(json_object_get(answer.json, "deliveries"), false);
	else
		status = delivery_print_list(json_object_get(answer.json, "deliveries"));
	message_free(&answer);
	return status;
}

static int show(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct delivery_arguments a;
	struct message answer;
	struct client client;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status))
		return status;
	status = client_open(&client, cli);
	if (status)
		return status;
	status = ask(&client, json_pack("{s:s, s:s}", "op", "delivery.show", "name", a.name), &answer);
	client_close(&client);
	if (status)
		return status;
	if (a.json)
		status = client_print_json(json_object_get(answer.json, "delivery"), false);
	else
		status = delivery_print(json_object_get(answer.json, "delivery"));
	message_free(&answer);
	return status;
}

// The notes of all dead objects, page by page, at most `limit`. 0 with the caller's array, or the exit status.
static int fetch_dead(struct client *client, const char *name, uint64_t limit, json_t **out)
{
	json_t *all = json_array();
	bool more = true;

	while (more && json_array_size(all) < limit) {
		uint64_t left = limit - json_array_size(all);
		const json_t *last = json_array_get(all, json_array_size(all) - 1);
		json_t *request = json_pack("{s:s, s:s, s:s*}", "op", "delivery.dead", "name", name, "after",
					    last ? client_text(last, "object") : NULL);
		struct message answer;
		int status;

		if (request && left < 500)
			json_object_set_new(request, "most", json_integer((json_int_t)left));
		status = ask(client, request, &answer);
		if (status) {
			json_decref(all);
			return status;
		}
		more = client_true(answer.json, "more");
		json_array_extend(all, json_object_get(answer.json, "dead"));
		message_free(&answer);
	}
	*out = all;
	return 0;
}

static int dead_letters(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct delivery_arguments a;
	struct client client;
	json_t *dead;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status))
		return status;
	status = client_open(&client, cli);
	if (status)
		return status;
	status = fetch_dead(&client, a.name, a.limit, &dead);
	client_close(&client);
	if (status)
		return status;
	status = a.json ? client_print_json(dead, false) : delivery_print_dead(dead);
	json_decref(dead);
	return status;
}

// One object, waited for as long as penstockd answers. 0, or 1 said.
static int redrive_one(struct client *client, const char *name, const char *object)
{
	bool done = false;

	while (!done && !watch_ended()) {
		struct message answer;
		int status = ask(client, json_pack("{s:s, s:s, s:s}", "op", "delivery.redrive", "name", name, "object", object),
				 &answer);

		if (status)
			return status;
		done = client_true(answer.json, "done");
		message_free(&answer);
	}
	return done ? 0 : 1;
}

// What is to be redriven as an array of notes; with --object a note of just that name.
static int choose(struct client *client, const struct delivery_arguments *a, json_t **out)
{
	if (!a->object)
		return fetch_dead(client, a->name, a->limit, out);
	*out = json_pack("[{s:s}]", "object", a->object);
	if (*out)
		return 0;
	fputs("penstock delivery: names must be UTF-8\n", stderr);
	return 1;
}

static int redrive(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct delivery_arguments a;
	json_t *dead = NULL, *note, *delivered = json_array();
	struct client client;
	size_t i, left;
	int status;

	if (parse(cli, self, argc, argv, 1, &a, &status)) {
		json_decref(delivered);
		return status;
	}
	status = client_open(&client, cli);
	if (!status)
		status = choose(&client, &a, &dead);
	watch_start();
	/* The first that is refused ends it: what refuses one refuses the next. */
	json_array_foreach(dead, i, note) {
		if (status || watch_ended())
			break;
		status = redrive_one(&client, a.name, client_text(note, "object"));
		if (status)
			break;
		json_array_append_new(delivered, json_string(client_text(note, "object")));
		if (!a.json)
			printf("%s delivered\n", client_text(note, "object"));
	}
	client_close(&client);
	left = json_array_size(dead) - json_array_size(delivered);
	if (left && !status)
		status = 1;
	if (dead && a.json) {
		json_t *told = json_pack("{s:o, s:I}", "delivered", json_incref(delivered), "left", (json_int_t)left);

		if (client_print_json(told, false))
			status = 1;
		json_decref(told);
	} else if (dead) {
		printf("%zu delivered, %zu left among the dead letters\n", json_array_size(delivered), left);
		if (client_finish_output())
			status = 1;
	}
	json_decref(delivered);
	json_decref(dead);
	return status;
}

static const struct command delivery_list = {
	"list", "[--json]", "All deliveries and how far they are", NULL, json_options, list, &command_delivery};
static const struct command delivery_show = {
	"show", "NAME [--json]", "One delivery: where to, how far on each shard, what it could not deliver", NULL, json_options, show,
	&command_delivery};
static const struct command delivery_dead = {
	"dead-letters", "NAME [--limit N] [--json]", "Objects that its destination took at no attempt",
	"They lie in the delivery's dead-letter directory, each with a note beside it that says why.", dead_options, dead_letters,
	&command_delivery};
static const struct command delivery_redrive = {
	"redrive", "NAME [--object NAME] [--limit N] [--json]", "Put dead letters to the destination after all",
	"Each keeps the name and bytes it has. Once it is at the destination it counts as delivered instead of failed, and leaves\n"
	"the dead-letter directory. The first that the destination refuses ends it, with status 1: the rest stays where it is.",
	redrive_options, redrive, &command_delivery};

static const struct command *const delivery_commands[] = {&delivery_list, &delivery_show, &delivery_dead, &delivery_redrive,
							  NULL};

static int delivery(struct cli *cli, const struct command *self, int argc, char **argv)
{
	(void)self;
	if (argc < 2) {
		fputs("penstock delivery: list, show, dead-letters or redrive? (see penstock delivery --help)\n", stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		puts("Usage: penstock delivery COMMAND ...\n\nCommands (each has its own --help):");
		commands_list(delivery_commands);
		return client_finish_output();
	}
	return commands_dispatch(cli, delivery_commands, "delivery", argc - 1, argv + 1);
}

const struct command command_delivery = {
	"delivery", "list|show|dead-letters|redrive ...", "Deliveries, what they could not deliver, and trying that again", NULL, NULL,
	delivery, NULL};
