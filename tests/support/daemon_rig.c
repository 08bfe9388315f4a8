#include "tests/support/daemon_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/clock.h"

#define PATIENCE_MS 20000u

static void add_stream(void *with, const struct stream *stream)
{
	deliveries_add_stream(((struct daemon *)with)->deliveries, stream);
}

static void remove_stream(void *with, const struct stream *stream)
{
	deliveries_remove_stream(((struct daemon *)with)->deliveries, stream);
}

/* As the dataplane does, but that the test says what it makes of its configuration. */
static void answer_reload(struct daemon_rig *rig)
{
	struct region *region = rig->region.region;
	uint64_t asked = rig->control ? atomic_load(&rig->control->reload_request) : 0;
	uint64_t (*reload)(struct daemon_rig *rig);

	if (!rig->control || asked == atomic_load(&region->reload_answer) >> 8)
		return;
	atomic_fetch_add(&rig->reloads, 1);
	reload = rig->reload;
	if (reload)
		atomic_store(&region->config_hash, reload(rig));
	atomic_store(&region->reload_answer, asked << 8 | atomic_load(&rig->reload_outcome));
}

static void *tick(void *arg)
{
	struct daemon_rig *rig = arg;
	uint64_t next = 0;

	while (!atomic_load(&rig->stop)) {
		plane_tick(rig->daemon.plane);
		if (clock_monotonic_ms() > next) {
			monitor_tick(rig->daemon.monitor);
			next = clock_monotonic_ms() + 250;
		}
		pthread_mutex_lock(&rig->lock);
		if (rig->dataplane && !atomic_load(&rig->frozen)) {
			uint64_t version = rig->control ? atomic_load(&rig->control->map_version) : 0;

			atomic_store(&rig->region.region->heartbeat_ns, clock_realtime_ns());
			atomic_store(&rig->region.region->map_version, version);
			answer_reload(rig);
		}
		pthread_mutex_unlock(&rig->lock);
		usleep(2000);
	}
	return NULL;
}

void daemon_rig_start_daemon(struct daemon_rig *rig)
{
	struct daemon *d = &rig->daemon;
	struct store_options store = {rig->config->store_directory, 1 << 20, 128 << 10, 0, 2, false};
	struct streams_listener listener = {d, add_stream, remove_stream};

	*d = (struct daemon){.config = rig->config, .started_ms = clock_monotonic_ms()};
	assert_int_equal(metadata_open(store.directory, &d->metadata), 0);
	assert_int_equal(store_open(&store, &d->store), 0);
	assert_int_equal(learner_open(rig->config, d->metadata, &d->learner), 0);
	assert_int_equal(deliveries_open(rig->config, d->metadata, d->learner, &d->deliveries), 0);
	assert_int_equal(streams_open(d->metadata, d->store, RIG_SLOTS, &listener, &d->streams), 0);
	assert_int_equal(learner_begin(d->learner, d->streams), 0);
	struct plane_options plane = {rig->region_directory, d->metadata, d->store, d->streams};
	assert_int_equal(plane_open(&plane, &d->plane), 0);
	struct monitor_parts parts = {d->metadata, d->store, d->streams, d->plane, d->deliveries};
	assert_int_equal(monitor_open(&parts, &d->monitor), 0);
	assert_int_equal(reload_open(d, &d->reload), 0);
	struct replay_parts replay = {d->metadata, d->store, d->streams, d->reload, store.batch_bytes};
	assert_int_equal(replay_open(&replay, &d->replay), 0);
	assert_int_equal(server_open(rig->config->socket, d, &rig->server), 0);
	atomic_store(&rig->stop, false);
	assert_int_equal(pthread_create(&rig->ticker, NULL, tick, rig), 0);
}

void daemon_rig_stop_daemon(struct daemon_rig *rig, bool drain)
{
	struct daemon *d = &rig->daemon;

	reload_end(d->reload);
	server_close(rig->server);
	streams_end_retries(d->streams);
	atomic_store(&rig->stop, true);
	pthread_join(rig->ticker, NULL);
	if (drain) {
		assert_int_equal(plane_detach(d->plane, PATIENCE_MS), 0);
		deliveries_stop(d->deliveries, PATIENCE_MS);
	}
	replay_close(d->replay);
	reload_close(d->reload);
	monitor_close(d->monitor);
	plane_close(d->plane);
	deliveries_close(d->deliveries);
	learner_close(d->learner);
	store_close(d->store);
	streams_close(d->streams);
	metadata_close(d->metadata);
	d->metadata = NULL;
}

