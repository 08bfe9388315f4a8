// penstock: the command line.
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/commands.h"

static const struct command *const commands[] = {
	&command_status, &command_top,    &command_ledger, &command_stream, &command_cursor, &command_read, &command_delivery, &command_replay,
	&command_check,  &command_reload, &command_doctor, &command_run,    NULL,
};

static void print_help(void)
{
	puts("Usage: penstock [--socket PATH] [--config FILE] COMMAND ...\n\n"
	     "Talks to penstockd: what is happening, the streams, and their records.\n\n"
	     "Commands (each has its own --help):");
	commands_list(commands);
	puts("\nOptions:\n"
	     "  -s, --socket PATH            penstockd's socket (else from --config, else $PENSTOCK_SOCKET)\n"
	     "  -c, --config FILE            the configuration penstockd runs with: its socket is taken from it\n"
	     "      --version                the version\n"
	     "  -h, --help                   this help\n\n"
	     "Exit status: 0 when what was asked is done, 2 for a mistake on the command line, 1 for anything else.");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"socket", required_argument, NULL, 's'},
		{"config", required_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct cli cli = {0};
	int option;

	setlocale(LC_CTYPE, "");
	/* A reader that went away is an error of write(), which knows how much went out, not a sudden death. */
	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt_long(argc, argv, "+s:c:h", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			cli.socket = optarg;
			break;
		case 'c':
			cli.config = optarg;
			break;
		case 'V':
			puts("penstock " PENSTOCK_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			fputs("See penstock --help\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		fputs("penstock: which command? (see penstock --help)\n", stderr);
		return EXIT_USAGE;
	}
	return commands_dispatch(&cli, commands, "", argc - optind, argv + optind);
}
