// Inside a delivery: its shards' work and the steps over it. Owned by the delivery's thread but where marked (l).
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "control/delivery/compress.h"
#include "control/delivery/delivery.h"
#include "control/delivery/format.h"
#include "control/delivery/s3.h"

/*
 * The life of an object, and what the journal knows:
 *
 *   scan          bounds are looked for, nothing is known
 *   planned       bounds and name are in the journal
 *   attempts      the object is produced and stored; failures repeat it
 *   settled       stored, or in the dead-letter directory, or given up because its records are gone
 *   finished      the journal forgets the plan and moves the cursor, in one transaction; back to scan
 */
enum outcome { OUTCOME_NONE, OUTCOME_DELIVERED, OUTCOME_FAILED, OUTCOME_CANCELLED };

struct scan { /* the next object, as far as it was looked for: row.next_sequence up to `next` */
	uint64_t next;
	uint64_t position;  /* the store's count of data records in front of `next` */
	uint64_t records, bytes;
	uint64_t content;   /* records that leave something in the object */
	uint64_t oldest_ns; /* least arrival in it */
	uint64_t seen_ns;   /* monotonic, when its first record was seen: age goes on when the clock is set back */
	uint64_t ready_ns;  /* monotonic, since when it could be planned and waits for flow templates; 0: it does not */
	bool begun;
};

struct work { /* one shard */
	struct delivery_shard where;
	struct shard_reader *reader;
	bool closed;                  /* the shard was removed */
	bool expired_said, trouble_said;
	struct metadata_delivery row; /* (l) written under the lock */
	uint64_t position;            /* (l) the store's count of data records in front of row.next_sequence */
	struct scan scan;

	bool planned, resumed;        /* resumed: planned before this start */
	bool redriven;                /* out of the dead letters, see redrive.c: the journal has no plan of it */
	struct metadata_object object;
	enum outcome outcome;

	uint64_t retry_ns, first_failure_ns; /* monotonic; 0: none */
	uint64_t retrying_since_ns;   /* (l) */
	uint32_t attempts;            /* (l) */
	char error[512];              /* (l) */

	int spool;                    /* the whole object, for a bucket or out of the dead letters; -1: none */
	uint64_t spool_bytes;
	bool stale_aborted;           /* uploads of the run before this one */
	struct s3_upload upload;
	uint64_t gaps, gap_records;   /* in the object, known once it was produced */
};

enum redrive_state { REDRIVE_NONE, REDRIVE_WANTED, REDRIVE_DONE };

struct redrive { /* (l) what somebody asks of the delivery's thread, one object at a time */
	enum redrive_state state;
	char object[1024];
	int result;       /* as delivery_redrive() */
	char reason[512];
	uint64_t done_ns; /* monotonic */
};

struct trouble { /* why a step failed */
	char text[512];
	bool local;     /* not the destination's doing: repeated without an end, its budget untouched */
};

struct destination {
	// Produces the object and stores it under its name. 0; -ENODATA: its records are gone; -ECANCELED; -errno.
	int (*store)(struct delivery *d, struct work *w, struct trouble *trouble);
	// Whether an object of that name is there: 1, 0 or -errno.
	int (*holds)(struct delivery *d, struct work *w, struct trouble *trouble);
	// Removes what a given-up object left behind. Best effort.
	void (*abandon)(struct delivery *d, struct work *w);
};

extern const struct destination destination_directory, destination_s3;

struct delivery {
	const struct config_delivery *config;
	struct delivery_options options;
	const struct destination *destination;
	struct format *format;
	struct compress *compress;
	struct s3 *s3;
	struct work *works;
	uint32_t works_count;
	char spool[CONFIG_PATH_MAX];
	bool down;              /* the destination: said once */
	uint64_t down_since_ns; /* monotonic: its first failure since it last took an object; 0: it takes them */
	uint64_t dead_letter_bytes; /* of files there when they were last counted, and what was added since */
	bool dead_letters_counted, dead_letters_said, journal_said;
	unsigned random;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic bool stopping, flush;
	_Atomic uint64_t deadline_ns; /* monotonic */
	struct redrive redrive;
	bool unfinished;        /* flushing did not come to its end */
	bool finished;          /* (l) the thread is done */
};

// True when what is under way must be left: stopping, and nothing (more) is to be flushed.
bool delivery_cancelled(void *d);

__attribute__((format(printf, 3, 4))) void delivery_say(struct delivery *d, bool bad, const char *what, ...);
__attribute__((format(printf, 2, 3))) void trouble_set(struct trouble *t, const char *what, ...);

// The failure is remembered for the status.
void work_set_error(struct delivery *d, struct work *w, const char *text);

// Moves the shard's row and position; the journal has it already.
void work_move(struct delivery *d, struct work *w, const struct metadata_delivery *row, uint64_t position);

// scan.c: the sequence in front of which nothing is left in the shard.
uint64_t work_trim(const struct delivery *d, const struct work *w);

// scan.c: looks for the next object's bounds, a bounded amount of work at a time, and plans it.
// 1: did something; 0: nothing to do now; -errno. `force`: what is there is enough.
int work_scan(struct delivery *d, struct work *w, bool force);

// produce.c: writes the planned object's bytes to `sink`, from its spool where it has one. 0; -ENODATA, -ECANCELED, -errno; `trouble` set, local where
// reading failed.
int work_produce(struct delivery *d, struct work *w, const struct sink *sink, struct trouble *trouble);

// PREFIX + stream-identity-shard-first-last.EXT. 0 or -errno.
int work_name(const struct delivery *d, const struct work *w, uint64_t oldest_ns, struct metadata_object *object);

// Whether a planned object's name ends as the configuration would have it.
bool work_extension_fits(const struct delivery *d, const struct metadata_object *object);

// attempt.c: one attempt at the planned object when it is due. 1: did something; 0: not due.
int work_attempt(struct delivery *d, struct work *w);

// dead_letters.c: the object goes where an operator finds it. 0; -ENODATA; -ECANCELED; -errno with `trouble` set.
int dead_letters_bury(struct delivery *d, struct work *w, struct trouble *trouble, const char *reason);

// dead_letters.c: a resumed object was delivered after all, having been buried by a run that died before it could say so;
// or one was redriven.
void dead_letters_remove(struct delivery *d, const struct work *w);

// redrive.c: does what delivery_redrive() asked for. 1: did something; 0: nothing was asked.
int redrive_step(struct delivery *d);
