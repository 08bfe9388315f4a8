// penstockd's answer to "status" as numbers, for the views that compare two of them.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define STATE_NAME_MAX 136
#define STATE_FATES_MAX 48

struct state_fate { /* one way a frame or record was not kept */
	const char *name; /* the answer's own */
	uint64_t count;
};

struct state_port {
	char name[STATE_NAME_MAX], device[STATE_NAME_MAX], driver[40];
	bool link_up, accountable;
	uint64_t link_mbps;
	uint64_t rx, rx_bytes;                      /* frames the driver handed over */
	uint64_t missed, errors, no_mbuf, down;     /* frames it did not */
};

struct state_stream { /* counts over all its shards */
	char name[STATE_NAME_MAX];
	uint64_t shards, retention_seconds, retention_bytes;
	uint64_t input_bytes; /* payload that inputs brought for it */
	uint64_t stored_records, retained_records, retained_bytes, expired_records, expired_early_records, lost_records;
	uint64_t gaps, gap_records, oldest_ns, newest_ns, segments;
	bool writable;
};

struct state_delivery {
	char name[STATE_NAME_MAX], stream[STATE_NAME_MAX], kind[16], destination[200], error[200];
	bool running;
	uint64_t delivered_records, delivered_bytes, delivered_objects, pending_records, failed_records, expired_records;
	uint64_t retrying_since_ns;                 /* 0: it does not */
};

struct state_worker {
	char port[STATE_NAME_MAX];
	uint64_t worker, queue, polled, parsed, appended, lane_full;
};

struct state {
	json_t *json;            /* the answer itself; some strings here point into it */
	uint64_t now_ns;         /* when it came, CLOCK_REALTIME */
	bool healthy, balanced;
	uint64_t unaccounted;
	const json_t *problems;  /* an array of strings */
	bool dataplane_alive;
	const char *dataplane;   /* its state's name */
	uint64_t dataplane_uptime_ns, penstockd_uptime_ns;
	uint64_t drained_bytes, written_bytes, commits, write_errors, inflight_ms;
	bool direct_io, stalled;
	uint32_t ports_count, workers_count, streams_count, deliveries_count, fates_count;
	struct state_port *ports;
	struct state_worker *workers;
	struct state_stream *streams;
	struct state_delivery *deliveries;
	struct state_fate fates[STATE_FATES_MAX]; /* of frames and records that ended in no stream, workers summed */
};

// Takes over the reference to `answer`. 0; -EPROTO it is no status; -ENOMEM. Freed with state_free() in any case.
int state_parse(json_t *answer, struct state *out);
void state_free(struct state *s);
