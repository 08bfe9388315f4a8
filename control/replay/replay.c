#include "control/replay/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/clock.h"
#include "control/delivery/batch_walk.h"
#include "control/replay/rework.h"

#define LETTERS_AT_ONCE 256u
#define BYTES_AT_ONCE (1u << 20)  /* of records made; the letter that passes it is still taken whole */
#define BYTES_MOST (64u << 20)    /* of one letter's records: far beyond what 64 KiB can be cut into */
#define PUT_MS 10000u             /* for all parts of a step */

struct replay {
	struct replay_parts parts;
	pthread_mutex_t lock;
	const struct config *config; /* what `reworks` were made of */
	uint64_t hash;
	struct rework *reworks[INPUTS_MAX];
};

struct part { /* growing */
	struct metadata_part made;
	size_t room;
};

struct step {
	struct replay *replay;
	const struct replay_request *request;
	struct replay_result *out;
	struct rework_sink sink;
	struct stream *targets[2 * INPUTS_MAX]; /* held */
	uint32_t targets_count;
	struct part *parts;
	uint32_t parts_count, parts_room;
	uint64_t bytes;
	uint64_t above;  /* the greatest mark of the shards that take part */
	int error;
	char *reason;
	size_t reason_room;
};

/* ---- where records go ---- */

static struct stream *find_target(struct step *s, const char *name)
{
	struct stream *stream;

	for (uint32_t i = 0; i < s->targets_count; i++)
		if (strcmp(s->targets[i]->info.name, name) == 0)
			return s->targets[i];
	stream = s->targets_count < 2 * INPUTS_MAX ? streams_hold(s->replay->parts.streams, name) : NULL;
	if (stream) {
		s->targets[s->targets_count++] = stream;
		return stream;
	}
	if (streams_why_unavailable(s->replay->parts.streams, name))
		snprintf(s->reason, s->reason_room, "stream %s cannot be opened now: penstock status says why", name);
	else
		snprintf(s->reason, s->reason_room, "stream %s does not exist: create it, or change the configuration", name);
	s->error = -ENOENT;
	return NULL;
}

static uint32_t find_shard(const struct stream *stream, struct hash_key hash)
{
	unsigned __int128 key = (unsigned __int128)hash.upper << 64 | hash.lower;

	for (uint32_t i = 0; i < stream->info.shards; i++) {
		const struct metadata_shard *row = &stream->rows[i];
		unsigned __int128 last = (unsigned __int128)row->last_hash[0] << 64 | row->last_hash[1];

		if (key <= last) /* they are in order and leave nothing out */
			return i;
	}
	return stream->info.shards - 1;
}

/* The shard's last part, or a new one when there is none or `bytes` more would not fit into one put. */
static struct part *find_part(struct step *s, const struct stream *stream, uint32_t shard, uint32_t bytes)
{
	uint64_t mark;

	for (uint32_t i = s->parts_count; i-- > 0;) {
		struct metadata_part *made = &s->parts[i].made;

		if (made->stream_id != stream->info.id || made->shard != shard)
			continue;
		if (made->length + bytes <= s->replay->parts.batch_bytes)
			return &s->parts[i];
		break;
	}
	if (s->parts_count == s->parts_room) {
		struct part *more = reallocarray(s->parts, s->parts_room ? 2 * s->parts_room : 8, sizeof *more);

		if (!more)
			return NULL;
		s->parts = more;
		s->parts_room = s->parts_room ? 2 * s->parts_room : 8;
	}
	mark = shard_put_mark(stream->shards[shard]);
	if (mark > s->above)
		s->above = mark;
	s->parts[s->parts_count] = (struct part){.made = {.stream_id = stream->info.id, .shard = shard}};
	return &s->parts[s->parts_count++];
}

static bool append(struct part *part, const void *bytes, uint32_t length)
{
	if (part->room - part->made.length < length) {
		size_t room = (part->made.length + length) * 2ul;
		uint8_t *more = realloc(part->made.bytes, room);

		if (!more)
			return false;
		part->made.bytes = more;
		part->room = room;
	}
	memcpy(part->made.bytes + part->made.length, bytes, length);
	part->made.length += length;
	return true;
}

static bool put_record(struct step *s, const char *name, const struct record *record, uint32_t bytes, struct hash_key hash,
		       bool hashed)
{
	struct stream *stream = find_target(s, name);
	struct part *part;
	uint32_t shard;

	if (!stream)
		return false;
	shard = find_shard(stream, hash);
	part = find_part(s, stream, shard, bytes);
	if (!part || s->bytes > BYTES_MOST || !append(part, record, bytes)) {
		s->error = s->bytes > BYTES_MOST ? -EMSGSIZE : -ENOMEM;
		return false;
	}
	/* A stream of one shard has no use for the hash, and workers spare themselves the MD5. */
	if (hashed && stream->info.shards == 1)
		memset(part->made.bytes + part->made.length - bytes + offsetof(struct record, hash), 0, sizeof record->hash);
	s->bytes += bytes;
	return true;
}

