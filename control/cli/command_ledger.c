// penstock ledger
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/ledger_view.h"
#include "control/cli/table.h"
#include "control/cli/watch.h"

#define SECOND_NS 1000000000ull

enum { OPTION_WATCH = 'w', OPTION_INTERVAL = 'i', OPTION_ALL = 'a', OPTION_COUNT = 'n', OPTION_JSON = ARGUMENT_LONG };

static const struct argument_option options[] = {
	{"all", OPTION_ALL, NULL, "rows of 0 as well"},
	{"watch", OPTION_WATCH, NULL, "again and again until interrupted; in place on a terminal"},
	{"interval", OPTION_INTERVAL, "TIME", "with --watch: how often (default 1s on a terminal, else 10s)"},
	{"count", OPTION_COUNT, "N", "with --watch: how many times"},
	{"json", OPTION_JSON, NULL, "as JSON; with --watch one line each time"},
	{NULL, 0, NULL, NULL},
};

struct ledger_arguments {
	bool all, watch, json;
	uint64_t interval_ns, count;
};

// 0 balanced, 1 not (or stdout is closed).
static int show(const json_t *answer, const struct ledger_arguments *a)
{
	struct ledger_view view = {.every_row = a->all};
	unsigned rows;
	char *text = NULL;
	size_t length;
	FILE *out;
	int status;

	if (a->json)
		return client_print_json(answer, a->watch) || !client_true(answer, "balanced");
	view.colours = table_colours(stdout);
	if (!watch_size(&view.columns, &rows))
		view.columns = 160;
	out = open_memstream(&text, &length);
	if (!out) {
		perror("penstock ledger");
		return 1;
	}
	ledger_print(out, answer, &view);
	if (fclose(out)) {
		perror("penstock ledger");
		free(text);
		return 1;
	}
	if (a->watch) {
		status = watch_show(text, length);
	} else {
		fwrite(text, 1, length, stdout);
		status = client_finish_output();
	}
	free(text);
	return status || !client_true(answer, "balanced");
}

// penstockd may be restarted under a watch: it says so and goes on when penstockd is back.
static int watch(struct cli *cli, const struct ledger_arguments *a)
{
	struct client client = {.fd = -1};
	int status = 1;

	watch_start();
	for (uint64_t n = 0; !watch_ended() && (!a->count || n < a->count); n++) {
		struct message answer;

		if (n)
			watch_wait(a->interval_ns);
		if (watch_ended())
			break;
		if (client.fd < 0) {
			status = client_open(&client, cli);
			if (status == EXIT_USAGE)
				return status;
			if (status)
				continue;
		}
		status = client_call(&client, json_pack("{s:s}", "op", "ledger"), &answer);
		if (status) {
			client_close(&client);
			continue;
		}
		status = show(answer.json, a);
		message_free(&answer);
		if (ferror(stdout))
			break;
	}
	watch_finish();
	client_close(&client);
	return status;
}

static int once(struct cli *cli, const struct ledger_arguments *a)
{
	struct client client;
	struct message answer;
	int status = client_open(&client, cli);

	if (status)
		return status;
	status = client_call(&client, json_pack("{s:s}", "op", "ledger"), &answer);
	client_close(&client);
	if (status)
		return status;
	status = show(answer.json, a);
	message_free(&answer);
	return status;
}

static int ledger(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct ledger_arguments a = {0};
	struct arguments parser;
	unsigned columns, rows;
	int option, status = 0;

	arguments_start(&parser, cli, self, argc, argv);
	while (!status && (option = arguments_next(&parser)) > 0) {
		if (option == OPTION_ALL)
			a.all = true;
		else if (option == OPTION_WATCH)
			a.watch = true;
		else if (option == OPTION_JSON)
			a.json = true;
		else if (option == OPTION_INTERVAL)
			status = arguments_duration(self, "interval", optarg, &a.interval_ns);
		else if (option == OPTION_COUNT)
			status = arguments_number(self, "count", optarg, 1, UINT64_MAX, &a.count);
	}
	if (status)
		return status;
	if (option == 0)
		return parser.status;
	status = arguments_operands(&parser, 0, 0);
	if (status)
		return status;
	if (!a.watch && (a.interval_ns || a.count))
		return arguments_error(self, "--interval and --count go with --watch");
	if (!a.interval_ns)
		a.interval_ns = watch_size(&columns, &rows) ? SECOND_NS : 10 * SECOND_NS;
	return a.watch ? watch(cli, &a) : once(cli, &a);
}

const struct command command_ledger = {
	"ledger", "[--all] [--watch] [--json]", "Where every frame and every record ended",
	"Each section has what came in on its left and what became of it on its right; both add up to the same, or the\n"
	"difference is unaccounted for and the exit status is 1.",
	options, ledger, NULL};
