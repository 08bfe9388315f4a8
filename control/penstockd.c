// penstockd: takes records from the dataplane's lanes to disk, and from there to whoever wants them.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/clock.h"
#include "control/daemon.h"
#include "control/declare.h"
#include "control/log.h"
#include "control/options.h"
#include "control/process.h"
#include "control/server/server.h"
#include "dataplane/rule/rule.h"

#define EXIT_CONFIGURATION 2 /* starting again would not help */
#define TICK_MS 20             /* the control region's heartbeat, a new region, a changed map: at most this late */
#define LEDGER_MS 1000u
#define DRAIN_MS 10000u        /* at the end: for what is published in the lanes */
#define DELIVER_MS 10000u      /* and for what deliveries may still send */

static void add_stream(void *with, const struct stream *stream)
{
	struct daemon *daemon = with;

	/* What fails is logged, and a problem in the status; the stream is stored all the same. */
	deliveries_add_stream(daemon->deliveries, stream);
}

static void remove_stream(void *with, const struct stream *stream)
{
	struct daemon *daemon = with;

	deliveries_remove_stream(daemon->deliveries, stream);
}

static int open_store(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	struct store_options options = {.directory = config->store_directory,
					.segment_bytes = config->segment_bytes,
					.batch_bytes = config->batch_bytes,
					.reserve_bytes = config->reserve_bytes,
					.commit_ms = config->commit_ms,
					.direct_io = config->direct_io};
	int error = store_open(&options, &daemon->store);

	if (error == -EBUSY)
		log_error("store: %s is held by another penstockd: stop it first", options.directory);
	else if (error)
		log_error("store: cannot open %s: %s", options.directory, strerror(-error));
	return error;
}

static int open_streams(struct daemon *daemon)
{
	struct streams_listener listener = {daemon, add_stream, remove_stream};
	int error = streams_open(daemon->metadata, daemon->store, daemon->config->region_shards, &listener, &daemon->streams);

	/* What cannot be made is logged, and made at the next start; those there are must be served meanwhile. */
	if (!error)
		declare_streams(daemon->config, daemon->streams, NULL);
	return error;
}

static int open_plane(struct daemon *daemon)
{
	struct plane_options plane = {.region_directory = daemon->config->region_directory,
				      .metadata = daemon->metadata,
				      .store = daemon->store,
				      .streams = daemon->streams};
	int error = plane_open(&plane, &daemon->plane);

	if (!error) {
		struct monitor_parts parts = {daemon->metadata, daemon->store, daemon->streams, daemon->plane,
					      daemon->deliveries};

		error = monitor_open(&parts, &daemon->monitor);
	}
	return error;
}

static int open_replay(struct daemon *daemon)
{
	struct replay_parts parts = {daemon->metadata, daemon->store, daemon->streams, daemon->reload,
				     daemon->config->batch_bytes};

	return replay_open(&parts, &daemon->replay);
}

/* The ladder up: each rung stands on those before it. What was opened is closed by close_daemon(), whatever failed. */
static int open_daemon(struct daemon *daemon, struct server **server)
{
	int error = metadata_open(daemon->config->store_directory, &daemon->metadata);

	if (!error)
		error = open_store(daemon);
	if (!error)
		error = learner_open(daemon->config, daemon->metadata, &daemon->learner);
	if (!error)
		error = deliveries_open(daemon->config, daemon->metadata, daemon->learner, &daemon->deliveries);
	if (!error)
		error = open_streams(daemon);
	if (!error)
		error = learner_begin(daemon->learner, daemon->streams);
	if (!error)
		error = open_plane(daemon);
	if (!error)
		error = reload_open(daemon, &daemon->reload);
	if (!error)
		error = open_replay(daemon);
	if (!error)
		error = server_open(daemon->config->socket, daemon, server);
	return error;
}

/* And down: deliveries and readers leave the shards before the store closes them. */
static void close_daemon(struct daemon *daemon)
{
	replay_close(daemon->replay);
	reload_close(daemon->reload);
	streams_end_retries(daemon->streams);
	monitor_close(daemon->monitor);
	plane_close(daemon->plane);
	deliveries_close(daemon->deliveries);
	learner_close(daemon->learner);
	if (daemon->store)
		store_close(daemon->store);
	streams_close(daemon->streams);
	metadata_close(daemon->metadata);
}

static void run(struct daemon *daemon, int signals)
{
	uint64_t next_ledger = 0, next_word = 0, now;
	unsigned watchdog_ms = process_watchdog_ms();
	int number = 0;

	while (number != SIGTERM && number != SIGINT) {
		now = clock_monotonic_ms();
		plane_tick(daemon->plane);
		if (now >= next_ledger) {
			monitor_tick(daemon->monitor);
			next_ledger = now + LEDGER_MS;
		}
		if (watchdog_ms && now >= next_word) {
			process_notify("WATCHDOG=1");
			next_word = now + watchdog_ms;
		}
		number = process_next_signal(signals, TICK_MS);
		if (number == SIGHUP) {
			log_info("SIGHUP: the configuration is read again");
			reload_run_soon(daemon->reload);
		}
	}
	log_info("told to end: draining");
}

/* Everything published becomes durable, everything durable that is due is delivered. 0 or why not. */
static int drain(struct daemon *daemon, int signals)
{
	int error;

	process_notify("STOPPING=1");
	process_end_on_next_signal(signals);
	streams_end_retries(daemon->streams);
	error = plane_detach(daemon->plane, DRAIN_MS);
	deliveries_stop(daemon->deliveries, DELIVER_MS);
	return error;
}

static int serve(const struct config *config)
{
	struct daemon daemon = {.config = config, .started_ms = clock_monotonic_ms()};
	struct server *server = NULL;
	int signals = process_open_signals(), error = signals < 0 ? signals : open_daemon(&daemon, &server);

	if (!error) {
		log_info("penstockd " PENSTOCK_VERSION " serves %s, stores in %s", config->socket, config->store_directory);
		process_notify("READY=1");
		run(&daemon, signals);
		reload_end(daemon.reload);
		server_close(server);
		error = drain(&daemon, signals);
	}
	if (daemon.deliveries && deliveries_left_behind(daemon.deliveries)) {
		/* Its thread still looks at what would be freed; everything published is durable already. */
		log_warning("a delivery does not let go of its destination: penstockd ends without it; it goes on at the next start");
		_exit(error ? 1 : 0);
	}
	close_daemon(&daemon);
	if (error)
		log_error("penstockd ends: %s", strerror(-error));
	else
		log_info("penstockd ends: all that was published is durable");
	return error ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config *config;
	int level, status;

	if (options_parse(argc, argv, &options) != 0)
		return options.status;
	if (config_load(options.config, stderr, &config) != 0)
		return EXIT_CONFIGURATION;
	if (rules_check(config, NULL, stderr) != 0) {
		config_free(config);
		return EXIT_CONFIGURATION;
	}
	if (options.check_config) {
		config_free(config);
		return 0;
	}
	level = log_parse_level(config->log_level);
	log_set_level(level < 0 ? LOG_LEVEL_INFO : (enum log_level)level);
	process_harden();
	status = serve(config);
	config_free(config);
	return status;
}