static bool take_record(struct rework_sink *sink, const struct rework_record *record)
{
	struct step *s = (struct step *)((char *)sink - offsetof(struct step, sink));

	if (!put_record(s, record->stream, record->record, record->bytes, record->hash, record->hashed))
		return false;
	if (record->dead)
		s->out->dead++;
	else
		s->out->records++;
	return true;
}

/* ---- through the configuration ---- */

static void forget_reworks(struct replay *replay)
{
	for (uint32_t i = 0; i < INPUTS_MAX; i++) {
		rework_close(replay->reworks[i]);
		replay->reworks[i] = NULL;
	}
}

/* The input of this number, made ready; NULL with s->error, or when there is none. */
static struct rework *find_rework(struct step *s, const struct config *config, uint32_t input)
{
	struct replay *replay = s->replay;
	char *said = NULL;
	size_t length;
	FILE *errors;

	for (uint32_t i = 0; i < config->inputs_count; i++) {
		if (input_id(config->inputs[i].name) != input)
			continue;
		if (replay->reworks[i])
			return replay->reworks[i];
		errors = open_memstream(&said, &length);
		if (!errors) {
			s->error = -ENOMEM;
			return NULL;
		}
		s->error = rework_open(config, i, errors, &replay->reworks[i]);
		fclose(errors);
		if (s->error)
			snprintf(s->reason, s->reason_room, "input %s: %s", config->inputs[i].name, *said ? said : strerror(-s->error));
		free(said);
		return s->error ? NULL : replay->reworks[i];
	}
	return NULL;
}

/* As it is, back into the stream it came from. */
static void keep_orphan(struct step *s, const struct record *r)
{
	struct hash_key hash = {r->hash, 0};

	if (!put_record(s, s->request->stream->info.name, r, record_bytes(r->origin, r->key_length, r->length), hash, false))
		return;
	s->out->dead++;
	s->out->orphans++;
}

/* One record of the stream. False with s->error. */
static bool take_letter(struct step *s, const struct config *config, const struct record *r)
{
	struct dead_letter letter;
	struct rework *rework;

	if (!record_is_data(r))
		return true; /* a gap: nothing is known of what was there */
	if (r->codec != CODEC_DEAD_LETTER || dead_letter_read(record_payload(r), r->length, &letter) != CODEC_OK) {
		s->out->unreadable++;
		return true;
	}
	rework = find_rework(s, config, letter.header.input);
	if (s->error)
		return false;
	if (!rework)
		keep_orphan(s, r);
	else
		rework_apply(rework, r, &letter, &s->sink);
	if (s->error)
		return false;
	s->out->letters++;
	return true;
}

static bool enough(const struct step *s)
{
	return s->out->letters >= s->request->limit || s->out->letters >= LETTERS_AT_ONCE || s->bytes >= BYTES_AT_ONCE;
}

/* Reads from s->out->next on. 0 or -errno. */
static int gather(struct step *s, const struct config *config)
{
	struct shard *shard = s->request->stream->shards[s->request->shard];
	struct shard_reader *reader;
	struct store_batch b;
	int result = shard_reader_open(shard, &reader);

	if (result)
		return result;
	while (!s->error && !enough(s) && s->out->next < s->request->end &&
	       (result = shard_read(reader, s->out->next, &b)) > 0) {
		struct batch_walk walk = batch_walk_begin(&b);
		const struct record *r = NULL;

		if (b.first_sequence > s->out->next)
			s->out->next = b.first_sequence; /* what was in front has expired */
		while (!s->error && !enough(s) && s->out->next < s->request->end && (r = batch_walk_next(&walk)) != NULL) {
			if (walk.sequence <= s->out->next)
				continue;
			if (take_letter(s, config, r))
				s->out->next = walk.sequence;
		}
		if (!s->error && walk.left == 0 && s->out->next < b.first_sequence + b.sequences)
			s->out->next = b.first_sequence + b.sequences;
		if (!s->error && walk.left > 0 && r == NULL && !enough(s) && s->out->next < s->request->end)
			s->error = -EBADMSG;
	}
	shard_reader_close(reader);
	s->out->done = result == 0 || s->out->next >= s->request->end;
	return s->error ? s->error : result < 0 ? result : 0;
}

static int rework_all(struct step *s)
{
	struct replay *replay = s->replay;
	const struct config *config = reload_hold(replay->parts.reload);
	bool busy;
	int error;

	if (config != replay->config || reload_hash(replay->parts.reload, &busy) != replay->hash)
		forget_reworks(replay);
	replay->config = config;
	replay->hash = reload_hash(replay->parts.reload, &busy);
	error = gather(s, config);
	reload_let_go(replay->parts.reload);
	return error;
}

/* ---- steps ---- */

static uint64_t count_records(const struct metadata_part *part)
{
	uint64_t count = 0;
	uint32_t bytes;

	for (uint32_t at = 0; at < part->length && (bytes = record_check(part->bytes + at, part->length - at)) > 0; at += bytes)
		count++;
	return count;
}

static struct stream *find_by_id(struct stream **streams, uint32_t count, uint64_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (streams[i]->info.id == id)
			return streams[i];
	return NULL;
}