void daemon_rig_open(struct daemon_rig *rig)
{
	memset(rig, 0, sizeof *rig);
	pthread_mutex_init(&rig->lock, NULL);
	strcpy(rig->directory, "/tmp/penstock-daemon-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	strcpy(rig->region_directory, "/dev/shm/penstock-daemon-XXXXXX");
	assert_non_null(mkdtemp(rig->region_directory));
	rig->config = calloc(1, sizeof *rig->config);
	snprintf(rig->config->store_directory, CONFIG_PATH_MAX, "%s/store", rig->directory);
	snprintf(rig->config->socket, CONFIG_PATH_MAX, "%s/sock", rig->directory);
	rig->config->deliveries_count = 1;
	strcpy(rig->config->deliveries[0].name, "lake");
	strcpy(rig->config->deliveries[0].stream, "orders");
	snprintf(rig->config->deliveries[0].directory, CONFIG_PATH_MAX, "%s/lake", rig->directory);
	snprintf(rig->config->deliveries[0].dead_letter, CONFIG_PATH_MAX, "%s/dead", rig->directory);
	rig->config->deliveries[0].buffer_bytes = 1 << 20;
	rig->config->deliveries[0].buffer_seconds = 1;
	rig->config->deliveries[0].retry_seconds = 60;
	strcpy(rig->config->deliveries[0].delimiter, "\n");
	daemon_rig_start_daemon(rig);
}

void daemon_rig_close(struct daemon_rig *rig)
{
	char command[200];

	daemon_rig_stop_daemon(rig, false);
	if (rig->dataplane)
		daemon_rig_stop_dataplane(rig);
	snprintf(command, sizeof command, "rm -rf %s %s", rig->directory, rig->region_directory);
	assert_int_equal(system(command), 0);
	config_free(rig->config);
	pthread_mutex_destroy(&rig->lock);
}

static void bind_lanes(struct daemon_rig *rig)
{
	for (uint32_t s = 0; s < RIG_SLOTS; s++)
		for (uint32_t w = 0; w < RIG_WORKERS; w++)
			lane_writer_init(&rig->lanes[s][w], rig->region.lanes[s * RIG_WORKERS + w], RIG_LANE_BYTES, s,
					 &rig->ledgers[w], rig->control ? &rig->control->head[s][w] : NULL);
}

void daemon_rig_start_dataplane(struct daemon_rig *rig)
{
	struct region_geometry geometry = {RIG_WORKERS, RIG_SLOTS, RIG_LANE_BYTES};
	uint32_t lines = worker_lines(RIG_SLOTS);
	struct region *region;

	assert_int_equal(region_create(rig->region_directory, &geometry, &rig->region), 0);
	region = rig->region.region;
	for (uint32_t i = 0; i <= RIG_WORKERS; i++) {
		struct ledger_writer *w = i < RIG_WORKERS ? &rig->ledgers[i] : &rig->ports;
		uint32_t count = i < RIG_WORKERS ? lines : PORT_LINES;
		uint8_t *shared = (uint8_t *)region + (i < RIG_WORKERS ? region->ledgers_offset + i * region->ledger_stride :
						       region->port_ledger_offset);

		rig->words[i] = aligned_alloc(64, count * 64u);
		memset(w, 0, sizeof *w);
		ledger_writer_init(w, (struct ledger *)shared, rig->words[i], count);
	}
	region->inputs_count = 1;
	strcpy(region->inputs[0].name, "in");
	strcpy(region->inputs[0].stream, "orders");
	region->ports_count = 1;
	strcpy(region->ports[0].name, "east");
	strcpy(region->ports[0].driver, "net_test");
	region->ports[0].queues = RIG_WORKERS;
	region->ports[0].accountable = 1;
	atomic_store(&region->pid, (uint32_t)getpid());
	atomic_store(&region->started_ns, clock_realtime_ns());
	atomic_store(&region->heartbeat_ns, clock_realtime_ns());
	atomic_store(&region->state, REGION_RUNNING);
	rig->control = NULL;
	bind_lanes(rig);
	pthread_mutex_lock(&rig->lock);
	rig->dataplane = true;
	pthread_mutex_unlock(&rig->lock);
}

void daemon_rig_stop_dataplane(struct daemon_rig *rig)
{
	pthread_mutex_lock(&rig->lock);
	rig->dataplane = false;
	control_close(rig->control);
	rig->control = NULL;
	pthread_mutex_unlock(&rig->lock);
	region_close_writer(&rig->region);
	for (uint32_t i = 0; i <= RIG_WORKERS; i++)
		free(rig->words[i]);
}

void daemon_rig_wait_map(struct daemon_rig *rig, uint32_t streams)
{
	struct shard_map *map = malloc(sizeof *map);
	uint64_t version, until = clock_monotonic_ms() + PATIENCE_MS;

	for (;; usleep(2000)) {
		assert_true(clock_monotonic_ms() < until);
		const struct control *control = rig->control;

		if (!control && control_open(rig->region_directory, rig->region.region, &control) != 0)
			continue;
		pthread_mutex_lock(&rig->lock);
		rig->control = control;
		pthread_mutex_unlock(&rig->lock);
		if (control_read_map(rig->control, RIG_SLOTS, map, &version) == 0 && map->streams_count == streams)
			break;
	}
	free(map);
	bind_lanes(rig);
}

bool daemon_rig_append(struct daemon_rig *rig, uint32_t slot, uint32_t worker, const char *text)
{
	struct ledger_writer *w = &rig->ledgers[worker];
	struct lane_writer *lane = &rig->lanes[slot][worker];
	uint32_t length = (uint32_t)strlen(text), bytes = record_bytes(RECORD_ORIGIN_NONE, 0, length);
	struct record r = {.length = length, .kind = RECORD_DATA, .arrival_ns = clock_realtime_ns(), .input = 7,
			   .vlan = RECORD_VLAN_NONE, .codec = CODEC_DATAGRAM, .key_kind = RECORD_KEY_HASH};
	uint8_t *to = lane_reserve(lane, bytes);

	ledger_add(&rig->ports, port_word(0, PORT_RX), 1);
	ledger_commit(&rig->ports);
	ledger_add(w, WORKER_POLLED, 1);
	ledger_add(w, FRAME_ACCEPTED, 1);
	ledger_add(w, WORKER_PARSED, 1);
	if (to) {
		memset(to, 0, bytes);
		memcpy(to, &r, sizeof r);
		memcpy(to + sizeof r, text, length);
		ledger_add(w, RECORD_APPENDED, 1);
		ledger_add(w, lane_word(slot, LANE_RECORDS), 1);
		ledger_set(w, lane_word(slot, LANE_POSITION), lane->position);
	} else {
		ledger_add(w, RECORD_LANE_FULL, 1);
		ledger_add(w, lane_word(slot, LANE_DROPPED), 1);
		ledger_add(w, lane_word(slot, LANE_GAP_COUNT), 1);
	}
	ledger_commit(w);
	return to != NULL;
}

json_t *daemon_rig_ask(struct daemon_rig *rig, int fd, struct message *out, const char *format, ...)
{
	int own = fd >= 0 ? fd : protocol_connect(rig->config->socket);
	struct message m;
	json_t *request;
	va_list arguments;

	assert_true(own >= 0);
	va_start(arguments, format);
	request = json_vpack_ex(NULL, 0, format, arguments);
	va_end(arguments);
	assert_non_null(request);
	assert_int_equal(message_send(own, request, NULL, 0), 0);
	json_decref(request);
	assert_int_equal(message_receive(own, &m), 0);
	if (own != fd)
		close(own);
	if (out) {
		*out = m;
		return m.json;
	}
	free(m.data);
	return m.json;
}

json_int_t daemon_rig_row(const json_t *ledger, const char *title, const char *label)
{
	const json_t *section, *row;
	size_t i, j;

	json_array_foreach(json_object_get(ledger, "sections"), i, section) {
		if (strcmp(json_string_value(json_object_get(section, "title")), title) != 0)
			continue;
		for (int side = 0; side < 2; side++)
			json_array_foreach(json_object_get(section, side ? "right" : "left"), j, row)
				if (strcmp(json_string_value(json_object_get(row, "label")), label) == 0)
					return json_integer_value(json_object_get(row, "value"));
	}
	return -1;
}

json_t *daemon_rig_settled_ledger(struct daemon_rig *rig)
{
	uint64_t until = clock_monotonic_ms() + PATIENCE_MS;

	for (;; usleep(5000)) {
		json_t *ledger = daemon_rig_ask(rig, -1, NULL, "{s:s}", "op", "ledger"), *section;
		bool waits = !json_is_true(json_object_get(ledger, "ok"));
		size_t i;

		json_array_foreach(json_object_get(ledger, "sections"), i, section)
			waits |= daemon_rig_row(ledger, json_string_value(json_object_get(section, "title")), "waiting") > 0;
		if (!waits)
			return ledger;
		json_decref(ledger);
		assert_true(clock_monotonic_ms() < until);
	}
}
