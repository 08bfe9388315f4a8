// Every operation of the protocol. Private to control/server/.
#pragma once

#include "control/server/session.h"

operation operate_status, operate_ledger, operate_reload;
operation operate_stream_create, operate_stream_list, operate_stream_describe, operate_stream_delete,
	operate_stream_gone;
operation operate_position, operate_read;
operation operate_cursor_get, operate_cursor_put, operate_cursor_list, operate_cursor_delete;

// Every cursor of a stream, by name and shard.
json_t *cursors_to_json(struct session *session, const struct stream *stream);

// One stream as lists and descriptions show it: name, shards, retention, what is stored, retained, expired, lost.
json_t *stream_to_json(const struct stream *stream);
