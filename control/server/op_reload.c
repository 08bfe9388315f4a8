#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/reload.h"
#include "control/server/operations.h"

/* Text of files: what is no UTF-8 must not make the answer none. */
static json_t *text_to_json(const char *text, size_t length)
{
	json_t *json = json_stringn(text, length);

	return json ? json : json_string("(not UTF-8)");
}

static json_t *change_to_json(const struct config_change *c)
{
	static const char *const kinds[] = {"changed", "added", "removed"};
	char line[1024];
	json_t *json;

	config_describe_change(c, line, sizeof line);
	json = json_pack("{s:s, s:s, s:b, s:i, s:i}", "path", c->path, "kind", kinds[c->kind], "live", (int)c->live, "line",
			 (int)c->line, "column", (int)c->column);
	if (!json)
		return NULL;
	json_object_set_new(json, "text", text_to_json(line, strlen(line)));
	json_object_set_new(json, "name", c->name[0] ? json_string(c->name) : json_null());
	json_object_set_new(json, "file", c->file ? text_to_json(c->file, strlen(c->file)) : json_null());
	if (c->kind == CHANGE_CHANGED) {
		json_object_set_new(json, "from", text_to_json(c->from, strlen(c->from)));
		json_object_set_new(json, "to", text_to_json(c->to, strlen(c->to)));
	}
	if (!c->live)
		json_object_set_new(json, "why", json_string(c->why));
	return json;
}

static json_t *lines_to_json(const char *text)
{
	json_t *list = json_array();

	for (const char *end; text && *text; text = *end ? end + 1 : end) {
		end = text + strcspn(text, "\n");
		json_array_append_new(list, text_to_json(text, (size_t)(end - text)));
	}
	return list;
}

static void set_hash(json_t *json, const char *key, uint64_t hash)
{
	char text[24];

	snprintf(text, sizeof text, "%016" PRIx64, hash);
	json_object_set_new(json, key, hash ? json_string(text) : json_null());
}

void operate_reload(struct session *session, const json_t *request, struct answer *answer)
{
	static const char *const states[] = {
		[RELOAD_NOT_ASKED] = "not_asked",     [RELOAD_DATAPLANE_WORKS] = "works",
		[RELOAD_DATAPLANE_DOWN] = "down",     [RELOAD_DATAPLANE_REFUSED] = "refused",
		[RELOAD_DATAPLANE_FAILED] = "failed", [RELOAD_DATAPLANE_SILENT] = "silent",
		[RELOAD_DATAPLANE_DIFFERS] = "differs",
	};
	const json_t *dry = json_object_get(request, "dry_run");
	struct reload_result result;
	json_t *changes;
	int error;

	if (dry && !json_is_boolean(dry)) {
		answer_refuse(answer, "InvalidArgument", "\"dry_run\" is true or false");
		return;
	}
	error = reload_run(session->daemon->reload, json_is_true(dry), &result);
	if (error) {
		answer_errno(answer, error, "reload the configuration");
		return;
	}
	changes = json_array();
	for (uint32_t i = 0; i < result.changes.count; i++)
		json_array_append_new(changes, change_to_json(&result.changes.list[i]));
	answer->json = json_pack("{s:b, s:b, s:b, s:o, s:o, s:s, s:s}", "refused", (int)result.refused, "complete",
				 (int)result.complete, "dry_run", json_is_true(dry), "changes", changes, "failures",
				 lines_to_json(result.failures), "dataplane", states[result.dataplane], "dataplane_text",
				 reload_say_dataplane(result.dataplane));
	if (answer->json) {
		json_object_set_new(answer->json, "report", text_to_json(result.report, strlen(result.report)));
		set_hash(answer->json, "hash", result.hash);
		set_hash(answer->json, "dataplane_hash", result.dataplane_hash);
	}
	reload_free_result(&result);
}
