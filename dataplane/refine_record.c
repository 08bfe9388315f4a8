// One record after the other: whether it is what its codec says, its key, its stream.
#include <string.h>

#include "dataplane/append.h"
#include "dataplane/refiner.h"

/* The key that a record brought; NULL when it brought none. */
static const struct refine_own *find_own(const struct refiner *r, const struct plan_input *plan, uint32_t index)
{
	return plan->refine->codec->id == CODEC_KPL && r->own[index].key.length > 0 ? &r->own[index] : NULL;
}

static void bury(struct worker *w, const struct plan_input *plan, uint32_t index, uint8_t stage, uint16_t reason)
{
	const struct refine_record *record = &w->refiner->records[index];

	refine_dead_record(w, plan, &w->refiner->pieces[record->piece], find_own(w->refiner, plan, index), stage,
			   reason, 0, record->kept, record->length);
}

/* What becomes of a record that does not follow its format. True when that is settled; false: it is kept as it is. */
static bool settle_invalid(struct worker *w, const struct plan_input *plan, uint32_t index, uint8_t stage,
			   uint16_t reason)
{
	ledger_add(&w->ledger, WORKER_MALFORMED, 1);
	switch (plan->refine->invalid) {
	case INVALID_KEEP:
		break;
	case INVALID_DROP:
		refine_drop(w, plan, RECORD_INVALID);
		return true;
	case INVALID_DEAD_LETTER:
		bury(w, plan, index, stage, reason);
		return true;
	}
	return false;
}

/*
 * True: it is dropped because rules cannot look into it, packed or a part of a message as it is, and it may hold what one of them
 * would overwrite. Asked before the rules: an inverted one takes it for a record that lacks something.
 */
static bool settle_unread(struct worker *w, const struct plan_input *plan, const struct refine_record *record)
{
	if (!record->reason || !refine_hides(plan->refine))
		return false;
	ledger_add(&w->ledger, WORKER_MALFORMED, 1);
	refine_drop(w, plan, RECORD_INVALID);
	return true;
}

static bool own_key(const struct refine_own *own, struct key *out)
{
	if (own->key.length == 0)
		return false;
	*out = key_of_own(own->key, own->hashed, own->hash);
	return true;
}

/* From the bytes and the origin, as for any input. */
static bool plain_key(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		      struct key *out)
{
	struct refine_piece *piece = &w->refiner->pieces[record->piece];
	bool found = key_find(&plan->key, &w->random, record->bytes, record->length, piece->origin,
			      plan->key.kind == KEY_SOURCE ? piece->addresses : piece->ports, piece->text, out);

	if (piece->family == RECORD_ORIGIN_NONE)
		key_leave_origin(out);
	return found;
}

/* The key of a record that lacks the one it should have. False: it is a dead letter by now. */
static bool replace_key(struct worker *w, const struct plan_input *plan, uint32_t index, struct key *out)
{
	ledger_add(&w->ledger, WORKER_KEY_MISSING, 1);
	if (key_replace(plan->refine->missing, &plan->refine->missing_key, &w->random, out))
		return true;
	bury(w, plan, index, DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING);
	return false;
}

/* The same record with its tags: behind the key, which is copied to have them there. */
static void tag(struct worker *w, const struct refine *refine, uint64_t tags, struct job *job, const uint8_t **stored)
{
	struct refiner *r = w->refiner;
	uint8_t *room = r->key_bytes + r->keys_used, *at = room;
	uint32_t count = (uint32_t)__builtin_popcountll(tags), key_length = append_key_length(job);

	if (key_length > 0)
		memcpy(at, *stored, key_length);
	at += key_length;
	for (; tags; tags &= tags - 1, at += 4)
		memcpy(at, &refine->rule_ids[ruleset_tag(refine->rules, (uint32_t)__builtin_ctzll(tags))], 4);
	r->keys_used += (uint32_t)(at - room);
	*stored = room;
	job->sizes += (uint64_t)(4 * count) << 32;
	job->sizes += (uint64_t)(RECORD_TAGGED - RECORD_DATA) << 48;
	job->labels += append_key_kind(record_tagged_kind(0, count));
}

static void store(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		  const struct refine_target *target, uint64_t tags, const struct key *key)
{
	const uint8_t *stored = key->bytes;
	const struct refine_piece *piece = &w->refiner->pieces[record->piece];
	struct job job = {.payload = record->kept,
			  .origin = piece->origin,
			  .sizes = append_sizes(piece->family, key->stored, record->length),
			  .labels = append_labels(plan, piece->vlan) | append_key_kind(key->kind),
			  .hash = key->hash,
			  .plan = plan,
			  .hashed = key->text.length == 0};
	uint8_t fate = target != &plan->refine->stream ? REFINE_ROUTED : 0;

	if (tags) {
		fate |= REFINE_TAGGED;
		tag(w, plan->refine, tags, &job, &stored);
	}
	refine_queue(w, target, &job, key->text, stored, fate);
}

