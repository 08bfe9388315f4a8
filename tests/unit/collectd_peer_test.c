// What collectd sends, decoded by us and by tshark's dissector: field for field the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <math.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "dataplane/codec/codec.h"
#include "tests/support/samples.h"

#define LINE_MAX_BYTES 65536u
#define COLLECTD_PORT 25826 /* by which tshark knows it */

/* Field of tshark, and what we put for it. */
static const struct column {
	const char *theirs, *ours;
	enum { TEXTS, NUMBERS, REALS, TIMES } kind;
} columns[] = {
	{"collectd.data.host", "host", TEXTS},
	{"collectd.data.plugin", "plugin", TEXTS},
	{"collectd.data.plugin.inst", "plugin_instance", TEXTS},
	{"collectd.data.type", "type", TEXTS},
	{"collectd.data.type.inst", "type_instance", TEXTS},
	{"collectd.data.message", "message", TEXTS},
	{"collectd.data.severity", "severity", TEXTS},
	{"collectd.data.username", "user", TEXTS},
	{"collectd.data.time", "time", TIMES},
	{"collectd.data.interval", "interval", REALS},
	{"collectd.val.counter", "counter", NUMBERS},
	{"collectd.val.gauge", "gauge", REALS},
	{"collectd.val.derive", "derive", NUMBERS},
	{"collectd.val.absolute", "absolute", NUMBERS},
	{"collectd.data.encrypted", "data", TEXTS},
};

#define COLUMNS (sizeof columns / sizeof *columns)

struct lists { /* of each column, ';' between its entries */
	char text[COLUMNS][LINE_MAX_BYTES];
};

struct collector {
	struct field_sink sink;
	struct lists *lists;
	char types[64][12]; /* dstypes of the value list being put */
	uint32_t types_count, values_count, depth;
	bool in_types, in_values;
};

static void add(struct lists *lists, const char *column, const char *entry)
{
	for (size_t i = 0; i < COLUMNS; i++) {
		size_t length = strlen(lists->text[i]);

		if (strcmp(columns[i].ours, column) == 0)
			snprintf(lists->text[i] + length, LINE_MAX_BYTES - length, "%s%s", length ? ";" : "", entry);
	}
}

static void entry_of(const struct field *f, char *out, size_t room)
{
	size_t length = 0;

	switch (f->type) {
	case FIELD_TEXT:
		snprintf(out, room, "%.*s", (int)f->length, (const char *)f->bytes);
		break;
	case FIELD_BYTES:
		for (uint32_t i = 0; i < f->length && length + 3 < room; i++)
			length += (size_t)snprintf(out + length, room - length, "%02x", f->bytes[i]);
		break;
	case FIELD_INTEGER:
		snprintf(out, room, "%lld", (long long)f->value.i);
		break;
	case FIELD_REAL:
		snprintf(out, room, "%.17g", f->value.r);
		break;
	default:
		snprintf(out, room, "%llu", (unsigned long long)f->value.u);
	}
}

static bool collect(struct field_sink *sink, const struct field *f)
{
	struct collector *c = (struct collector *)sink;
	char entry[4096], name[32];

	snprintf(name, sizeof name, "%.*s", (int)f->name_length, f->name ? f->name : "");
	if (f->type == FIELD_ARRAY) {
		c->depth++;
		c->in_types = strcmp(name, "dstypes") == 0;
		c->in_values = strcmp(name, "values") == 0 && c->depth > 2;
		if (c->in_types)
			c->types_count = c->values_count = 0;
	} else if (f->type == FIELD_OBJECT) {
		c->depth++;
	} else if (f->type == FIELD_END) {
		c->depth--;
		c->in_types = c->in_values = false;
	} else {
		entry_of(f, entry, sizeof entry);
		if (c->in_types)
			snprintf(c->types[c->types_count++ % 64], sizeof c->types[0], "%.10s", entry);
		else if (c->in_values)
			add(c->lists, c->types[c->values_count++ % 64], entry);
		else if (strcmp(name, "severity") == 0)
			add(c->lists, name, entry[0] == 'f' ? "1" : entry[0] == 'w' ? "2" : "4");
		else
			add(c->lists, name, entry);
	}
	return true;
}

