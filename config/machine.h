// What config_check_host() asks the machine. Private to config/; tests answer in its place.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/vfs.h>

#include "config/config.h"

struct machine {
	bool (*core_exists)(uint32_t core);
	bool (*core_usable)(uint32_t core);            /* online, and among those this process may use */
	int (*core_node)(uint32_t core);               /* its NUMA node; -1 when the machine does not say */
	int (*device_node)(const char *device);        /* of an EAL device argument; -1 likewise */
	bool (*node_has_cores)(int node);
	int (*filesystem)(const char *path, struct statfs *out); /* 0 or -errno */
	uint64_t (*huge_pages)(uint64_t page_bytes);   /* how many of that size there are, used ones included */
};

// config_check_host() against `machine`.
int machine_check(const struct config *config, const struct machine *machine, FILE *errors);
