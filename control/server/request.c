// Reading the fields of a request, and refusing it in words a person can act on.
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/server/session.h"

void answer_refuse(struct answer *answer, const char *error, const char *format, ...)
{
	va_list arguments;

	json_decref(answer->json);
	answer->json = NULL;
	answer->data = NULL;
	answer->data_bytes = 0;
	answer->error = error;
	va_start(arguments, format);
	vsnprintf(answer->message, sizeof answer->message, format, arguments);
	va_end(arguments);
}

void answer_errno(struct answer *answer, int error, const char *doing)
{
	const char *name = "InternalFailure", *words = strerror(-error);

	if (error == -ENOSPC)
		words = "the disk is full; free some space under store.directory";
	else if (error == -ENOENT || error == -ESTALE) {
		name = "ResourceNotFound";
		words = "it does not exist (any more)";
	} else if (error == -EINVAL)
		name = "InvalidArgument";
	answer_refuse(answer, name, "cannot %s: %s", doing, words);
}

bool request_text(const json_t *request, const char *key, size_t most, const char **out, struct answer *answer)
{
	const json_t *value = json_object_get(request, key);

	if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) > most ||
	    strlen(json_string_value(value)) != json_string_length(value)) {
		answer_refuse(answer, "InvalidArgument", "\"%s\" must be text of 1 to %zu bytes", key, most);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

static bool parse_number(const json_t *value, uint64_t *out)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value)) {
		*out = (uint64_t)json_integer_value(value);
		return json_integer_value(value) >= 0;
	}
	if (!text || !*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0;
}

bool request_number(const json_t *request, const char *key, uint64_t least, uint64_t most, uint64_t otherwise,
		    uint64_t *out, struct answer *answer)
{
	const json_t *value = json_object_get(request, key);

	*out = otherwise;
	if (!value && otherwise != REQUEST_NEEDED)
		return true;
	if (parse_number(value, out) && *out >= least && *out <= most)
		return true;
	answer_refuse(answer, "InvalidArgument", "\"%s\" must be a whole number from %" PRIu64 " to %" PRIu64, key, least,
		      most);
	return false;
}

/* One that cannot be opened is not one that is not there: its name is taken, and what it holds is only out of reach. */
static void refuse_stream(struct session *session, const char *name, struct answer *answer)
{
	int error = streams_why_unavailable(session->daemon->streams, name);

	if (error)
		answer_refuse(answer, "InternalFailure", "stream %s cannot be opened: %s; mend what penstockd's log names under "
			      "store.directory, it is tried again every now and then", name, strerror(-error));
	else
		answer_refuse(answer, "ResourceNotFound", "there is no stream %s", name);
}

struct stream *request_stream(struct session *session, const json_t *request, const char *key, struct answer *answer)
{
	struct stream *stream;
	const char *name;

	if (!request_text(request, key, STREAM_NAME_MAX, &name, answer))
		return NULL;
	stream = streams_hold(session->daemon->streams, name);
	if (!stream)
		refuse_stream(session, name, answer);
	return stream;
}

bool request_shard(const struct stream *stream, const json_t *request, uint32_t *out, struct answer *answer)
{
	uint64_t number;

	if (!request_number(request, "shard", 0, UINT32_MAX, REQUEST_NEEDED, &number, answer))
		return false;
	if (number >= stream->info.shards) {
		answer_refuse(answer, "ResourceNotFound", "stream %s has no shard %" PRIu64 ", only 0 to %u",
			      stream->info.name, number, stream->info.shards - 1);
		return false;
	}
	*out = (uint32_t)number;
	return true;
}

json_t *json_sequence(uint64_t sequence)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, sequence);
	return json_string(text);
}