static void decode_ourselves(struct sample sample, struct lists *lists)
{
	struct codec_record record = {.bytes = sample.bytes, .length = sample.length};
	struct collector collector = {.sink.put = collect, .lists = lists};

	memset(lists, 0, sizeof *lists);
	assert_int_equal(collectd_decode(&record, &collector.sink), CODEC_OK);
	assert_int_equal(collector.depth, 0);
}

/* A capture of one raw IPv4 packet: https://www.tcpdump.org/linktypes.html, LINKTYPE_RAW. */
static void write_capture(const char *path, struct sample sample)
{
	uint32_t total = 28 + sample.length;
	const uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 101, 0, 0, total, total};
	uint8_t packet[28] = {0x45,
			      0,
			      (uint8_t)(total >> 8),
			      (uint8_t)total,
			      0,
			      0,
			      0,
			      0,
			      64,
			      17,
			      0,
			      0,
			      127,
			      0,
			      0,
			      1,
			      127,
			      0,
			      0,
			      1,
			      0xc0,
			      0,
			      COLLECTD_PORT >> 8,
			      COLLECTD_PORT & 255,
			      (uint8_t)((total - 20) >> 8),
			      (uint8_t)(total - 20)};
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(header, sizeof header, 1, file), 1);
	assert_int_equal(fwrite(packet, sizeof packet, 1, file), 1);
	assert_int_equal(fwrite(sample.bytes, sample.length, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

static void ask_tshark(const char *directory, struct sample sample, struct lists *lists)
{
	static char line[LINE_MAX_BYTES];
	char command[2048], path[256];
	char *at = line;
	size_t length;
	FILE *pipe;

	snprintf(path, sizeof path, "%s/capture", directory);
	write_capture(path, sample);
	length = (size_t)snprintf(command, sizeof command,
				  "TZ=UTC tshark -r %s -T fields -E separator='|' -E aggregator=';'", path);
	for (size_t i = 0; i < COLUMNS; i++)
		length += (size_t)snprintf(command + length, sizeof command - length, " -e %s", columns[i].theirs);
	snprintf(command + length, sizeof command - length, " 2>%s/tshark.log", directory);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof line, pipe));
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
	line[strcspn(line, "\n")] = 0;
	for (size_t i = 0; i < COLUMNS; i++) {
		const char *entry = strsep(&at, "|");

		assert_non_null(entry);
		snprintf(lists->text[i], LINE_MAX_BYTES, "%s", entry);
	}
}

static double seconds_of(const char *text)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%b %d, %Y %H:%M:%S", &tm);

	return rest ? (double)timegm(&tm) + strtod(rest, NULL) : NAN;
}

static bool same(const struct column *column, const char *ours, const char *theirs)
{
	double a = strtod(ours, NULL), b = column->kind == TIMES ? seconds_of(theirs) : strtod(theirs, NULL);

	if (column->kind == TEXTS || column->kind == NUMBERS)
		return strcmp(ours, theirs) == 0;
	if (column->kind == TIMES)
		a /= 1e9;
	/* It cuts off where collectd rounds, and a double has no more than a microsecond of our time. */
	return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-6 * (column->kind == TIMES ? 1 : fabs(a));
}

/* The next entry. Names are shown by tshark for each part and once more for each value list, empty ones included; we
 * put one for each value list: of either, a run of the same is one. */
static const char *next_entry(char **list, const struct column *column, char *last)
{
	const char *entry;

	do
		entry = strsep(list, ";");
	while (entry && (!*entry ||
			 (column->kind != NUMBERS && strcmp(column->ours, "gauge") != 0 && strcmp(entry, last) == 0)));
	if (entry)
		snprintf(last, 4096, "%s", entry);
	return entry;
}

static void expect_same(const struct column *column, char *ours, char *theirs)
{
	char last_ours[4096] = "", last_theirs[4096] = "";
	const char *a, *b;

	do {
		a = next_entry(&ours, column, last_ours);
		b = next_entry(&theirs, column, last_theirs);
		if (!a != !b || (a && !same(column, a, b)))
			fail_msg("%s: %s by us, %s by tshark", column->ours, a ? a : "no more", b ? b : "no more");
	} while (a);
}

static struct lists ours, theirs;

