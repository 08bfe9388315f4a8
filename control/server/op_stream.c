#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/server/operations.h"

#define RETENTION_DEFAULT_S 86400u
#define RETENTION_MOST_S (365ull * 86400) /* Kinesis' limit */
#define DELETE_WAIT_MS 10000u
#define GONE_WAIT_MS 2500u

void operate_stream_create(struct session *session, const json_t *request, struct answer *answer)
{
	uint64_t shards, seconds, bytes;
	const char *name;
	int error;

	if (!request_text(request, "name", 4096, &name, answer) ||
	    !request_number(request, "shards", 1, SHARDS_MAX, REQUEST_NEEDED, &shards, answer) ||
	    !request_number(request, "retention_seconds", 1, RETENTION_MOST_S, RETENTION_DEFAULT_S, &seconds, answer) ||
	    !request_number(request, "retention_bytes", 0, INT64_MAX, 0, &bytes, answer))
		return;
	error = streams_create(session->daemon->streams, name, (uint32_t)shards, seconds, bytes);
	if (error == -EEXIST)
		answer_refuse(answer, "ResourceInUse", "stream %.128s exists already", name);
	else if (error == -EINVAL)
		answer_refuse(answer, "InvalidArgument", "a stream's name is 1 to %u of a-z A-Z 0-9 _ . -", STREAM_NAME_MAX);
	else if (error == -ENOSPC)
		answer_refuse(answer, "LimitExceeded", "no room for %" PRIu64 " more shards: delete a stream, raise "
			      "region.shards, or free the disk if it is full", shards);
	else if (error)
		answer_errno(answer, error, "create the stream");
	else
		answer->json = json_object();
}

static void add_totals(json_t *json, const struct shard_status *s)
{
	const struct {
		const char *key;
		uint64_t value;
	} totals[] = {
		{"stored_records", s->stored_records},   {"retained_records", s->retained_records},
		{"retained_bytes", s->retained_bytes},   {"expired_records", s->expired_records},
		{"expired_early_records", s->expired_early_records}, {"lost_records", s->lost_records},
		{"gaps", s->gaps},                       {"gap_records", s->gap_records},
		{"segments", s->segments},               {"oldest_ns", s->oldest_ns},
		{"newest_ns", s->newest_ns},
	};

	for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
		json_object_set_new(json, totals[i].key, json_integer((json_int_t)totals[i].value));
	json_object_set_new(json, "writable", json_boolean(s->writable));
}

static void add_up(struct shard_status *sum, const struct shard_status *s)
{
	sum->stored_records += s->stored_records;
	sum->retained_records += s->retained_records;
	sum->retained_bytes += s->retained_bytes;
	sum->expired_records += s->expired_records;
	sum->expired_early_records += s->expired_early_records;
	sum->lost_records += s->lost_records;
	sum->gaps += s->gaps;
	sum->gap_records += s->gap_records;
	sum->segments += s->segments;
	if (s->oldest_ns && (!sum->oldest_ns || s->oldest_ns < sum->oldest_ns))
		sum->oldest_ns = s->oldest_ns;
	if (s->newest_ns > sum->newest_ns)
		sum->newest_ns = s->newest_ns;
	sum->writable &= s->writable;
}

json_t *stream_to_json(const struct stream *stream)
{
	struct shard_status sum = {.writable = true}, status;
	json_t *json = json_pack("{s:s, s:I, s:i, s:I, s:I, s:I}", "name", stream->info.name, "id",
				 (json_int_t)stream->info.id, "shards", (int)stream->info.shards, "retention_seconds",
				 (json_int_t)stream->info.retention_seconds, "retention_bytes",
				 (json_int_t)stream->info.retention_bytes, "created_ns", (json_int_t)stream->info.created_ns);

	for (uint32_t i = 0; i < stream->info.shards; i++) {
		shard_get_status(stream->shards[i], &status);
		add_up(&sum, &status);
	}
	add_totals(json, &sum);
	return json;
}

