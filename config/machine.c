// This machine's answers to what machine.h asks.
#include "config/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <numa.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

static bool core_exists(uint32_t core)
{
	char path[64];

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u", core);
	return access(path, F_OK) == 0;
}

static bool core_usable(uint32_t core)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	return sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_ISSET(core, &allowed);
}

static int core_node(uint32_t core)
{
	return numa_available() < 0 ? -1 : numa_node_of_cpu((int)core);
}

static int read_node(const char *format, const char *name, int length)
{
	char path[512];
	FILE *file;
	int node = -1;

	snprintf(path, sizeof path, format, length, name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &node) != 1)
		node = -1;
	fclose(file);
	return node;
}

// The NUMA node of a PCI device or of the kernel interface that a driver sits on; -1 when it has none.
static int device_node(const char *device)
{
	const char *interface = strstr(device, "iface=");
	int length = (int)strcspn(device, ","), node;

	if (numa_available() < 0)
		return -1;
	node = read_node("/sys/bus/pci/devices/%.*s/numa_node", device, length);
	if (node < 0)
		node = read_node("/sys/bus/pci/devices/0000:%.*s/numa_node", device, length);
	if (node < 0 && interface)
		node = read_node("/sys/class/net/%.*s/device/numa_node", interface + 6,
				 (int)strcspn(interface + 6, ","));
	return node;
}

/* Not through libnuma, which takes a node that is not there for a machine of one node. */
static bool node_has_cores(int node)
{
	char path[64];
	FILE *file;
	int first;

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
	file = fopen(path, "re");
	if (!file)
		return false;
	first = fgetc(file);
	fclose(file);
	return first >= '0' && first <= '9';
}

static int filesystem(const char *path, struct statfs *out)
{
	return statfs(path, out) ? -errno : 0;
}

static uint64_t huge_pages(uint64_t page_bytes)
{
	char path[128];
	uint64_t count = 0;
	FILE *file;

	snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/nr_hugepages", page_bytes >> 10);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &count) != 1)
		count = 0;
	fclose(file);
	return count;
}

void config_existing_parent(const char *path, char *out, size_t size)
{
	snprintf(out, size, "%s", path);
	while (access(out, F_OK) && strlen(out) > 1) {
		char *slash = strrchr(out, '/');

		if (!slash) {
			snprintf(out, size, ".");
			return;
		}
		*(slash == out ? slash + 1 : slash) = '\0';
	}
}

int config_check_host(const struct config *config, FILE *errors)
{
	static const struct machine machine = {
		.core_exists = core_exists,
		.core_usable = core_usable,
		.core_node = core_node,
		.device_node = device_node,
		.node_has_cores = node_has_cores,
		.filesystem = filesystem,
		.huge_pages = huge_pages,
	};

	return machine_check(config, &machine, errors);
}
