#include <errno.h>
#include <string.h>

#include "control/clock.h"
#include "control/delivery/dead_letters.h"
#include "control/delivery/directory.h"
#include "control/server/operations.h"

#define PAGE_MOST 500u /* notes in one answer: each has a reason of half a KiB at most */
#define REDRIVE_MS 10000u
#define SLICE_MS 100u  /* how long a delivery that is to be stopped may have to wait for this */

void operate_delivery_list(struct session *session, const json_t *request, struct answer *answer)
{
	struct delivery_row *rows;
	json_t *list, *problems;
	uint32_t count;
	int error = deliveries_list(session->daemon->deliveries, &rows, &count);

	(void)request;
	if (error) {
		answer_errno(answer, error, "list the deliveries");
		return;
	}
	list = json_array();
	problems = json_array();
	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, delivery_to_json(&rows[i], problems));
	json_decref(problems);
	deliveries_free_rows(rows, count);
	answer->json = json_pack("{s:o}", "deliveries", list);
}

/* The row that "name" names, in *rows; NULL and refused. */
static const struct delivery_row *find(struct session *session, const json_t *request, struct delivery_row **rows,
				       uint32_t *count, struct answer *answer)
{
	const char *name;
	int error;

	if (!request_text(request, "name", NAME_MAX_BYTES - 1, &name, answer))
		return NULL;
	error = deliveries_list(session->daemon->deliveries, rows, count);
	if (error) {
		answer_errno(answer, error, "list the deliveries");
		return NULL;
	}
	for (uint32_t i = 0; i < *count; i++)
		if (strcmp((*rows)[i].config->name, name) == 0)
			return &(*rows)[i];
	deliveries_free_rows(*rows, *count);
	answer_refuse(answer, "ResourceNotFound", "there is no delivery %s", name);
	return NULL;
}

static json_t *shards_to_json(const struct delivery_row *row)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < row->shards_count; i++) {
		const struct delivery_status *s = &row->shards[i];

		json_array_append_new(
			list, json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:i, s:I, s:o}", "shard", (int)s->shard, "taken",
					(json_int_t)s->taken_records, "delivered", (json_int_t)s->delivered_records, "pending",
					(json_int_t)s->pending_records, "failed", (json_int_t)s->failed_records, "expired",
					(json_int_t)s->expired_records, "objects", (json_int_t)s->delivered_objects, "bytes",
					(json_int_t)s->delivered_bytes, "next_sequence", json_sequence(s->next_sequence),
					"attempts", (int)s->attempts, "retrying_since_ns", (json_int_t)s->retrying_since_ns,
					"last_error", json_string(s->error) ?: json_string("(not text)")));
	}
	return list;
}

static json_t *dead_to_json(const struct config_delivery *config)
{
	uint64_t bytes = 0;
	uint32_t count = 0;
	char **names;
	int error = dead_letters_list(config, &names, &count);

	if (!error) {
		dead_letters_free(names, count);
		error = directory_usage(config->dead_letter, config->name, &bytes);
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:s*}", "directory", config->dead_letter, "objects", (json_int_t)count, "bytes",
			 (json_int_t)bytes, "bytes_most", (json_int_t)config->dead_letter_bytes, "error",
			 error ? strerror(-error) : NULL);
}

