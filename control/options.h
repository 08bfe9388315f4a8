// penstockd's command line.
#pragma once

#include <stdbool.h>

struct options {
	const char *config; /* the file */
	bool check_config;
	int status;         /* with -1: what to exit with */
};

// 0; -1 to exit with options->status: --help and --version have printed what they print, or what is wrong has been said.
int options_parse(int argc, char **argv, struct options *options);
