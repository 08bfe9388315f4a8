// What only a machine can tell of a configuration: whether its cores, NUMA nodes and file systems suit it.
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <unistd.h>

#include "config/knobs.h"
#include "config/machine.h"
#include "config/origin.h"

struct host {
	const struct config *config;
	const struct machine *machine;
	struct reports reports;
};

static void check_core(struct host *h, uint32_t core, const char *path, uint32_t item, const struct node *node)
{
	const char *fault = !h->machine->core_exists(core) ? "does not exist on this machine"
			    : !h->machine->core_usable(core)
				    ? "is offline, or not among the cores this process may use"
				    : NULL;

	if (!fault)
		return;
	if (node)
		report_node(&h->reports, SEVERITY_ERROR, node, "core %u %s", core, fault);
	else
		origin_report(h->config, &h->reports, SEVERITY_ERROR, path, item, "core %u %s", core, fault);
}

static void check_port(struct host *h, uint32_t i)
{
	const struct config_port *p = &h->config->ports[i];
	const struct node *cores = origin_place(h->config->origin, knob_find("ports[].cores"), i)->node;
	enum severity severity = h->config->numa_strict ? SEVERITY_ERROR : SEVERITY_WARNING;
	int home = h->machine->device_node(p->device);
	bool device_has_node = home >= 0;

	if (device_has_node && !h->machine->node_has_cores(home)) {
		origin_report(h->config, &h->reports, severity, "ports[].device", i,
			      "the device is on NUMA node %d, which has no core here%s", home,
			      h->config->numa_strict ? ": set dpdk.numa: warn to take it all the same" : "");
		device_has_node = false;
		home = -1;
	}
	for (uint32_t n = 0; n < p->queues; n++) {
		int node = h->machine->core_node(p->cores[n]);

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

/* On hugetlbfs only the pages of the machine may limit it. */
static uint64_t room_bytes(const struct host *h, const struct statfs *fs)
{
	uint64_t page = (uint64_t)fs->f_bsize, limit = fs->f_blocks ? fs->f_blocks * page : UINT64_MAX, pool;

	if (fs->f_type != HUGETLBFS_MAGIC)
		return limit;
	pool = h->machine->huge_pages(page) * page;
	return pool < limit ? pool : limit;
}

static void check_region(struct host *h)
{
	const struct config *c = h->config;
	struct region_geometry geometry = {config_workers(c), c->region_shards, c->lane_bytes};
	uint32_t shards = 0;
	uint64_t wanted, room, page;
	char existing[CONFIG_PATH_MAX];
	struct statfs fs;
	int error;

	config_existing_parent(c->region_directory, existing, sizeof existing);
	error = h->machine->filesystem(existing, &fs);
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
	page = fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize : (uint64_t)sysconf(_SC_PAGESIZE);
	if (c->lane_bytes % page != 0)
		origin_report(c, &h->reports, SEVERITY_ERROR, "region.lane_bytes", 0,
			      "%s has pages of %" PRIu64 " bytes: a lane must be a multiple of them",
			      c->region_directory, page);
	for (uint32_t i = 0; i < c->streams_count; i++)
		shards += c->streams[i].shards;
	wanted = region_room_bytes(&geometry, shards, page);
	room = room_bytes(h, &fs);
	if (wanted > room)
		origin_report(c, &h->reports, SEVERITY_WARNING, "region.lane_bytes", 0,
			      "the region with the streams' lanes takes %" PRIu64 " MiB, the file system of %s has %" PRIu64,
			      (wanted + (1u << 20) - 1) >> 20, c->region_directory, room >> 20);
}

int machine_check(const struct config *config, const struct machine *machine, FILE *errors)
{
	struct host h = {.config = config, .machine = machine};
	int error;

	check_core(&h, config->main_core, "dpdk.main_core", 0, NULL);
	for (uint32_t i = 0; i < config->ports_count; i++)
		check_port(&h, i);
	check_region(&h);
	report_print(&h.reports, errors);
	error = h.reports.errors ? -EINVAL : 0;
	report_free(&h.reports);
	return error;
}
