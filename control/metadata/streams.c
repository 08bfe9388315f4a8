// Streams and their shards: who exists, which lane slot is whose.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/metadata/database.h"
#include "dataplane/seam/hash_ranges.h"
#include "dataplane/seam/region.h"

static bool name_sane(const char *name)
{
	size_t length = strnlen(name, STREAM_NAME_MAX + 1);

	/* A name is also a folder's: "." and ".." would be someone else's. */
	return length >= 1 && length <= STREAM_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == length;
}

/* The `count` lowest slots no shard has; one whose stream is being deleted still has it. */
static int free_slots(struct metadata *m, uint32_t slots, uint32_t count, uint32_t *out)
{
	bool taken[SHARDS_MAX] = {false};
	sqlite3_stmt *s = statement_use(m, SQL_LIST_SLOTS);
	uint32_t found = 0;
	int result;

	while ((result = statement_step(m, s, "read the slots in use")) > 0) {
		uint64_t slot = column_number(s, 0);

		if (slot < SHARDS_MAX)
			taken[slot] = true;
	}
	if (result < 0)
		return result;
	for (uint32_t slot = 0; slot < slots && slot < SHARDS_MAX && found < count; slot++)
		if (!taken[slot])
			out[found++] = slot;
	return found == count ? 0 : -ENOSPC;
}

static int add_shards(struct metadata *m, uint64_t id, uint32_t shards, uint32_t slots)
{
	uint32_t slot[SHARDS_MAX];
	int error = free_slots(m, slots, shards, slot);

	for (uint32_t i = 0; i < shards && !error; i++) {
		sqlite3_stmt *s = statement_use(m, SQL_ADD_SHARD);
		uint64_t first[2], last[2];

		hash_range_even(i, shards, first, last);
		bind_number(s, 1, id);
		bind_number(s, 2, i);
		bind_number(s, 3, slot[i]);
		bind_number(s, 4, first[0]);
		bind_number(s, 5, first[1]);
		bind_number(s, 6, last[0]);
		bind_number(s, 7, last[1]);
		error = statement_run(m, s, "add a shard");
	}
	return error;
}

int metadata_create_stream(struct metadata *m, const struct metadata_stream *stream, uint32_t slots, uint64_t *id)
{
	sqlite3_stmt *s;
	int error;

	if (!name_sane(stream->name) || stream->shards < 1 || stream->shards > SHARDS_MAX ||
	    stream->retention_seconds < 1 || stream->retention_seconds > INT64_MAX ||
	    stream->retention_bytes > INT64_MAX)
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		s = statement_use(m, SQL_ADD_STREAM);
		bind_text(s, 1, stream->name);
		bind_number(s, 2, stream->shards);
		bind_number(s, 3, stream->retention_seconds);
		bind_number(s, 4, stream->retention_bytes);
		bind_number(s, 5, stream->created_ns);
		error = statement_run(m, s, "add a stream");
		if (!error) {
			*id = (uint64_t)sqlite3_last_insert_rowid(m->db);
			error = add_shards(m, *id, stream->shards, slots);
		}
		error = transaction_end(m, error);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static void read_stream(sqlite3_stmt *s, void *row)
{
	struct metadata_stream *stream = row;

	stream->id = column_number(s, 0);
	column_string(s, 1, stream->name, sizeof stream->name);
	stream->shards = (uint32_t)column_number(s, 2);
	stream->retention_seconds = column_number(s, 3);
	stream->retention_bytes = column_number(s, 4);
	stream->created_ns = column_number(s, 5);
	stream->deleting = column_number(s, 6) != 0;
}

static void read_shard(sqlite3_stmt *s, void *row)
{
	struct metadata_shard *shard = row;

	shard->stream_id = column_number(s, 0);
	shard->number = (uint32_t)column_number(s, 1);
	shard->slot = (uint32_t)column_number(s, 2);
	for (int i = 0; i < 2; i++) {
		shard->first_hash[i] = column_number(s, 3 + i);
		shard->last_hash[i] = column_number(s, 5 + i);
	}
}

int metadata_find_stream(struct metadata *m, const char *name, struct metadata_stream *out)
{
	sqlite3_stmt *s;
	int result;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_FIND_STREAM);
	bind_text(s, 1, name);
	result = statement_step(m, s, "find a stream");
	if (result > 0)
		read_stream(s, out);
	sqlite3_reset(s);
	pthread_mutex_unlock(&m->lock);
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

/* Runs `s` and asks that it changed something. */
static int change_stream(struct metadata *m, sqlite3_stmt *s, const char *doing)
{
	int error = statement_run(m, s, doing);

	return error ? error : sqlite3_changes(m->db) > 0 ? 0 : -ENOENT;
}

int metadata_set_retention(struct metadata *m, uint64_t id, uint64_t seconds, uint64_t bytes)
{
	sqlite3_stmt *s;
	int error;

	if (seconds < 1 || seconds > INT64_MAX || bytes > INT64_MAX)
		return -EINVAL;
	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_SET_RETENTION);
	bind_number(s, 1, id);
	bind_number(s, 2, seconds);
	bind_number(s, 3, bytes);
	error = change_stream(m, s, "set a stream's retention");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_pass_ids(struct metadata *m, uint64_t id)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error)
		error = statement_run(m, statement_use(m, SQL_ADD_ID), "begin the stream ids");
	if (!error) {
		s = statement_use(m, SQL_RAISE_ID);
		bind_number(s, 1, id);
		error = statement_run(m, s, "pass stream ids over");
	}
	error = transaction_end(m, error);
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_mark_deleting(struct metadata *m, uint64_t id)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_MARK_DELETING);
	bind_number(s, 1, id);
	error = change_stream(m, s, "mark a stream as deleted");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_drop_stream(struct metadata *m, uint64_t id)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_DROP_STREAM);
	bind_number(s, 1, id);
	error = change_stream(m, s, "drop a stream");
	pthread_mutex_unlock(&m->lock);
	return error;
}

int metadata_list_streams(struct metadata *m, struct metadata_stream **out, uint32_t *count)
{
	void *rows = NULL;
	int error;

	pthread_mutex_lock(&m->lock);
	error = statement_list(m, statement_use(m, SQL_LIST_STREAMS), read_stream, sizeof **out, &rows, count);
	pthread_mutex_unlock(&m->lock);
	*out = rows;
	return error;
}

int metadata_list_shards(struct metadata *m, uint64_t stream_id, struct metadata_shard **out, uint32_t *count)
{
	void *rows = NULL;
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	s = statement_use(m, SQL_LIST_SHARDS);
	bind_number(s, 1, stream_id);
	error = statement_list(m, s, read_shard, sizeof **out, &rows, count);
	pthread_mutex_unlock(&m->lock);
	*out = rows;
	return error;
}
