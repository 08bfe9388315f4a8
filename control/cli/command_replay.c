// penstock replay
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/commands.h"
#include "control/cli/read_from.h"
#include "control/cli/units.h"
#include "control/cli/watch.h"

enum { OPTION_SHARD = ARGUMENT_LONG, OPTION_FROM, OPTION_DRY, OPTION_JSON, OPTION_LIMIT = 'n' };

static const struct argument_option options[] = {
	{"shard", OPTION_SHARD, "S", "one shard only (default: all)"},
	{"from", OPTION_FROM, "PLACE", "trim-horizon, a time or a sequence number: takes again what was taken before (default: where the "
				       "last replay ended)"},
	{"limit", OPTION_LIMIT, "N", "this many dead letters at most"},
	{"dry-run", OPTION_DRY, NULL, "only count what would become of them"},
	{"json", OPTION_JSON, NULL, "the counts as JSON"},
	{NULL, 0, NULL, NULL},
};

static const char *const counts[] = {"letters", "records", "dead", "orphans", "dropped", "unreadable", "gone"};

#define COUNTS (sizeof(counts) / sizeof(*counts))

struct replaying {
	const char *stream;
	int64_t shard; /* -1: all */
	bool from_given, dry, json;
	struct read_from from;
	uint64_t limit; /* letters still to be taken */
	uint64_t sums[COUNTS];
	struct client client;
};

static int parse_option(const struct command *self, int option, struct replaying *r)
{
	uint64_t number = 0;
	struct timespec now;
	int status = 0;

	switch (option) {
	case OPTION_SHARD:
		status = arguments_number(self, "shard", optarg, 0, UINT32_MAX, &number);
		r->shard = (int64_t)number;
		break;
	case OPTION_FROM:
		clock_gettime(CLOCK_REALTIME, &now);
		r->from_given = true;
		if (read_from_parse(optarg, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, &r->from) ||
		    r->from.kind == FROM_LATEST)
			return arguments_error(self, "--from \"%s\": trim-horizon, a time (2026-01-02T03:04:05Z, 2026-01-02, -10m, "
					       "seconds since 1970) or a sequence number is wanted", optarg);
		break;
	case OPTION_LIMIT:
		return arguments_number(self, "limit", optarg, 1, INT64_MAX, &r->limit);
	case OPTION_DRY:
		r->dry = true;
		break;
	case OPTION_JSON:
		r->json = true;
		break;
	}
	return status;
}

static int position(struct replaying *r, const struct read_from *from, uint32_t shard, uint64_t *sequence)
{
	json_t *request = read_from_request(from, r->stream, shard);
	struct message answer;
	int status = request ? client_call(&r->client, request, &answer) : 1;

	if (status)
		return status;
	*sequence = client_number(answer.json, "sequence");
	message_free(&answer);
	return 0;
}

// One step. 0 with *done, or the exit status.
static int step(struct replaying *r, uint32_t shard, uint64_t end, uint64_t *sequence, bool *done)
{
	char from[24], to[24];
	struct message answer;
	json_t *request;
	int status;

	snprintf(to, sizeof(to), "%" PRIu64, end);
	snprintf(from, sizeof(from), "%" PRIu64, *sequence);
	request = json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:b}", "op", "replay", "stream", r->stream, "shard", (json_int_t)shard,
			    "end", to, "sequence", from, "limit", (json_int_t)r->limit, "dry", r->dry);
	status = request ? client_call(&r->client, request, &answer) : 1;
	if (status)
		return status;
	for (size_t i = 0; i < COUNTS; i++)
		r->sums[i] += client_number(answer.json, counts[i]);
	r->limit -= client_number(answer.json, "letters");
	*done = client_true(answer.json, "done");
	/* The place of a real replay is penstockd's; only what was asked for differently, or is not kept, is said again. */
	*sequence = r->dry || r->from_given ? client_number(answer.json, "next_sequence") : 0;
	message_free(&answer);
	return 0;
}

