// The dataplane's log: main thread only, to stderr through DPDK's logger. Workers count, they never log.
#pragma once

#include <rte_log.h>

#define LOG_ERROR(...) rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "penstock-dataplane: " __VA_ARGS__)
#define LOG_WARNING(...) rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "penstock-dataplane: warning: " __VA_ARGS__)
#define LOG_INFO(...) rte_log(RTE_LOG_INFO, RTE_LOGTYPE_USER1, "penstock-dataplane: " __VA_ARGS__)
