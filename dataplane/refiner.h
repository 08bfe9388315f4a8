// A worker's memory for refining records, and the steps that share it. Private to refine*.c.
#pragma once

#include "dataplane/refine.h"
#include "dataplane/worker.h"

#define REFINE_RECORDS 1024u                       /* cut before they are looked at together */
#define REFINE_DEAD_BYTES (2 * RECORD_PAYLOAD_MAX) /* dead letters on their way to a lane */
#define REFINE_KEY_BYTES (64u << 10)               /* keys that do not lie in their records */
#define REFINE_KEY_ROOM (KEY_BYTES_MAX + RECORD_KEY_MAX + 4 * RECORD_TAGS_MAX) /* of one record, at most */
#define REFINE_BLOCK_BYTES ((256u << 10) + RECORD_PAYLOAD_MAX)
#define REFINE_GELF_MESSAGES 1024u   /* incomplete at once */
#define REFINE_GELF_BYTES (1u << 20) /* and their chunks */

struct refine_piece { /* a datagram or frame */
	const struct plan_input *plan;
	const uint8_t *bytes;
	uint32_t length;
	uint16_t vlan;
	uint8_t family;    /* enum record_origin that its records keep */
	uint8_t addresses; /* of the addresses in `origin` */
	uint8_t ports;     /* the same when the ports are there, too, else RECORD_ORIGIN_NONE */
	bool done;
	uint8_t origin[sizeof(struct origin6)];
	char text[KEY_SCRATCH];
};

struct refine_record {
	const uint8_t *bytes; /* as it came */
	const uint8_t *kept;  /* as it is stored */
	uint32_t length;
	uint16_t piece;
	uint16_t reason; /* why it could not even be cut: enum codec_fault or dead_letter_reason; 0: it could */
	uint8_t stage;   /* enum dead_letter_stage, of `reason` */
};

enum refine_fate { /* what else is counted of a record, once it is in its lane */
	REFINE_DEAD = 1,
	REFINE_ROUTED = 2,
	REFINE_TAGGED = 4,
};

struct refine_own { /* what a record of codec kpl brings: a key of length 0 is none */
	struct md5_key key;
	struct hash_key hash;
	bool hashed;
};

struct refiner {
	uint32_t pieces_count, records_count, jobs_count;
	uint32_t keys_used, dead_used, block_used;
	struct refine_piece pieces[BURST_MAX];
	struct refine_record records[REFINE_RECORDS];
	struct refine_own own[REFINE_RECORDS]; /* codec kpl: of the record of the same number */
	struct kpl_record kpl[REFINE_RECORDS];
	struct slice slices[REFINE_RECORDS];  /* as they are cut */
	struct slice scanned[REFINE_RECORDS]; /* as rules are tried on them */
	struct rule_verdict verdicts[REFINE_RECORDS];
	struct rule_capture_scratch *capture;
	struct job jobs[JOBS_MAX] __attribute__((aligned(64)));
	const struct refine_target *targets[JOBS_MAX];
	uint8_t fates[JOBS_MAX];         /* enum refine_fate, together */
	const uint8_t *stored[JOBS_MAX]; /* the key bytes of a job, as many as its sizes say */
	struct md5_key keys[JOBS_MAX];   /* what to hash when the job is not `hashed` */
	struct md5_key waiting[JOBS_MAX];
	uint8_t digests[JOBS_MAX][16];
	uint8_t key_bytes[REFINE_KEY_BYTES];
	uint8_t dead[REFINE_DEAD_BYTES];
	uint8_t block[REFINE_BLOCK_BYTES];
	uint8_t scratch[CODEC_SCRATCH_BYTES];
	struct gelf_taker taker;
	struct worker *worker;      /* while gelf_*() runs: for `taker` */
	struct gelf_assembly *gelf; /* in the memory behind this struct */
};

// refine_queue.c: a record on its way to a lane of `target`, behind those that wait for their keys' MD5. `job` is
// complete but for slot, and hash unless it is `hashed`: then `key` is hashed. `stored` and what `job` points to stay
// until refine_append_jobs(), which counts its `fate` (enum refine_fate, together) if the lane has room. Counts the
// record where the stream does not exist.
void refine_queue(struct worker *w, const struct refine_target *target, const struct job *job, struct md5_key key,
		  const uint8_t *stored, uint8_t fate);

// Appends all that is queued; the rooms for keys and dead letters are free again.
void refine_append_jobs(struct worker *w);

// refine_dead.c: stores a record as a dead letter of its input. `own` is the key it brought, which the letter then has, NULL
// when it brought none. `detail` as in struct dead_letter_header.
void refine_dead_record(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			const struct refine_own *own, uint8_t stage, uint16_t reason, uint32_t detail,
			const uint8_t *bytes, uint32_t length);

static inline void refine_dead_letter(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
				      uint8_t stage, uint16_t reason, uint32_t detail, const uint8_t *bytes,
				      uint32_t length)
{
	refine_dead_record(w, plan, piece, NULL, stage, reason, detail, bytes, length);
}

struct refine_decoded {         /* what a look into a record found */
	enum codec_fault fault; /* of the whole record, when its input asks for that; else CODEC_OK */
	struct md5_key key;     /* KEY_PATH: in key_bytes[]; length 0: not there */
};

// refine_decode.c: looks into a record for its input. There is room for KEY_BYTES_MAX in key_bytes[].
void refine_decode(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		   struct refine_decoded *out);

// refine_gelf.c: takes a piece of codec gelf. True: *message, good until the next call (or a part of the piece), is a
// record; *reason is why it is refused, or 0. False: its chunk is kept.
bool refine_gelf(struct worker *w, const struct refine_piece *piece, const uint8_t **message, uint32_t *length,
		 uint16_t *reason);

// Brings WORKER_HELD up to date. True when it changed.
bool refine_gelf_tell(struct worker *w);

// refine_plan.c: the stream of that name, NULL in it when the map has none.
struct refine_target refine_target_find(const struct plan *plan, const struct shard_map *map, const char *name);

bool refine_gelf_init(struct refiner *r, void *memory, const uint8_t secret[16]);

// refine_record.c: the `records_count` records of one input, to lanes or counters.
void refine_records(struct worker *w, const struct plan_input *plan);

// What rules decided about a record that is stored as kept[0..length). True when that settles it; else *target is where
// a rule routes it, or untouched.
bool refine_verdict(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
		    const struct rule_verdict *verdict, const uint8_t *kept, uint32_t length,
		    const struct refine_target **target);

// Whether what an input's rules cannot look into, packed or a part of a message, is not to be stored: one of them overwrites what it
// may hold, and the input does not ask for such as dead letters.
static inline bool refine_hides(const struct refine *refine)
{
	return refine->codec->id == CODEC_GELF && refine->invalid != INVALID_DEAD_LETTER && refine->rules &&
	       ruleset_redacts(refine->rules);
}

// One record that is stored nowhere.
static inline void refine_drop(struct worker *w, const struct plan_input *plan, enum counter_record why)
{
	ledger_add(&w->ledger, why, 1);
	ledger_add(&w->ledger, input_word(plan->index, INPUT_REFUSED), 1);
}
