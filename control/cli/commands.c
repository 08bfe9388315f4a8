#include "control/cli/commands.h"

#include <stdio.h>
#include <string.h>

void commands_list(const struct command *const *commands)
{
	for (; *commands; commands++)
		printf("  %-12s %s\n", (*commands)->name, (*commands)->summary);
}

int commands_dispatch(struct cli *cli, const struct command *const *commands, const char *of, int argc, char **argv)
{
	for (; *commands; commands++) {
		if (!strcmp((*commands)->name, argv[0]))
			return (*commands)->run(cli, *commands, argc, argv);
	}
	fprintf(stderr, "penstock: there is no command \"%s%s%s\" (see penstock%s%s --help)\n", of, *of ? " " : "", argv[0],
		*of ? " " : "", of);
	return EXIT_USAGE;
}
