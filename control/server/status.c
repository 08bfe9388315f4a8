// "status": the whole state as one JSON object. Numbers are cumulative; rates are the client's business.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/server/operations.h"


static void add_problem(json_t *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_problem(json_t *problems, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	json_array_append_new(problems, json_string(text));
}

static void set_number(json_t *json, const char *key, uint64_t value)
{
	json_object_set_new(json, key, json_integer((json_int_t)value));
}

static json_t *dataplane_to_json(const struct region_sample *s, json_t *problems)
{
	uint64_t now = clock_realtime_ns();
	char generation[24];

	snprintf(generation, sizeof generation, "%016" PRIx64, s->generation);
	if (!s->attached)
		add_problem(problems, "dataplane: %s", s->problem);
	else if (!s->alive)
		add_problem(problems, "dataplane: %s: nothing is taken from the wire",
			    s->state >= REGION_STOPPED ? "stopped" : "no sign of life");
	return json_pack("{s:s, s:i, s:b, s:I, s:s, s:I, s:I, s:I}", "state", plane_state_name(s), "pid", (int)s->pid, "alive",
			 s->alive, "heartbeat_age_ms",
			 (json_int_t)(s->attached && now > s->heartbeat_ns ? (now - s->heartbeat_ns) / 1000000 : 0),
			 "generation", generation, "map_version", (json_int_t)s->map_version, "published_map_version",
			 (json_int_t)s->published_version, "started_ns", (json_int_t)s->started_ns);
}

static json_t *configuration_to_json(struct daemon *daemon, const struct region_sample *s, json_t *problems)
{
	char hash[24], dataplane[24];
	bool busy;
	uint64_t ours = reload_hash(daemon->reload, &busy);

	snprintf(hash, sizeof hash, "%016" PRIx64, ours);
	snprintf(dataplane, sizeof dataplane, "%016" PRIx64, s->config_hash);
	if (s->attached && s->alive && s->config_hash && s->config_hash != ours && !busy)
		add_problem(problems, "configuration: penstockd works by one, the dataplane by another (%s, %s): penstock reload "
			    "brings both to what the files say now", hash, dataplane);
	return json_pack("{s:s, s:s, s:s?}", "file", daemon->config->path, "hash", hash, "dataplane_hash",
			 s->config_hash ? dataplane : NULL);
}

static json_t *store_to_json(struct store *store, json_t *problems)
{
	struct store_status s;

	store_get_status(store, &s);
	if (s.stalled)
		add_problem(problems, "store: the disk does not take what it is given (oldest write %" PRIu64 " ms)",
			    s.inflight_ms);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "drained_bytes", (json_int_t)s.drained_bytes,
			 "written_bytes", (json_int_t)s.written_bytes, "commits", (json_int_t)s.commits, "write_errors",
			 (json_int_t)s.write_errors, "head_invalid", (json_int_t)s.head_invalid, "inflight_ms",
			 (json_int_t)s.inflight_ms, "direct_io", s.direct_io, "stalled", s.stalled);
}

static json_t *ports_to_json(const struct region_sample *s)
{
	static const struct {
		const char *key;
		enum port_row row;
	} rows[] = {{"rx", PORT_RX}, {"missed", PORT_MISSED}, {"errors", PORT_ERRORS}, {"no_mbuf", PORT_NO_MBUF},
		    {"down", PORT_DOWN}, {"rx_bytes", PORT_RX_BYTES}, {"tx", PORT_TX}, {"link_mbps", PORT_LINK_MBPS}};
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->ports_count; i++) {
		const struct region_port *port = &s->ports[i];
		json_t *json = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", port->name, "device", port->device, "driver",
					 port->driver, "accountable", (int)port->accountable, "link",
					 s->port_words[port_word(i, PORT_LINK_UP)] != 0, "settling",
					 s->port_words[port_word(i, PORT_SETTLING)] != 0);

		if (port->wire_counter)
			set_number(json, "wire", s->port_words[port_word(i, PORT_WIRE)]);
		else
			json_object_set_new(json, "wire", json_null());
		for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
			set_number(json, rows[r].key, s->port_words[port_word(i, rows[r].row)]);
		json_array_append_new(list, json);
	}
	return list;
}

