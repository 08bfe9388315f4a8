#include "control/server/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/clock.h"
#include "control/log.h"
#include "control/server/protocol.h"

#define BUFFERED_MOST (64ull << 20) /* above it readers do not keep their buffers from one request to the next */
#define TRANSFER_MS 10000u /* a request, from its first byte to its last */

static void close_reader(struct session *session, struct held_reader *held)
{
	if (!held->reader)
		return;
	shard_reader_close(held->reader);
	atomic_fetch_sub(&session->house->buffered, held->buffered);
	streams_release(session->daemon->streams, held->stream);
	*held = (struct held_reader){0};
}

void session_release_stale(struct session *session)
{
	for (uint32_t i = 0; i < SESSION_READERS_MAX; i++) {
		struct held_reader *held = &session->readers[i];

		if (held->reader && streams_is_deleting(session->daemon->streams, held->stream))
			close_reader(session, held);
	}
}

void session_drop_stale(struct session *session)
{
	if (pthread_mutex_trylock(&session->lock) != 0)
		return;
	session_release_stale(session);
	pthread_mutex_unlock(&session->lock);
}

int session_reader(struct session *session, struct stream *stream, uint32_t shard, struct shard_reader **out)
{
	struct held_reader *place = &session->readers[0];
	int error;

	for (uint32_t i = 0; i < SESSION_READERS_MAX; i++) {
		struct held_reader *held = &session->readers[i];

		if (held->reader && held->stream == stream && held->shard == shard) {
			held->used = session->requests;
			*out = held->reader;
			return 0;
		}
		if (place->reader && (!held->reader || held->used < place->used))
			place = held;
	}
	close_reader(session, place);
	error = shard_reader_open(stream->shards[shard], &place->reader);
	if (error) {
		place->reader = NULL;
		return error;
	}
	/* The caller's hold ends with its request; this one lasts as long as the reader. */
	place->stream = streams_hold(session->daemon->streams, stream->info.name);
	if (place->stream != stream) {
		if (place->stream)
			streams_release(session->daemon->streams, place->stream);
		shard_reader_close(place->reader);
		*place = (struct held_reader){0};
		return -ESTALE;
	}
	place->shard = shard;
	place->used = session->requests;
	*out = place->reader;
	return 0;
}

void session_count_buffer(struct session *session, const struct stream *stream, uint32_t shard, uint64_t bytes)
{
	for (uint32_t i = 0; i < SESSION_READERS_MAX; i++) {
		struct held_reader *held = &session->readers[i];

		if (!held->reader || held->stream != stream || held->shard != shard || (bytes && bytes <= held->buffered))
			continue;
		atomic_fetch_add(&session->house->buffered, bytes - held->buffered); /* wraps round to what it is less */
		held->buffered = bytes;
	}
}

/* Between two requests, when all readers together keep too much: this session's give theirs back and open again. */
static void relieve(struct session *session)
{
	if (atomic_load(&session->house->buffered) <= BUFFERED_MOST)
		return;
	for (uint32_t i = 0; i < SESSION_READERS_MAX; i++) {
		if (session->readers[i].buffered)
			close_reader(session, &session->readers[i]);
	}
}

static void work(struct session *session, const json_t *request, struct answer *answer)
{
	const char *op;
	operation *run;

	if (!json_is_object(request)) {
		answer_refuse(answer, "InvalidArgument", "a request is a JSON object");
		return;
	}
	if (!request_text(request, "op", 64, &op, answer))
		return;
	run = operation_find(op);
	if (run)
		run(session, request, answer);
	else
		answer_refuse(answer, "InvalidArgument", "there is no operation \"%s\"; is the client newer than penstockd?",
			      op);
	if (!answer->json && !answer->error)
		answer_refuse(answer, "InternalFailure", "out of memory");
}

static int reply(struct session *session, struct answer *answer)
{
	json_t *json = answer->json ? json_incref(answer->json) :
		       json_pack("{s:s, s:s}", "error", answer->error, "message", answer->message);
	int error;

	/* Names and texts are ASCII but for what a client sent and we repeat; jansson has checked that it is UTF-8. */
	if (!json)
		json = json_pack("{s:s, s:s}", "error", "InternalFailure", "message", "out of memory");
	if (!json)
		return -ENOMEM;
	json_object_set_new(json, "ok", json_boolean(answer->json != NULL));
	error = message_send(session->fd, json, answer->data, answer->data_bytes);
	json_decref(json);
	if (error != -EMSGSIZE)
		return error;
	/* Nothing of it went out: the client can still be told. */
	log_warning("server: an answer is longer than a message may be (%u bytes of JSON)", PROTOCOL_JSON_MAX);
	json = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "InternalFailure", "message",
			 "the answer is longer than a message may be: ask for less, or delete streams and cursors that are not "
			 "needed");
	error = json ? message_send(session->fd, json, NULL, 0) : -ENOMEM;
	json_decref(json);
	return error;
}

void session_run(struct session *session)
{
	static const struct message_limits limits = {PROTOCOL_JSON_MAX, 0, 0, TRANSFER_MS};
	struct message message;
	int error = 0;

	while (!error && !atomic_load(&session->stop)) {
		struct answer answer = {0};

		atomic_store(&session->idle_since_ms, clock_monotonic_ms());
		error = message_receive_within(session->fd, &limits, &message);
		atomic_store(&session->idle_since_ms, 0);
		if (error == -EPROTO || error == -EMSGSIZE) {
			answer_refuse(&answer, "InvalidArgument", "no valid request: JSON of at most %u bytes, 32 levels deep, "
				      "no key twice, no data", PROTOCOL_JSON_MAX);
			reply(session, &answer); /* then the connection ends: nobody knows where the next message starts */
		}
		if (error)
			break;
		session->requests++;
		pthread_mutex_lock(&session->lock);
		work(session, message.json, &answer);
		error = reply(session, &answer);
		session_release_stale(session);
		relieve(session);
		pthread_mutex_unlock(&session->lock);
		json_decref(answer.json);
		free(answer.owned);
		message_free(&message);
	}
	if (error && error != -ECONNRESET && !atomic_load(&session->stop))
		log_debug("server: a client is dropped: %s", strerror(-error));
	pthread_mutex_lock(&session->lock);
	for (uint32_t i = 0; i < SESSION_READERS_MAX; i++)
		close_reader(session, &session->readers[i]);
	pthread_mutex_unlock(&session->lock);
}
