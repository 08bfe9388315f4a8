// What an input asks of its records beyond cutting lines and a plain key: other codecs, rules, keys that are decoded,
// dead letters. burst.c hands over the datagrams of such inputs and goes on; everything here is theirs alone.
#pragma once

#include "dataplane/codec/codec.h"
#include "dataplane/codec/dead_letter.h"
#include "dataplane/codec/gelf.h"
#include "dataplane/codec/kpl.h"
#include "dataplane/codec/path.h"
#include "dataplane/packet/decode.h"
#include "dataplane/plan.h"
#include "dataplane/rule/capture.h"
#include "dataplane/rule/rule.h"

/*
 *   burst.c --refine_add()--> pieces --refine_flush()--> cut -> rules -> decode -> key -> jobs -> keys hashed together
 * -> lanes
 *
 * A burst's datagrams are taken input by input, those of one in the order in which they came. They are looked at where
 * they lie; where there are rules they are copied into one block, which is scanned once, and in which rules overwrite
 * bytes: keys and decoding see what was sent. Packed GELF messages are unpacked for rules.
 *
 * What becomes of a record, the first that applies:
 *   0. rules cannot look into it, and one of them redacts: it is dropped (refine_hides());
 *   1. a rule drops it, keeps it out of a sample, or makes it a dead letter;
 *   2. it does not follow its format, and the input drops such or makes them dead letters;
 *   3. it has not the key its input asks for, and that makes it a dead letter;
 *   4. it goes to the stream of the rule that decided, or of the input.
 * Dead letters and everything else that is stored hold redacted bytes where a rule redacts, but for what cannot be looked into
 * and invalid: dead_letter asks for. A replay of dead letters has
 * only those, and cannot go by what was sent.
 */

struct worker;

struct refine_target {               /* a stream */
	const struct router *router; /* NULL: it does not exist (yet) */
	uint32_t only_slot;          /* its one shard's lane slot, or PLAN_NO_SLOT */
};

struct refine { /* of one input; constant while workers run, part of the plan */
	const struct codec *codec;
	struct refine_target stream, dead_letter;
	bool has_dead_letter;
	enum config_missing missing;
	enum config_invalid invalid;
	struct key missing_key;             /* MISSING_CONSTANT; the bytes are the configuration's */
	struct field_path path;             /* KEY_PATH */
	const struct ruleset *rules;        /* NULL: none */
	const struct rule_capture *capture; /* KEY_CAPTURE */
	const struct refine_target *routes; /* by a rule's place in the configuration, as in verdicts */
	const uint32_t *rule_ids;           /* input_id() of its name, likewise */
};

/* The rules and captures of a configuration, compiled. Shared by the plans made of it. */
struct refine_set;

// Compiles them, or takes them from the cache; takes its time, with turns of `wait`. What is wrong goes to `errors` as ruleset_compile()
// writes it. 0 with *out, NULL when there are none; -EINVAL or another -errno, said.
int refine_set_compile(const struct config *config, const struct rule_wait *wait, FILE *errors, struct refine_set **out);

// Frees the set when no plan has it any more. NULL is fine. Main thread only, as all that changes who has it.
void refine_set_release(struct refine_set *set);

// Gives a fresh plan, of the same configuration, its set (NULL is fine) and each of `workers` workers memory to scan
// with. 0 or -ENOMEM.
int refine_set_attach(struct refine_set *set, struct plan *plan, const struct config *config,
		      const struct shard_map *map, uint32_t workers);

// Gives all of that back: plan_free() calls it.
void refine_set_detach(struct plan *plan);

// What an input asks for that burst.c cannot do. False: it is cut and keyed there.
bool refine_needed(const struct config *config, uint32_t input);

// Fills `out` for an input that needs it. Streams are looked for among the plan's routers. Keeps pointing into `input`
// and `plan`. 0, or -EINVAL for a key path that is none, which the configuration refuses.
int refine_init(struct refine *out, const struct config_input *input, const struct plan *plan,
		const struct shard_map *map);

/* One worker's memory for it, some 3 MiB, made by the main thread before the worker gets a plan that needs it. */
struct refiner;

// `core` is the worker's, for the NUMA node. NULL: no memory.
struct refiner *refiner_new(unsigned core);
void refiner_free(struct refiner *r);

// Takes a datagram, or a tap's whole frame, for an input whose plan has `refine`. `family` is of the origin its records
// keep. The bytes stay where they are until refine_flush().
void refine_add(struct worker *w, const struct plan_input *plan, const struct datagram *d, uint8_t family,
		const uint8_t *bytes, uint32_t length);

// Brings all that was added to lanes and counters, not yet committed.
void refine_flush(struct worker *w);

// Between bursts: messages whose other chunks did not come in time. True when there is something to commit.
bool refine_expire(struct worker *w);

// When the worker begins: what a predecessor that was killed still held is gone; counts it. When it ends: what is
// incomplete is not waited for. Both: true when there is something to commit.
bool refine_begin(struct worker *w);
bool refine_end(struct worker *w);
