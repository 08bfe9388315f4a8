// An independent sender and its verifier: shares no code with the product, so that its count is evidence.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/send/manifest.h"
#include "tests/send/transmit.h"
#include "tests/send/verify.h"

static const char usage[] =
	"send --to IP:PORT [options]          sends self-describing records over UDP\n"
	"  --count N        records (default: until --seconds or a signal)\n"
	"  --seconds S      stop after that long\n"
	"  --rate PPS       datagrams a second, exactly paced; 0 (default): as fast as the kernel takes them\n"
	"  --burst N        datagrams handed to the kernel at once, at most (default 32)\n"
	"  --size N | N-M   bytes of a record (default 100); a range draws each size from the seed\n"
	"  --lines K        K records in a datagram, a newline after each (default 0: one record, no newline)\n"
	"  --id X           what the records start with (default \"s\")\n"
	"  --first N        first sequence (default 0)\n"
	"  --seed N         of the payload (default 1)\n"
	"  --binary         payload of all byte values\n"
	"  --flows N        source ports taken in turn (default 1)\n"
	"  --manifest FILE  write down what was sent\n"
	"send verify --manifest FILE... [options] [FILE...]   checks raw records, a newline after each (default: stdin)\n"
	"  --expect-gaps N  exactly N records are missing (default 0)\n"
	"  --foreign-ok     other records may lie between (default: they are an error)\n"
	"  --ordered        every series is in order\n"
	"  --ranges N       missing and duplicate ranges shown of each series (default 20)\n";

static volatile int stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static int parse_number(const char *option, const char *text, unsigned long long *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (errno || *end || end == text || *text == '-') {
		fprintf(stderr, "send: --%s: '%s' is no number\n", option, text);
		return -EINVAL;
	}
	return 0;
}

static int parse_target(const char *text, struct transmit *how)
{
	char host[256];
	const char *colon = strrchr(text, ':');
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM}, *found;
	int error;

	if (!colon || (size_t)(colon - text) >= sizeof(host)) {
		fprintf(stderr, "send: --to wants IP:PORT, as 198.18.0.2:5140 or [fd00::2]:5140\n");
		return -EINVAL;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = 0;
		memmove(host, host + 1, strlen(host));
	}
	error = getaddrinfo(host, colon + 1, &hints, &found);
	if (error) {
		fprintf(stderr, "send: --to %s: %s\n", text, gai_strerror(error));
		return -EINVAL;
	}
	memcpy(&how->to, found->ai_addr, found->ai_addrlen);
	how->to_length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int parse_size(const char *text, struct send_series *series)
{
	char rest;

	if (sscanf(text, "%u-%u%c", &series->size_min, &series->size_max, &rest) != 2) {
		if (sscanf(text, "%u%c", &series->size_min, &rest) != 1)
			return -EINVAL;
		series->size_max = series->size_min;
	}
	return 0;
}

