#include "dataplane/eal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "dataplane/log.h"

#define ARGUMENTS_MAX 128

struct arguments {
	char text[16384];
	char *argv[ARGUMENTS_MAX];
	size_t used;
	int argc;
	bool overflow;
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *a, const char *format, ...)
{
	va_list values;
	int n;

	va_start(values, format);
	n = vsnprintf(a->text + a->used, sizeof a->text - a->used, format, values);
	va_end(values);
	if (n < 0 || a->used + (size_t)n + 1 > sizeof a->text || a->argc + 1 >= ARGUMENTS_MAX) {
		a->overflow = true;
		return;
	}
	a->argv[a->argc++] = a->text + a->used;
	a->used += (size_t)n + 1;
}

static void add_lcores(struct arguments *a, const struct config *config)
{
	char list[4096];
	size_t used = (size_t)snprintf(list, sizeof list, "0@%u", config->main_core);
	uint32_t lcore = 1;

	for (uint32_t p = 0; p < config->ports_count; p++)
		for (uint32_t q = 0; q < config->ports[p].queues; q++)
			used += (size_t)snprintf(list + used, sizeof list - used, ",%u@%u", lcore++,
						 config->ports[p].cores[q]);
	add(a, "--lcores");
	add(a, "%s", list);
}

static bool is_virtual(const char *device)
{
	return strncmp(device, "net_", 4) == 0 || strncmp(device, "eth_", 4) == 0;
}

static void add_devices(struct arguments *a, const struct config *config)
{
	bool pci = false;

	for (uint32_t p = 0; p < config->ports_count; p++) {
		if (is_virtual(config->ports[p].device)) {
			add(a, "--vdev=%s", config->ports[p].device);
		} else {
			add(a, "--allow=%s", config->ports[p].device);
			pci = true;
		}
	}
	if (!pci)
		add(a, "--no-pci");
}

int eal_start(const struct config *config)
{
	static struct arguments a; /* EAL keeps pointers into it */

	a = (struct arguments){.argc = 0};
	add(&a, "penstock-dataplane");
	add_lcores(&a, config);
	add(&a, "--file-prefix=%s", config->file_prefix);
	add(&a, "--no-telemetry");
	if (config->huge_pages) {
		add(&a, "--in-memory"); /* nothing left on hugetlbfs when we are killed */
		add(&a, "--socket-mem=%u", config->memory_mib);
	} else {
		add(&a, "--no-huge");
		add(&a, "--no-shconf");
		add(&a, "-m");
		add(&a, "%u", config->memory_mib);
		LOG_INFO("no hugepages: packet memory is on 4 KiB pages; expect more TLB misses, and no PCI device "
			 "without an IOMMU\n");
	}
	add_devices(&a, config);
	for (uint32_t i = 0; i < config->eal_count; i++)
		add(&a, "%s", config->eal[i]);
	if (a.overflow) {
		LOG_ERROR("too many EAL arguments\n");
		return -E2BIG;
	}
	if (rte_eal_init(a.argc, a.argv) < 0) {
		int error = rte_errno ? rte_errno : EIO;

		LOG_ERROR("cannot start DPDK: %s; its own messages above say which argument or device it refused\n",
			  rte_strerror(error));
		return -error;
	}
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
