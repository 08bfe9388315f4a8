// Replays of dead letters: how far each shard was replayed, and the step under way.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/metadata/database.h"

static void read_replay(sqlite3_stmt *s, void *row)
{
	struct metadata_replay *replay = row;

	replay->stream_id = column_number(s, 0);
	replay->shard = (uint32_t)column_number(s, 1);
	replay->next_sequence = column_number(s, 2);
	replay->letters = column_number(s, 3);
	replay->records = column_number(s, 4);
	replay->dead = column_number(s, 5);
	replay->dropped = column_number(s, 6);
}

static sqlite3_stmt *use_shard(struct metadata *m, enum statement which, uint64_t stream_id, uint32_t shard)
{
	sqlite3_stmt *s = statement_use(m, which);

	bind_number(s, 1, stream_id);
	bind_number(s, 2, shard);
	return s;
}

static sqlite3_stmt *use_replay(struct metadata *m, enum statement which, const struct metadata_replay *replay)
{
	sqlite3_stmt *s = use_shard(m, which, replay->stream_id, replay->shard);

	bind_number(s, 3, replay->next_sequence);
	bind_number(s, 4, replay->letters);
	bind_number(s, 5, replay->records);
	bind_number(s, 6, replay->dead);
	bind_number(s, 7, replay->dropped);
	return s;
}

/* Under the lock. 0 or -ENOENT. */
static int get(struct metadata *m, sqlite3_stmt *s, struct metadata_replay *out)
{
	int result = statement_step(m, s, "read a replay");

	if (result > 0)
		read_replay(s, out);
	sqlite3_reset(s);
	return result > 0 ? 0 : result < 0 ? result : -ENOENT;
}

int metadata_get_replay(struct metadata *m, uint64_t stream_id, uint32_t shard, struct metadata_replay *out)
{
	int error;

	pthread_mutex_lock(&m->lock);
	error = get(m, use_shard(m, SQL_GET_REPLAY, stream_id, shard), out);
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int last_mark(struct metadata *m, uint64_t *mark)
{
	sqlite3_stmt *s = statement_use(m, SQL_LAST_PART);
	int result = statement_step(m, s, "read the last replayed part");

	*mark = result > 0 ? column_number(s, 0) : 0;
	sqlite3_reset(s);
	return result < 0 ? result : 0;
}

static int add_part(struct metadata *m, const struct metadata_part *part)
{
	sqlite3_stmt *s = statement_use(m, SQL_ADD_PART);

	bind_number(s, 1, part->mark);
	bind_number(s, 2, part->stream_id);
	bind_number(s, 3, part->shard);
	sqlite3_bind_blob(s, 4, part->bytes, (int)part->length, SQLITE_TRANSIENT);
	return statement_run(m, s, "keep records that are replayed");
}

int metadata_plan_replay(struct metadata *m, const struct metadata_replay *step, uint64_t above, struct metadata_part *parts,
			 uint32_t count)
{
	uint64_t mark;
	int error;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		error = statement_run(m, use_replay(m, SQL_ADD_STEP, step), "plan a replay's step");
		if (error == -EEXIST && sqlite3_extended_errcode(m->db) == SQLITE_CONSTRAINT_FOREIGNKEY)
			error = -ENOENT;
		if (!error)
			error = last_mark(m, &mark);
		if (!error && mark < above)
			mark = above;
		for (uint32_t i = 0; i < count && !error; i++) {
			parts[i].mark = ++mark;
			error = add_part(m, &parts[i]);
		}
		error = transaction_end(m, error);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static void read_part(sqlite3_stmt *s, void *row)
{
	struct metadata_part *part = row;

	part->mark = column_number(s, 0);
	part->stream_id = column_number(s, 1);
	part->shard = (uint32_t)column_number(s, 2);
	part->length = (uint32_t)sqlite3_column_bytes(s, 3);
	/* Records want to lie on multiples of 8: malloc's do. */
	part->bytes = malloc(part->length + 8);
	if (part->bytes && part->length)
		memcpy(part->bytes, sqlite3_column_blob(s, 3), part->length);
}

int metadata_get_replay_step(struct metadata *m, struct metadata_replay *step, struct metadata_part **parts, uint32_t *count)
{
	void *rows = NULL;
	int error;

	*count = 0;
	pthread_mutex_lock(&m->lock);
	error = get(m, statement_use(m, SQL_GET_STEP), step);
	if (!error)
		error = statement_list(m, statement_use(m, SQL_LIST_PARTS), read_part, sizeof **parts, &rows, count);
	pthread_mutex_unlock(&m->lock);
	*parts = rows;
	for (uint32_t i = 0; i < *count && !error; i++)
		if (!(*parts)[i].bytes)
			error = -ENOMEM;
	return error;
}

int metadata_finish_replay(struct metadata *m, const struct metadata_replay *step)
{
	sqlite3_stmt *s;
	int error;

	pthread_mutex_lock(&m->lock);
	error = transaction_begin(m);
	if (!error) {
		s = use_shard(m, SQL_DROP_STEP, step->stream_id, step->shard);
		bind_number(s, 3, step->next_sequence);
		error = statement_run(m, s, "finish a replay's step");
		if (!error && sqlite3_changes(m->db) == 0)
			error = -ENOENT;
		if (!error)
			error = statement_run(m, use_replay(m, SQL_PUT_REPLAY, step), "move a replay on");
		error = transaction_end(m, error);
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}
