// The two shared files between the planes: the data region (dataplane writes) and the control region (penstockd writes).
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/seam/counters.h"
#include "dataplane/seam/ledger.h"

/*
 *   DIRECTORY/data      written by the dataplane, mapped read-only by penstockd
 *   +-------------------+ 0
 *   | struct region     |  geometry (i), life signs (d); magic written last
 *   +-------------------+ ledgers_offset
 *   | worker ledger 0   |  workers x ledger_bytes(worker_lines(shards)), each on its own pages
 *   | ...               |
 *   | port ledger       |  the main thread's: one per region
 *   +-------------------+ lanes_offset
 *   | lane (0,0)        |  lane (shard slot s, worker w) at lanes_offset + (s * workers + w) * lane_bytes;
 *   | lane (0,1) ...    |  a byte ring: position p lies at p % lane_bytes, records packed end to end, wrapping
 *   +-------------------+
 *
 *   DIRECTORY/control   written by penstockd, mapped read-only by the dataplane, trusted by nobody
 *   +-------------------+ 0
 *   | struct control    |  geometry (i), life signs (c)
 *   | head[s][w]        |  how far penstockd has made lane (s, w) durable: the worker may overwrite below it
 *   | shard map x 2     |  which streams and shards there are; map_version's parity names the valid copy
 *   +-------------------+
 *
 * Both files lie on tmpfs or hugetlbfs (write-back of any other file system would stall a worker) and outlive both
 * processes. Each process maps the other's file through a read-only descriptor, which the kernel never lets it write; run
 * as two users of one group (scripts/systemd), mode 0640 keeps either from opening the other's file for writing at all.
 *
 * (i) constant once magic is there   (d) dataplane writes   (c) penstockd writes
 *
 * To change anything here: raise REGION_VERSION. A dataplane that finds another geometry waits until penstockd has drained
 * the old region, marks it retired, and makes a new one under the same name. Of another version it can tell nothing: it
 * refuses, unless it is told to throw that region away.
 */

#define REGION_MAGIC 0x31474552544e5350ull  /* "PSNTREG1" */
#define CONTROL_MAGIC 0x314c5443544e5350ull /* "PSNTCTL1" */
#define REGION_VERSION 1u

#define WORKERS_MAX 64u
#define SHARDS_MAX 256u /* shard slots */
#define INPUTS_MAX 64u
#define PORTS_MAX 16u
#define STREAM_NAME_MAX 128u /* bytes without the terminator; [a-zA-Z0-9_.-]{1,128} as Kinesis */
#define NAME_MAX_BYTES 64u   /* inputs and ports, terminator included */

enum region_state { REGION_STARTING = 0, REGION_RUNNING = 1, REGION_DRAINING = 2, REGION_STOPPED = 3, REGION_RETIRED = 4 };

/* Of a request to reload: what the dataplane made of its own configuration file. */
enum reload_outcome {
	RELOAD_NONE,
	RELOAD_APPLIED, /* every worker works by it, as far as it can change while they run */
	RELOAD_REFUSED, /* it has errors (the dataplane's log has them): nothing changed */
	RELOAD_FAILED,  /* it could not make what they ask for, as without memory: nothing changed */
};

struct region_input { /* (d) under `description`; a row belongs to its name until another input needs it, across runs */
	char name[NAME_MAX_BYTES]; /* "": the row is between two inputs, or free */
	char stream[STREAM_NAME_MAX + 1];
	uint8_t reserved[6];
	uint8_t removed;           /* 1: no longer configured; what it counted stays */
};

struct region_port { /* (i) for one run */
	char name[NAME_MAX_BYTES];
	char device[NAME_MAX_BYTES]; /* EAL's name of it */
	char driver[32];
	uint32_t first_worker, queues;
	uint32_t accountable; /* 0: the driver is known to lose frames that no counter shows */
	uint32_t wire_counter; /* 1: the PORT_WIRE row is an oracle outside the driver (a kernel interface's own count) */
};

struct region {
	_Atomic uint64_t magic;      /* (i) REGION_MAGIC */
	uint32_t version;            /* (i) REGION_VERSION */
	uint32_t header_bytes;       /* (i) sizeof(struct region) */
	uint64_t generation;         /* (i) random, never 0: lane positions mean nothing under another one */
	uint64_t size_bytes;         /* (i) of the file */
	uint32_t workers, shards;    /* (i) geometry */
	uint64_t lane_bytes;         /* (i) a power of two, a multiple of the page size */
	uint64_t ledgers_offset, ledger_stride; /* (i) */
	uint64_t port_ledger_offset; /* (i) */
	uint64_t lanes_offset;       /* (i) */
	uint64_t created_ns;         /* (i) CLOCK_REALTIME */
	_Atomic uint64_t config_hash;    /* (d) of the configuration the dataplane works by, config_hash(); 0: not told */
	_Atomic uint64_t reload_answer;  /* (d) to the last request to reload: its number << 8 | enum reload_outcome */
	_Atomic uint64_t heartbeat_ns;   /* (d) CLOCK_REALTIME, at least every 100 ms while alive */
	_Atomic uint64_t started_ns;     /* (d) of this process */
	_Atomic uint32_t pid;            /* (d) */
	_Atomic uint32_t state;          /* (d) enum region_state */
	_Atomic uint64_t map_version;    /* (d) the shard map every worker has acknowledged */
	_Atomic uint32_t description;    /* (d) odd while inputs and ports are being rewritten */
	uint32_t inputs_count, ports_count;
	uint32_t reserved;
	struct region_input inputs[INPUTS_MAX]; /* row i of a worker's input lines */
	struct region_port ports[PORTS_MAX];    /* row i of the port ledger */
};

