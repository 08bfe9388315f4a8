#include "control/options.h"

#include <getopt.h>
#include <stdio.h>

#include "control/daemon.h"

#define CONFIG_DEFAULT "/etc/penstock/penstock.yaml"

static const char usage[] =
	"Usage: penstockd [--config FILE] [--check-config]\n"
	"\n"
	"Stores what penstock-dataplane takes from the wire, serves it to `penstock`, and delivers it.\n"
	"\n"
	"  -c, --config FILE   configuration (" CONFIG_DEFAULT ")\n"
	"      --check-config  only say what is wrong with it\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n"
	"\n"
	"Runs in the foreground and logs to standard error. SIGTERM drains, then ends it; a second one ends it at once.\n"
	"SIGHUP reads the configuration again, as `penstock reload` does.\n";

enum { OPTION_CHECK = 256 };

int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{"config", required_argument, NULL, 'c'}, {"check-config", no_argument, NULL, OPTION_CHECK},
		{"version", no_argument, NULL, 'V'},      {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	*options = (struct options){.config = CONFIG_DEFAULT};
	while ((option = getopt_long(argc, argv, "c:Vh", table, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case OPTION_CHECK:
			options->check_config = true;
			break;
		case 'V':
			puts("penstockd " PENSTOCK_VERSION);
			return -1;
		case 'h':
			fputs(usage, stdout);
			return -1;
		default:
			fputs("penstockd: see penstockd --help\n", stderr);
			options->status = 2;
			return -1;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "penstockd: what is \"%s\"? see penstockd --help\n", argv[optind]);
	options->status = 2;
	return -1;
}
