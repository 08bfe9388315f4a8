#include <errno.h>
#include <string.h>

#include "control/server/operations.h"

static void refuse(struct answer *answer, int error, const char *reason)
{
	if (error == -ENOENT && *reason)
		answer_refuse(answer, "ResourceNotFound", "%s", reason);
	else if (error == -EINVAL)
		answer_refuse(answer, "InvalidArgument", "%s", *reason ? reason : "the configuration cannot be used");
	else if (error == -EINPROGRESS || error == -ETIMEDOUT)
		answer_refuse(answer, "InternalFailure", "%s", *reason ? reason :
			      "the disk does not take the records now; the next replay goes on with them, none is lost or stored twice");
	else
		answer_errno(answer, error, "replay");
}

void operate_replay(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	struct replay_request q = {.stream = stream, .dry = json_is_true(json_object_get(request, "dry"))};
	struct replay_result r;
	char reason[384];
	int error;

	if (!stream)
		return;
	if (request_shard(stream, request, &q.shard, answer) &&
	    request_number(request, "end", 0, INT64_MAX, REQUEST_NEEDED, &q.end, answer) &&
	    request_number(request, "sequence", 0, INT64_MAX, 0, &q.from, answer) &&
	    request_number(request, "limit", 1, INT64_MAX, INT64_MAX, &q.limit, answer)) {
		error = replay_step(session->daemon->replay, &q, &r, reason, sizeof reason);
		if (error)
			refuse(answer, error, reason);
		else
			answer->json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:b}", "letters", (json_int_t)r.letters,
						 "records", (json_int_t)r.records, "dead", (json_int_t)r.dead, "orphans",
						 (json_int_t)r.orphans, "dropped", (json_int_t)r.dropped, "unreadable",
						 (json_int_t)r.unreadable, "gone", (json_int_t)r.gone, "next_sequence",
						 json_sequence(r.next), "done", r.done);
	}
	streams_release(session->daemon->streams, stream);
}
