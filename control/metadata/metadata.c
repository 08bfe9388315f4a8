// Opening the database, and the few steps every call on it is made of.
#include "control/metadata/metadata.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/metadata/database.h"
#include "control/store/files.h"

#define DATABASE_FILE "metadata.db"

static const char *const statements[STATEMENTS_END] = {
#define STATEMENT_ROW(name, sql) [SQL_##name] = sql,
	STATEMENTS(STATEMENT_ROW)
#undef STATEMENT_ROW
};

static int errno_of(sqlite3 *db, int code)
{
	int cause = sqlite3_system_errno(db);

	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return cause ? -cause : -EIO;
	case SQLITE_IOERR:
		return cause == ENOSPC || cause == EDQUOT ? -ENOSPC : -EIO;
	default:
		return -EIO;
	}
}

int database_error(struct metadata *m, int code, const char *doing)
{
	int error = errno_of(m->db, code);

	if (error == -EEXIST)
		return error;
	if (error != m->said)
		log_error("metadata: cannot %s: %s (%s)", doing, sqlite3_errmsg(m->db), strerror(-error));
	m->said = error;
	m->said_changes = sqlite3_total_changes(m->db);
	return error;
}

/* Beginning, undoing, and a transaction that changed nothing are no sign that the disk takes anything. */
static void note_success(struct metadata *m, const sqlite3_stmt *s)
{
	int changes = sqlite3_total_changes(m->db);

	if (!m->said || !sqlite3_get_autocommit(m->db))
		return;
	if (s != m->statements[SQL_ROLLBACK] && changes != m->said_changes) {
		m->said = 0;
		log_info("metadata: changes are kept again");
	}
	m->said_changes = changes;
}

sqlite3_stmt *statement_use(struct metadata *m, enum statement which)
{
	sqlite3_reset(m->statements[which]);
	sqlite3_clear_bindings(m->statements[which]);
	return m->statements[which];
}

void bind_number(sqlite3_stmt *s, int index, uint64_t number)
{
	sqlite3_bind_int64(s, index, (sqlite3_int64)number);
}

void bind_text(sqlite3_stmt *s, int index, const char *text)
{
	sqlite3_bind_text(s, index, text, -1, SQLITE_TRANSIENT);
}

void column_string(sqlite3_stmt *s, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(s, column);

	snprintf(out, size, "%s", text ? (const char *)text : "");
}

uint64_t column_number(sqlite3_stmt *s, int column)
{
	return (uint64_t)sqlite3_column_int64(s, column);
}

int statement_step(struct metadata *m, sqlite3_stmt *s, const char *doing)
{
	int code = sqlite3_step(s), error;

	if (code == SQLITE_ROW)
		return 1;
	error = code == SQLITE_DONE ? 0 : database_error(m, code, doing);
	sqlite3_reset(s);
	return error;
}

int statement_run(struct metadata *m, sqlite3_stmt *s, const char *doing)
{
	int result = statement_step(m, s, doing);

	sqlite3_reset(s);
	if (result == 0)
		note_success(m, s);
	return result > 0 ? 0 : result;
}

int transaction_begin(struct metadata *m)
{
	return statement_run(m, statement_use(m, SQL_BEGIN), "begin a transaction");
}

int transaction_end(struct metadata *m, int error)
{
	if (!error)
		error = statement_run(m, statement_use(m, SQL_COMMIT), "commit");
	/* A full disk may have ended the transaction already; then there is nothing to roll back. */
	if (error && !sqlite3_get_autocommit(m->db))
		statement_run(m, statement_use(m, SQL_ROLLBACK), "roll back");
	return error;
}

int statement_list(struct metadata *m, sqlite3_stmt *s, row_reader *read, size_t row_size, void **out, uint32_t *count)
{
	char *rows = NULL;
	uint32_t used = 0, room = 0;
	int result;

	while ((result = statement_step(m, s, "read a list")) > 0) {
		if (used == room) {
			char *grown = reallocarray(rows, room = room ? 2 * room : 16, row_size);

			if (!grown) {
				result = -ENOMEM;
				break;
			}
			rows = grown;
		}
		memset(rows + used * row_size, 0, row_size);
		read(s, rows + used++ * row_size);
	}
	sqlite3_reset(s);
	if (result < 0) {
		free(rows);
		return result;
	}
	*out = rows;
	*count = used;
	return 0;
}

/* quick_check answers one row "ok", or a row for each thing wrong. */
static int check_integrity(struct metadata *m)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(m->db, "PRAGMA quick_check(1)", -1, &s, NULL);
	bool sound = false;

	if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
		const char *verdict = (const char *)sqlite3_column_text(s, 0);

		sound = verdict && strcmp(verdict, "ok") == 0;
		if (!sound)
			log_error("metadata: %s", verdict ? verdict : "no verdict");
	}
	sqlite3_finalize(s);
	return sound ? 0 : code == SQLITE_ROW ? -EIO : database_error(m, code, "check the database");
}

static int set_up(struct metadata *m)
{
	/* Exclusive locking is what keeps a second process out, and needs no shared index file beside the log. */
	static const char pragmas[] = "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
				      "PRAGMA foreign_keys=ON;PRAGMA trusted_schema=OFF;PRAGMA cell_size_check=ON;"
				      "PRAGMA cache_size=-2048;BEGIN EXCLUSIVE;COMMIT";
	int code = sqlite3_exec(m->db, pragmas, NULL, NULL, NULL), error;

	if (code != SQLITE_OK)
		return database_error(m, code, "take the database");
	error = check_integrity(m);
	if (!error)
		error = database_migrate(m);
	for (int i = 0; i < STATEMENTS_END && !error; i++) {
		code = sqlite3_prepare_v3(m->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &m->statements[i], NULL);
		if (code != SQLITE_OK)
			error = database_error(m, code, statements[i]);
	}
	return error;
}

static void say_remedy(const char *directory, const char *path, int error)
{
	if (error == -EBUSY)
		log_error("metadata: %s is held by another process: stop the other penstockd (or sqlite3 shell) first",
			  path);
	else if (error == -EIO)
		log_error("metadata: %s is damaged: restore it from a backup. Without one, move it and its -wal away and "
			  "create the streams again: they begin empty, in new folders. The records under %s/streams stay on the "
			  "disk, but nothing can read them by their streams' names any more", path, directory);
	else if (error != -EPROTO)
		log_error("metadata: cannot open %s: %s", path, strerror(-error));
}

int metadata_open(const char *directory, struct metadata **out)
{
	struct metadata *m = calloc(1, sizeof *m);
	char path[PATH_MAX];
	int error, code;

	if (!m)
		return -ENOMEM;
	pthread_mutex_init(&m->lock, NULL);
	error = files_make_directory(directory);
	if (!error && snprintf(path, sizeof path, "%s/" DATABASE_FILE, directory) >= PATH_MAX)
		error = -ENAMETOOLONG;
	if (error) {
		log_error("metadata: cannot make %s: %s", directory, strerror(-error));
		metadata_close(m);
		return error;
	}
	code = sqlite3_open_v2(path, &m->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK) {
		error = errno_of(m->db, code);
	} else {
		sqlite3_extended_result_codes(m->db, 1);
		error = set_up(m);
	}
	if (error) {
		say_remedy(directory, path, error);
		metadata_close(m);
		return error;
	}
	*out = m;
	return 0;
}

void metadata_close(struct metadata *m)
{
	if (!m)
		return;
	for (int i = 0; i < STATEMENTS_END; i++)
		sqlite3_finalize(m->statements[i]);
	sqlite3_close(m->db);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