static int replay_shard(struct replaying *r, uint32_t shard)
{
	const struct read_from latest = {.kind = FROM_LATEST};
	uint64_t end, sequence = 0;
	bool done = false;
	int status = position(r, &latest, shard, &end);

	if (!status && r->from_given)
		status = position(r, &r->from, shard, &sequence);
	while (!status && !done && r->limit && !watch_ended())
		status = step(r, shard, end, &sequence, &done);
	return status;
}

static int print(const struct replaying *r)
{
	static const char *const texts[] = {
		"dead letters taken", "records stored from them", "dead again", "  of these without their input in the configuration",
		"records dropped by rules and inputs", "records passed over that are no dead letters",
		"records whose stream was deleted meanwhile"};
	json_t *json = json_object();
	char text[UNITS_TEXT_MAX];
	int status = 0;

	for (size_t i = 0; i < COUNTS; i++) {
		json_object_set_new(json, counts[i], json_integer((json_int_t)r->sums[i]));
		if (!r->json && (i < 3 || r->sums[i]))
			printf("%12s  %s\n", units_count(text, r->sums[i]), texts[i]);
	}
	json_object_set_new(json, "dry", json_boolean(r->dry));
	if (r->json)
		status = client_print_json(json, false);
	else if (r->dry)
		puts("nothing was done: --dry-run");
	json_decref(json);
	return client_finish_output() ? 1 : status;
}

// The shards of the stream, one after the other.
static int replay_all(struct replaying *r)
{
	const json_t *shards, *shard;
	struct message answer;
	json_t *request = json_pack("{s:s, s:s}", "op", "stream.describe", "name", r->stream);
	int status = request ? client_call(&r->client, request, &answer) : 1;
	bool found = false;
	size_t i;

	if (status)
		return status;
	shards = json_object_get(json_object_get(answer.json, "stream"), "shards");
	json_array_foreach(shards, i, shard) {
		uint32_t number = (uint32_t)client_number(shard, "number");

		if (status || (r->shard >= 0 && number != r->shard))
			continue;
		found = true;
		status = replay_shard(r, number);
	}
	message_free(&answer);
	if (!found && !status) {
		fprintf(stderr, "penstock replay: stream %s has no shard %" PRId64 "\n", r->stream, r->shard);
		status = 1;
	}
	return status;
}

static int run(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct replaying r = {.shard = -1, .limit = INT64_MAX};
	struct arguments a;
	int option, status = 0;

	arguments_start(&a, cli, self, argc, argv);
	while (!status && (option = arguments_next(&a)) > 0)
		status = parse_option(self, option, &r);
	if (status)
		return status;
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 1, 1);
	if (!status && r.from.kind == FROM_SEQUENCE) {
		if (r.shard >= 0 && r.shard != r.from.shard)
			return arguments_error(self, "--from is a sequence number of shard %u, --shard says %d", r.from.shard,
					       (int)r.shard);
		r.shard = r.from.shard;
	}
	if (status)
		return status;
	r.stream = argv[optind];
	watch_start();
	status = client_open(&r.client, cli);
	if (status)
		return status;
	status = replay_all(&r);
	client_close(&r.client);
	/* What was done before something went wrong was done: it is told all the same. */
	if (print(&r))
		status = 1;
	if (watch_ended() && !status)
		status = 130;
	return status ? status : r.sums[2] || r.sums[5] || r.sums[6] ? 1 : 0;
}

const struct command command_replay = {
	"replay", "STREAM [--shard S] [--from PLACE] [--limit N] [--dry-run] [--json]",
	"Dead letters of a stream, once more, by the configuration as it is now",
	"Takes what was there when it began, from where the last replay ended. Each letter is cut, matched, decoded and keyed as the\n"
	"configuration says of its input, and what it gives is stored durably; each once, also when penstockd is killed meanwhile.\n"
	"What is dead again is stored as a dead letter with its new reason, and makes the exit status 1.",
	options, run, NULL};
