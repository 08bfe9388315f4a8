// doctor: hugepages, locked memory, transparent hugepages, room for the region.
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control/cli/doctor.h"
#include "control/cli/units.h"

#define MIB (1ull << 20)

// Free and all hugepages of one size on one node, in bytes.
static void count_pages(const struct doctor *d, int node, unsigned kib, uint64_t *all, uint64_t *free_bytes)
{
	const char *base = "/sys/devices/system/node/node%d/hugepages/hugepages-%ukB/%s_hugepages";
	char path[160];

	snprintf(path, sizeof(path), base, node, kib, "nr");
	*all = (uint64_t)doctor_read_number(d, 0, "%s", path) * kib * 1024;
	snprintf(path, sizeof(path), base, node, kib, "free");
	*free_bytes = (uint64_t)doctor_read_number(d, 0, "%s", path) * kib * 1024;
}

static void check_node(struct doctor *d, int node)
{
	static const char why[] = "with small pages every burst costs TLB misses, and most NIC drivers refuse to start";
	uint64_t all[2], free_bytes[2], wanted = d->config ? (uint64_t)d->config->memory_mib * MIB : 0;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX];
	const char *fix;

	count_pages(d, node, 2048, &all[0], &free_bytes[0]);
	count_pages(d, node, 1048576, &all[1], &free_bytes[1]);
	fix = doctor_fix("echo %" PRIu64 " > /sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages",
			 (uint64_t)((wanted ? wanted : 1024 * MIB) / (2 * MIB)), node);
	if (!(all[0] + all[1]))
		doctor_add(d, d->config && !d->config->huge_pages ? VERDICT_OK : VERDICT_WARN, "hugepages", why,
			   d->config && !d->config->huge_pages ? NULL : fix, "node %d has none", node);
	else if (d->config && d->config->huge_pages && free_bytes[0] + free_bytes[1] < wanted)
		doctor_add(d, VERDICT_WARN, "hugepages", "the dataplane asks for dpdk.memory and does not start with less (unless it "
			   "runs already and holds them)", fix, "node %d: %s free of %s, the configuration wants %s", node,
			   units_bytes(a, (double)(free_bytes[0] + free_bytes[1])), units_bytes(b, (double)(all[0] + all[1])),
			   units_bytes(c, (double)wanted));
	else
		doctor_add(d, VERDICT_OK, "hugepages", why, NULL, "node %d: %s free of %s", node,
			   units_bytes(a, (double)(free_bytes[0] + free_bytes[1])), units_bytes(b, (double)(all[0] + all[1])));
}

static void check_hugepages(struct doctor *d)
{
	int nodes = 0;

	if (d->config && !d->config->huge_pages)
		doctor_add(d, VERDICT_WARN, "no_huge", "--no-huge is in use: more TLB misses (10 to 30 percent of a worker's packets), and "
			   "a PCI network card works only behind an IOMMU that maps every page",
			   doctor_fix("echo %" PRIu64 " > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages, then "
				      "dpdk: {huge_pages: true}", (uint64_t)d->config->memory_mib / 2 + 1), "the configuration runs without hugepages");
	for (int node = 0; node < 64; node++) {
		if (!doctor_exists(d, "/sys/devices/system/node/node%d/hugepages", node))
			continue;
		check_node(d, node);
		nodes++;
	}
	if (!nodes)
		doctor_add(d, VERDICT_WARN, "hugepages", "with small pages every burst costs TLB misses",
			   "use a kernel with CONFIG_HUGETLBFS, outside of containers that hide it", "this kernel offers none");
}

static void check_memlock(struct doctor *d)
{
	static const char why[] = "AF_XDP sockets, io_uring's fixed buffers and DPDK's memory are locked; a low limit refuses them";
	char text[UNITS_TEXT_MAX];
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		doctor_add(d, VERDICT_OK, "memlock", why, NULL, "unlimited");
	else if (geteuid() == 0)
		doctor_add(d, VERDICT_OK, "memlock", why, NULL, "%s, but root may lock more", units_bytes(text, (double)limit.rlim_cur));
	else
		doctor_add(d, VERDICT_WARN, "memlock", why, "LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited", "%s",
			   units_bytes(text, (double)limit.rlim_cur));
}

static void check_transparent(struct doctor *d)
{
	static const char why[] = "with \"always\" the kernel compacts memory under running workers and stalls them";
	char line[128];

	if (!doctor_read(d, line, sizeof(line), "/sys/kernel/mm/transparent_hugepage/enabled"))
		return;
	if (strstr(line, "[always]"))
		doctor_add(d, VERDICT_WARN, "transparent_hugepages", why,
			   "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled", "%s", line);
	else
		doctor_add(d, VERDICT_OK, "transparent_hugepages", why, NULL, "%s", line);
}

// The nearest ancestor of `path` that is there.
static void existing_parent(const char *path, char *out)
{
	snprintf(out, PATH_MAX, "%s", path);
	while (access(out, F_OK) && strlen(out) > 1) {
		char *slash = strrchr(out, '/');

		if (!slash) {
			snprintf(out, PATH_MAX, ".");
			return;
		}
		*(slash == out ? slash + 1 : slash) = '\0';
	}
}

static void check_region(struct doctor *d)
{
	static const char why[] = "the lanes lie there; a file system on disk would stall workers with its write-back, a full one "
				  "kills them";
	const char *directory = d->config ? d->config->region_directory : "/dev/shm";
	char existing[PATH_MAX], path[PATH_MAX], a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	uint64_t wanted = 0, available;
	struct statfs fs;
	bool made;

	existing_parent(directory, existing);
	if (statfs(existing, &fs))
		return;
	snprintf(path, sizeof(path), "%s/data", directory);
	made = d->config && !access(path, F_OK);
	if (d->config && !made)
		wanted = (uint64_t)d->config->region_shards * config_workers(d->config) * d->config->lane_bytes;
	available = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC)
		doctor_add(d, VERDICT_FAIL, "region", why, "region: {directory: /dev/shm/penstock} in the configuration",
			   "%s is neither on tmpfs nor on hugetlbfs", directory);
	else if (available < wanted)
		doctor_add(d, VERDICT_FAIL, "region", why,
			   doctor_fix("mount -o remount,size=%" PRIu64 "M %s (or fewer shards or smaller lanes)",
				      (uint64_t)((wanted + (uint64_t)(fs.f_blocks - fs.f_bavail) * (uint64_t)fs.f_bsize) / MIB + 64), existing),
			   "%s has %s free, lanes may take %s", directory, units_bytes(a, (double)available),
			   units_bytes(b, (double)wanted));
	else
		doctor_add(d, VERDICT_OK, "region", why, NULL, "%s: %s free%s%s%s", directory, units_bytes(a, (double)available),
			   wanted ? ", lanes may take " : "", wanted ? units_bytes(b, (double)wanted) : "",
			   made ? ", the region is there" : "");
}

void doctor_check_memory(struct doctor *d)
{
	check_hugepages(d);
	check_memlock(d);
	check_transparent(d);
	check_region(d);
}
