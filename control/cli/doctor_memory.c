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

#define MIB ((uint64_t)1 << 20)

#define POOL "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/"

struct place { /* where the region lies or is to lie */
	const char *directory;
	char existing[PATH_MAX]; /* the directory, or the nearest above it that is there */
	struct statfs fs;
	bool made;               /* the region is there, and has what it needs */
	uint64_t wanted;         /* bytes it is still to take, all its lanes in use */
	uint64_t available;
	uint64_t pool;           /* of that: free pages of hugetlbfs's size */
};

// False when its file system says nothing.
static bool find_place(const struct doctor *d, struct place *place)
{
	struct region_geometry geometry = {0};
	char path[PATH_MAX];
	uint64_t page;

	*place = (struct place){.directory = d->config ? d->config->region_directory : "/dev/shm"};
	config_existing_parent(place->directory, place->existing, sizeof(place->existing));
	if (d->filesystem(place->existing, &place->fs))
		return false;
	/* A file system of pages may have no limit of its own, and then counts nothing. */
	page = (uint64_t)place->fs.f_bsize;
	place->available = place->fs.f_blocks ? place->fs.f_bavail * page : UINT64_MAX;
	if (place->fs.f_type == HUGETLBFS_MAGIC) {
		place->pool = (uint64_t)doctor_read_number(d, 0, POOL "free_hugepages", page >> 10) * page;
		if (place->pool < place->available)
			place->available = place->pool;
	}
	snprintf(path, sizeof(path), "%s/data", place->directory);
	place->made = d->config && !access(path, F_OK);
	if (d->config && !place->made) {
		geometry = (struct region_geometry){config_workers(d->config), d->config->region_shards, d->config->lane_bytes};
		place->wanted = region_room_bytes(&geometry, geometry.shards, page);
	}
	return true;
}

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

/* What the region takes of huge pages and does not have yet. */
static uint64_t region_huge_bytes(const struct place *place)
{
	return place->fs.f_type == HUGETLBFS_MAGIC ? place->wanted : 0;
}

static void check_node(struct doctor *d, int node, uint64_t region_bytes)
{
	static const char why[] = "with small pages every burst costs TLB misses, and most NIC drivers refuse to start";
	bool for_packets = !d->config || d->config->huge_pages;
	uint64_t packets = !for_packets ? 0 : d->config ? (uint64_t)d->config->memory_mib * MIB : 1024 * MIB;
	uint64_t all[2], free_bytes[2], wanted = packets + region_bytes;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX], c[UNITS_TEXT_MAX];
	const char *fix;

	count_pages(d, node, 2048, &all[0], &free_bytes[0]);
	count_pages(d, node, 1048576, &all[1], &free_bytes[1]);
	fix = doctor_fix("echo %" PRIu64 " > /sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages",
			 (wanted + 2 * MIB - 1) / (2 * MIB), node);
	if (!(all[0] + all[1]))
		doctor_add(d, wanted ? VERDICT_WARN : VERDICT_OK, "hugepages", why, wanted ? fix : NULL, "node %d has none", node);
	else if (d->config && free_bytes[0] + free_bytes[1] < wanted)
		doctor_add(d, VERDICT_WARN, "hugepages", "the dataplane asks for dpdk.memory and for the region on hugetlbfs, and does "
			   "not start with less (unless it runs already and holds them)", fix, "node %d: %s free of %s, the "
			   "configuration wants %s", node, units_bytes(a, (double)(free_bytes[0] + free_bytes[1])),
			   units_bytes(b, (double)(all[0] + all[1])), units_bytes(c, (double)wanted));
	else
		doctor_add(d, VERDICT_OK, "hugepages", why, NULL, "node %d: %s free of %s", node,
			   units_bytes(a, (double)(free_bytes[0] + free_bytes[1])), units_bytes(b, (double)(all[0] + all[1])));
}

static void check_hugepages(struct doctor *d, uint64_t region_bytes)
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
		check_node(d, node, region_bytes);
		nodes++;
	}
	if (!nodes)
		doctor_add(d, VERDICT_WARN, "hugepages", "with small pages every burst costs TLB misses",
			   "use a kernel with CONFIG_HUGETLBFS, outside of containers that hide it", "this kernel offers none");
}

static void check_memlock(struct doctor *d)
{
	static const char why[] = "AF_XDP sockets and DPDK's memory are locked; a low limit refuses them";
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

static void check_region(struct doctor *d, const struct place *place)
{
	static const char why[] = "the lanes lie there; a file system on disk would stall workers with its write-back, a full one "
				  "kills them";
	uint64_t page = (uint64_t)place->fs.f_bsize, used = (uint64_t)(place->fs.f_blocks - place->fs.f_bavail) * page;
	char a[UNITS_TEXT_MAX], b[UNITS_TEXT_MAX];
	bool huge = place->fs.f_type == HUGETLBFS_MAGIC;
	const char *fix;

	if (place->fs.f_type != TMPFS_MAGIC && !huge) {
		doctor_add(d, VERDICT_FAIL, "region", why, "region: {directory: /dev/shm/penstock} in the configuration",
			   "%s is neither on tmpfs nor on hugetlbfs", place->directory);
	} else if (place->available < place->wanted) {
		if (huge && place->available == place->pool)
			fix = doctor_fix("echo %lld > " POOL "nr_hugepages (or fewer shards or smaller lanes)",
					 doctor_read_number(d, 0, POOL "nr_hugepages", page >> 10) +
						 (long long)((place->wanted - place->available + page - 1) / page), page >> 10);
		else
			fix = doctor_fix("mount -o remount,size=%" PRIu64 "M %s (or fewer shards or smaller lanes)",
					 (place->wanted + used) / MIB + 64, place->existing);
		doctor_add(d, VERDICT_FAIL, "region", why, fix, "%s has %s free, the region may take %s", place->directory,
			   units_bytes(a, (double)place->available), units_bytes(b, (double)place->wanted));
	} else {
		doctor_add(d, VERDICT_OK, "region", why, NULL, "%s: %s free%s%s%s", place->directory,
			   units_bytes(a, (double)place->available), place->wanted ? ", the region may take " : "",
			   place->wanted ? units_bytes(b, (double)place->wanted) : "", place->made ? ", the region is there" : "");
	}
}

void doctor_check_memory(struct doctor *d)
{
	struct place place;
	bool known = find_place(d, &place);

	check_hugepages(d, known ? region_huge_bytes(&place) : 0);
	check_memlock(d);
	check_transparent(d);
	if (known)
		check_region(d, &place);
}
