#include "control/cli/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "dataplane/seam/counters.h"

static void copy_text(char *out, size_t size, const json_t *object, const char *key)
{
	snprintf(out, size, "%s", client_text(object, key));
}

// An array of `count` zeroed elements; NULL only without memory.
static void *new_array(const json_t *list, size_t element, uint32_t *count)
{
	*count = (uint32_t)json_array_size(list);
	return calloc(*count + 1u, element);
}

static int parse_ports(const json_t *list, struct state *s)
{
	const json_t *json;
	size_t i;

	s->ports = new_array(list, sizeof(*s->ports), &s->ports_count);
	if (!s->ports)
		return -ENOMEM;
	json_array_foreach(list, i, json) {
		struct state_port *p = &s->ports[i];

		copy_text(p->name, sizeof(p->name), json, "name");
		copy_text(p->device, sizeof(p->device), json, "device");
		copy_text(p->driver, sizeof(p->driver), json, "driver");
		p->link_up = client_true(json, "link");
		p->accountable = client_true(json, "accountable");
		p->link_mbps = client_number(json, "link_mbps");
		p->rx = client_number(json, "rx");
		p->rx_bytes = client_number(json, "rx_bytes");
		p->missed = client_number(json, "missed");
		p->errors = client_number(json, "errors");
		p->no_mbuf = client_number(json, "no_mbuf");
		p->down = client_number(json, "down");
	}
	return 0;
}

static void add_fate(struct state *s, const char *name, uint64_t count)
{
	uint32_t i = 0;

	while (i < s->fates_count && strcmp(s->fates[i].name, name))
		i++;
	if (i == STATE_FATES_MAX)
		return;
	if (i == s->fates_count)
		s->fates[s->fates_count++].name = name;
	s->fates[i].count += count;
}

// Frames that brought records or deserved an answer, and records in a lane, are where they should be.
static bool ended_well(const char *fate)
{
	return !strcmp(fate, counter_label(FRAME_ACCEPTED)) || !strcmp(fate, counter_label(FRAME_ANSWERED)) ||
	       !strcmp(fate, counter_label(RECORD_APPENDED));
}

static int parse_workers(json_t *list, struct state *s)
{
	json_t *json, *value;
	const char *key;
	size_t i;

	s->workers = new_array(list, sizeof(*s->workers), &s->workers_count);
	if (!s->workers)
		return -ENOMEM;
	json_array_foreach(list, i, json) {
		struct state_worker *w = &s->workers[i];

		w->worker = client_number(json, "worker");
		w->queue = client_number(json, "queue");
		copy_text(w->port, sizeof(w->port), json, "port");
		w->polled = client_number(json, "polled");
		w->parsed = client_number(json, "parsed");
		w->appended = client_number(json, "appended");
		w->lane_full = client_number(json, "lane_full");
		json_object_foreach(json_object_get(json, "frames"), key, value) {
			if (!ended_well(key))
				add_fate(s, key, (uint64_t)json_integer_value(value));
		}
		for (unsigned c = COUNTER_RECORD_BASE; c < COUNTER_RECORD_END; c++) {
			if (!ended_well(counter_label(c)))
				add_fate(s, counter_label(c), client_number(json, counter_label(c)));
		}
	}
	return 0;
}

static int parse_streams(const json_t *list, const json_t *inputs, struct state *s)
{
	const json_t *json, *input;
	size_t i, j;

	s->streams = new_array(list, sizeof(*s->streams), &s->streams_count);
	if (!s->streams)
		return -ENOMEM;
	json_array_foreach(list, i, json) {
		struct state_stream *t = &s->streams[i];

		copy_text(t->name, sizeof(t->name), json, "name");
		t->shards = client_number(json, "shards");
		t->retention_seconds = client_number(json, "retention_seconds");
		t->retention_bytes = client_number(json, "retention_bytes");
		t->stored_records = client_number(json, "stored_records");
		t->retained_records = client_number(json, "retained_records");
		t->retained_bytes = client_number(json, "retained_bytes");
		t->expired_records = client_number(json, "expired_records");
		t->expired_early_records = client_number(json, "expired_early_records");
		t->lost_records = client_number(json, "lost_records");
		t->gaps = client_number(json, "gaps");
		t->gap_records = client_number(json, "gap_records");
		t->oldest_ns = client_number(json, "oldest_ns");
		t->newest_ns = client_number(json, "newest_ns");
		t->segments = client_number(json, "segments");
		t->writable = client_true(json, "writable");
		json_array_foreach(inputs, j, input) {
			if (!strcmp(client_text(input, "stream"), t->name))
				t->input_bytes += client_number(input, "bytes");
		}
	}
	return 0;
}