static const struct region_port *port_of(const struct region_sample *s, uint32_t worker)
{
	for (uint32_t i = 0; i < s->ports_count; i++)
		if (worker >= s->ports[i].first_worker && worker - s->ports[i].first_worker < s->ports[i].queues)
			return &s->ports[i];
	return NULL;
}

static json_t *workers_to_json(const struct region_sample *s)
{
	json_t *list = json_array();

	for (uint32_t w = 0; w < s->geometry.workers; w++) {
		const struct region_port *port = port_of(s, w);
		const uint64_t *words = sample_worker(s, w);
		json_t *json = json_object(), *fates = json_object();

		set_number(json, "worker", w);
		if (port) {
			json_object_set_new(json, "port", json_string(port->name));
			set_number(json, "queue", w - port->first_worker);
		}
		/* Frames' fates apart: "appended" and its like are of records. */
		for (unsigned c = COUNTER_RECORD_BASE; c < COUNTERS_MAX; c++)
			if (counter_label(c))
				set_number(json, counter_label(c), words[c]);
		for (unsigned c = COUNTER_FRAME_BASE; c < COUNTER_FRAME_END; c++)
			set_number(fates, counter_label(c), words[c]);
		json_object_set_new(json, "frames", fates);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *inputs_to_json(const struct region_sample *s)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < s->inputs_count; i++) {
		uint64_t sum[INPUT_ROWS_END] = {0};

		if (!s->inputs[i].name[0])
			continue; /* on its way from one input to another */
		for (uint32_t w = 0; w < s->geometry.workers; w++)
			for (int row = 0; row < INPUT_ROWS_END; row++)
				sum[row] += sample_worker(s, w)[input_word(i, (enum input_row)row)];
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "name", s->inputs[i].name, "stream",
						      s->inputs[i].stream, "removed", s->inputs[i].removed == 1, "frames", (json_int_t)sum[INPUT_FRAMES], "records",
						      (json_int_t)sum[INPUT_RECORDS], "bytes", (json_int_t)sum[INPUT_BYTES],
						      "refused", (json_int_t)sum[INPUT_REFUSED]));
	}
	return list;
}

/* What records may name by number: inputs, also of earlier configurations, and tags. */
static json_t *names_to_json(const struct daemon *daemon)
{
	const struct input_names *names = deliveries_input_names(daemon->deliveries);
	uint32_t count = atomic_load_explicit(&names->count, memory_order_acquire);
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(names->entries[i].name));
	return list;
}

static void add_unavailable(struct daemon *daemon, json_t *problems)
{
	struct stream_trouble *troubles;
	uint32_t count;

	if (streams_list_unavailable(daemon->streams, &troubles, &count) != 0)
		return;
	for (uint32_t i = 0; i < count; i++)
		add_problem(problems, "stream %s: cannot be opened: %s; tried again every now and then, the log says more",
			    troubles[i].name, strerror(-troubles[i].error));
	free(troubles);
}

static json_t *streams_to_json(struct daemon *daemon, json_t *problems)
{
	json_t *list = json_array();
	struct stream **streams;
	uint32_t count;

	if (streams_hold_all(daemon->streams, &streams, &count) != 0)
		return list;
	for (uint32_t i = 0; i < count; i++) {
		json_t *json = stream_to_json(streams[i]);

		if (!json_is_true(json_object_get(json, "writable")))
			add_problem(problems, "stream %s: the disk refuses its records: free space under store.directory or "
				    "see the log", streams[i]->info.name);
		json_array_append_new(list, json);
		streams_release(daemon->streams, streams[i]);
	}
	free(streams);
	add_unavailable(daemon, problems);
	return list;
}

