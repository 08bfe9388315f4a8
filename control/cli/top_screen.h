// `penstock top` on a terminal.
#pragma once

#include "control/cli/arguments.h"

// Shows the pages until q, a signal, or `count` refreshes (0: for ever). The exit status.
int screen_run(struct cli *cli, uint64_t interval_ns, uint64_t count);