static void compare(const char *directory, struct sample sample)
{
	decode_ourselves(sample, &ours);
	ask_tshark(directory, sample, &theirs);
	for (size_t i = 0; i < COLUMNS; i++)
		expect_same(&columns[i], ours.text[i], theirs.text[i]);
}

static bool has_program(const char *name)
{
	char command[128];

	snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", name);
	return system(command) == 0;
}

static void samples_are_read_as_tshark_reads_them(void **state)
{
	if (!has_program("tshark"))
		skip();
	compare(*state, sample_collectd_values);
	compare(*state, sample_collectd_notification);
	compare(*state, sample_collectd_signed);
	compare(*state, sample_collectd_encrypted);
	compare(*state, sample_collectd_load);
}

static pid_t start_collectd(const char *directory, uint16_t port)
{
	char path[256];
	FILE *file;
	pid_t child;

	snprintf(path, sizeof path, "%s/collectd.conf", directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"Hostname \"live\"\nFQDNLookup false\nBaseDir \"%s\"\nPIDFile \"%s/pid\"\nInterval 1\n"
		"LoadPlugin network\nLoadPlugin unixsock\nLoadPlugin load\nLoadPlugin memory\nLoadPlugin interface\n"
		"<Plugin network>\n  Server \"127.0.0.1\" \"%u\"\n</Plugin>\n"
		"<Plugin unixsock>\n  SocketFile \"%s/sock\"\n  SocketPerms \"0600\"\n</Plugin>\n",
		directory, directory, port, directory);
	assert_int_equal(fclose(file), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char log[300];

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none behind */
		snprintf(log, sizeof log, "%s/log", directory);
		if (!freopen(log, "w", stderr) || !freopen(log, "a", stdout))
			_exit(126);
		execlp("collectd", "collectd", "-f", "-C", path, (char *)NULL);
		_exit(127);
	}
	return child;
}

/* Types lines into its unixsock plugin, each answered by one. */
static void type_into(const char *directory, const char *const *lines)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char answer[256];
	FILE *file;

	snprintf(address.sun_path, sizeof address.sun_path, "%s/sock", directory);
	for (int tries = 0; connect(fd, (struct sockaddr *)&address, sizeof address) != 0; tries++) {
		assert_true(tries < 100);
		usleep(100000);
	}
	file = fdopen(fd, "r+");
	assert_non_null(file);
	for (; *lines; lines++) {
		assert_true(fprintf(file, "%s\n", *lines) > 0 && fflush(file) == 0);
		assert_non_null(fgets(answer, sizeof answer, file));
		if (strncmp(answer, "0 ", 2) != 0)
			fail_msg("%s: %s", *lines, answer);
	}
	fclose(file);
}

static void what_collectd_sends_now_is_read_as_tshark_reads_it(void **state)
{
	static const char *const lines[] = {"PUTVAL live/t/temperature-core0 interval=10 N:-40.25",
					    "PUTVAL live/c/counter interval=10 N:18446744073709551615",
					    "PUTVAL live/disk-sda1/disk_ops interval=2.5 N:-5:9223372036854775807",
					    "PUTNOTIF message=\"all well\" severity=okay time=1385053865 host=web",
					    "FLUSH",
					    NULL};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t address_bytes = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 3};
	static uint8_t datagram[65536];
	uint32_t datagrams = 0;
	pid_t child;

	if (!has_program("tshark") || !has_program("collectd"))
		skip();
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &address_bytes), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	child = start_collectd(*state, ntohs(address.sin_port));
	type_into(*state, lines);
	sleep(2);
	type_into(*state, lines + 4); /* what its own plugins have read since */
	for (ssize_t length; datagrams < 5 && (length = recv(fd, datagram, sizeof datagram, 0)) > 0; datagrams++) {
		if (datagrams >= 2) /* the rest has come by now, or never will */
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 200000}, sizeof patience);
		compare(*state, (struct sample){datagram, (uint32_t)length});
	}
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(fd);
	assert_true(datagrams >= 3);
}

static int make_directory(void **state)
{
	static char directory[] = "/tmp/collectd-peer-XXXXXX";

	*state = mkdtemp(directory);
	return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", (const char *)*state);
	return system(command) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_read_as_tshark_reads_them),
		cmocka_unit_test(what_collectd_sends_now_is_read_as_tshark_reads_it),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
