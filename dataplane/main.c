// penstock-dataplane: frames off DPDK ports into the lanes of the region.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dataplane/dataplane.h"
#include "dataplane/eal.h"
#include "dataplane/log.h"
#include "dataplane/reload.h"

#define TURN_MS 10
#define MAP_WAIT_MS 10000
#define EXIT_CONFIGURATION 2

static volatile sig_atomic_t stopping, reloading;

static void stop_soon(int signal_number)
{
	(void)signal_number;
	stopping = 1;
}

static void reload_soon(int signal_number)
{
	(void)signal_number;
	reloading = 1;
}

struct options {
	const char *config;
	bool replace_region;
};

static void print_help(void)
{
	puts("usage: penstock-dataplane [--config FILE] [--replace-region]\n"
	     "\n"
	     "Polls the configured DPDK ports and appends their records to the region that penstockd drains.\n"
	     "\n"
	     "  --config FILE      configuration (default /etc/penstock/penstock.yaml)\n"
	     "  --replace-region   throw away a region left by another version, with what it holds\n"
	     "  --version          print the version\n"
	     "  --help             this text\n"
	     "\n"
	     "SIGTERM empties the queues, stops the workers and exits with 0. SIGHUP reads the configuration again.\n"
	     "Exit status: 1 something failed, 2 the configuration is wrong.");
}

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct options *out)
{
	static const struct option known[] = {{"config", required_argument, NULL, 'c'},
					      {"replace-region", no_argument, NULL, 'r'},
					      {"version", no_argument, NULL, 'v'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	int option;

	*out = (struct options){.config = "/etc/penstock/penstock.yaml"};
	while ((option = getopt_long(argc, argv, "c:h", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			out->config = optarg;
			break;
		case 'r':
			out->replace_region = true;
			break;
		case 'v':
			puts("penstock-dataplane " PENSTOCK_VERSION);
			return 0;
		case 'h':
			print_help();
			return 0;
		default:
			return EXIT_CONFIGURATION;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "penstock-dataplane: '%s' is no option; see --help\n", argv[optind]);
		return EXIT_CONFIGURATION;
	}
	return -1;
}

static void catch_signals(void)
{
	struct sigaction stop = {.sa_handler = stop_soon}, reload = {.sa_handler = reload_soon};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGHUP, &reload, NULL);
}

static void pause_ms(long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

/* Frames that arrive before the first map have no stream to go to: better that they wait in the NIC's ring. */
static int await_map(struct dataplane *d)
{
	for (int waited = 0; waited < MAP_WAIT_MS && !stopping; waited += TURN_MS) {
		int error = dataplane_tend(d);

		if (error || dataplane_has_map(d))
			return error;
		if (waited == 1000)
			LOG_INFO("waiting for penstockd to publish its streams\n");
		pause_ms(TURN_MS);
	}
	if (!stopping)
		LOG_WARNING("no penstockd within %d s; records are dropped as no_stream until it comes\n", MAP_WAIT_MS / 1000);
	return 0;
}

static int run(struct dataplane *d)
{
	int error = await_map(d);

	if (!error)
		error = dataplane_start(d);
	if (error)
		return error;
	LOG_INFO("%u workers poll %u ports\n", d->workers_count, d->ports_count);
	while (!stopping && !error) {
		if (reloading) {
			reloading = 0;
			dataplane_reload(d);
		}
		error = dataplane_tend(d);
		pause_ms(TURN_MS);
	}
	dataplane_stop(d);
	return error;
}

int main(int argc, char **argv)
{
	static struct dataplane dataplane;
	struct options options;
	struct config *config;
	int status = parse_options(argc, argv, &options);

	if (status >= 0)
		return status;
	if (config_load(options.config, stderr, &config) != 0)
		return EXIT_CONFIGURATION;
	if (config_check_host(config, stderr) != 0) { /* before EAL pins this thread */
		config_free(config);
		return EXIT_CONFIGURATION;
	}
	catch_signals();
	log_set_level(config->log_level);
	status = EXIT_FAILURE;
	if (eal_start(config) == 0) {
		if (mlockall(MCL_CURRENT | MCL_ONFAULT) != 0)
			LOG_WARNING("memory cannot be locked (%s): a page fault may stall a worker; raise the memlock limit\n",
				    strerror(errno));
		int error = dataplane_open(&dataplane, config, options.replace_region, &stopping);

		if (error == -ENODEV || error == -EINVAL)
			status = EXIT_CONFIGURATION; /* starting again would not help */
		else if (error == -ECANCELED || (error == 0 && run(&dataplane) == 0))
			status = EXIT_SUCCESS;
		dataplane_close(&dataplane);
		eal_stop();
	}
	config_free(config);
	return status;
}
