// The dataplane's log: main thread only, to stderr through DPDK's logger. Workers count, they never log.
#pragma once

#include <string.h>

#include <rte_log.h>

#define LOG_ERROR(...) rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "penstock-dataplane: " __VA_ARGS__)
#define LOG_WARNING(...) rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "penstock-dataplane: warning: " __VA_ARGS__)
#define LOG_INFO(...) rte_log(RTE_LOG_INFO, RTE_LOGTYPE_USER1, "penstock-dataplane: " __VA_ARGS__)

// What is logged from here on: "error", "warning", "info" or "debug". DPDK's own messages follow it, too.
static inline void log_set_level(const char *level)
{
	rte_log_set_global_level(strcmp(level, "error") == 0   ? RTE_LOG_ERR :
				 strcmp(level, "warning") == 0 ? RTE_LOG_WARNING :
				 strcmp(level, "debug") == 0   ? RTE_LOG_DEBUG : RTE_LOG_INFO);
}
