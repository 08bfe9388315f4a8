// `penstock read` up to its first record: shards, cursors, places to start.
#include "control/cli/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store/store.h"
#include "dataplane/codec/templates.h"

// Shards of the stream (or the one asked for) into r->sources. 0 or the exit status.
static int find_shards(struct reader *r)
{
	const struct read_options *o = r->options;
	const json_t *shards, *shard;
	struct message answer;
	int status;
	size_t i;

	status = client_call(&r->client, json_pack("{s:s, s:s}", "op", "stream.describe", "name", o->stream), &answer);
	if (status)
		return status;
	shards = json_object_get(json_object_get(answer.json, "stream"), "shards");
	r->sources = calloc(json_array_size(shards) + 1, sizeof(*r->sources));
	r->cursors.places = calloc(json_array_size(shards) + 1, sizeof(*r->cursors.places));
	json_array_foreach(shards, i, shard) {
		uint32_t number = (uint32_t)client_number(shard, "number");

		if (!r->sources || !r->cursors.places || (o->shard >= 0 && number != o->shard))
			continue;
		r->cursors.places[r->count].shard = number;
		r->sources[r->count] = (struct source){.client = &r->batches[r->count % READ_CONNECTIONS_MAX], .shard = number,
							.stream = o->stream, .end = UINT64_MAX};
		r->count++;
	}
	message_free(&answer);
	if (r->count)
		return 0;
	fprintf(stderr, "penstock read: stream %s has no shard %" PRId64 " (penstock stream describe %s lists them)\n", o->stream,
		o->shard, o->stream);
	return 1;
}

static void add_name(struct reader *r, const char *name)
{
	if (!r->inputs || !*name)
		return;
	snprintf(r->inputs[r->inputs_count].name, sizeof(r->inputs->name), "%s", name);
	r->inputs[r->inputs_count++].id = input_id(name);
}

// Names of inputs and tags for JSON lines and pcapng. Records of those nobody knows any more keep their number.
static int find_inputs(struct reader *r)
{
	const json_t *inputs, *names, *name;
	struct message answer;
	int status = client_call(&r->client, json_pack("{s:s}", "op", "status"), &answer);
	size_t i;

	if (status)
		return status;
	inputs = json_object_get(answer.json, "inputs");
	names = json_object_get(answer.json, "names");
	r->inputs = calloc(json_array_size(inputs) + json_array_size(names) + 1, sizeof(*r->inputs));
	json_array_foreach(inputs, i, name)
		add_name(r, client_text(name, "name"));
	json_array_foreach(names, i, name)
		if (json_is_string(name))
			add_name(r, json_string_value(name));
	message_free(&answer);
	return 0;
}

static int find_position(struct reader *r, const struct read_from *from, struct source *s, uint64_t *sequence,
			 uint64_t *records)
{
	struct message answer;
	int status = client_call(&r->client, read_from_request(from, s->stream, s->shard), &answer);

	if (status)
		return status;
	*sequence = client_number(answer.json, "sequence");
	*records = client_number(answer.json, "records");
	message_free(&answer);
	return 0;
}

// Without --follow the reading ends at what was stored when it began, or it might run after a busy stream for ever.
static int find_end(struct reader *r, struct source *s)
{
	const struct read_from latest = {.kind = FROM_LATEST};
	uint64_t records;

	return r->options->follow ? 0 : find_position(r, &latest, s, &s->end, &records);
}

static int say_cursor_broken(struct reader *r, int error)
{
	if (error != -EREMOTEIO)
		client_say_broken(&r->cursors.client, error);
	return 1;
}

// penstockd moves a sequence that is not there to the nearest that is: what lies between is told, or refused. 0; 1 said.
static int check_sequence(const struct reader *r, const struct source *s)
{
	uint64_t asked = r->options->from.sequence ? r->options->from.sequence : 1; /* 1 is the first ever given */
	char from[SEQUENCE_TEXT_MAX], place[SEQUENCE_TEXT_MAX];

	sequence_format(from, s->shard, asked);
	sequence_format(place, s->shard, s->next);
	if (s->next < asked) {
		fprintf(stderr, "penstock read: stream %s shard %u has no sequence number %s yet, the next one will be %s: --from "
			"latest waits for that\n", s->stream, s->shard, from, place);
		return 1;
	}
	if (s->next > asked)
		fprintf(stderr, "penstock: stream %s shard %u: sequence number %s has expired, and %" PRIu64 " records and gaps from it "
			"on with it: reading starts at %s\n", s->stream, s->shard, from, s->next - asked, place);
	return 0;
}

