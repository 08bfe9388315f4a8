// How far each reader has come: cursors, deliveries and their planned objects, and what was thrown away.
#include <errno.h>
#include <string.h>

#include "control/metadata/database.h"

#define CURSOR_NAME_MAX 128u

static sqlite3_stmt *use_for(struct metadata *m, enum statement which, uint64_t stream_id, uint32_t shard,
			     const char *name)
{
	sqlite3_stmt *s = statement_use(m, which);

	bind_number(s, 1, stream_id);
	bind_number(s, 2, shard);
	bind_text(s, 3, name);
	return s;
}

/* One row of (stream, shard, name) through `read`, or -ENOENT. */
static int get_row(struct metadata *m, enum statement which, uint64_t stream_id, uint32_t shard, const char *name,
		   row_reader *read, void *row)
{
	sqlite3_stmt *s;
	int result;

	pthread_mutex_lock(&m->lock);
	s = use_for(m, which, stream_id, shard, name);
	result = statement_step(m, s, "read progress");
	if (result > 0)
		read(s, row);
	sqlite3_reset(s);
	pthread_mutex_unlock(&m->lock);
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

static void read_cursor(sqlite3_stmt *s, void *row)
{
	struct metadata_cursor *cursor = row;

	cursor->stream_id = column_number(s, 0);
	cursor->shard = (uint32_t)column_number(s, 1);
	column_string(s, 2, cursor->name, sizeof cursor->name);
	cursor->next_sequence = column_number(s, 3);
	cursor->records = column_number(s, 4);
}

int metadata_get_cursor(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *name,
			struct metadata_cursor *out)
{
	return get_row(m, SQL_GET_CURSOR, stream_id, shard, name, read_cursor, out);
}

/* Rows hang on a stream by foreign key: a missing one is what a constraint here means. */
static int missing_stream(int error)
{
	return error == -EEXIST ? -ENOENT : error;
}

int metadata_put_cursor(struct metadata *m, const struct metadata_cursor *cursor)
{
	sqlite3_stmt *s;
	int error;

	if (!cursor->name[0] || strnlen(cursor->name, sizeof cursor->name) > CURSOR_NAME_MAX)
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	s = use_for(m, SQL_PUT_CURSOR, cursor->stream_id, cursor->shard, cursor->name);
	bind_number(s, 4, cursor->next_sequence);
	bind_number(s, 5, cursor->records);
	error = missing_stream(statement_run(m, s, "move a cursor"));
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_delete_cursor(struct metadata *m, uint64_t stream_id, const char *name)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_DROP_CURSOR);
	bind_number(s, 1, stream_id);
	bind_text(s, 2, name);
	error = statement_run(m, s, "delete a cursor");
	if (!error && sqlite3_changes(m->db) == 0)
		error = -ENOENT;
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_list_cursors(struct metadata *m, uint64_t stream_id, struct metadata_cursor **out, uint32_t *count)
{
	void *rows = NULL;
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_LIST_CURSORS);
	bind_number(s, 1, stream_id);
	error = statement_list(m, s, read_cursor, sizeof **out, &rows, count);
	pthread_mutex_unlock(&m->lock);
	*out = rows;
	return error;
}

static void read_delivery(sqlite3_stmt *s, void *row)
{
	struct metadata_delivery *delivery = row;

	delivery->stream_id = column_number(s, 0);
	delivery->shard = (uint32_t)column_number(s, 1);
	column_string(s, 2, delivery->delivery, sizeof delivery->delivery);
	delivery->next_sequence = column_number(s, 3);
	delivery->start_records = column_number(s, 4);
	delivery->delivered_records = column_number(s, 5);
	delivery->delivered_bytes = column_number(s, 6);
	delivery->delivered_objects = column_number(s, 7);
	delivery->failed_records = column_number(s, 8);
	delivery->expired_records = column_number(s, 9);
}

int metadata_get_delivery(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			  struct metadata_delivery *out)
{
	return get_row(m, SQL_GET_DELIVERY, stream_id, shard, delivery, read_delivery, out);
}

static int put_delivery(struct metadata *m, const struct metadata_delivery *delivery)
{
	sqlite3_stmt *s = use_for(m, SQL_PUT_DELIVERY, delivery->stream_id, delivery->shard, delivery->delivery);

	bind_number(s, 4, delivery->next_sequence);
	bind_number(s, 5, delivery->start_records);
	bind_number(s, 6, delivery->delivered_records);
	bind_number(s, 7, delivery->delivered_bytes);
	bind_number(s, 8, delivery->delivered_objects);
	bind_number(s, 9, delivery->failed_records);
	bind_number(s, 10, delivery->expired_records);
	return missing_stream(statement_run(m, s, "move a delivery on"));
}

