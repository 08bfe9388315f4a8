// One client's connection: its requests one after another, and the readers it has open. Private to control/server/.
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/daemon.h"

#define SESSION_READERS_MAX 16u

struct held_reader { /* a place in one shard, kept between two requests; the stream is held as long */
	struct stream *stream;
	uint32_t shard;
	struct shard_reader *reader;
	uint64_t used;     /* when last, in requests */
	uint64_t buffered; /* its part of the house's */
};

struct house { /* what all sessions share */
	_Atomic uint32_t sessions;
	uint32_t readers_room;     /* with more sessions than these none may begin to read */
	_Atomic uint64_t buffered; /* bytes the readers kept between requests hold, as far as answers tell */
};

struct session {
	struct house *house;
	bool reads;                   /* it has read: it may go on */
	struct daemon *daemon;
	int fd;
	_Atomic bool stop;            /* the server wants it to end */
	_Atomic uint64_t idle_since_ms; /* CLOCK_MONOTONIC; 0 while a request is being worked on */
	uint64_t requests;
	pthread_mutex_t lock;         /* of the readers: the server drops those of a deleted stream while the client is idle */
	struct held_reader readers[SESSION_READERS_MAX];
};

struct answer {
	json_t *json;      /* an object without "ok"; NULL with `error` */
	const void *data;  /* valid until the session's next request */
	uint32_t data_bytes;
	void *owned;       /* freed once the answer has gone out; `data` may lie in it */
	const char *error; /* Kinesis' name of it */
	char message[512];
};

typedef void operation(struct session *session, const json_t *request, struct answer *answer);

// Refuses: `error` is static. Returns nothing, so that operations may end with it.
void answer_refuse(struct answer *answer, const char *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// Refuses with the name and words that fit an -errno of the metadata or the store.
void answer_errno(struct answer *answer, int error, const char *doing);

// The operation of this name, or NULL.
operation *operation_find(const char *name);

// Serves until the client goes, breaks the protocol or is asked to end.
void session_run(struct session *session);

// Lets go of readers whose streams are being deleted. Any thread; does nothing while a request is being worked on.
void session_drop_stale(struct session *session);

// The same for its own readers, while it works on a request.
void session_release_stale(struct session *session);

// The session's reader of this shard, opened when there is none yet. `stream` is held by the caller and kept held by the
// reader. Under the session's lock. 0 or -errno.
int session_reader(struct session *session, struct stream *stream, uint32_t shard, struct shard_reader **out);

// Counts the batch of `bytes` that this reader has just given (0: it has caught up and gave its buffers back). Under the
// session's lock.
void session_count_buffer(struct session *session, const struct stream *stream, uint32_t shard, uint64_t bytes);

/* ---- request fields: true with *out; false and refused ---- */

bool request_text(const json_t *request, const char *key, size_t most, const char **out, struct answer *answer);
// An integer, or one as a decimal string. `otherwise` is what an absent one counts as; REQUEST_NEEDED: refused.
#define REQUEST_NEEDED UINT64_MAX
bool request_number(const json_t *request, const char *key, uint64_t least, uint64_t most, uint64_t otherwise,
		    uint64_t *out, struct answer *answer);

// Holds the stream that "stream" (or "name") names, and finds its shard "shard". NULL and refused.
struct stream *request_stream(struct session *session, const json_t *request, const char *key, struct answer *answer);
bool request_shard(const struct stream *stream, const json_t *request, uint32_t *out, struct answer *answer);

// A sequence inside a shard as the protocol writes it: a decimal string.
json_t *json_sequence(uint64_t sequence);
