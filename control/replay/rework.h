// What an input makes of bytes, as the configuration has it: the worker's steps, for dead letters that are taken again.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/config.h"
#include "dataplane/codec/dead_letter.h"
#include "dataplane/record/key.h"
#include "dataplane/seam/record.h"

/*
 * The same as dataplane/refine.h, built of the same functions: cut -> rules -> decode -> key. A dead letter that ended when it
 * was cut or put together is cut anew, and so is one whose input has another codec by now; any other is one record already.
 * The key that a record of codec kpl brought, and the upper half of its hash, are those of the record that holds the letter.
 * The addresses of a tap's frame, which is stored without an origin, are found in its bytes.
 * Where a rule has redacted, the letter is all there is: here rules, keys and decoding see '*'.
 * Records that a sample rule kept before they failed are not sampled again.
 * Chunks of a message that never came are not put together: they are a dead letter as before, with the reason they had.
 */

struct rework; /* an input made ready, about 1.3 MiB; one thread */

// `config` stays as it is until rework_close(). 0; -ENOMEM; -EINVAL, -errno: its rules cannot be compiled, said in `errors`.
int rework_open(const struct config *config, uint32_t input, FILE *errors, struct rework **out);
void rework_close(struct rework *r); /* NULL is fine */

struct rework_record { /* what became of a record that is stored */
	const char *stream;       /* the configuration's */
	const struct record *record; /* whole, as in a batch, with hash; good until the next call */
	uint32_t bytes;
	bool hashed;              /* by MD5: a stream of one shard leaves that out, and stores hash 0 */
	struct hash_key hash;     /* all 128 bits, for the shard */
	bool dead;                /* a dead letter again */
};

struct rework_sink { /* of one step; zero but for `put` when it begins */
	// False ends it.
	bool (*put)(struct rework_sink *sink, const struct rework_record *record);
	uint64_t dropped; /* records that a rule drops, or the input because they do not follow their format */
	uint32_t samples[CONFIG_RULES_MAX]; /* matches up to the next that is kept; 0: none in this step so far */
};

// Applies the input to `letter`, which `record` holds. False: the sink ended it.
bool rework_apply(struct rework *r, const struct record *record, const struct dead_letter *letter, struct rework_sink *sink);
