// The bytes of a segment file: header, then batches. Frozen: read back for ever.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/seam/region.h"

/*
 *   STORE/streams/<stream name>.<stream id>/<shard number>/<first sequence, 20 digits>.segment
 *
 *   +----------------------+ 0
 *   | segment_header       |  4,096 bytes
 *   +----------------------+ 4096
 *   | batch | spans | recs |  each batch starts on the next multiple of 64, or of 4,096; zeros between
 *   | batch ...            |
 *   +----------------------+ up to the first place where no valid batch with the next sequence stands
 *
 * A batch is what one commit of one shard made durable: spans of lanes, records as they lay there, end to end.
 * Record n of a batch (data and gap alike) has sequence first_sequence + n.
 *
 * A batch that was rewritten to a newer segment after a failed write may stand at the end of the older one too: a
 * batch whose first_sequence is not below the next segment's first_sequence does not exist.
 *
 * crc is CRC32C (Castagnoli, reflected, init and final xor 0xffffffff) over the whole structure with crc = 0
 * (segment_header: its 4,096 bytes; batch: header, spans and records, `length` bytes).
 *
 * To change it: a new version number in segment_header, readers of every older one kept, and a file of the old version in tests/.
 */

#define SEGMENT_MAGIC 0x31474553534e4550ull /* "PENSSEG1" */
#define SEGMENT_VERSION 2u /* 1: without `put`, which reads as zeros */
#define BATCH_MAGIC 0x42534e50u /* "PNSB" */
#define BATCH_ALIGN 64u
#define SPAN_CONTROL 0xffffu /* records penstockd made itself: gaps it found, and what was put */

struct lane_mark { /* how much of a lane lies in front of here: bytes, and data records, since the region was made */
	uint64_t position, records;
};

/*
 * `after` of a span of SPAN_CONTROL, and `put` of a header: position is the greatest mark of store_put(), records how many
 * data records were put into the shard, both since the shard was made. Zeros say nothing (gaps of version 1, filling).
 */

struct segment_header {
	uint64_t magic;
	uint32_t version;
	uint32_t shard;            /* number */
	uint64_t stream_id;
	uint64_t first_sequence;
	uint64_t records_before;   /* data records of the shard before this segment */
	uint64_t generation;       /* of the region its spans come from; 0: none yet */
	uint64_t created_ns;
	struct lane_mark lanes[WORKERS_MAX]; /* at the start of this segment, under `generation` */
	struct lane_mark put;
	uint8_t reserved[4096 - 56 - WORKERS_MAX * 16 - 16 - 8];
	uint32_t reserved_end;
	uint32_t crc;
};

struct batch {
	uint32_t magic;
	uint32_t length;           /* header, spans and records, without padding */
	uint64_t first_sequence;
	uint32_t sequences;        /* data and gap records */
	uint32_t records;          /* data records */
	uint64_t records_before;   /* data records of the shard before this batch */
	uint64_t stored_ns;        /* when it was closed; never decreases along the shard */
	uint64_t first_arrival_ns; /* least and greatest arrival in it */
	uint64_t last_arrival_ns;
	uint16_t spans;
	uint16_t overlapped;       /* how many batches in front of it were not yet durable when it was made */
	uint32_t crc;
};

struct span {
	uint16_t worker;           /* or SPAN_CONTROL */
	uint16_t reserved[3];
	uint64_t bytes;            /* of records in this span */
	struct lane_mark after;    /* the lane's mark behind it */
};

_Static_assert(sizeof(struct segment_header) == 4096, "segment layout is frozen");
_Static_assert(sizeof(struct batch) == 64, "batch layout is frozen");
_Static_assert(sizeof(struct span) == 32, "batch layout is frozen");
_Static_assert(offsetof(struct segment_header, lanes) == 56, "segment layout is frozen");
_Static_assert(offsetof(struct segment_header, put) == 1080, "segment layout is frozen");
