// The main thread's eye on a port: its counters, in instants when they belong together, and frames nobody polled.
#pragma once

#include "dataplane/port.h"
#include "dataplane/worker.h"

// Reads the port's counters into its rows of `ledger` and commits. `workers` are the port's, `count` of them.
// The sample is exact when within it every queue was seen empty, no worker polled a frame and the kernel counted none.
// While the port settles after its start, the first exact sample shows how many frames met no worker (after 2 s without
// one, a lower bound does): they become the port's `down`, and its first worker tells the streams.
void watch_port(struct port *port, struct worker **workers, uint32_t count, struct ledger_writer *ledger);

// The same once the workers have stopped: what they committed last, and what the driver counted until now.
void watch_port_stopped(struct port *port, struct worker **workers, uint32_t count, struct ledger_writer *ledger);
