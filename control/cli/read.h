// `penstock read`: shards in, formatted records out, cursors behind.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/cli/client.h"
#include "control/cli/read_cursor.h"
#include "control/cli/read_from.h"
#include "control/cli/read_output.h"
#include "control/cli/read_source.h"
#include "control/delivery/format.h"

struct read_options {
	const char *stream;
	int64_t shard;      /* -1: all */
	bool from_given;
	struct read_from from;
	const char *cursor; /* NULL: none */
	enum config_format format;
	enum config_payload payload;
	const char *delimiter;
	uint64_t limit;     /* data records, UINT64_MAX: all */
	bool follow;
};

struct input_name {
	uint32_t id;
	char name[NAME_MAX_BYTES];
};

/* penstockd serves 256 connections at once: a stream of many shards is read over a few connections, one request at a time on
 * each. With no more shards than that each has its own, and its next batch is asked for while this one is printed. */
#define READ_CONNECTIONS_MAX 8u

struct reader {
	const struct read_options *options;
	struct client client;     /* for everything but batches and cursors */
	struct client batches[READ_CONNECTIONS_MAX]; /* sources[i] uses batches[i % READ_CONNECTIONS_MAX] */
	struct source *sources;
	uint32_t count;           /* of sources */
	struct cursors cursors;   /* with a cursor: places[i] belongs to sources[i] */
	struct input_name *inputs;
	uint32_t inputs_count;
	struct format *format;
	struct codec_templates *templates; /* NULL until the first flow */
	uint64_t templates_last;  /* number of the last definition penstockd gave */
	uint64_t templates_ms;    /* CLOCK_MONOTONIC when it was last asked */
	struct output *output;
	uint64_t left;            /* of the limit */
	bool from_ignored;        /* said, or nothing to say */
	bool silent;              /* penstockd does not answer, and that has been said */
};

// Connects, finds the shards and where each of them starts, opens the output on `fd`. 0, or the exit status after saying
// what is wrong. reader_close() in any case.
int reader_open(struct reader *r, const struct cli *cli, const struct read_options *options, int fd);
void reader_close(struct reader *r);

// Reads until there is no more (or the limit, a signal, a closed output). The exit status.
int reader_run(struct reader *r);

// After the connection of source `s` broke: connects again and asks again, for 5 s, for ever with --follow. 0; 1 said.
int reader_reconnect(struct reader *r, struct source *s, int error);

// read_templates.c: for struct format_options: has the reader's format know the flow templates that penstockd keeps. `r` is the
// reader.
bool reader_flows(void *r, bool missing);

// Tells what the batch in hand of `s` shows to be missing.
void reader_tell_missed(struct reader *r, struct source *s);
