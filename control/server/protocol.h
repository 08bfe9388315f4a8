// How the command line talks to penstockd: messages over a local stream socket.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/*
 *   +------------+------------+--------------------+------------------+
 *   | json_bytes | data_bytes | json (UTF-8)       | data             |   both counts 32 bits, little endian
 *   +------------+------------+--------------------+------------------+
 *
 * A client sends one request and gets one answer; then it may send the next on the same connection.
 * A request is {"op": "...", ...}. An answer is {"ok": true, ...} or {"ok": false, "error": NAME, "message": TEXT},
 * NAME being Kinesis' name of the error where there is one (ResourceNotFound, InvalidArgument, ResourceInUse,
 * LimitExceeded, InternalFailure).
 *
 * 64-bit numbers that may pass 2^53 (hash keys) and sequence numbers are decimal strings; the rest are integers.
 *
 *   op               request                                   answer
 *   status           -                                         the whole state, see control/server/status.c
 *   ledger           -                                         {"balanced", "unaccounted", "sections": [...]}
 *   reload           dry_run?                                  {"refused", "report", "complete", "changes": [{path, kind, live,
 *                                                               text, ...}], "failures", "dataplane", "hash", ...} within 30 s
 *   stream.create    name, shards, retention_seconds?,         {}
 *                    retention_bytes?
 *   stream.list      -                                         {"streams": [{name, shards, retention_seconds, ...}]}
 *   stream.describe  name                                      {"stream": {..., "shards": [...], "cursors": [...]}}
 *   stream.delete    name                                      {"gone", "id"} within 10 s; not gone: it will, ask stream.gone
 *   stream.gone      id                                        {"gone", "id"} within 2.5 s
 *   position         stream, shard, from: "trim-horizon" |     {"sequence": next to read, "records": data records before}
 *                    "latest" | "time" | "sequence",
 *                    time_ns?, sequence?
 *   read             stream, shard, sequence, wait_ms?         {"first_sequence", "sequences", "records",
 *                                                               "records_before", "stored_ns", "next_sequence"} + data;
 *                                                              at the tail {"tail": true, "next_sequence"} without data
 *   cursor.get       stream, shard, name                       {"sequence", "records"} or {"absent": true}
 *   cursor.put       stream, shard, name, sequence, records    {} once durable
 *   cursor.list      stream                                    {"cursors": [{name, shard, sequence, records, behind}]}
 *   cursor.delete    stream, name                              {}, on all shards
 *   replay           stream, shard, end, sequence?, limit?,    {"letters", "records", "dead", "orphans", "dropped",
 *                    dry?                                       "unreadable", "gone", "next_sequence", "done"}: one step
 *                                                              (control/replay/replay.h); ask again until done
 *   template.list    stream, after?                            {"last", "more"} + data: flow templates kept behind number
 *                                                              `after`, each with its length in front, 16 bits little endian
 *   delivery.list    -                                         {"deliveries": [{name, stream, delivered, failed, ...}]}
 *   delivery.show    name                                      {"delivery": {..., "shards": [...], "dead": {...}}}
 *   delivery.dead    name, after?, most?                       {"dead": [its note, ...], "more"}: the objects behind `after`
 *   delivery.redrive name, object                              {"done"} within 10 s; not done: it is under way, ask again
 *
 * "sequence" is the plain number inside a shard (as store.h counts), not the text people see. A batch answered to
 * "read" is the one that holds `sequence`, or, when that has expired, the oldest retained: first_sequence tells.
 */

#define PROTOCOL_JSON_MAX (4u << 20)
#define PROTOCOL_DATA_MAX (64u << 20)

struct message {
	json_t *json;     /* owned by the message */
	uint8_t *data;    /* malloc'ed, NULL when data_bytes is 0 */
	uint32_t data_bytes;
};

void message_free(struct message *m);

// Blocking: the client's way. 0; -ECONNRESET the other end closed; -EMSGSIZE; -EPROTO no valid JSON; -errno.
int message_send(int fd, const json_t *json, const void *data, uint32_t data_bytes);
int message_receive(int fd, struct message *out);

struct message_limits {
	uint32_t json_bytes, data_bytes;
	uint32_t idle_ms;     /* for its first byte; 0: for ever */
	uint32_t transfer_ms; /* from the first byte to the last */
};

// The server's way: nothing is believed and nothing waits longer than it may. As message_receive(), and -ETIMEDOUT.
// JSON nested deeper than 32 or with a key twice is -EPROTO. A message refused leaves the connection out of step: close it.
int message_receive_within(int fd, const struct message_limits *limits, struct message *out);

// Connects to penstockd's socket. A descriptor or -errno; -ETIMEDOUT when nobody there takes connections for 5 s. Sending
// on it waits no longer than that either.
int protocol_connect(const char *socket_path);
