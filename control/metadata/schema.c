// The schema and its ladder: user_version n becomes n + 1 by step n, each in one transaction.
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

#include "control/log.h"
#include "control/metadata/database.h"

#define APPLICATION_ID 0x504e5354 /* "PNST": file(1) and a careless sqlite3 shell can tell whose it is */

/*
 * To change the schema: add a step at the end, never touch an older one, and open a database of the older version in
 * the tests. AUTOINCREMENT is what keeps stream ids from ever being given twice.
 */
static const char *const ladder[] = {
	"CREATE TABLE stream("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  name TEXT NOT NULL UNIQUE,"
	"  shards INTEGER NOT NULL,"
	"  retention_seconds INTEGER NOT NULL,"
	"  retention_bytes INTEGER NOT NULL,"
	"  created_ns INTEGER NOT NULL,"
	"  deleting INTEGER NOT NULL) STRICT;"
	"CREATE TABLE shard("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  number INTEGER NOT NULL,"
	"  slot INTEGER NOT NULL UNIQUE,"
	"  first_upper INTEGER NOT NULL, first_lower INTEGER NOT NULL,"
	"  last_upper INTEGER NOT NULL, last_lower INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, number)) STRICT;"
	"CREATE TABLE cursor("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  next_sequence INTEGER NOT NULL,"
	"  records INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard, name)) STRICT;"
	"CREATE TABLE delivery("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  next_sequence INTEGER NOT NULL,"
	"  start_records INTEGER NOT NULL,"
	"  delivered_records INTEGER NOT NULL, delivered_bytes INTEGER NOT NULL, delivered_objects INTEGER NOT NULL,"
	"  failed_records INTEGER NOT NULL,"
	"  expired_records INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard, name)) STRICT;"
	"CREATE TABLE object("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  delivery TEXT NOT NULL,"
	"  first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,"
	"  records INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  upload_id TEXT NOT NULL,"
	"  PRIMARY KEY(stream_id, shard, delivery)) STRICT;"
	"CREATE TABLE discarded("
	"  slot INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL,"
	"  records INTEGER NOT NULL,"
	"  PRIMARY KEY(slot, generation)) STRICT;"
	"CREATE TABLE base("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL,"
	"  records INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard, generation)) STRICT;",
	/* 2: dead objects put to their destination whose files may still be among the dead letters */
	"CREATE TABLE redriven("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  delivery TEXT NOT NULL,"
	"  first_sequence INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard, delivery, first_sequence)) STRICT;",
	/* 3: flow templates, how far shards were read for them, and which of them an object is decoded by */
	"CREATE TABLE template("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  domain BLOB NOT NULL,"
	"  number INTEGER NOT NULL,"
	"  from_ns INTEGER NOT NULL,"
	"  seen_ns INTEGER NOT NULL,"
	"  saved BLOB NOT NULL,"
	"  UNIQUE(stream_id, domain, number, from_ns, saved)) STRICT;"
	"CREATE TABLE learned("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  next_sequence INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard)) STRICT;"
	"ALTER TABLE object ADD COLUMN templates INTEGER NOT NULL DEFAULT 0;",
	/* 4: how far dead letters were replayed, and the step that is under way with the records it brings */
	"CREATE TABLE replay("
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  next_sequence INTEGER NOT NULL,"
	"  letters INTEGER NOT NULL, records INTEGER NOT NULL, dead INTEGER NOT NULL, dropped INTEGER NOT NULL,"
	"  PRIMARY KEY(stream_id, shard)) STRICT;"
	"CREATE TABLE replay_step("
	"  one INTEGER PRIMARY KEY CHECK(one=1),"
	"  stream_id INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,"
	"  shard INTEGER NOT NULL,"
	"  next_sequence INTEGER NOT NULL,"
	"  letters INTEGER NOT NULL, records INTEGER NOT NULL, dead INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;"
	"CREATE TABLE replay_part("
	"  mark INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  step INTEGER NOT NULL REFERENCES replay_step(one) ON DELETE CASCADE,"
	"  to_stream INTEGER NOT NULL,"
	"  to_shard INTEGER NOT NULL,"
	"  records BLOB NOT NULL) STRICT;",
};

#define VERSION ((int)(sizeof ladder / sizeof ladder[0]))

static int read_pragma(struct metadata *m, const char *sql, int *value)
{
	sqlite3_stmt *s;
	int code = sqlite3_prepare_v2(m->db, sql, -1, &s, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		*value = sqlite3_column_int(s, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return code == SQLITE_OK ? 0 : database_error(m, code, "read the schema's version");
}

static int climb(struct metadata *m, int version)
{
	char number[128];
	int code = sqlite3_exec(m->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	/* PRAGMA takes no parameters. */
	snprintf(number, sizeof number, "PRAGMA user_version=%d;PRAGMA application_id=%d;COMMIT", version + 1,
		 APPLICATION_ID);
	if (code == SQLITE_OK)
		code = sqlite3_exec(m->db, ladder[version], NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(m->db, number, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	code = database_error(m, code, "bring the schema up to date");
	sqlite3_exec(m->db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

int database_migrate(struct metadata *m)
{
	int version = 0, application = 0, error = read_pragma(m, "PRAGMA user_version", &version);

	if (!error)
		error = read_pragma(m, "PRAGMA application_id", &application);
	if (error)
		return error;
	if (version < 0 || version > VERSION || (version > 0 && application != APPLICATION_ID)) {
		if (application == APPLICATION_ID)
			log_error("metadata: %s has schema %d, this penstockd knows up to %d: start the newer penstockd",
				  sqlite3_db_filename(m->db, NULL), version, VERSION);
		else
			log_error("metadata: %s is another program's database: move it away or change store.directory",
				  sqlite3_db_filename(m->db, NULL));
		return -EPROTO;
	}
	for (; version < VERSION && !error; version++)
		error = climb(m, version);
	return error;
}
