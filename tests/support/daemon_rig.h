// penstockd's parts without its main(), and a dataplane made of a few functions to feed them. For tests.
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/daemon.h"
#include "control/server/protocol.h"
#include "control/server/server.h"
#include "dataplane/seam/lane.h"

#define RIG_WORKERS 2u
#define RIG_SLOTS 4u
#define RIG_LANE_BYTES (256u << 10)

struct daemon_rig {
	char directory[64], region_directory[64];
	struct config *config;
	struct daemon daemon;
	struct server *server;
	pthread_t ticker;
	_Atomic bool stop, frozen; /* frozen: the dataplane gives no sign of life and acknowledges no map */

	pthread_mutex_t lock; /* of the dataplane's coming and going, against the ticker */
	bool dataplane;
	struct region_writer region;
	struct ledger_writer ledgers[RIG_WORKERS], ports;
	uint64_t *words[RIG_WORKERS + 1];
	struct lane_writer lanes[RIG_SLOTS][RIG_WORKERS];
	const struct control *control;

	uint64_t (*_Atomic reload)(struct daemon_rig *rig); /* the configuration's hash after a reload; NULL: as it was */
	_Atomic uint64_t reload_outcome;            /* enum reload_outcome */
	_Atomic uint32_t reloads;                   /* asked for so far */
};

void daemon_rig_open(struct daemon_rig *rig);
void daemon_rig_close(struct daemon_rig *rig);

// penstockd alone. `drain`: in good order, else as if it were killed (but for memory).
void daemon_rig_start_daemon(struct daemon_rig *rig);
void daemon_rig_stop_daemon(struct daemon_rig *rig, bool drain);

// The dataplane: takes the region up, or makes it, and is alive from then on.
void daemon_rig_start_dataplane(struct daemon_rig *rig);
void daemon_rig_stop_dataplane(struct daemon_rig *rig);

// Waits until penstockd has attached and its map holds `streams` streams.
void daemon_rig_wait_map(struct daemon_rig *rig, uint32_t streams);

// One frame with one record of this text, into lane (slot, worker). False when the lane was full: counted as such.
bool daemon_rig_append(struct daemon_rig *rig, uint32_t slot, uint32_t worker, const char *text);

// The request (a json_pack() format) over a connection of its own, or over `fd`. The answer; *data may be NULL.
json_t *daemon_rig_ask(struct daemon_rig *rig, int fd, struct message *out, const char *format, ...);

// Waits until the ledger says that nothing waits in lanes; the answer to "ledger" then.
json_t *daemon_rig_settled_ledger(struct daemon_rig *rig);

// The sum of rows labelled `label` in the section titled `title`. -1 when there is none.
json_int_t daemon_rig_row(const json_t *ledger, const char *title, const char *label);
