#include "dataplane/driver.h"

#include <string.h>

/* Measured with DPDK 22.11: 10,000 frames sent while nothing polled, then every counter added up. */
static const struct driver drivers[] = {
	{"net_af_packet", false, false, "it loses frames silently (9,488 of 10,000 with every counter 0) and cuts jumbo frames"},
	{"net_tap", false, false, "it loses frames that only the kernel's tx_dropped of the tap device shows"},
	{"net_ena", false, false, "some of its losses are in no counter"},
	/* With zero copy the kernel refuses a buffer whose two pages are not neighbours in memory; the others may stand for such a device. */
	{"net_af_xdp", true, true, ""},
	{"net_bonding", true, true, ""},
	{"net_failsafe", true, true, ""},
};

const struct driver *driver_find(const char *name)
{
	static const struct driver accountable = {"", true, false, ""};

	for (unsigned i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
		if (strcmp(name, drivers[i].name) == 0)
			return &drivers[i];
	return &accountable;
}
