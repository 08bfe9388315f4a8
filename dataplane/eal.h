// Starting DPDK's environment from the configuration.
#pragma once

#include "config/config.h"

// Builds EAL's argument list and calls rte_eal_init(). Worker i of the configuration runs on lcore i + 1.
// 0, or -errno with the reason logged. What hugepages would have given is said when they are off.
int eal_start(const struct config *config);

// Gives back hugepages and runtime files.
void eal_stop(void);