void operate_stream_list(struct session *session, const json_t *request, struct answer *answer)
{
	json_t *list = json_array();
	struct stream **streams;
	uint32_t count;

	(void)request;
	if (streams_hold_all(session->daemon->streams, &streams, &count) == 0) {
		for (uint32_t i = 0; i < count; i++) {
			json_array_append_new(list, stream_to_json(streams[i]));
			streams_release(session->daemon->streams, streams[i]);
		}
		free(streams);
		answer->json = json_pack("{s:O}", "streams", list);
	}
	json_decref(list);
}

/* 128 bits in decimal, as Kinesis writes hash keys. */
static json_t *hash_key(const uint64_t key[2])
{
	unsigned __int128 n = (unsigned __int128)key[0] << 64 | key[1];
	char text[48], *at = text + sizeof text - 1;

	*at = 0;
	do {
		*--at = (char)('0' + (int)(n % 10));
		n /= 10;
	} while (n);
	return json_string(at);
}

static json_t *shard_to_json(const struct stream *stream, uint32_t i)
{
	const struct metadata_shard *row = &stream->rows[i];
	struct shard_status status;
	char id[32];
	json_t *json;

	shard_get_status(stream->shards[i], &status);
	snprintf(id, sizeof id, "shardId-%012u", row->number);
	json = json_pack("{s:i, s:s, s:i, s:o, s:o, s:o, s:o}", "number", (int)row->number, "id", id, "slot", (int)row->slot,
			 "starting_hash_key", hash_key(row->first_hash), "ending_hash_key", hash_key(row->last_hash),
			 "trim_sequence", json_sequence(status.trim_sequence), "next_sequence",
			 json_sequence(status.durable_sequence));
	add_totals(json, &status);
	return json;
}

json_t *cursors_to_json(struct session *session, const struct stream *stream)
{
	struct metadata_cursor *cursors;
	json_t *list = json_array();
	uint32_t count;

	if (metadata_list_cursors(session->daemon->metadata, stream->info.id, &cursors, &count) != 0)
		return list;
	for (uint32_t i = 0; i < count; i++) {
		struct shard_status status;

		if (cursors[i].shard >= stream->info.shards)
			continue;
		shard_get_status(stream->shards[cursors[i].shard], &status);
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:o, s:I, s:I}", "name", cursors[i].name, "shard", (int)cursors[i].shard,
					"sequence", json_sequence(cursors[i].next_sequence), "records",
					(json_int_t)cursors[i].records, "behind",
					(json_int_t)(status.stored_records > cursors[i].records ?
						     status.stored_records - cursors[i].records : 0)));
	}
	free(cursors);
	return list;
}

void operate_stream_describe(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "name", answer);
	json_t *json, *shards;

	if (!stream)
		return;
	shards = json_array();
	for (uint32_t i = 0; i < stream->info.shards; i++)
		json_array_append_new(shards, shard_to_json(stream, i));
	json = stream_to_json(stream);
	json_object_set_new(json, "shards", shards);
	json_object_set_new(json, "cursors", cursors_to_json(session, stream));
	answer->json = json_pack("{s:o}", "stream", json);
	streams_release(session->daemon->streams, stream);
}

void operate_stream_delete(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "name", answer);
	char name[STREAM_NAME_MAX + 1];
	uint64_t id;
	int error;

	if (!stream)
		return;
	memcpy(name, stream->info.name, sizeof name);
	streams_release(session->daemon->streams, stream);
	error = streams_delete(session->daemon->streams, name, &id);
	if (error) {
		answer_errno(answer, error, "delete the stream");
		return;
	}
	session_release_stale(session); /* this client's own readers must not be what is waited for */
	/* From here on it will go, whatever happens; waiting only spares the client a name that is still taken. */
	answer->json = json_pack("{s:b, s:I}", "gone", streams_wait_gone(session->daemon->streams, id, DELETE_WAIT_MS), "id",
				 (json_int_t)id);
}

void operate_stream_gone(struct session *session, const json_t *request, struct answer *answer)
{
	uint64_t id;

	if (request_number(request, "id", 0, INT64_MAX, REQUEST_NEEDED, &id, answer))
		answer->json = json_pack("{s:b, s:I}", "gone", streams_wait_gone(session->daemon->streams, id, GONE_WAIT_MS), "id",
					 (json_int_t)id);
}
