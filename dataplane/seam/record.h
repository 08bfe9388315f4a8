// One record as it lies in a lane, and, byte for byte, in a batch on disk.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 *   0        4      6    7    8            16       20     22    23    24       32
 *   +--------+------+----+----+------------+--------+------+-----+-----+--------+
 *   | length | key  |kind|orig| arrival_ns | input  | vlan |codec|key_ | hash   |
 *   |        |length|    | in |            |        |      |     |kind |        |
 *   +--------+------+----+----+------------+--------+------+-----+-----+--------+
 *   | origin (0, 12 or 36 bytes) | key (key_length) | payload (length) | pad to 8|
 *   +----------------------------+------------------+------------------+---------+
 *
 * Little endian. The padding is whatever lay there. Every record starts on a multiple of 8 from the start of its lane or batch.
 *
 * The layout is read back from disk for ever. To change it: add a new value of `kind` (old readers refuse a
 * kind they do not know), never move or reuse a field, and add a file written by the old code to the tests.
 */

#define RECORD_ALIGN 8u
#define RECORD_PAYLOAD_MAX 65536u /* a frame of 65,535 bytes fits; larger records are refused where they arrive */
#define RECORD_KEY_MAX 1024u      /* 256 Unicode characters, Kinesis' limit, of at most 4 bytes each */
#define RECORD_TAGS_MAX 64u

enum record_kind {
	RECORD_DATA = 1,   /* payload is what arrived */
	RECORD_GAP = 2,    /* payload is a struct gap: a hole in the shard, with its size */
	/*
	 * As RECORD_DATA, and rules have tagged it: the last 4 bytes of the key block for each of its 1 to RECORD_TAGS_MAX tags
	 * are input_id() of the tag's name. key_length counts them, too, so that whoever only wants the payload finds it where
	 * it always was. Of key_kind, the lower two bits are the enum record_key_kind, the upper six the number of tags less one.
	 */
	RECORD_TAGGED = 3,
};

enum record_origin { /* what stands between header and key */
	RECORD_ORIGIN_NONE = 0,
	RECORD_ORIGIN_IPV4 = 4, /* struct origin4 */
	RECORD_ORIGIN_IPV6 = 6, /* struct origin6 */
};

enum record_key_kind {           /* how a reader finds the partition key's text */
	RECORD_KEY_STORED = 0,   /* the key bytes of this record */
	RECORD_KEY_SOURCE = 1,   /* text of the origin's source address */
	RECORD_KEY_FLOW = 2,     /* "source:port>destination:port/udp" of the origin */
	RECORD_KEY_HASH = 3,     /* 16 hexadecimal digits of `hash` */
};

/* Frozen numbers: stored in records. */
enum record_codec {
	CODEC_DATAGRAM = 1,
	CODEC_LINES = 2,
	CODEC_FRAME = 3,
	CODEC_SYSLOG = 4,     /* RFC 3164 and 5424 */
	CODEC_STATSD = 5,     /* with DogStatsD's tags, events and service checks */
	CODEC_INFLUX = 6,     /* line protocol */
	CODEC_GRAPHITE = 7,   /* plaintext protocol */
	CODEC_JSON = 8,       /* one text a datagram */
	CODEC_JSON_LINES = 9,
	CODEC_GELF = 10,
	CODEC_COLLECTD = 11,  /* binary protocol */
	CODEC_NETFLOW = 12,   /* v5, v9 and IPFIX: a datagram is a record */
	CODEC_SFLOW = 13,     /* v5: a datagram is a record */
	CODEC_KPL = 14,       /* user records of a Kinesis aggregate, each with its own key */
	CODEC_DEAD_LETTER = 15, /* what could not be taken: dataplane/codec/dead_letter.h */
};

struct record {
	uint32_t length;     /* payload bytes */
	uint16_t key_length; /* bytes of stored key */
	uint8_t kind;        /* enum record_kind */
	uint8_t origin;      /* enum record_origin */
	uint64_t arrival_ns; /* CLOCK_REALTIME at the poll that brought the frame */
	uint32_t input;      /* input_id() of the input's name; 0 in a gap */
	uint16_t vlan;       /* outer tag control information, RECORD_VLAN_NONE when untagged */
	uint8_t codec;       /* enum record_codec; 0 in a gap */
	uint8_t key_kind;    /* enum record_key_kind */
	uint64_t hash;       /* upper 64 bits of the hash key that chose the shard */
};

#define RECORD_VLAN_NONE 0xffffu

struct origin4 { /* network byte order, as on the wire */
	uint8_t source[4];
	uint8_t destination[4];
	uint8_t source_port[2];
	uint8_t destination_port[2];
};

struct origin6 {
	uint8_t source[16];
	uint8_t destination[16];
	uint8_t source_port[2];
	uint8_t destination_port[2];
};

