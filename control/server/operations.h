// Every operation of the protocol. Private to control/server/.
#pragma once

#include "control/server/session.h"

operation operate_status, operate_ledger, operate_reload;
operation operate_stream_create, operate_stream_list, operate_stream_describe, operate_stream_delete,
	operate_stream_gone;
operation operate_position, operate_read;
operation operate_cursor_get, operate_cursor_put, operate_cursor_list, operate_cursor_delete;

operation operate_delivery_list, operate_delivery_show, operate_delivery_dead, operate_delivery_redrive;

operation operate_template_list, operate_replay;

// One delivery as lists show it; what is wrong with it goes to the array `problems`.
json_t *delivery_to_json(const struct delivery_row *row, json_t *problems);

// Every cursor of a stream, by name and shard.
json_t *cursors_to_json(struct session *session, const struct stream *stream);

// One stream as lists and descriptions show it: name, shards, retention, what is stored, retained, expired, lost.
json_t *stream_to_json(const struct stream *stream);