static int parse_deliveries(const json_t *list, struct state *s)
{
	const json_t *json;
	size_t i;

	s->deliveries = new_array(list, sizeof(*s->deliveries), &s->deliveries_count);
	if (!s->deliveries)
		return -ENOMEM;
	json_array_foreach(list, i, json) {
		struct state_delivery *d = &s->deliveries[i];

		copy_text(d->name, sizeof(d->name), json, "name");
		copy_text(d->stream, sizeof(d->stream), json, "stream");
		copy_text(d->kind, sizeof(d->kind), json, "kind");
		copy_text(d->destination, sizeof(d->destination), json, "destination");
		copy_text(d->error, sizeof(d->error), json, "last_error");
		d->running = client_true(json, "running");
		d->delivered_records = client_number(json, "delivered");
		d->delivered_bytes = client_number(json, "bytes");
		d->delivered_objects = client_number(json, "objects");
		d->pending_records = client_number(json, "pending");
		d->failed_records = client_number(json, "failed");
		d->expired_records = client_number(json, "expired");
		d->retrying_since_ns = client_number(json, "retrying_since_ns");
	}
	return 0;
}

static void parse_planes(const json_t *json, struct state *s)
{
	const json_t *dataplane = json_object_get(json, "dataplane"), *store = json_object_get(json, "store");
	uint64_t started = client_number(dataplane, "started_ns");

	s->dataplane = client_text(dataplane, "state");
	s->dataplane_alive = client_true(dataplane, "alive");
	s->dataplane_uptime_ns = started && s->now_ns > started ? s->now_ns - started : 0;
	s->penstockd_uptime_ns = client_number(json, "uptime_seconds") * 1000000000u;
	s->drained_bytes = client_number(store, "drained_bytes");
	s->written_bytes = client_number(store, "written_bytes");
	s->commits = client_number(store, "commits");
	s->write_errors = client_number(store, "write_errors");
	s->inflight_ms = client_number(store, "inflight_ms");
	s->direct_io = client_true(store, "direct_io");
	s->stalled = client_true(store, "stalled");
}

int state_parse(json_t *answer, struct state *out)
{
	struct timespec now;
	int error;

	memset(out, 0, sizeof(*out));
	out->json = answer;
	if (!json_is_object(json_object_get(answer, "dataplane")) || !json_is_array(json_object_get(answer, "streams")))
		return -EPROTO;
	clock_gettime(CLOCK_REALTIME, &now);
	out->now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	out->healthy = client_true(answer, "healthy");
	out->problems = json_object_get(answer, "problems");
	out->unaccounted = client_number(answer, "unaccounted");
	out->balanced = !out->unaccounted;
	parse_planes(answer, out);
	error = parse_ports(json_object_get(answer, "ports"), out);
	if (!error)
		error = parse_workers(json_object_get(answer, "workers"), out);
	if (!error)
		error = parse_streams(json_object_get(answer, "streams"), json_object_get(answer, "inputs"), out);
	return error ? error : parse_deliveries(json_object_get(answer, "deliveries"), out);
}

void state_free(struct state *s)
{
	free(s->ports);
	free(s->workers);
	free(s->streams);
	free(s->deliveries);
	json_decref(s->json);
	memset(s, 0, sizeof(*s));
}
