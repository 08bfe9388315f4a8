#include "dataplane/placement.h"

#include <errno.h>
#include <string.h>

#include <numa.h>

#include "dataplane/log.h"

int placement_node(unsigned core)
{
	int node;

	if (numa_available() < 0)
		return PLACEMENT_ANYWHERE;
	node = numa_node_of_cpu((int)core);
	return node < 0 ? PLACEMENT_NOWHERE : node;
}

int placement_check(const struct config_port *port, unsigned core, int core_node, int node, bool strict)
{
	if (core_node == PLACEMENT_NOWHERE) {
		LOG_ERROR("port '%s' (line %u): core %u does not exist on this machine\n", port->name, port->line, core);
		return -EINVAL;
	}
	if (core_node < 0 || node < 0 || core_node == node)
		return 0;
	if (strict) {
		LOG_ERROR("port '%s' (line %u): core %u is on NUMA node %d, the device on node %d: every packet would cross "
			  "the interconnect; choose a core of node %d, or set dpdk.numa to warn\n", port->name,
			  port->line, core, core_node, node, node);
		return -EINVAL;
	}
	LOG_WARNING("port '%s': core %u is on NUMA node %d, the device on node %d\n", port->name, core, core_node, node);
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
