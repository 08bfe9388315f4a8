#include <errno.h>
#include <string.h>

#include "control/clock.h"
#include "control/server/operations.h"
#include "control/server/protocol.h"

#define WAIT_MOST_MS 30000u
#define SLICE_MS 100u /* between two looks whether the stream is being deleted or penstockd ends */

static bool find_position(struct shard *shard, const json_t *request, uint64_t *sequence, struct answer *answer)
{
	struct shard_status status;
	const char *from;
	uint64_t time_ns;
	int error;

	if (!request_text(request, "from", 32, &from, answer))
		return false;
	shard_get_status(shard, &status);
	if (strcmp(from, "trim-horizon") == 0) {
		*sequence = status.trim_sequence;
		return true;
	}
	if (strcmp(from, "latest") == 0) {
		*sequence = status.durable_sequence;
		return true;
	}
	if (strcmp(from, "time") == 0) {
		if (!request_number(request, "time_ns", 0, INT64_MAX, REQUEST_NEEDED, &time_ns, answer))
			return false;
		error = shard_find_time(shard, time_ns, sequence);
		if (error)
			answer_errno(answer, error, "find that time");
		return !error;
	}
	if (strcmp(from, "sequence") == 0) {
		if (!request_number(request, "sequence", 0, INT64_MAX, REQUEST_NEEDED, sequence, answer))
			return false;
		/* What has expired cannot be read, and what is not there yet cannot be waited for by number. */
		if (*sequence < status.trim_sequence)
			*sequence = status.trim_sequence;
		if (*sequence > status.durable_sequence)
			*sequence = status.durable_sequence;
		return true;
	}
	answer_refuse(answer, "InvalidArgument", "\"from\" must be trim-horizon, latest, time or sequence");
	return false;
}

void operate_position(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	uint64_t sequence, records = 0;
	uint32_t shard;
	int error;

	if (!stream)
		return;
	if (request_shard(stream, request, &shard, answer) &&
	    find_position(stream->shards[shard], request, &sequence, answer)) {
		error = shard_records_before(stream->shards[shard], sequence, &records);
		if (error)
			answer_errno(answer, error, "count the records in front of that place");
		else
			answer->json = json_pack("{s:o, s:I}", "sequence", json_sequence(sequence), "records",
						 (json_int_t)records);
	}
	streams_release(session->daemon->streams, stream);
}

/* As shard_read(), after waiting up to wait_ms for something to be there. */
static int read_or_wait(struct session *session, const struct stream *stream, uint32_t shard, uint64_t sequence,
			uint64_t wait_ms, struct store_batch *batch)
{
	uint64_t until = clock_monotonic_ms() + wait_ms, now;
	struct shard_reader *reader;
	int got = session_reader(session, (struct stream *)stream, shard, &reader);

	if (got)
		return got;
	while ((got = shard_read(reader, sequence, batch)) == 0 && (now = clock_monotonic_ms()) < until) {
		if (atomic_load(&session->stop) || streams_is_deleting(session->daemon->streams, stream))
			break;
		shard_wait(stream->shards[shard], sequence, (uint32_t)(until - now < SLICE_MS ? until - now : SLICE_MS));
	}
	return got;
}

static void answer_batch(const struct store_batch *batch, struct answer *answer)
{
	if (batch->length > PROTOCOL_DATA_MAX) {
		answer_refuse(answer, "InternalFailure", "a stored batch of %zu bytes is larger than a message", batch->length);
		return;
	}
	answer->json = json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "first_sequence", json_sequence(batch->first_sequence),
				 "sequences", (json_int_t)batch->sequences, "records", (json_int_t)batch->records,
				 "records_before", (json_int_t)batch->records_before, "stored_ns",
				 (json_int_t)batch->stored_ns, "next_sequence",
				 json_sequence(batch->first_sequence + batch->sequences));
	answer->data = batch->bytes;
	answer->data_bytes = (uint32_t)batch->length;
}

/* Followers stay for days: the last places are for those who ask once. */
static bool may_read(struct session *session, struct answer *answer)
{
	if (!session->reads && atomic_load(&session->house->sessions) > session->house->readers_room) {
		answer_refuse(answer, "LimitExceeded", "penstockd serves %u connections that read at once, and there are as many: "
			      "end a reader that is not needed, or read fewer shards with each", session->house->readers_room);
		return false;
	}
	session->reads = true;
	return true;
}

void operate_read(struct session *session, const json_t *request, struct answer *answer)
{
	struct stream *stream = request_stream(session, request, "stream", answer);
	uint64_t sequence, wait_ms;
	struct store_batch batch;
	uint32_t shard;
	int got;

	if (!stream)
		return;
	if (may_read(session, answer) && request_shard(stream, request, &shard, answer) &&
	    request_number(request, "sequence", 0, INT64_MAX, REQUEST_NEEDED, &sequence, answer) &&
	    request_number(request, "wait_ms", 0, WAIT_MOST_MS, 0, &wait_ms, answer)) {
		got = read_or_wait(session, stream, shard, sequence, wait_ms, &batch);
		if (got >= 0)
			session_count_buffer(session, stream, shard, got ? batch.length : 0);
		if (got > 0)
			answer_batch(&batch, answer);
		else if (got < 0)
			answer_errno(answer, got, "read the shard");
		else
			answer->json = json_pack("{s:b, s:o}", "tail", 1, "next_sequence", json_sequence(sequence));
	}
	streams_release(session->daemon->streams, stream);
}