int metadata_put_delivery(struct metadata *m, const struct metadata_delivery *delivery)
{
	int error;

	pthread_mutex_lock(&m->lock);
	error = put_delivery(m, delivery);
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_list_deliveries(struct metadata *m, struct metadata_delivery **out, uint32_t *count)
{
	void *rows = NULL;
	int error;

	pthread_mutex_lock(&m->lock);
	error = statement_list(m, statement_use(m, SQL_LIST_DELIVERIES), read_delivery, sizeof **out, &rows, count);
	pthread_mutex_unlock(&m->lock);
	*out = rows;
	return error;
}

static void read_object(sqlite3_stmt *s, void *row)
{
	struct metadata_object *object = row;

	object->stream_id = column_number(s, 0);
	object->shard = (uint32_t)column_number(s, 1);
	column_string(s, 2, object->delivery, sizeof object->delivery);
	object->first_sequence = column_number(s, 3);
	object->last_sequence = column_number(s, 4);
	object->records = column_number(s, 5);
	object->bytes = column_number(s, 6);
	column_string(s, 7, object->name, sizeof object->name);
	column_string(s, 8, object->upload_id, sizeof object->upload_id);
	object->templates = column_number(s, 9);
}

int metadata_get_object(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			struct metadata_object *out)
{
	return get_row(m, SQL_GET_OBJECT, stream_id, shard, delivery, read_object, out);
}

int metadata_plan_object(struct metadata *m, const struct metadata_object *object)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = use_for(m, SQL_PLAN_OBJECT, object->stream_id, object->shard, object->delivery);
	bind_number(s, 4, object->first_sequence);
	bind_number(s, 5, object->last_sequence);
	bind_number(s, 6, object->records);
	bind_number(s, 7, object->bytes);
	bind_text(s, 8, object->name);
	bind_text(s, 9, object->upload_id);
	bind_number(s, 10, object->templates);
	error = statement_run(m, s, "plan an object");
	if (error == -EEXIST && sqlite3_extended_errcode(m->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
		error = -ENOENT;
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_set_upload(struct metadata *m, const struct metadata_object *object)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = use_for(m, SQL_SET_UPLOAD, object->stream_id, object->shard, object->delivery);
	bind_text(s, 4, object->upload_id);
	error = statement_run(m, s, "note an upload");
	if (!error && sqlite3_changes(m->db) == 0)
		error = -ENOENT;
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_finish_object(struct metadata *m, const struct metadata_object *object,
			   const struct metadata_delivery *progress)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		s = use_for(m, SQL_FINISH_OBJECT, object->stream_id, object->shard, object->delivery);
		bind_number(s, 4, object->first_sequence);
		bind_number(s, 5, object->last_sequence);
		error = statement_run(m, s, "finish an object");
		if (!error && sqlite3_changes(m->db) == 0)
			error = -ENOENT;
		if (!error)
			error = put_delivery(m, progress);
		error = transaction_end(m, error);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static sqlite3_stmt *use_redriven(struct metadata *m, enum statement which, const struct metadata_object *object)
{
	sqlite3_stmt *s = use_for(m, which, object->stream_id, object->shard, object->delivery);

	bind_number(s, 4, object->first_sequence);
	return s;
}

int metadata_redrive_object(struct metadata *m, const struct metadata_object *object,
			    const struct metadata_delivery *progress)
{
	int error;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		error = statement_run(m, use_redriven(m, SQL_ADD_REDRIVEN, object), "remember a redriven object");
		if (!error)
			error = put_delivery(m, progress);
		error = transaction_end(m, error);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_is_redriven(struct metadata *m, const struct metadata_object *object)
{
	sqlite3_stmt *s;
	int result;

	pthread_mutex_lock(&m->lock);
	s = use_redriven(m, SQL_GET_REDRIVEN, object);
	result = statement_step(m, s, "look for a redriven object");
	sqlite3_reset(s);
	pthread_mutex_unlock(&m->lock);
	return result;
}

int metadata_forget_redriven(struct metadata *m, const struct metadata_object *object)
{
	int error;

	pthread_mutex_lock(&m->lock);
	error = statement_run(m, use_redriven(m, SQL_DROP_REDRIVEN, object), "forget a redriven object");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_add_discarded(struct metadata *m, uint32_t slot, uint64_t generation, uint64_t records)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_ADD_DISCARDED);
	bind_number(s, 1, slot);
	bind_number(s, 2, generation);
	bind_number(s, 3, records);
	error = statement_run(m, s, "count discarded records");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_get_discarded(struct metadata *m, uint32_t slot, uint64_t generation, uint64_t *records)
{
	sqlite3_stmt *s;
	int result;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_GET_DISCARDED);
	bind_number(s, 1, slot);
	bind_number(s, 2, generation);
	result = statement_step(m, s, "read discarded records");
	*records = result > 0 ? column_number(s, 0) : 0;
	sqlite3_reset(s);
	pthread_mutex_unlock(&m->lock);
	return result < 0 ? result : 0;
}

int metadata_get_base(struct metadata *m, uint64_t stream_id, uint32_t shard, uint64_t generation, uint64_t *records)
{
	sqlite3_stmt *s;
	int result;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_GET_BASE);
	bind_number(s, 1, stream_id);
	bind_number(s, 2, shard);
	bind_number(s, 3, generation);
	result = statement_step(m, s, "read a shard's base");
	if (result > 0)
		*records = column_number(s, 0);
	sqlite3_reset(s);
	if (result == 0) {
		s = statement_use(m, SQL_ADD_BASE);
		bind_number(s, 1, stream_id);
		bind_number(s, 2, shard);
		bind_number(s, 3, generation);
		bind_number(s, 4, *records);
		result = missing_stream(statement_run(m, s, "store a shard's base"));
	}
	pthread_mutex_unlock(&m->lock);
	return result < 0 ? result : 0;
}

int metadata_forget_regions(struct metadata *m, uint64_t generation)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_FORGET_DISCARDED);
	bind_number(s, 1, generation);
	error = statement_run(m, s, "forget an older region");
	if (!error) {
		s = statement_use(m, SQL_FORGET_BASES);
		bind_number(s, 1, generation);
		error = statement_run(m, s, "forget an older region");
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}
