// The one SQLite connection and its prepared statements. Private to control/metadata/.
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/metadata/metadata.h"

/* X(name, SQL): every statement there is; prepared once at open, so a schema that does not fit is found there. */
#define STATEMENTS(X)                                                                                              \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                                \
	X(COMMIT, "COMMIT")                                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                                    \
	X(ADD_STREAM, "INSERT INTO stream(name,shards,retention_seconds,retention_bytes,created_ns,deleting) "     \
		      "VALUES(?1,?2,?3,?4,?5,0)")                                                                  \
	X(ADD_SHARD, "INSERT INTO shard(stream_id,number,slot,first_upper,first_lower,last_upper,last_lower) "     \
		     "VALUES(?1,?2,?3,?4,?5,?6,?7)")                                                               \
	X(FIND_STREAM, "SELECT id,name,shards,retention_seconds,retention_bytes,created_ns,deleting FROM stream "  \
		       "WHERE name=?1")                                                                            \
	X(LIST_STREAMS, "SELECT id,name,shards,retention_seconds,retention_bytes,created_ns,deleting FROM stream " \
			"ORDER BY name")                                                                           \
	X(ADD_ID, "INSERT INTO sqlite_sequence(name,seq) SELECT 'stream',0 WHERE NOT EXISTS("                      \
		  "SELECT 1 FROM sqlite_sequence WHERE name='stream')")                                            \
	X(RAISE_ID, "UPDATE sqlite_sequence SET seq=max(seq,?1) WHERE name='stream'")                              \
	X(SET_RETENTION, "UPDATE stream SET retention_seconds=?2,retention_bytes=?3 WHERE id=?1")                  \
	X(MARK_DELETING, "UPDATE stream SET deleting=1 WHERE id=?1")                                               \
	X(DROP_STREAM, "DELETE FROM stream WHERE id=?1")                                                           \
	X(LIST_SLOTS, "SELECT slot FROM shard")                                                                    \
	X(LIST_SHARDS, "SELECT stream_id,number,slot,first_upper,first_lower,last_upper,last_lower FROM shard "    \
		       "WHERE stream_id=?1 ORDER BY number")                                                       \
	X(GET_CURSOR, "SELECT stream_id,shard,name,next_sequence,records FROM cursor "                             \
		      "WHERE stream_id=?1 AND shard=?2 AND name=?3")                                               \
	X(PUT_CURSOR, "INSERT INTO cursor(stream_id,shard,name,next_sequence,records) VALUES(?1,?2,?3,?4,?5) "     \
		      "ON CONFLICT DO UPDATE SET next_sequence=?4,records=?5")                                     \
	X(LIST_CURSORS, "SELECT stream_id,shard,name,next_sequence,records FROM cursor WHERE stream_id=?1 "        \
			"ORDER BY name,shard")                                                                     \
	X(DROP_CURSOR, "DELETE FROM cursor WHERE stream_id=?1 AND name=?2")                                        \
	X(GET_DELIVERY, "SELECT stream_id,shard,name,next_sequence,start_records,delivered_records,"               \
			"delivered_bytes,delivered_objects,failed_records,expired_records FROM delivery "          \
			"WHERE stream_id=?1 AND shard=?2 AND name=?3")                                             \
	X(PUT_DELIVERY, "INSERT INTO delivery(stream_id,shard,name,next_sequence,start_records,delivered_records," \
			"delivered_bytes,delivered_objects,failed_records,expired_records) "                       \
			"VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT DO UPDATE SET next_sequence=?4,"       \
			"start_records=?5,delivered_records=?6,delivered_bytes=?7,delivered_objects=?8,"           \
			"failed_records=?9,expired_records=?10")                                                   \
	X(LIST_DELIVERIES, "SELECT stream_id,shard,name,next_sequence,start_records,delivered_records,"            \
			   "delivered_bytes,delivered_objects,failed_records,expired_records FROM delivery "       \
			   "ORDER BY name,stream_id,shard")                                                        \
	X(GET_OBJECT, "SELECT stream_id,shard,delivery,first_sequence,last_sequence,records,bytes,name,upload_id," \
		      "templates "                                                                                 \
		      "FROM object WHERE stream_id=?1 AND shard=?2 AND delivery=?3")                               \
	X(PLAN_OBJECT, "INSERT INTO object(stream_id,shard,delivery,first_sequence,last_sequence,records,bytes,"   \
		       "name,upload_id,templates) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")                                       \
	X(SET_UPLOAD, "UPDATE object SET upload_id=?4 WHERE stream_id=?1 AND shard=?2 AND delivery=?3")            \
	X(FINISH_OBJECT, "DELETE FROM object WHERE stream_id=?1 AND shard=?2 AND delivery=?3 "                     \
			 "AND first_sequence=?4 AND last_sequence=?5")                                             \
	X(ADD_REDRIVEN, "INSERT INTO redriven(stream_id,shard,delivery,first_sequence) VALUES(?1,?2,?3,?4)")       \
	X(GET_REDRIVEN, "SELECT 1 FROM redriven WHERE stream_id=?1 AND shard=?2 AND delivery=?3 "                  \
			"AND first_sequence=?4")                                                                   \
	X(DROP_REDRIVEN, "DELETE FROM redriven WHERE stream_id=?1 AND shard=?2 AND delivery=?3 "                   \
			 "AND first_sequence=?4")                                                                  \
	X(ADD_TEMPLATE, "INSERT OR IGNORE INTO template(stream_id,domain,number,from_ns,seen_ns,saved) "           \
			"VALUES(?1,?2,?3,?4,?4,?5)")                                                               \
	X(TRIM_TEMPLATES, "DELETE FROM template WHERE stream_id=?1 AND id<=(SELECT id FROM template "              \
			  "WHERE stream_id=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)")                                \
	X(LIST_TEMPLATES, "SELECT id,saved FROM template WHERE stream_id=?1 AND id>?2 AND id<=?3 ORDER BY id "     \
			  "LIMIT 256")                                                                             \
	X(LAST_TEMPLATE, "SELECT seq FROM sqlite_sequence WHERE name='template'")                                  \
	X(SEE_DOMAIN, "UPDATE template SET seen_ns=max(seen_ns,?3) WHERE stream_id=?1 AND domain=?2")              \
	X(EXPIRE_TEMPLATES, "DELETE FROM template WHERE stream_id=?1 AND (seen_ns<?2 OR EXISTS(SELECT 1 FROM "     \
			    "template AS next WHERE next.stream_id=?1 AND next.domain=template.domain AND "        \
			    "next.number=template.number AND next.from_ns>template.from_ns AND "                   \
			    "next.from_ns<?2))")                                                                   \
	X(GET_LEARNED, "SELECT next_sequence FROM learned WHERE stream_id=?1 AND shard=?2")                        \
	X(PUT_LEARNED, "INSERT INTO learned(stream_id,shard,next_sequence) VALUES(?1,?2,?3) "                      \
		       "ON CONFLICT DO UPDATE SET next_sequence=?3")                                               \
	X(GET_REPLAY, "SELECT stream_id,shard,next_sequence,letters,records,dead,dropped FROM replay "             \
		      "WHERE stream_id=?1 AND shard=?2")                                                           \
	X(PUT_REPLAY, "INSERT INTO replay(stream_id,shard,next_sequence,letters,records,dead,dropped) "            \
		      "VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT DO UPDATE SET next_sequence=?3,letters=?4,"        \
		      "records=?5,dead=?6,dropped=?7")                                                             \
	X(GET_STEP, "SELECT stream_id,shard,next_sequence,letters,records,dead,dropped FROM replay_step")          \
	X(ADD_STEP, "INSERT INTO replay_step(one,stream_id,shard,next_sequence,letters,records,dead,dropped) "     \
		    "VALUES(1,?1,?2,?3,?4,?5,?6,?7)")                                                              \
	X(DROP_STEP, "DELETE FROM replay_step WHERE stream_id=?1 AND shard=?2 AND next_sequence=?3")               \
	X(LAST_PART, "SELECT seq FROM sqlite_sequence WHERE name='replay_part'")                                   \
	X(ADD_PART, "INSERT INTO replay_part(mark,step,to_stream,to_shard,records) VALUES(?1,1,?2,?3,?4)")         \
	X(LIST_PARTS, "SELECT mark,to_stream,to_shard,records FROM replay_part ORDER BY mark")                     \
	X(ADD_DISCARDED, "INSERT INTO discarded(slot,generation,records) VALUES(?1,?2,?3) "                        \
			 "ON CONFLICT DO UPDATE SET records=records+?3")                                           \
	X(GET_DISCARDED, "SELECT records FROM discarded WHERE slot=?1 AND generation=?2")                          \
	X(ADD_BASE, "INSERT INTO base(stream_id,shard,generation,records) VALUES(?1,?2,?3,?4) "                    \
		    "ON CONFLICT DO NOTHING")                                                                      \
	X(GET_BASE, "SELECT records FROM base WHERE stream_id=?1 AND shard=?2 AND generation=?3")                  \
	X(FORGET_DISCARDED, "DELETE FROM discarded WHERE generation<>?1")                                          \
	X(FORGET_BASES, "DELETE FROM base WHERE generation<>?1")