/* Nobody can hold the part's stream. One that was deleted took its records along; one that cannot be opened now waits for
 * them, and the plan with it. */
static int pass_over(struct step *s, const struct metadata_part *part)
{
	if (streams_is_known(s->replay->parts.streams, part->stream_id)) {
		snprintf(s->reason, s->reason_room, "a stream that the last replay had records for cannot be opened now (penstock "
			 "status names it): the next replay after it could goes on with them, none is lost or stored twice");
		return -EINPROGRESS;
	}
	s->out->gone += count_records(part);
	return 0;
}

static int put_parts(struct step *s, const struct metadata_part *parts, uint32_t count)
{
	struct replay *replay = s->replay;
	uint64_t until = clock_monotonic_ms() + PUT_MS, now;
	struct stream **streams;
	uint32_t streams_count;
	int error = streams_hold_all(replay->parts.streams, &streams, &streams_count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count && !error; i++) {
		const struct stream *stream = find_by_id(streams, streams_count, parts[i].stream_id);

		if (!stream) {
			error = pass_over(s, &parts[i]);
			continue;
		}
		now = clock_monotonic_ms();
		error = store_put(stream->shards[parts[i].shard], parts[i].bytes, parts[i].length, parts[i].mark,
				  now < until ? (uint32_t)(until - now) : 0);
		if (error == -EALREADY)
			error = 0;
	}
	for (uint32_t i = 0; i < streams_count; i++)
		streams_release(replay->parts.streams, streams[i]);
	free(streams);
	return error;
}

/* A step that a crash, or a disk, has left, of whatever stream: marks are put in order. 0: there is none (any more). */
static int finish_left(struct step *s)
{
	struct replay *replay = s->replay;
	struct metadata_part *parts = NULL;
	struct metadata_replay step;
	uint32_t count = 0;
	int error = metadata_get_replay_step(replay->parts.metadata, &step, &parts, &count);

	if (!error)
		error = put_parts(s, parts, count);
	if (!error)
		error = metadata_finish_replay(replay->parts.metadata, &step);
	for (uint32_t i = 0; i < count; i++)
		free(parts[i].bytes);
	free(parts);
	return error == -ENOENT ? 0 : error;
}

/* Plans, puts and finishes what was gathered. */
static int perform(struct step *s, const struct metadata_replay *before)
{
	struct replay *replay = s->replay;
	struct metadata_replay step = *before;
	struct metadata_part *parts = calloc(s->parts_count + 1, sizeof *parts);
	int error = parts ? 0 : -ENOMEM;

	step.next_sequence = s->out->next;
	step.letters += s->out->letters;
	step.records += s->out->records;
	step.dead += s->out->dead;
	step.dropped += s->out->dropped;
	for (uint32_t i = 0; i < s->parts_count && !error; i++)
		parts[i] = s->parts[i].made;
	if (!error)
		error = metadata_plan_replay(replay->parts.metadata, &step, s->above, parts, s->parts_count);
	if (!error)
		error = put_parts(s, parts, s->parts_count);
	if (!error)
		error = metadata_finish_replay(replay->parts.metadata, &step);
	free(parts);
	return error;
}

static int take_step(struct step *s)
{
	const struct replay_request *q = s->request;
	struct metadata_replay before = {.stream_id = q->stream->info.id, .shard = q->shard, .next_sequence = 1};
	int error = q->dry ? 0 : finish_left(s);

	if (!error) {
		error = metadata_get_replay(s->replay->parts.metadata, q->stream->info.id, q->shard, &before);
		error = error == -ENOENT ? 0 : error;
	}
	s->out->next = q->from ? q->from : before.next_sequence;
	if (!error)
		error = rework_all(s);
	s->out->dropped = s->sink.dropped;
	if (!error && !q->dry && (s->out->next != before.next_sequence || s->parts_count))
		error = perform(s, &before);
	return error;
}

int replay_step(struct replay *replay, const struct replay_request *request, struct replay_result *out, char *reason,
		size_t room)
{
	struct step s = {.replay = replay, .request = request, .out = out, .sink = {.put = take_record}, .reason = reason,
			 .reason_room = room};
	int error;

	*out = (struct replay_result){0};
	reason[0] = '\0';
	pthread_mutex_lock(&replay->lock);
	error = take_step(&s);
	pthread_mutex_unlock(&replay->lock);
	for (uint32_t i = 0; i < s.targets_count; i++)
		streams_release(replay->parts.streams, s.targets[i]);
	for (uint32_t i = 0; i < s.parts_count; i++)
		free(s.parts[i].made.bytes);
	free(s.parts);
	return error;
}

int replay_open(const struct replay_parts *parts, struct replay **out)
{
	struct replay *replay = calloc(1, sizeof *replay);

	if (!replay)
		return -ENOMEM;
	replay->parts = *parts;
	pthread_mutex_init(&replay->lock, NULL);
	*out = replay;
	return 0;
}

void replay_close(struct replay *replay)
{
	if (!replay)
		return;
	forget_reworks(replay);
	pthread_mutex_destroy(&replay->lock);
	free(replay);
}
