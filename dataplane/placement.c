#include "dataplane/placement.h"

#include <errno.h>
#include <string.h>

#include <numa.h>

#include "dataplane/log.h"

int placement_node(unsigned core)
{
	return numa_available() < 0 ? -1 : numa_node_of_cpu((int)core);
}

int placement_check(const struct config_port *port, unsigned core, int node, bool strict)
{
	int at = placement_node(core);

	if (numa_available() < 0)
		return 0;
	if (at < 0) {
		LOG_ERROR("port '%s' (line %u): core %u does not exist on this machine\n", port->name, port->line, core);
		return -EINVAL;
	}
	if (node < 0 || at == node)
		return 0;
	if (strict) {
		LOG_ERROR("port '%s' (line %u): core %u is on NUMA node %d, the device on node %d: every packet would cross "
			  "the interconnect; choose a core of node %d, or set dpdk.numa to warn\n", port->name,
			  port->line, core, at, node, node);
		return -EINVAL;
	}
	LOG_WARNING("port '%s': core %u is on NUMA node %d, the device on node %d\n", port->name, core, at, node);
	return 0;
}

void *placement_allocate(size_t bytes, unsigned core)
{
	int node = placement_node(core);
	void *memory = node < 0 ? numa_alloc(bytes) : numa_alloc_onnode(bytes, node);

	if (memory)
		memset(memory, 0, bytes);
	return memory;
}

void placement_free(void *memory, size_t bytes)
{
	if (memory)
		numa_free(memory, bytes);
}
