#include <errno.h>
#include <string.h>

#include "control/server/operations.h"

#define CURSOR_NAME_MAX 128u

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
		} else {
			error = metadata_put_cursor(session->daemon->metadata, &cursor);
			if (error)
				answer_errno(answer, error, "move the cursor");
			else
				answer->json = json_object();
		}
	}
	streams_release(session->daemon->streams, stream);
}