json_t *delivery_to_json(const struct delivery_row *row, json_t *problems)
{
	const char *destination = row->config->destination == DESTINATION_S3 ? row->config->s3.bucket : row->config->directory;
	struct delivery_status sum = {0};
	const char *last = "";
	json_t *json;

	for (uint32_t i = 0; i < row->shards_count; i++) {
		const struct delivery_status *s = &row->shards[i];

		sum.taken_records += s->taken_records;
		sum.delivered_records += s->delivered_records;
		sum.delivered_bytes += s->delivered_bytes;
		sum.delivered_objects += s->delivered_objects;
		sum.pending_records += s->pending_records;
		sum.failed_records += s->failed_records;
		sum.expired_records += s->expired_records;
		sum.attempts += s->attempts;
		if (s->error[0])
			last = s->error;
		if (s->retrying_since_ns && (!sum.retrying_since_ns || s->retrying_since_ns < sum.retrying_since_ns))
			sum.retrying_since_ns = s->retrying_since_ns;
	}
	if (row->failed)
		add_problem(problems, "delivery %s: could not be started: %s; the log says more", row->config->name,
			    strerror(-row->failed));
	else if (row->stream_absent)
		add_problem(problems, "delivery %s: its stream %s does not exist", row->config->name, row->config->stream);
	else if (sum.retrying_since_ns)
		add_problem(problems, "delivery %s: %s", row->config->name, last);
	json = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", row->config->name, "stream", row->config->stream, "kind",
			 row->config->destination == DESTINATION_S3 ? "s3" : "directory", "destination", destination, "running",
			 row->running);
	set_number(json, "taken", sum.taken_records);
	set_number(json, "delivered", sum.delivered_records);
	set_number(json, "pending", sum.pending_records);
	set_number(json, "failed", sum.failed_records);
	set_number(json, "expired", sum.expired_records);
	set_number(json, "objects", sum.delivered_objects);
	set_number(json, "bytes", sum.delivered_bytes);
	set_number(json, "attempts", sum.attempts);
	set_number(json, "retrying_since_ns", sum.retrying_since_ns);
	json_object_set_new(json, "last_error", json_string(last) ?: json_string("(not text)"));
	return json;
}

static json_t *deliveries_to_json(struct daemon *daemon, json_t *problems)
{
	json_t *list = json_array();
	struct delivery_row *rows;
	uint32_t count;

	if (deliveries_list(daemon->deliveries, &rows, &count) != 0)
		return list;
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, delivery_to_json(&rows[i], problems));
	deliveries_free_rows(rows, count);
	return list;
}

void operate_status(struct session *session, const json_t *request, struct answer *answer)
{
	struct daemon *daemon = session->daemon;
	struct region_sample *sample;
	json_t *json, *problems;
	struct monitor_verdict verdict;
	int error = plane_sample(daemon->plane, &sample);

	(void)request;
	if (error) {
		answer_errno(answer, error, "look at the dataplane");
		return;
	}
	problems = json_array();
	json = json_pack("{s:s, s:i, s:I}", "version", PENSTOCK_VERSION, "pid", (int)getpid(), "uptime_seconds",
			 (json_int_t)((clock_monotonic_ms() - daemon->started_ms) / 1000));
	monitor_last(daemon->monitor, &verdict);
	if (verdict.problem[0])
		add_problem(problems, "ledger: %s", verdict.problem);
	json_object_set_new(json, "dataplane", dataplane_to_json(sample, problems));
	json_object_set_new(json, "configuration", configuration_to_json(daemon, sample, problems));
	json_object_set_new(json, "store", store_to_json(daemon->store, problems));
	json_object_set_new(json, "ports", ports_to_json(sample));
	json_object_set_new(json, "workers", workers_to_json(sample));
	json_object_set_new(json, "inputs", inputs_to_json(sample));
	json_object_set_new(json, "names", names_to_json(daemon));
	json_object_set_new(json, "streams", streams_to_json(daemon, problems));
	json_object_set_new(json, "deliveries", deliveries_to_json(daemon, problems));
	set_number(json, "unaccounted", verdict.unaccounted);
	json_object_set_new(json, "healthy", json_boolean(json_array_size(problems) == 0));
	json_object_set_new(json, "problems", problems);
	plane_free_sample(sample);
	answer->json = json;
}