static int find_start(struct reader *r, uint32_t i)
{
	const struct read_options *o = r->options;
	struct cursor_place *place = &r->cursors.places[i];
	struct source *s = &r->sources[i];
	int status;

	if (o->cursor) {
		int found = cursors_get(&r->cursors, place);

		if (found < 0)
			return say_cursor_broken(r, found);
		if (found) {
			if (o->from_given && !r->from_ignored)
				fprintf(stderr, "penstock read: cursor %s is there already: --from is ignored\n", o->cursor);
			r->from_ignored = true;
			s->next = place->sequence;
			s->records = place->records;
			return find_end(r, s);
		}
	}
	status = find_position(r, &o->from, s, &s->next, &s->records);
	if (!status && o->from.kind == FROM_TIME)
		s->not_before = o->from.time_ns;
	if (!status && o->from.kind == FROM_SEQUENCE)
		status = check_sequence(r, s);
	/* The end after the start: with --from latest it may lie behind it, never in front. */
	if (!status)
		status = find_end(r, s);
	if (status || !o->cursor)
		return status;
	place->sequence = s->next;
	place->records = s->records;
	return 0;
}

static const char *input_name(void *context, uint32_t input)
{
	const struct reader *r = context;

	for (uint32_t i = 0; i < r->inputs_count; i++) {
		if (r->inputs[i].id == input)
			return r->inputs[i].name;
	}
	return NULL;
}

static void printed(void *context, const struct output_mark *mark)
{
	struct reader *r = context;
	struct cursor_place *place = &r->cursors.places[mark->source];

	r->cursors.printed += 1;
	place->sequence = mark->sequence;
	place->records = mark->records;
}

static int open_output(struct reader *r, int fd)
{
	const struct read_options *o = r->options;
	struct format_options format = {
		.format = o->format,
		.payload = o->payload,
		.delimiter = o->delimiter,
		.input_name = input_name,
		.flows = reader_flows,
		.context = r,
	};
	struct sink sink = {.write = output_write};
	int error = output_open(fd, o->cursor ? printed : NULL, r, &r->output);

	if (!error)
		error = format_open(&format, &r->format);
	sink.handle = r->output;
	if (!error)
		error = format_begin(r->format, &sink);
	if (error)
		fprintf(stderr, "penstock read: %s\n", strerror(-error));
	return error ? 1 : 0;
}

int reader_open(struct reader *r, const struct cli *cli, const struct read_options *options, int fd)
{
	int status;

	memset(r, 0, sizeof(*r));
	r->options = options;
	r->left = options->limit;
	r->client.fd = r->cursors.client.fd = -1;
	for (uint32_t i = 0; i < READ_CONNECTIONS_MAX; i++)
		r->batches[i].fd = -1;
	r->cursors.stream = options->stream;
	r->cursors.name = options->cursor;
	status = client_open(&r->client, cli);
	if (!status)
		status = find_shards(r);
	if (!status && options->format != FORMAT_RAW)
		status = find_inputs(r);
	if (!status && options->cursor) {
		int error = client_open_again(&r->client, &r->cursors.client);

		if (error) {
			client_say_broken(&r->client, error);
			status = 1;
		}
	}
	r->cursors.count = r->count;
	for (uint32_t i = 0; i < r->count && !status; i++)
		status = find_start(r, i);
	/* The first use fixes the place at once: killed before its first record, the next run still starts there. */
	if (!status && options->cursor) {
		int error = cursors_finish(&r->cursors);

		if (error)
			status = say_cursor_broken(r, error);
	}
	return status ? status : open_output(r, fd);
}

void reader_close(struct reader *r)
{
	for (uint32_t i = 0; i < r->count; i++)
		source_reset(&r->sources[i]);
	for (uint32_t i = 0; i < READ_CONNECTIONS_MAX; i++)
		client_close(&r->batches[i]);
	client_close(&r->cursors.client);
	client_close(&r->client);
	format_close(r->format);
	templates_free(r->templates);
	if (r->output)
		output_close(r->output);
	free(r->sources);
	free(r->cursors.places);
	free(r->inputs);
}