/* A worker's ledger: words by index. Lines of inputs and lanes each belong to one object. */
enum worker_words {
	WORKER_COUNTERS_WORD = 0, /* COUNTERS_MAX words, see counters.h */
	WORKER_INPUTS_WORD = COUNTERS_MAX,
	WORKER_LANES_WORD = WORKER_INPUTS_WORD + INPUTS_MAX * LEDGER_LINE_WORDS,
};

enum input_row { INPUT_FRAMES, INPUT_RECORDS, INPUT_BYTES, INPUT_REFUSED /* records dropped after parsing */, INPUT_ROWS_END };

enum lane_row {
	LANE_POSITION,     /* bytes ever appended: the next record goes here */
	LANE_RECORDS,      /* data records ever appended */
	LANE_BYTES,        /* their payload bytes */
	LANE_DROPPED,      /* records ever refused because the lane was full */
	LANE_GAP_COUNT,    /* of those, not yet told by a gap record */
	LANE_GAP_BYTES,
	LANE_GAP_FIRST_NS,
	LANE_GAP_LAST_NS,
	LANE_ROWS_END
};
_Static_assert(LANE_ROWS_END == LEDGER_LINE_WORDS, "a lane is one line");

static inline uint32_t worker_lines(uint32_t shards)
{
	return WORKER_LANES_WORD / LEDGER_LINE_WORDS + shards;
}

static inline uint32_t lane_word(uint32_t slot, enum lane_row row)
{
	return WORKER_LANES_WORD + slot * LEDGER_LINE_WORDS + row;
}

static inline uint32_t input_word(uint32_t input, enum input_row row)
{
	return WORKER_INPUTS_WORD + input * LEDGER_LINE_WORDS + row;
}

/*
 * The port ledger: two lines a port. All values count from the making of the region, across restarts.
 * The equations hold in a snapshot with PORT_EXACT: wire = rx + missed + errors + no_mbuf + down, and rx = polled.
 * In another snapshot rx may run ahead of polled by what is being processed, and wire is of the last exact one.
 */
enum port_row {
	PORT_WIRE,     /* frames an outside oracle saw arrive; only when wire_counter */
	PORT_RX,       /* frames the driver says it handed out; begins each run at what workers had committed */
	PORT_MISSED,   /* rte_eth_stats imissed */
	PORT_ERRORS,   /* ierrors */
	PORT_NO_MBUF,  /* rx_nombuf */
	PORT_DOWN,     /* frames that arrived while no worker polled the port (start, restart, crash) */
	PORT_RX_BYTES,
	PORT_TX,
	PORT_LINK_UP,
	PORT_LINK_MBPS,
	PORT_POLLED,   /* frames the port's workers had committed when the other rows were read */
	PORT_EXACT,    /* 1: read at an instant when the queues were empty and nothing arrived: all rows belong together */
	PORT_WIRE_RAW, /* the oracle's own reading behind PORT_WIRE, and which interface it was of: */
	PORT_WIRE_INTERFACE,
	PORT_SETTLING, /* 1: frames that arrived before the first poll are not yet known (no quiet instant so far) */
	PORT_ROWS_END = 16
};

static inline uint32_t port_word(uint32_t port, enum port_row row)
{
	return port * PORT_ROWS_END + row;
}

#define PORT_LINES (PORTS_MAX * PORT_ROWS_END / LEDGER_LINE_WORDS)

struct map_shard { /* one shard that takes records */
	uint64_t first_hash[2], last_hash[2]; /* inclusive Kinesis hash-key range: [0] upper, [1] lower 64 bits */
	uint32_t slot;                        /* lane slot */
	uint32_t stream;                      /* index into streams[] */
};

struct map_stream {
	char name[STREAM_NAME_MAX + 8];
	uint32_t first_shard, shards; /* its run in shards[], sorted by first_hash, covering 0..2^128-1 */
};

struct shard_map {
	uint32_t streams_count, shards_count;
	struct map_stream streams[SHARDS_MAX];
	struct map_shard shards[SHARDS_MAX];
};