static int check_series(const struct send_series *series)
{
	struct send_series widest = *series;

	if (!series->id[0] || strspn(series->id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
				      strlen(series->id)) {
		fprintf(stderr, "send: --id takes 1 to %u letters, digits, '.', '_' and '-'\n", SEND_ID_MAX);
		return -EINVAL;
	}
	if (widest.count == UINT64_MAX)
		widest.count = 1000000000000ull;
	if (series->size_min < record_smallest(&widest) || series->size_max < series->size_min ||
	    series->size_max > SEND_RECORD_MAX - 1) {
		fprintf(stderr, "send: --size: from %u (the header of the last record) to %u bytes\n",
			record_smallest(&widest), SEND_RECORD_MAX - 1);
		return -EINVAL;
	}
	return 0;
}

static int run_send(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", 1, NULL, 't'},    {"count", 1, NULL, 'c'},  {"seconds", 1, NULL, 's'}, {"rate", 1, NULL, 'r'},
		{"burst", 1, NULL, 'b'}, {"size", 1, NULL, 'z'},   {"lines", 1, NULL, 'l'},   {"id", 1, NULL, 'i'},
		{"first", 1, NULL, 'f'}, {"seed", 1, NULL, 'e'},   {"binary", 0, NULL, 'B'},  {"flows", 1, NULL, 'F'},
		{"help", 0, NULL, 'h'},  {"manifest", 1, NULL, 'm'}, {NULL, 0, NULL, 0}};
	struct send_series series = {.id = "s", .seed = 1, .count = UINT64_MAX, .size_min = 100, .size_max = 100};
	struct transmit how = {.burst = 32, .flows = 1};
	struct transmit_result result;
	const char *manifest = NULL;
	unsigned long long n = 0;
	int option, index = 0, error = 0;

	while (!error && (option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (strchr("crblfeF", option))
			error = parse_number(options[index].name, optarg, &n);
		switch (option) {
		case 't': error = parse_target(optarg, &how); break;
		case 'c': series.count = n; break;
		case 's': how.seconds = atof(optarg); break;
		case 'r': how.rate = n; break;
		case 'b': how.burst = (uint32_t)n; break;
		case 'z': error = parse_size(optarg, &series); break;
		case 'l': series.lines = (uint32_t)n; break;
		case 'i': snprintf(series.id, sizeof(series.id), "%s", optarg); break;
		case 'f': series.first = n; break;
		case 'e': series.seed = n; break;
		case 'B': series.binary = true; break;
		case 'F': how.flows = (uint32_t)n; break;
		case 'm': manifest = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		default: error = -EINVAL;
		}
	}
	if (error || optind < argc || !how.to_length || check_series(&series)) {
		fputs(error || optind < argc || !how.to_length ? usage : "", stderr);
		return 2;
	}
	error = transmit_series(&how, &series, &stopped, &result);
	if (!error && manifest)
		error = manifest_write(manifest, &series);
	if (error) {
		fprintf(stderr, "send: %s\n", strerror(-error));
		return 1;
	}
	printf("sent %llu records in %llu datagrams, %llu bytes, %.3f s, %.0f records/s, refused %llu\n",
	       (unsigned long long)series.count, (unsigned long long)result.datagrams, (unsigned long long)result.bytes,
	       result.seconds, (double)series.count / result.seconds, (unsigned long long)result.refused);
	return 0;
}

static int read_all(struct verify *v, char **paths, int count)
{
	int error = count ? 0 : verify_read(v, stdin);

	for (int i = 0; !error && i < count; i++) {
		FILE *in = fopen(paths[i], "rb");

		error = in ? verify_read(v, in) : -errno;
		if (error)
			fprintf(stderr, "send: %s: %s\n", paths[i], strerror(-error));
		if (in)
			fclose(in);
	}
	return error;
}

static int run_verify(int argc, char **argv)
{
	static const struct option options[] = {{"manifest", 1, NULL, 'm'}, {"expect-gaps", 1, NULL, 'g'},
						{"foreign-ok", 0, NULL, 'f'}, {"ordered", 0, NULL, 'o'},
						{"ranges", 1, NULL, 'r'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct send_series series[VERIFY_SERIES_MAX];
	unsigned long long gaps = 0, ranges = 20;
	bool foreign_ok = false, ordered = false, good;
	struct verify_totals t;
	struct verify *v;
	unsigned count = 0;
	int option, error = 0;

	while (!error && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			error = count < VERIFY_SERIES_MAX ? manifest_read(optarg, &series[count++]) : -E2BIG;
			if (error)
				fprintf(stderr, "send: manifest %s: %s\n", optarg, strerror(-error));
			break;
		case 'g': error = parse_number("expect-gaps", optarg, &gaps); break;
		case 'r': error = parse_number("ranges", optarg, &ranges); break;
		case 'f': foreign_ok = true; break;
		case 'o': ordered = true; break;
		case 'h': fputs(usage, stdout); return 0;
		default: error = -EINVAL;
		}
	}
	if (error || !count) {
		fputs(usage, stderr);
		return 2;
	}
	v = verify_new(series, count);
	if (!v) {
		fprintf(stderr, "send: out of memory, or two manifests with one id\n");
		return 2;
	}
	error = read_all(v, argv + optind, argc - optind);
	verify_report(v, stdout, (unsigned)ranges, &t);
	verify_free(v);
	good = !error && t.missing == gaps && !t.duplicate && !t.corrupted && (foreign_ok || !t.foreign) &&
	       (!ordered || !t.out_of_order);
	printf("%s: expected %llu, seen %llu, missing %llu (%llu allowed for), duplicate %llu, corrupted %llu, foreign %llu\n",
	       good ? "verified" : "NOT VERIFIED", (unsigned long long)t.expected, (unsigned long long)t.seen,
	       (unsigned long long)t.missing, gaps, (unsigned long long)t.duplicate, (unsigned long long)t.corrupted,
	       (unsigned long long)t.foreign);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};

	if (argc > 1 && !strcmp(argv[1], "verify"))
		return run_verify(argc - 1, argv + 1);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return run_send(argc, argv);
}
