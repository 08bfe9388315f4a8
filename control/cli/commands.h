// The commands of penstock, one file each.
#pragma once

#include "control/cli/arguments.h"

extern const struct command command_status, command_top, command_ledger, command_stream, command_cursor, command_read, command_check,
	command_doctor, command_reload, command_run, command_delivery, command_replay;

// Finds `name` among `commands` (NULL ends them) and runs it on what is left of argv. The exit status.
int commands_dispatch(struct cli *cli, const struct command *const *commands, const char *of, int argc, char **argv);

// One line for each.
void commands_list(const struct command *const *commands);
