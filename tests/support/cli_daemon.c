#include "tests/support/cli_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FEED_LANE_BYTES (4u << 20)
#define PATIENCE 3000 /* looks of 10 ms */

static void die(const char *what)
{
	fprintf(stderr, "cli_daemon: %s: %s\n", what, strerror(errno));
	abort();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void start_penstockd(struct cli_daemon *d)
{
	char program[PATH_MAX], socket_path[PATH_MAX], log[PATH_MAX];
	int fd;

	snprintf(program, sizeof(program), "%s/penstockd", d->build);
	snprintf(socket_path, sizeof(socket_path), "%s/penstockd.sock", d->directory);
	snprintf(log, sizeof(log), "%s/log", d->directory);
	d->pid = fork();
	if (!d->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		if (chdir(d->directory))
			_exit(127);
		execl(program, program, "--config", "penstock.yaml", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < PATIENCE; i++) {
		if (!cli_daemon_run(d, "status --json >/dev/null 2>&1"))
			return;
		if (waitpid(d->pid, NULL, WNOHANG) == d->pid)
			break;
		usleep(10000);
	}
	fprintf(stderr, "%s\n", cli_daemon_file(d, "log", NULL));
	die("penstockd does not answer");
}

static void make_region(struct cli_daemon *d)
{
	struct region_geometry geometry = {1, CLI_DAEMON_SLOTS, FEED_LANE_BYTES};
	uint32_t lines = worker_lines(CLI_DAEMON_SLOTS);
	struct region *region;
	int error = region_create(d->region_directory, &geometry, &d->writer);

	errno = -error;
	if (error)
		die("region_create");
	region = d->writer.region;
	atomic_store(&region->heartbeat_ns, now_ns());
	atomic_store(&region->started_ns, now_ns());
	atomic_store(&region->pid, (uint32_t)getpid());
	atomic_store(&region->state, REGION_RUNNING);
	for (int i = 0; i < PATIENCE && control_open(d->region_directory, region, &d->control); i++)
		usleep(10000);
	if (!d->control)
		die("control_open");
	d->now = aligned_alloc(64, lines * sizeof(struct ledger_line));
	ledger_writer_init(&d->ledger, (struct ledger *)((uint8_t *)region + region->ledgers_offset), d->now, lines);
	for (uint32_t s = 0; s < CLI_DAEMON_SLOTS; s++)
		lane_writer_init(&d->lanes[s], d->writer.lanes[s], FEED_LANE_BYTES, s, &d->ledger, &d->control->head[s][0]);
}

void cli_daemon_start(struct cli_daemon *d, const char *streams)
{
	char self[PATH_MAX], path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	FILE *config;

	memset(d, 0, sizeof(*d));
	self[length > 0 ? length : 0] = '\0';
	snprintf(d->build, sizeof(d->build), "%.240s/..", dirname(self));
	snprintf(d->directory, sizeof(d->directory), "/tmp/penstock-cli-XXXXXX");
	snprintf(d->region_directory, sizeof(d->region_directory), "/dev/shm/penstock-cli-XXXXXX");
	if (!mkdtemp(d->directory) || !mkdtemp(d->region_directory))
		die("mkdtemp");
	snprintf(path, sizeof(path), "%s/penstock.yaml", d->directory);
	config = fopen(path, "w");
	if (!config)
		die(path);
	fprintf(config, "dpdk: {huge_pages: false}\nregion: {directory: %s, shards: %u, lane_bytes: %u}\n", d->region_directory,
		CLI_DAEMON_SLOTS, FEED_LANE_BYTES);
	fprintf(config, "store: {directory: store, segment_bytes: 16MiB}\ncontrol: {socket: penstockd.sock}\n%s\n", streams);
	fclose(config);
	start_penstockd(d);
	make_region(d);
}

void cli_daemon_crash(struct cli_daemon *d)
{
	kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	start_penstockd(d);
}

int cli_daemon_stop(struct cli_daemon *d)
{
	char command[256];
	int status = 0;

	kill(d->pid, SIGTERM);
	waitpid(d->pid, &status, 0);
	control_close(d->control);
	region_close_writer(&d->writer);
	free(d->now);
	snprintf(command, sizeof(command), "rm -rf %s %s", d->directory, d->region_directory);
	if (system(command))
		die(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The lane slots of the stream's shards, once penstockd has published them.
static uint32_t find_slots(struct cli_daemon *d, const char *stream, uint32_t slots[CLI_DAEMON_SLOTS])
{
	static struct shard_map map;
	uint64_t version;

	for (int i = 0; i < PATIENCE; i++, usleep(10000)) {
		atomic_store(&d->writer.region->heartbeat_ns, now_ns());
		if (control_read_map((struct control *)d->control, CLI_DAEMON_SLOTS, &map, &version))
			continue;
		atomic_store(&d->writer.region->map_version, version);
		for (uint32_t s = 0; s < map.streams_count; s++) {
			if (strcmp(map.streams[s].name, stream))
				continue;
			for (uint32_t n = 0; n < map.streams[s].shards; n++)
				slots[n] = map.shards[map.streams[s].first_shard + n].slot;
			return map.streams[s].shards;
		}
	}
	die("the stream is not in the map");
	return 0;
}

static void append(struct cli_daemon *d, uint32_t slot, const struct record *r, const void *payload)
{
	uint32_t bytes = record_bytes(0, 0, r->length);
	uint8_t *at;

	while (!(at = lane_reserve(&d->lanes[slot], bytes))) {
		ledger_commit(&d->ledger);
		atomic_store(&d->writer.region->heartbeat_ns, now_ns());
		usleep(200);
	}
	memset(at + bytes - 8, 0, 8);
	memcpy(at, r, sizeof(*r));
	memcpy(at + sizeof(*r), payload, r->length);
	if (r->kind == RECORD_DATA) {
		ledger_add(&d->ledger, WORKER_PARSED, 1);
		ledger_add(&d->ledger, RECORD_APPENDED, 1);
		ledger_add(&d->ledger, lane_word(slot, LANE_RECORDS), 1);
		ledger_add(&d->ledger, lane_word(slot, LANE_BYTES), r->length);
	}
	ledger_set(&d->ledger, lane_word(slot, LANE_POSITION), d->lanes[slot].position);
}

void cli_daemon_feed(struct cli_daemon *d, const char *stream, uint64_t count, uint32_t bytes, uint32_t per_commit)
{
	uint32_t slots[CLI_DAEMON_SLOTS], shards = find_slots(d, stream, slots);
	char payload[4096];
	struct record r = {.kind = RECORD_DATA, .vlan = RECORD_VLAN_NONE, .codec = CODEC_LINES, .key_kind = RECORD_KEY_HASH};

	memset(payload, 'x', sizeof(payload));
	r.arrival_ns = now_ns();
	for (uint64_t n = 0; n < count; n++) {
		uint32_t used = (uint32_t)sprintf(payload, "%s %010llu", stream, (unsigned long long)d->fed);

		payload[used] = 'x';
		r.length = used > bytes ? used : bytes;
		r.hash = d->fed;
		append(d, slots[d->fed++ % shards], &r, payload);
		if ((n + 1) % per_commit)
			continue;
		ledger_commit(&d->ledger);
		r.arrival_ns = now_ns();
		atomic_store(&d->writer.region->heartbeat_ns, r.arrival_ns);
	}
	ledger_commit(&d->ledger);
}

void cli_daemon_put(struct cli_daemon *d, const char *stream, uint32_t number, uint8_t codec, const void *payload,
		    uint32_t length)
{
	const struct origin4 origin = {{198, 51, 100, 1}, {192, 0, 2, 9}, {1, 2}, {8, 7}};
	uint32_t slots[CLI_DAEMON_SLOTS], bytes = record_bytes(RECORD_ORIGIN_IPV4, 0, length);
	struct record r = {.kind = RECORD_DATA, .origin = RECORD_ORIGIN_IPV4, .codec = codec, .vlan = RECORD_VLAN_NONE, .input = 7,
			   .length = length, .key_kind = RECORD_KEY_SOURCE, .arrival_ns = now_ns()};
	uint8_t *at;

	find_slots(d, stream, slots);
	at = lane_reserve(&d->lanes[slots[number]], bytes);
	if (!at)
		die("the lane is full");
	memset(at + bytes - 8, 0, 8);
	memcpy(at, &r, sizeof(r));
	memcpy(at + sizeof(r), &origin, sizeof(origin));
	memcpy(at + sizeof(r) + sizeof(origin), payload, length);
	ledger_add(&d->ledger, WORKER_PARSED, 1);
	ledger_add(&d->ledger, RECORD_APPENDED, 1);
	ledger_add(&d->ledger, lane_word(slots[number], LANE_RECORDS), 1);
	ledger_add(&d->ledger, lane_word(slots[number], LANE_BYTES), length);
	ledger_set(&d->ledger, lane_word(slots[number], LANE_POSITION), d->lanes[slots[number]].position);
	ledger_commit(&d->ledger);
	atomic_store(&d->writer.region->heartbeat_ns, r.arrival_ns);
}

void cli_daemon_gap(struct cli_daemon *d, const char *stream, uint64_t count)
{
	uint32_t slots[CLI_DAEMON_SLOTS];
	struct gap gap = {.count = count, .first_ns = now_ns(), .last_ns = now_ns(), .reason = GAP_LANE_FULL};
	struct record r = {.kind = RECORD_GAP, .vlan = RECORD_VLAN_NONE, .length = sizeof(gap), .arrival_ns = now_ns()};

	find_slots(d, stream, slots);
	append(d, slots[0], &r, &gap);
	ledger_add(&d->ledger, WORKER_PARSED, count);
	ledger_add(&d->ledger, RECORD_LANE_FULL, count);
	ledger_add(&d->ledger, lane_word(slots[0], LANE_DROPPED), count);
	ledger_commit(&d->ledger);
}

void cli_daemon_settle(struct cli_daemon *d)
{
	for (int i = 0; i < PATIENCE; i++, usleep(10000)) {
		uint32_t behind = 0;

		atomic_store(&d->writer.region->heartbeat_ns, now_ns());
		for (uint32_t s = 0; s < CLI_DAEMON_SLOTS; s++)
			behind += atomic_load(&d->control->head[s][0]) != d->lanes[s].position;
		if (!behind)
			return;
	}
	die("what was fed is not durable");
}

static void build_command(struct cli_daemon *d, char *command, size_t size, const char *end, const char *format, va_list list)
{
	int used = snprintf(command, size, "cd %s && exec >out 2>err; %s%s/penstock --socket penstockd.sock ", d->directory,
			    *end ? "exec " : "", d->build);

	used += vsnprintf(command + used, size - (size_t)used, format, list);
	snprintf(command + used, size - (size_t)used, "%s", end);
}

int cli_daemon_run(struct cli_daemon *d, const char *arguments, ...)
{
	char command[2048];
	va_list list;
	int status;

	va_start(list, arguments);
	build_command(d, command, sizeof(command), "", arguments, list);
	va_end(list);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t cli_daemon_spawn(struct cli_daemon *d, const char *output, const char *arguments, ...)
{
	char command[2048], end[300];
	va_list list;
	pid_t pid;

	snprintf(end, sizeof(end), " >>%s 2>>%s.err", output, output);
	va_start(list, arguments);
	build_command(d, command, sizeof(command), end, arguments, list);
	va_end(list);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	return pid;
}

char *cli_daemon_file(const struct cli_daemon *d, const char *name, size_t *length)
{
	char path[PATH_MAX], *text = NULL;
	size_t used = 0, room = 0, n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", d->directory, name);
	file = fopen(path, "r");
	do {
		used += n;
		room = room ? room * 2 : 65536;
		text = realloc(text, room);
		if (!text)
			die("realloc");
		n = file ? fread(text + used, 1, room - used - 1, file) : 0;
	} while (n);
	if (file)
		fclose(file);
	text[used] = '\0';
	if (length)
		*length = used;
	return text;
}
