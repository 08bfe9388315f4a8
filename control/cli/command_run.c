// penstock run: both daemons under one supervisor
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "control/cli/commands.h"
#include "control/cli/supervisor.h"

#define DATAPLANE_STOP_MS 10000u
#define PENSTOCKD_STOP_MS 20000u

enum { OPTION_DATAPLANE = ARGUMENT_LONG, OPTION_PENSTOCKD, OPTION_NETNS, OPTION_PID_DIR };

static const struct argument_option options[] = {
	{"dataplane", OPTION_DATAPLANE, "PATH", "penstock-dataplane (default: beside penstock, or ../sbin)"},
	{"penstockd", OPTION_PENSTOCKD, "PATH", "penstockd (the same)"},
	{"netns", OPTION_NETNS, "NAME", "run the dataplane inside this network namespace"},
	{"pid-dir", OPTION_PID_DIR, "DIRECTORY", "keep dataplane.pid and penstockd.pid there"},
	{NULL, 0, NULL, NULL},
};

// NAME beside this very program, or in ../sbin as it is installed. -ENOENT.
static int find_program(const char *name, char *path, size_t size)
{
	static const char *const places[] = {"", "../sbin/"};
	char self[PATH_MAX], *directory;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return -errno;
	self[length] = '\0';
	directory = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if ((size_t)snprintf(path, size, "%s/%s%s", directory, places[i], name) < size && !access(path, X_OK))
			return 0;
	}
	fprintf(stderr, "penstock run: there is no %s in %s or beside it in ../sbin; name it with --%s PATH\n", name, directory,
		strchr(name, '-') ? strchr(name, '-') + 1 : name);
	return -ENOENT;
}

// What would stop both daemons at once is said once, here, before anything starts.
static int check_before(const char *path, const char *pid_directory)
{
	struct config *config;
	struct stat status;

	if (config_load(path, stderr, &config))
		return EXIT_USAGE;
	config_free(config);
	if (pid_directory && (stat(pid_directory, &status) || !S_ISDIR(status.st_mode))) {
		fprintf(stderr, "penstock run: --pid-dir %s is no directory; make it first\n", pid_directory);
		return EXIT_USAGE;
	}
	return 0;
}

static int run(struct cli *cli, const struct command *self, int argc, char **argv)
{
	char dataplane[PATH_MAX] = "", penstockd[PATH_MAX] = "";
	const char *netns = NULL, *pid_directory = NULL;
	struct arguments a;
	int option, status;

	arguments_start(&a, cli, self, argc, argv);
	while ((option = arguments_next(&a)) > 0) {
		if (option == OPTION_DATAPLANE)
			snprintf(dataplane, sizeof(dataplane), "%s", optarg);
		else if (option == OPTION_PENSTOCKD)
			snprintf(penstockd, sizeof(penstockd), "%s", optarg);
		else if (option == OPTION_NETNS)
			netns = optarg;
		else if (option == OPTION_PID_DIR)
			pid_directory = optarg;
	}
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 0, 0);
	if (status)
		return status;
	if (!cli->config)
		return arguments_error(self, "--config FILE is missing");
	if ((!*dataplane && find_program("penstock-dataplane", dataplane, sizeof(dataplane))) ||
	    (!*penstockd && find_program("penstockd", penstockd, sizeof(penstockd))))
		return EXIT_USAGE;
	status = check_before(cli->config, pid_directory);
	if (status)
		return status;

	char *const dataplane_argv[] = {dataplane, (char[]){"--config"}, (char *)cli->config, NULL};
	char *const penstockd_argv[] = {penstockd, (char[]){"--config"}, (char *)cli->config, NULL};
	/* The dataplane stops first: what it published last is still drained and made durable. */
	struct supervised programs[] = {
		{.name = "dataplane", .argv = dataplane_argv, .netns = netns, .stop_ms = DATAPLANE_STOP_MS},
		/* It brings a changed configuration to the dataplane as well, once there are the streams that inputs name. */
		{.name = "penstockd", .argv = penstockd_argv, .stop_ms = PENSTOCKD_STOP_MS, .reloads = true},
	};

	return supervisor_run(programs, 2, pid_directory);
}

const struct command command_run = {
	"run", "--config FILE [--netns NAME] [--pid-dir DIRECTORY]", "Both daemons in the foreground, restarted when they die",
	"For development, containers and tests; under systemd each daemon has its own unit. SIGTERM or SIGINT stops the dataplane,\n"
	"then penstockd; a second one kills them. SIGHUP is a penstock reload. A daemon that finds its configuration wrong ends it all with status 2.",
	options, run, NULL};
