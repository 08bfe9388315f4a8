// One DPDK port: its queues, its memory, its counters.
#pragma once

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "config/config.h"
#include "dataplane/packet/answer.h"
#include "dataplane/seam/ledger.h"
#include "dataplane/oracle.h"

struct port {
	const struct config_port *config;
	const struct config *whole; /* which it stands in */
	uint32_t index;            /* row of the port ledger */
	uint16_t id;               /* DPDK's */
	int node;                  /* NUMA node, -1: none */
	uint32_t first_worker;
	const struct driver *driver;
	char driver_name[32];
	struct rte_mempool *pool;
	struct host host;
	struct oracle oracle;
	bool started;
	bool can_send;             /* there are transmit queues: answers are possible */
	bool settling;             /* frames that arrived before the first poll are not yet counted as down */
	uint64_t base_rx, base_missed, base_errors, base_no_mbuf, base_rx_bytes, base_tx; /* of earlier processes */
	uint64_t started_tsc;
	uint64_t missed_since_ns;  /* when all that was missed had last been told */
	uint64_t down_since_ns;    /* the last sign of life before this process, for the gap's times */
};

// Finds the port's device, checks its driver, makes its mempool on its node and configures queues (RSS over IP and UDP
// when there are several) without starting it. 0 or -errno, the reason logged with the configuration's line.
int port_open(struct port *port, const struct config *config, uint32_t index, uint32_t first_worker,
	      struct ledger_writer *ledger, bool renewed);

// Starts reception. The port's rows are taken up from the ledger: what an earlier process counted stays; rx begins at
// `polled`, what the port's workers had committed.
int port_start(struct port *port, const struct ledger_writer *ledger, uint64_t polled);

void port_close(struct port *port);

/* What became of the frames of one port, read at one moment. */
struct port_sample {
	uint64_t polled;   /* frames its workers have committed */
	uint64_t rx, missed, errors, no_mbuf, rx_bytes, tx;
	uint64_t wire, wire_raw; /* when the port has an oracle */
	bool valid;        /* the driver answered */
	bool exact;        /* taken while its queues were empty and nothing arrived */
	bool wire_valid;
	bool link_up;
	uint32_t link_mbps;
};

// Reads the driver's and the kernel's counters, cumulative across processes, into everything but `polled` and `exact`.
// 0, or -errno when the driver gives none.
int port_read(struct port *port, const struct ledger_writer *ledger, struct port_sample *out);

// Writes a sample into the port's rows (not committed). The wire row moves only with an exact sample.
void port_record(struct port *port, struct ledger_writer *ledger, const struct port_sample *sample);