void operate_delivery_show(struct session *session, const json_t *request, struct answer *answer)
{
	static const char *const formats[] = {[FORMAT_RAW] = "raw", [FORMAT_JSONL] = "jsonl", [FORMAT_PCAPNG] = "pcapng"};
	static const char *const compressions[] = {
		[COMPRESS_NONE] = "none", [COMPRESS_GZIP] = "gzip", [COMPRESS_ZSTD] = "zstd"};
	const struct delivery_row *row;
	struct delivery_row *rows;
	json_t *json, *problems;
	uint32_t count;

	row = find(session, request, &rows, &count, answer);
	if (!row)
		return;
	problems = json_array();
	json = delivery_to_json(row, problems);
	json_object_set_new(json, "prefix", json_string(row->config->prefix));
	json_object_set_new(json, "format", json_string(formats[row->config->format]));
	json_object_set_new(json, "compression", json_string(compressions[row->config->compression]));
	json_object_set_new(json, "buffer_bytes", json_integer((json_int_t)row->config->buffer_bytes));
	json_object_set_new(json, "buffer_seconds", json_integer(row->config->buffer_seconds));
	json_object_set_new(json, "retry_seconds", json_integer(row->config->retry_seconds));
	json_object_set_new(json, "shards", shards_to_json(row));
	json_object_set_new(json, "dead", dead_to_json(row->config));
	json_object_set_new(json, "problems", problems);
	deliveries_free_rows(rows, count);
	answer->json = json_pack("{s:o}", "delivery", json);
}

/* A note for the list; one that cannot be read is listed with why. */
static json_t *note_to_json(const struct config_delivery *config, const char *object)
{
	json_t *note = NULL;
	int error = dead_letters_read(config, object, &note);

	if (!error)
		return note;
	return json_pack("{s:s, s:s, s:s}", "delivery", config->name, "object", object, "error",
			 error == -EBADMSG ? "its note cannot be read" : strerror(-error));
}

void operate_delivery_dead(struct session *session, const json_t *request, struct answer *answer)
{
	const char *after = "";
	const struct delivery_row *row;
	struct delivery_row *rows;
	uint32_t count, names_count, at = 0, told = 0;
	uint64_t most;
	json_t *list;
	char **names;
	int error;

	if ((json_object_get(request, "after") && !request_text(request, "after", 1023, &after, answer)) ||
	    !request_number(request, "most", 1, PAGE_MOST, PAGE_MOST, &most, answer))
		return;
	row = find(session, request, &rows, &count, answer);
	if (!row)
		return;
	error = dead_letters_list(row->config, &names, &names_count);
	if (error) {
		answer_errno(answer, error, "list the dead letters");
		deliveries_free_rows(rows, count);
		return;
	}
	list = json_array();
	for (; at < names_count && told < most; at++)
		if (strcmp(names[at], after) > 0) {
			json_array_append_new(list, note_to_json(row->config, names[at]));
			told++;
		}
	answer->json = json_pack("{s:o, s:b}", "dead", list, "more", at < names_count);
	dead_letters_free(names, names_count);
	deliveries_free_rows(rows, count);
}

void operate_delivery_redrive(struct session *session, const json_t *request, struct answer *answer)
{
	uint64_t until = clock_monotonic_ms() + REDRIVE_MS;
	char reason[512] = "";
	const char *name, *object;
	int result;

	if (!request_text(request, "name", NAME_MAX_BYTES - 1, &name, answer) ||
	    !request_text(request, "object", 1023, &object, answer))
		return;
	do
		result = deliveries_redrive(session->daemon->deliveries, name, object, SLICE_MS, reason, sizeof reason);
	while (result == -EINPROGRESS && clock_monotonic_ms() < until && !atomic_load(&session->stop));
	if (result == 0 || result == -EINPROGRESS)
		answer->json = json_pack("{s:b}", "done", result == 0);
	else if (result == -ENODEV)
		answer_refuse(answer, "ResourceNotFound", "there is no delivery %s that runs", name);
	else if (result == -ENOENT || result == -EINVAL)
		answer_refuse(answer, "ResourceNotFound", "delivery %s has no dead letter %s", name, object);
	else if (result == -EBUSY)
		answer_refuse(answer, "ResourceInUse", "delivery %s is redriving another object: somebody else asked for it", name);
	else if (result == -EAGAIN)
		answer_refuse(answer, "ResourceInUse", "%s is being put among the dead letters just now", object);
	else
		answer_refuse(answer, "InternalFailure", "%s: %s", object, reason[0] ? reason : strerror(-result));
}