/* refine_verdict() of a record that brought a key, or NULL. */
static bool settle_rules(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			 const struct refine_own *own, const struct rule_verdict *verdict, const uint8_t *kept,
			 uint32_t length, const struct refine_target **target)
{
	if (verdict->redacted)
		ledger_add(&w->ledger, WORKER_REDACTED, 1);
	switch (verdict->action) {
	case RULE_DROP:
		refine_drop(w, plan, RECORD_RULE_DROPPED);
		return true;
	case RULE_SAMPLED_OUT:
		refine_drop(w, plan, RECORD_SAMPLED_OUT);
		return true;
	case RULE_DEAD_LETTER:
		refine_dead_record(w, plan, piece, own, DEAD_LETTER_AT_RULE, DEAD_LETTER_RULE,
				   plan->refine->rule_ids[verdict->rule], kept, length);
		return true;
	case RULE_ROUTE:
		*target = &plan->refine->routes[verdict->rule];
		break;
	}
	return false;
}

bool refine_verdict(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
		    const struct rule_verdict *verdict, const uint8_t *kept, uint32_t length,
		    const struct refine_target **target)
{
	return settle_rules(w, plan, piece, NULL, verdict, kept, length, target);
}

/* A group of a pattern, in the record as it came. */
static bool captured_key(struct worker *w, const struct refine *refine, const struct refine_record *record,
			 struct key *out)
{
	struct slice group;

	if (!refine->capture ||
	    !rule_capture_find(refine->capture, w->refiner->capture, record->bytes, record->length, &group))
		return false;
	*out = key_of_bytes(record->bytes + group.offset, key_cut(record->bytes + group.offset, group.length));
	return true;
}

static bool find_key(struct worker *w, const struct plan_input *plan, uint32_t index, struct md5_key decoded,
		     struct key *out)
{
	const struct refine_record *record = &w->refiner->records[index];

	switch (plan->key.kind) {
	case KEY_OWN:
		return own_key(&w->refiner->own[index], out);
	case KEY_CAPTURE:
		return captured_key(w, plan->refine, record, out);
	case KEY_PATH:
		*out = key_of_bytes(decoded.bytes, decoded.length);
		return decoded.length > 0;
	default:
		return plain_key(w, plan, record, out);
	}
}

static void take(struct worker *w, const struct plan_input *plan, uint32_t index)
{
	struct refiner *r = w->refiner;
	const struct refine_record *record = &r->records[index];
	const struct refine *refine = plan->refine;
	struct refine_decoded decoded = {.fault = CODEC_OK};
	const struct refine_target *target = &refine->stream;
	struct key key;

	if (r->keys_used > REFINE_KEY_BYTES - REFINE_KEY_ROOM)
		refine_append_jobs(w);
	if (settle_unread(w, plan, record))
		return;
	if (refine->rules && settle_rules(w, plan, &r->pieces[record->piece], find_own(r, plan, index),
					  &r->verdicts[index], record->kept, record->length, &target))
		return;
	if (record->reason) {
		if (settle_invalid(w, plan, index, record->stage, record->reason))
			return;
	} else if (refine->codec->decode && (refine->invalid != INVALID_KEEP || plan->key.kind == KEY_PATH)) {
		refine_decode(w, plan, record, &decoded);
		if (decoded.fault != CODEC_OK &&
		    settle_invalid(w, plan, index, DEAD_LETTER_AT_DECODE, (uint16_t)decoded.fault))
			return;
	}
	if (!find_key(w, plan, index, decoded.key, &key) && !replace_key(w, plan, index, &key))
		return;
	store(w, plan, record, target, refine->rules ? r->verdicts[index].tags : 0, &key);
}

/* Those that were cut together lie in the block, one behind the other. */
static void scan(struct worker *w, const struct refine *refine)
{
	struct refiner *r = w->refiner;
	const struct refine_record *last = &r->records[r->records_count - 1];
	uint8_t *block = r->block + (r->records[0].kept - r->block);

	for (uint32_t i = 0; i < r->records_count; i++)
		r->scanned[i] = (struct slice){(uint32_t)(r->records[i].kept - block), r->records[i].length};
	ruleset_scan(refine->rules, w->plan->scratch[w->index], block, (uint32_t)(last->kept + last->length - block),
		     r->scanned, r->records_count, r->verdicts);
}

void refine_records(struct worker *w, const struct plan_input *plan)
{
	struct refiner *r = w->refiner;

	if (plan->refine->rules && r->records_count > 0)
		scan(w, plan->refine);
	for (uint32_t i = 0; i < r->records_count; i++)
		take(w, plan, i);
	r->records_count = 0;
}
