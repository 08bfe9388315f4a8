#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/server/operations.h"

#define CURSOR_NAME_MAX 128u
#define CURSORS_MAX 1000u /* of a stream */

static bool request_cursor(const struct stream *stream, const json_t *request, struct metadata_cursor *cursor,
			   struct answer *answer)
{
	const char *name;

	if (!request_shard(stream, request, &cursor->shard, answer) ||
	    !request_text(request, "name", CURSOR_NAME_MAX, &name, answer))
		return false;
	cursor->stream_id = stream->info.id;
	memcpy(cursor->name, name, strlen(name) + 1);
	return true;
}

void operate_cursor_get(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	struct metadata_cursor asked = {0}, found;
	int error;

	if (!stream)
		return;
	if (request_cursor(stream, request, &asked, answer)) {
		error = metadata_get_cursor(session->daemon->metadata, asked.stream_id, asked.shard, asked.name, &found);
		if (error == -ENOENT)
			answer->json = json_pack("{s:b}", "absent", 1);
		else if (error)
			answer_errno(answer, error, "read the cursor");
		else
			answer->json = json_pack("{s:o, s:I}", "sequence", json_sequence(found.next_sequence), "records",
						 (json_int_t)found.records);
	}
	streams_release(session->daemon->streams, stream);
}

/* True when one more cursor fits: `cursor` is there, or its stream has fewer than CURSORS_MAX names. Two at the same moment
 * may pass the limit by one: it is there to keep descriptions short, not to the letter. */
static bool may_put(struct session *session, const struct metadata_cursor *cursor, struct answer *answer)
{
	struct metadata_cursor found, *all;
	uint32_t count, names = 0;
	bool known = false;

	if (metadata_get_cursor(session->daemon->metadata, cursor->stream_id, cursor->shard, cursor->name, &found) != -ENOENT ||
	    metadata_list_cursors(session->daemon->metadata, cursor->stream_id, &all, &count) != 0)
		return true; /* what the disk refuses, the put itself says */
	for (uint32_t i = 0; i < count; i++) {
		known |= strcmp(all[i].name, cursor->name) == 0;
		names += i == 0 || strcmp(all[i].name, all[i - 1].name) != 0;
	}
	free(all);
	if (known || names < CURSORS_MAX)
		return true;
	answer_refuse(answer, "LimitExceeded", "the stream has %u cursors, as many as it may: delete one (penstock cursor delete)",
		      CURSORS_MAX);
	return false;
}

void operate_cursor_list(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);

	if (!stream)
		return;
	answer->json = json_pack("{s:o}", "cursors", cursors_to_json(session, stream));
	streams_release(session->daemon->streams, stream);
}

void operate_cursor_delete(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	const char *name;
	int error;

	if (!stream)
		return;
	if (request_text(request, "name", CURSOR_NAME_MAX, &name, answer)) {
		error = metadata_delete_cursor(session->daemon->metadata, stream->info.id, name);
		if (error == -ENOENT)
			answer_refuse(answer, "ResourceNotFound", "stream %s has no cursor %s", stream->info.name, name);
		else if (error)
			answer_errno(answer, error, "delete the cursor");
		else
			answer->json = json_object();
	}
	streams_release(session->daemon->streams, stream);
}

void operate_cursor_put(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	struct metadata_cursor cursor = {0};
	struct shard_status status;
	int error;

	if (!stream)
		return;
	if (request_cursor(stream, request, &cursor, answer) &&
	    request_number(request, "sequence", 0, INT64_MAX, REQUEST_NEEDED, &cursor.next_sequence, answer) &&
	    request_number(request, "records", 0, INT64_MAX, REQUEST_NEEDED, &cursor.records, answer)) {
		shard_get_status(stream->shards[cursor.shard], &status);
		if (cursor.next_sequence > status.durable_sequence) {
			answer_refuse(answer, "InvalidArgument", "the shard has no such sequence yet");
		} else if (may_put(session, &cursor, answer)) {
			error = metadata_put_cursor(session->daemon->metadata, &cursor);
			if (error)
				answer_errno(answer, error, "move the cursor");
			else
				answer->json = json_object();
		}
	}
	streams_release(session->daemon->streams, stream);
}
