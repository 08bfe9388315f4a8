// One record after the other: whether it is what its codec says, its key, its stream.
#include <string.h>

#include "dataplane/append.h"
#include "dataplane/refiner.h"

/* What becomes of a record that does not follow its format. True when that is settled; false: it is kept as it is. */
static bool settle_invalid(struct worker *w, const struct plan_input *plan, const struct refine_record *record, uint8_t stage,
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
		refine_dead_letter(w, plan, &w->refiner->pieces[record->piece], stage, reason, 0, record->kept, record->length);
		return true;
	}
	return false;
}

static bool own_key(const struct refine_own *own, struct key *out)
{
	if (own->key.length == 0)
		return false;
	*out = (struct key){.text = own->hashed ? (struct md5_key){NULL, 0} : own->key,
			    .hash = own->hash,
			    .stored = (uint16_t)own->key.length,
			    .bytes = own->key.bytes,
			    .kind = RECORD_KEY_STORED};
	return true;
}

/* From the bytes and the origin, as for any input. */
static bool plain_key(struct worker *w, const struct plan_input *plan, const struct refine_record *record, struct key *out)
{
	struct refine_piece *piece = &w->refiner->pieces[record->piece];
	bool found = key_find(&plan->key, &w->random, record->bytes, record->length, piece->origin,
			      plan->key.kind == KEY_SOURCE ? piece->addresses : piece->ports, piece->text, out);

	/* Without an origin in the record there is nothing to read the text from again. */
	if (piece->family == RECORD_ORIGIN_NONE && out->kind == RECORD_KEY_SOURCE) {
		out->kind = RECORD_KEY_STORED;
		out->stored = (uint16_t)out->text.length;
		out->bytes = out->text.bytes;
	} else if (piece->family == RECORD_ORIGIN_NONE && out->kind == RECORD_KEY_FLOW) {
		out->kind = RECORD_KEY_HASH;
	}
	return found;
}

/* The key of a record that lacks the one it should have. False: it is a dead letter by now. */
static bool replace_key(struct worker *w, const struct plan_input *plan, const struct refine_record *record, struct key *out)
{
	ledger_add(&w->ledger, WORKER_KEY_MISSING, 1);
	switch (plan->refine->missing) {
	case MISSING_CONSTANT:
		*out = (struct key){.hash = plan->refine->missing_hash,
				    .stored = (uint16_t)plan->refine->missing_key.length,
				    .bytes = plan->refine->missing_key.bytes,
				    .kind = RECORD_KEY_STORED};
		return true;
	case MISSING_DEAD_LETTER:
		refine_dead_letter(w, plan, &w->refiner->pieces[record->piece], DEAD_LETTER_AT_KEY, DEAD_LETTER_KEY_MISSING, 0,
				   record->kept, record->length);
		return false;
	case MISSING_RANDOM:
		break;
	}
	*out = (struct key){.hash = {key_random_next(&w->random), 0}, .kind = RECORD_KEY_HASH};
	return true;
}

static void store(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		  const struct refine_target *target, const struct key *key)
{
	const struct refine_piece *piece = &w->refiner->pieces[record->piece];
	struct job job = {.payload = record->kept,
			  .origin = piece->origin,
			  .sizes = append_sizes(piece->family, key->stored, record->length),
			  .labels = append_labels(plan, piece->vlan) | append_key_kind(key->kind),
			  .hash = key->hash,
			  .plan = plan,
			  .hashed = key->text.length == 0};

	refine_queue(w, target, &job, key->text, key->bytes);
}

static void take(struct worker *w, const struct plan_input *plan, uint32_t index)
{
	struct refiner *r = w->refiner;
	const struct refine_record *record = &r->records[index];
	const struct refine *refine = plan->refine;
	struct refine_decoded decoded = {.fault = CODEC_OK};
	struct key key;
	bool found;

	if (r->keys_used > REFINE_KEY_BYTES - REFINE_KEY_ROOM)
		refine_append_jobs(w);
	if (record->reason) {
		if (settle_invalid(w, plan, record, record->stage, record->reason))
			return;
	} else if (refine->codec->decode && (refine->invalid != INVALID_KEEP || plan->key.kind == KEY_PATH)) {
		refine_decode(w, plan, record, &decoded);
		if (decoded.fault != CODEC_OK &&
		    settle_invalid(w, plan, record, DEAD_LETTER_AT_DECODE, (uint16_t)decoded.fault))
			return;
	}
	switch (plan->key.kind) {
	case KEY_OWN:
		found = own_key(&r->own[index], &key);
		break;
	case KEY_PATH:
		found = decoded.key.length > 0;
		key = (struct key){.text = decoded.key, .stored = (uint16_t)decoded.key.length, .bytes = decoded.key.bytes,
				   .kind = RECORD_KEY_STORED};
		break;
	default:
		found = plain_key(w, plan, record, &key);
	}
	if (found || replace_key(w, plan, record, &key))
		store(w, plan, record, &refine->stream, &key);
}

void refine_records(struct worker *w, const struct plan_input *plan)
{
	struct refiner *r = w->refiner;

	for (uint32_t i = 0; i < r->records_count; i++)
		take(w, plan, i);
	r->records_count = 0;
}
