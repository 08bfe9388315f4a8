// penstock top: on a terminal the live view, elsewhere a line a second
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/top_look.h"
#include "control/cli/top_screen.h"
#include "control/cli/top_view.h"
#include "control/cli/watch.h"

#define SECOND_NS 1000000000ull

enum { OPTION_INTERVAL = 'i', OPTION_COUNT = 'n', OPTION_JSON = ARGUMENT_LONG, OPTION_PLAIN };

static const struct argument_option options[] = {
	{"interval", OPTION_INTERVAL, "TIME", "how often (default 1s)"},
	{"count", OPTION_COUNT, "N", "end after N of them"},
	{"plain", OPTION_PLAIN, NULL, "a line each time, also on a terminal"},
	{"json", OPTION_JSON, NULL, "one JSON object each time"},
	{NULL, 0, NULL, NULL},
};

// One line or object after every interval. A daemon that is away is said once and waited for.
static int run_lines(struct cli *cli, uint64_t interval_ns, uint64_t count, bool json)
{
	struct look look = {.client.fd = -1};
	struct top_view view = {.columns = 80};
	int status = look_take(&look, cli, false);

	if (status)
		return status;
	watch_start();
	watch_wait(interval_ns);
	for (uint64_t n = 0; !watch_ended() && (!count || n < count); n++) {
		status = look_take(&look, cli, false);
		if (!status) {
			view.then = &look.then;
			view.now = &look.now;
			if (json) {
				json_t *object = top_json(view.then, view.now);

				status = client_print_json(object, true);
				json_decref(object);
			} else {
				top_print_line(stdout, &view);
				status = client_finish_output();
			}
			if (status)
				break;
		}
		if (!count || n + 1 < count)
			watch_wait(interval_ns);
	}
	look_close(&look);
	return status;
}

static int top(struct cli *cli, const struct command *self, int argc, char **argv)
{
	uint64_t interval_ns = SECOND_NS, count = 0;
	bool json = false, plain = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	struct arguments a;
	int option, status = 0;

	arguments_start(&a, cli, self, argc, argv);
	while (!status && (option = arguments_next(&a)) > 0) {
		if (option == OPTION_INTERVAL)
			status = arguments_duration(self, "interval", optarg, &interval_ns);
		else if (option == OPTION_COUNT)
			status = arguments_number(self, "count", optarg, 1, UINT64_MAX, &count);
		else if (option == OPTION_JSON)
			json = true;
		else if (option == OPTION_PLAIN)
			plain = true;
	}
	if (status)
		return status;
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 0, 0);
	if (status)
		return status;
	if (interval_ns < SECOND_NS / 10)
		return arguments_error(self, "--interval: 100ms is the least");
	return json || plain ? run_lines(cli, interval_ns, count, json) : screen_run(cli, interval_ns, count);
}

const struct command command_top = {
	"top", "[--interval TIME] [--count N] [--plain] [--json]", "What is happening now, per second",
	"Keys: Tab and the arrows go from page to page, up and down scroll, 1 to 5 name a page, p pauses, ? helps, q ends.\n"
	"Where standard output is no terminal it prints a line each time.",
	options, top, NULL};
