// The outside oracle of a kernel-backed port: what the kernel's own counter says arrived at the interface.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct oracle {
	char interface[64];
	int fd;            /* the counters of its network namespace, -1 when there is no oracle */
	uint32_t ifindex;  /* an interface made again counts from 0 again */
};

// Opens the counter of the interface named by `iface=` in a device string of net_af_xdp or net_pcap.
// False (and fd -1) when the device has no such interface or the counter cannot be read.
bool oracle_open(struct oracle *oracle, const char *device);

// The kernel's count of frames that reached the interface. 0 or -errno.
int oracle_read(const struct oracle *oracle, uint64_t *frames);

void oracle_close(struct oracle *oracle);