enum gap_reason {                 /* frozen numbers: stored in gaps */
	GAP_LANE_FULL = 1,        /* the lane had no room: the drain or the disk was slower than the wire */
	GAP_DATAPLANE_DOWN = 2,   /* frames reached the port while no worker was polling it */
	GAP_STORE_LOST = 3,       /* a batch could not be written before its lane span had to be given up */
	GAP_BATCH_DAMAGED = 4,    /* a stored batch no longer matches its checksum */
	GAP_EXPIRED_EARLY = 5,    /* expired by bytes inside the promised time */
	GAP_REGION_LOST = 6,      /* the region (a reboot) went away with records in it */
	GAP_PORT_MISSED = 7,      /* the driver had no descriptor or buffer for frames, or found them damaged */
};

enum gap_scope {
	GAP_SCOPE_SHARD = 0, /* count is of records of this shard */
	GAP_SCOPE_PORT = 1,  /* count is of frames of a port, whose shards nobody knows */
};

#define GAP_COUNT_UNKNOWN UINT64_MAX

struct gap { /* payload of a RECORD_GAP */
	uint64_t count;    /* records (or frames) missing here, GAP_COUNT_UNKNOWN when nobody can know */
	uint64_t bytes;    /* their payload bytes, 0 when unknown */
	uint64_t first_ns; /* the first loss, CLOCK_REALTIME */
	uint64_t last_ns;  /* the last */
	uint32_t reason;   /* enum gap_reason */
	uint16_t scope;    /* enum gap_scope */
	uint16_t worker;   /* the worker that counted it, UINT16_MAX when it was penstockd */
};

_Static_assert(sizeof(struct record) == 32, "record layout is frozen");
_Static_assert(offsetof(struct record, arrival_ns) == 8, "record layout is frozen");
_Static_assert(offsetof(struct record, input) == 16, "record layout is frozen");
_Static_assert(offsetof(struct record, vlan) == 20, "record layout is frozen");
_Static_assert(offsetof(struct record, codec) == 22, "record layout is frozen");
_Static_assert(offsetof(struct record, hash) == 24, "record layout is frozen");
_Static_assert(sizeof(struct origin4) == 12, "record layout is frozen");
_Static_assert(sizeof(struct origin6) == 36, "record layout is frozen");
_Static_assert(sizeof(struct gap) == 40, "record layout is frozen");

// Bytes of the origin block for an `origin` value; 0 for a value nobody defined.
static inline uint32_t record_origin_bytes(uint8_t origin)
{
	return origin == RECORD_ORIGIN_IPV4 ? sizeof(struct origin4) :
	       origin == RECORD_ORIGIN_IPV6 ? sizeof(struct origin6) : 0;
}

// Bytes of the source address, with which such a block begins.
static inline uint8_t record_source_bytes(uint8_t origin)
{
	return origin == RECORD_ORIGIN_IPV4 ? 4 : origin == RECORD_ORIGIN_IPV6 ? 16 : 0;
}

// Bytes a record takes in a lane or batch, padding included.
static inline uint32_t record_bytes(uint8_t origin, uint32_t key_length, uint32_t length)
{
	uint32_t bytes = (uint32_t)sizeof(struct record) + record_origin_bytes(origin) + key_length + length;

	return (bytes + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1);
}

#define RECORD_BYTES_MAX (32u + 36u + RECORD_KEY_MAX + 4u * RECORD_TAGS_MAX + RECORD_PAYLOAD_MAX + RECORD_ALIGN)

static inline const uint8_t *record_origin(const struct record *r)
{
	return (const uint8_t *)(r + 1);
}

static inline const uint8_t *record_key(const struct record *r)
{
	return record_origin(r) + record_origin_bytes(r->origin);
}

static inline const uint8_t *record_payload(const struct record *r)
{
	return record_key(r) + r->key_length;
}

// Whether it is a record of somebody, tagged or not, rather than a gap.
static inline bool record_is_data(const struct record *r)
{
	return r->kind == RECORD_DATA || r->kind == RECORD_TAGGED;
}

static inline uint32_t record_tags_count(const struct record *r)
{
	return r->kind == RECORD_TAGGED ? (r->key_kind >> 2) + 1u : 0;
}

// One of the record's tags, `index` < record_tags_count().
static inline uint32_t record_tag(const struct record *r, uint32_t index)
{
	uint32_t id;

	__builtin_memcpy(&id, record_payload(r) - 4 * (record_tags_count(r) - index), sizeof id);
	return id;
}

// Bytes of the key itself, and how a reader finds its text (enum record_key_kind, or a number nobody defined).
static inline uint32_t record_key_bytes(const struct record *r)
{
	return r->key_length - 4 * record_tags_count(r);
}

static inline uint8_t record_key_kind(const struct record *r)
{
	return r->kind == RECORD_TAGGED ? r->key_kind & 3 : r->key_kind;
}

// key_kind of a RECORD_TAGGED.
static inline uint8_t record_tagged_kind(uint8_t key_kind, uint32_t tags)
{
	return (uint8_t)(key_kind | (tags - 1) << 2);
}

// The first record of `bytes`, checked: its total size in bytes, or 0 when what stands there is no record
// that lies wholly inside. `bytes` is 8-aligned. Trusts nothing: usable on another process's memory once copied.
uint32_t record_check(const void *bytes, size_t length);

// The id of an input's or a tag's name as records carry it: XXH32 with seed 0. Configuration refuses two names with one id.
uint32_t input_id(const char *name);
