// penstock read
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/commands.h"
#include "control/cli/read.h"
#include "control/cli/units.h"
#include "control/cli/watch.h"

enum {
	OPTION_SHARD = ARGUMENT_LONG,
	OPTION_FROM,
	OPTION_CURSOR,
	OPTION_FORMAT,
	OPTION_PAYLOAD,
	OPTION_DELIMITER,
	OPTION_LIMIT = 'n',
	OPTION_FOLLOW = 'f',
};

static const struct argument_option options[] = {
	{"shard", OPTION_SHARD, "S", "one shard only (default: all)"},
	{"from", OPTION_FROM, "PLACE", "trim-horizon (the oldest record, the default), latest, a time, a sequence number"},
	{"cursor", OPTION_CURSOR, "NAME", "go on where the last run with this name ended, and remember where this one does"},
	{"format", OPTION_FORMAT, "FORMAT", "raw (the default), jsonl or pcapng"},
	{"payload", OPTION_PAYLOAD, "KIND", "in JSON lines: text (the default, base64 where it is not UTF-8) or base64"},
	{"delimiter", OPTION_DELIMITER, "TEXT", "after each raw record (default \\n; '' for none; \\n \\r \\t \\\\ are known)"},
	{"limit", OPTION_LIMIT, "N", "this many records at most"},
	{"follow", OPTION_FOLLOW, NULL, "wait for more at the end, until interrupted"},
	{NULL, 0, NULL, NULL},
};

static int parse_delimiter(const struct command *self, const char *text, char *out, size_t size)
{
	static const char letters[] = "nrt\\", bytes[] = "\n\r\t\\";
	const char *given = text;
	size_t used = 0;

	for (; *text; text++) {
		char c = *text;

		if (c == '\\') {
			const char *known = text[1] ? strchr(letters, text[1]) : NULL;

			if (!known)
				return arguments_error(self, "--delimiter \"%s\": \\n, \\r, \\t and \\\\ are known", given);
			c = bytes[known - letters];
			text++;
		}
		if (used + 1 >= size)
			return arguments_error(self, "--delimiter is longer than %zu bytes", size - 1);
		out[used++] = c;
	}
	out[used] = '\0';
	return 0;
}

static int parse_from(const struct command *self, const char *text, struct read_options *o)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	o->from_given = true;
	if (read_from_parse(text, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, &o->from))
		return arguments_error(self, "--from \"%s\": trim-horizon, latest, a time (2026-01-02T03:04:05Z, 2026-01-02, -10m, "
				       "seconds since 1970) or a sequence number is wanted", text);
	return 0;
}

static int parse_format(const struct command *self, const char *text, struct read_options *o)
{
	static const char *const names[] = {[FORMAT_RAW] = "raw", [FORMAT_JSONL] = "jsonl", [FORMAT_PCAPNG] = "pcapng"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(text, names[i])) {
			o->format = (enum config_format)i;
			return 0;
		}
	}
	return arguments_error(self, "--format \"%s\": raw, jsonl or pcapng is wanted", text);
}

static int parse_payload(const struct command *self, const char *text, struct read_options *o)
{
	if (strcmp(text, "text") && strcmp(text, "base64"))
		return arguments_error(self, "--payload \"%s\": text or base64 is wanted", text);
	o->payload = strcmp(text, "text") ? PAYLOAD_BASE64 : PAYLOAD_TEXT;
	return 0;
}

static int parse_option(const struct command *self, int option, struct read_options *o, char *delimiter, size_t size)
{
	uint64_t number = 0;
	int status = 0;

	switch (option) {
	case OPTION_SHARD:
		status = arguments_number(self, "shard", optarg, 0, UINT32_MAX, &number);
		o->shard = (int64_t)number;
		break;
	case OPTION_FROM:
		return parse_from(self, optarg, o);
	case OPTION_CURSOR:
		o->cursor = optarg;
		break;
	case OPTION_FORMAT:
		return parse_format(self, optarg, o);
	case OPTION_PAYLOAD:
		return parse_payload(self, optarg, o);
	case OPTION_DELIMITER:
		return parse_delimiter(self, optarg, delimiter, size);
	case OPTION_LIMIT:
		return arguments_number(self, "limit", optarg, 0, INT64_MAX, &o->limit);
	case OPTION_FOLLOW:
		o->follow = true;
		break;
	}
	return status;
}

// What only all options together tell.
static int check_options(const struct command *self, struct read_options *o)
{
	if (o->from.kind == FROM_SEQUENCE) {
		if (o->shard >= 0 && o->shard != o->from.shard)
			return arguments_error(self, "--from is a sequence number of shard %u, --shard says %d", o->from.shard,
					       (int)o->shard);
		o->shard = o->from.shard;
	}
	if (o->cursor && !*o->cursor)
		return arguments_error(self, "--cursor needs a name");
	if (o->format == FORMAT_PCAPNG && isatty(STDOUT_FILENO))
		return arguments_error(self, "pcapng is not for a terminal: redirect it into a file or a program");
	return 0;
}

static int read_command(struct cli *cli, const struct command *self, int argc, char **argv)
{
	struct read_options o = {.shard = -1, .limit = UINT64_MAX};
	char delimiter[64] = "\n";
	struct arguments a;
	struct reader reader;
	int option, status = 0;

	arguments_start(&a, cli, self, argc, argv);
	while (!status && (option = arguments_next(&a)) > 0)
		status = parse_option(self, option, &o, delimiter, sizeof(delimiter));
	if (status)
		return status;
	if (option == 0)
		return a.status;
	status = arguments_operands(&a, 1, 1);
	if (!status)
		status = check_options(self, &o);
	if (status)
		return status;
	o.stream = argv[optind];
	o.delimiter = *delimiter ? delimiter : NULL;
	watch_start();
	status = reader_open(&reader, cli, &o, STDOUT_FILENO);
	if (!status)
		status = reader_run(&reader);
	reader_close(&reader);
	return status;
}

const struct command command_read = {
	"read", "STREAM [--shard S] [--from PLACE] [--cursor NAME] [--format FORMAT] [--limit N] [--follow]",
	"Records of a stream to standard output",
	"Every shard comes in its own order; between shards the batch that was stored first comes first. Without --follow the\n"
	"reading ends at what was stored when it began.\n\n"
	"A time is RFC 3339 (2026-01-02T03:04:05Z), a day (2026-01-02), seconds since 1970, or so long ago (-10m); records that\n"
	"arrived before it are left out. A sequence number names its shard by itself.\n\n"
	"A cursor moves behind what has been written to standard output, at the latest after 1,000 records or 200 ms; --from is\n"
	"for its first use only. Readers with other names, or with none, do not notice. A cursor whose next records have expired\n"
	"says on standard error how many, and goes on with the oldest. Gaps are lines of their own in jsonl; raw and pcapng say\n"
	"them on standard error.",
	options, read_command, NULL};