#define STATEMENT_ENUM(name, sql) SQL_##name,
enum statement { STATEMENTS(STATEMENT_ENUM) STATEMENTS_END };
#undef STATEMENT_ENUM

struct metadata {
	pthread_mutex_t lock; /* held over every use of anything below */
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS_END];
	int said;         /* the error last logged, until a change was kept: a full disk is asked again and again */
	int said_changes; /* SQLite's count of changes then, those undone since included */
};

// SQLite's word for what went wrong as -errno; logs it with `doing` unless it is a mere conflict, or was said already.
int database_error(struct metadata *m, int code, const char *doing);

// Brings a new or older database to this version. 0; -EPROTO a newer one, or another program's; -errno.
int database_migrate(struct metadata *m);

// The statement, reset and unbound. Values are bound with the functions below, in order from ?1.
sqlite3_stmt *statement_use(struct metadata *m, enum statement which);

// Numbers above 2^63 (hash keys, generations) are kept as the same 64 bits, signed.
void bind_number(sqlite3_stmt *s, int index, uint64_t number);
void bind_text(sqlite3_stmt *s, int index, const char *text);

// Column `column` into a C string of `size` bytes; a longer one than fits cannot have been stored.
void column_string(sqlite3_stmt *s, int column, char *out, size_t size);
uint64_t column_number(sqlite3_stmt *s, int column);

// Runs a statement that returns no rows. 0 or -errno; rolls back what SQLite left open when it failed.
int statement_run(struct metadata *m, sqlite3_stmt *s, const char *doing);

// 1 a row stands ready, 0 none (more), or -errno.
int statement_step(struct metadata *m, sqlite3_stmt *s, const char *doing);

int transaction_begin(struct metadata *m);

// Commits when `error` is 0, else rolls back. `error`, or why the commit failed (then it is rolled back too).
int transaction_end(struct metadata *m, int error);

typedef void row_reader(sqlite3_stmt *s, void *row);

// All rows of a statement as a malloc'ed array of `row_size` each, filled by `read`. Finishes the statement.
int statement_list(struct metadata *m, sqlite3_stmt *s, row_reader *read, size_t row_size, void **out, uint32_t *count);
