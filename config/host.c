// What only this machine can tell of a configuration: its cores, its NUMA nodes, its file systems.
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <numa.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "config/knobs.h"
#include "config/origin.h"

struct host {
	const struct config *config;
	struct reports reports;
	cpu_set_t allowed;
	bool allowed_known;
	bool numa;
};

static bool core_exists(uint32_t core)
{
	char path[64];

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u", core);
	return access(path, F_OK) == 0;
}

static void check_core(struct host *h, uint32_t core, const char *path, uint32_t item, const struct node *node)
{
	const char *fault = !core_exists(core)              ? "does not exist on this machine"
			    : !CPU_ISSET(core, &h->allowed) ? "is offline, or not among the cores this process may use"
							    : NULL;

	if (!fault || !h->allowed_known)
		return;
	if (node)
		report_node(&h->reports, SEVERITY_ERROR, node, "core %u %s", core, fault);
	else
		origin_report(h->config, &h->reports, SEVERITY_ERROR, path, item, "core %u %s", core, fault);
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
	int length = (int)strcspn(device, ",");
	int node = read_node("/sys/bus/pci/devices/%.*s/numa_node", device, length);

	if (node < 0)
		node = read_node("/sys/bus/pci/devices/0000:%.*s/numa_node", device, length);
	if (node < 0 && interface)
		node = read_node("/sys/class/net/%.*s/device/numa_node", interface + 6,
				 (int)strcspn(interface + 6, ","));
	return node;
}

static void check_port(struct host *h, uint32_t i)
{
	const struct config_port *p = &h->config->ports[i];
	const struct node *cores = origin_place(h->config->origin, knob_find("ports[].cores"), i)->node;
	enum severity severity = h->config->numa_strict ? SEVERITY_ERROR : SEVERITY_WARNING;
	int home = h->numa ? device_node(p->device) : -1;
	bool device_has_node = home >= 0;

	for (uint32_t n = 0; n < p->queues; n++) {
		int node = h->numa ? numa_node_of_cpu((int)p->cores[n]) : -1;

		check_core(h, p->cores[n], NULL, 0, cores->children[n]);
		if (node < 0)
			continue;
		if (home < 0)
			home = node; /* a device without a node: its workers belong together */
		if (node == home)
			continue;
		report_node(&h->reports, severity, cores->children[n], "core %u is on NUMA node %d, %s on %d%s",
			    p->cores[n], node, device_has_node ? "the device is" : "the port's first core is", home,
			    h->config->numa_strict ? ": choose one there, or set dpdk.numa: warn" : "");
	}
}

// File system facts of the directory, or of the nearest directory above it that is there.
static int find_filesystem(const char *directory, struct statfs *out)
{
	char path[CONFIG_PATH_MAX], *slash;

	snprintf(path, sizeof path, "%s", directory);
	while (statfs(path, out) != 0) {
		if (errno != ENOENT)
			return -errno;
		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return statfs("/", out) ? -errno : 0;
		*slash = '\0';
	}
	return 0;
}

static void check_region(struct host *h)
{
	const struct config *c = h->config;
	uint64_t shards = 0, wanted, room;
	struct statfs fs;
	int error = find_filesystem(c->region_directory, &fs);

	if (error) {
		origin_report(c, &h->reports, SEVERITY_ERROR, "region.directory", 0, "%s: %s", c->region_directory,
			      strerror(-error));
		return;
	}
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC) {
		origin_report(c, &h->reports, SEVERITY_ERROR, "region.directory", 0,
			      "%s is neither on tmpfs nor on hugetlbfs: writing it back would stall workers; mount a "
			      "tmpfs there "
			      "or choose a directory below /run or /dev/shm",
			      c->region_directory);
		return;
	}
	if (fs.f_type == HUGETLBFS_MAGIC && c->lane_bytes % (uint64_t)fs.f_bsize != 0)
		origin_report(c, &h->reports, SEVERITY_ERROR, "region.lane_bytes", 0,
			      "%s has pages of %" PRIu64 " bytes: a lane must be a multiple of them",
			      c->region_directory, (uint64_t)fs.f_bsize);
	for (uint32_t i = 0; i < c->streams_count; i++)
		shards += c->streams[i].shards;
	wanted = shards * config_workers(c) * c->lane_bytes;
	room = fs.f_blocks * (uint64_t)fs.f_bsize;
	if (wanted > room && fs.f_blocks)
		origin_report(c, &h->reports, SEVERITY_WARNING, "region.lane_bytes", 0,
			      "the streams' lanes take %" PRIu64 " MiB, the file system of %s has %" PRIu64,
			      wanted >> 20, c->region_directory, room >> 20);
}

int config_check_host(const struct config *config, FILE *errors)
{
	struct host h = {.config = config};
	int error;

	CPU_ZERO(&h.allowed);
	h.allowed_known = sched_getaffinity(0, sizeof h.allowed, &h.allowed) == 0;
	h.numa = numa_available() >= 0;
	check_core(&h, config->main_core, "dpdk.main_core", 0, NULL);
	for (uint32_t i = 0; i < config->ports_count; i++)
		check_port(&h, i);
	check_region(&h);
	report_print(&h.reports, errors);
	error = h.reports.errors ? -EINVAL : 0;
	report_free(&h.reports);
	return error;
}