struct control {
	_Atomic uint64_t magic;        /* (i) CONTROL_MAGIC */
	uint32_t version;              /* (i) REGION_VERSION */
	uint32_t header_bytes;         /* (i) sizeof(struct control) */
	uint64_t generation;           /* (i) of the data region it belongs to */
	uint32_t workers, shards;      /* (i) as the data region */
	_Atomic uint64_t heartbeat_ns; /* (c) */
	_Atomic uint32_t pid;          /* (c) */
	uint32_t reserved;
	_Atomic uint64_t map_version;  /* (c) 0: no map yet */
	_Atomic uint64_t reload_request; /* (c) grows by one: look at your configuration again. Nothing else is asked or said */
	_Atomic uint64_t head[SHARDS_MAX][WORKERS_MAX]; /* (c) lane positions below which all is durable */
	struct shard_map map[2];       /* (c) [map_version & 1] is valid */
};

_Static_assert(sizeof(struct region_input) == 200, "region layout is frozen");
_Static_assert(sizeof(struct region_port) == 176, "region layout is frozen");
_Static_assert(offsetof(struct region, heartbeat_ns) == 104, "region layout is frozen");
_Static_assert(offsetof(struct region, inputs) == 152, "region layout is frozen");
_Static_assert(offsetof(struct control, head) == 64, "control layout is frozen");
_Static_assert(sizeof(struct map_shard) == 40 && sizeof(struct map_stream) == 144, "map layout is frozen");

struct region_geometry {
	uint32_t workers;    /* 1..WORKERS_MAX */
	uint32_t shards;     /* slots, 1..SHARDS_MAX */
	uint64_t lane_bytes; /* a power of two from 256 KiB to 1 GiB */
};

/* The dataplane's hold on the data region. */
struct region_writer {
	struct region *region;  /* the mapping up to lanes_offset */
	uint8_t **lanes;        /* shards x workers: each lane mapped twice in a row, so that no record ever wraps for its writer */
	struct region_geometry geometry;
	uint64_t mapped_bytes;  /* of `region` */
	int fd;
};

/* penstockd's hold on it: the same bytes, read-only. */
struct region_reader {
	const struct region *region;
	const uint8_t *const *lanes;
	struct region_geometry geometry; /* private copies, taken after checking them against the file's size */
	uint64_t generation;
	uint64_t ledgers_offset, ledger_stride, port_ledger_offset;
	uint64_t mapped_bytes;
	uint64_t inode;
	int fd;
};

// Opens DIRECTORY/data, or makes it when absent, and takes the exclusive lock that marks its one writer.
// 0; -EBUSY another dataplane holds it; -EPROTO it is a region of another version or geometry that still holds
// undrained records (see region_retire()); -EMEDIUMTYPE the directory is neither on tmpfs nor hugetlbfs; -ENOSPC; -errno.
// Lanes are mapped, not populated: call region_populate() before a lane is used.
int region_create(const char *directory, const struct region_geometry *geometry, struct region_writer *out);

// Faults lane (slot, worker) in, on NUMA node `node` (-1: any), so that its worker never page-faults. 0 or -errno.
int region_populate(struct region_writer *region, uint32_t slot, uint32_t worker, int node);

// Marks a region of another version or geometry as retired and unlinks it. -EBUSY while it is locked.
int region_retire(const char *directory);

void region_close_writer(struct region_writer *region);

// Maps DIRECTORY/data read-only. 0; -ENOENT none yet; -EAGAIN still being made; -EPROTO another version;
// -EBADMSG header and file size contradict each other; -errno.
int region_open(const char *directory, struct region_reader *out);

void region_close_reader(struct region_reader *region);

// What a region takes of a file system with pages of `page_bytes` once the lanes of `slots` shard slots are in use: header and
// ledgers, these lanes, the control file; each in whole pages, which on hugetlbfs are huge. 0 when the geometry is out of
// range, or a lane no multiple of a page.
uint64_t region_room_bytes(const struct region_geometry *geometry, uint32_t slots, uint64_t page_bytes);

static inline const struct ledger *region_worker_ledger(const struct region_reader *r, uint32_t worker)
{
	return (const struct ledger *)((const uint8_t *)r->region + r->ledgers_offset + worker * r->ledger_stride);
}

static inline const struct ledger *region_port_ledger(const struct region_reader *r)
{
	return (const struct ledger *)((const uint8_t *)r->region + r->port_ledger_offset);
}

// penstockd's side of the control region: opens or makes DIRECTORY/control for `generation`, exclusively locked.
// A control region of another generation is started afresh (heads 0, no map). It has all its pages from here on.
// 0; -EBUSY; -ENOSPC the file system has no room for it; -errno.
int control_create(const char *directory, const struct region_reader *region, struct control **out, int *fd);

// The dataplane's side, read-only. 0; -ENOENT; -EPROTO other version, geometry or generation; -errno.
int control_open(const char *directory, const struct region *region, const struct control **out);

void control_close(const struct control *control);

// Publishes a map: fills the invalid copy, then stores map_version + 1. Single writer. Partner: control_read_map().
void control_publish_map(struct control *control, const struct shard_map *map);

// Copies the valid map and checks every field of the copy (counts, runs, slots below `shards`, ranges sorted and gapless).
// 0 with *version; -EAGAIN none yet or it changed meanwhile; -EBADMSG it makes no sense.
int control_read_map(const struct control *control, uint32_t shards, struct shard_map *out, uint64_t *version);
