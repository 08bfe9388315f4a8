// GELF's chunks: messages are put together, and what stays incomplete is a record that ends in a counter or a dead
// letter.
#include <string.h>

#include "dataplane/refiner.h"

#define EXPIRE_AT_ONCE 64u /* messages between two bursts */

/* The input that a message came in by; NULL when it has gone in the meantime. */
static const struct plan_input *find_input(const struct plan *plan, uint32_t id)
{
	for (uint32_t i = 0; i < INPUTS_MAX; i++)
		if (plan->inputs[i].refine && (uint32_t)plan->inputs[i].labels == id)
			return &plan->inputs[i];
	return NULL;
}

/* Rules see what there is of it, as they see every record. True when they settle it; else *kept is what may be stored. */
static bool settle_by_rules(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			    const struct gelf_dropped *dropped, const uint8_t **kept)
{
	const struct refine_target *nowhere_else;
	struct refiner *r = w->refiner;

	if (!plan->refine->rules)
		return false;
	r->scanned[0] = (struct slice){0, dropped->length};
	*kept = memcpy(r->scratch, dropped->bytes, dropped->length);
	ruleset_scan(plan->refine->rules, w->plan->scratch[w->index], r->scratch, dropped->length, r->scanned, 1,
		     r->verdicts);
	return refine_verdict(w, plan, piece, r->verdicts, *kept, dropped->length, &nowhere_else);
}

static void drop(struct worker *w, const struct plan_input *plan, const struct gelf_dropped *dropped)
{
	bool oversize = dropped->reason == DEAD_LETTER_REASSEMBLY_OVERSIZE;
	struct refine_piece piece = {.family = dropped->source->origin_kind,
				     .addresses = dropped->source->origin_kind,
				     .ports = dropped->source->origin_kind,
				     .vlan = RECORD_VLAN_NONE};
	const uint8_t *kept = dropped->bytes;

	ledger_add(&w->ledger, WORKER_PARSED, 1);
	ledger_add(&w->ledger, WORKER_PARSED_BYTES, dropped->length);
	if (!plan) {
		ledger_add(&w->ledger, oversize ? RECORD_TOO_LARGE : RECORD_INCOMPLETE, 1);
		return;
	}
	ledger_add(&w->ledger, input_word(plan->index, INPUT_RECORDS), 1);
	ledger_add(&w->ledger, input_word(plan->index, INPUT_BYTES), dropped->length);
	if (!plan->refine->has_dead_letter || (refine_hides(plan->refine) && !gelf_is_open(dropped->bytes, dropped->length))) {
		refine_drop(w, plan, oversize ? RECORD_TOO_LARGE : RECORD_INCOMPLETE);
		return;
	}
	memcpy(piece.origin, &dropped->source->origin, sizeof piece.origin);
	if (!settle_by_rules(w, plan, &piece, dropped, &kept))
		refine_dead_letter(w, plan, &piece, DEAD_LETTER_AT_REASSEMBLY, (uint16_t)dropped->reason,
				   dropped->had | dropped->expected << 16, kept, dropped->length);
	refine_append_jobs(w); /* the origin is on the stack */
}

static void taker_dropped(struct gelf_taker *taker, const struct gelf_dropped *dropped)
{
	struct refiner *r = (struct refiner *)((char *)taker - offsetof(struct refiner, taker));

	drop(r->worker, find_input(r->worker->plan, dropped->source->input), dropped);
}

bool refine_gelf_init(struct refiner *r, void *memory, const uint8_t secret[16])
{
	r->taker.dropped = taker_dropped;
	r->gelf = gelf_assembly_init(memory, REFINE_GELF_MESSAGES, REFINE_GELF_BYTES, secret, &r->taker);
	return r->gelf != NULL;
}

bool refine_gelf(struct worker *w, const struct refine_piece *piece, const uint8_t **message, uint32_t *length,
		 uint16_t *reason)
{
	struct gelf_chunk_source source = {.input = (uint32_t)piece->plan->labels, .origin_kind = piece->ports};
	struct refiner *r = w->refiner;
	enum gelf_outcome outcome;

	memcpy(&source.origin, piece->origin, sizeof source.origin);
	r->worker = w;
	outcome = gelf_assemble(r->gelf, &source, w->now_ns, piece->bytes, piece->length, message, length);
	*reason = (uint16_t)gelf_refusal(outcome);
	if (outcome == GELF_PENDING || (outcome == GELF_WHOLE && gelf_is_chunk(piece->bytes, piece->length)))
		ledger_add(&w->ledger, WORKER_CHUNKS, 1);
	if (outcome != GELF_WHOLE) {
		*message = piece->bytes;
		*length = piece->length;
	}
	return outcome != GELF_PENDING;
}

bool refine_gelf_tell(struct worker *w)
{
	uint32_t held = gelf_pending(w->refiner->gelf);

	if (w->ledger.now[WORKER_HELD] == held)
		return false;
	ledger_set(&w->ledger, WORKER_HELD, held);
	return true;
}

bool refine_begin(struct worker *w)
{
	uint64_t held = w->ledger.now[WORKER_HELD];

	if (held == 0)
		return false;
	ledger_add(&w->ledger, WORKER_PARSED, held);
	ledger_add(&w->ledger, RECORD_INCOMPLETE, held);
	ledger_set(&w->ledger, WORKER_HELD, 0);
	return true;
}

bool refine_expire(struct worker *w)
{
	if (!w->refiner || w->ledger.now[WORKER_HELD] == 0)
		return false;
	w->refiner->worker = w;
	gelf_expire(w->refiner->gelf, w->now_ns, EXPIRE_AT_ONCE);
	return refine_gelf_tell(w);
}

bool refine_end(struct worker *w)
{
	if (!w->refiner || w->ledger.now[WORKER_HELD] == 0)
		return false;
	w->refiner->worker = w;
	gelf_end(w->refiner->gelf);
	return refine_gelf_tell(w);
}
