#include "dataplane/refine.h"

#include <string.h>

#include "dataplane/refiner.h"

void refine_add(struct worker *w, const struct plan_input *plan, const struct datagram *d, uint8_t family,
		const uint8_t *bytes, uint32_t length)
{
	struct refiner *r = w->refiner;
	struct refine_piece *piece;

	if (r->pieces_count == BURST_MAX)
		refine_flush(w);
	w->refining = true;
	piece = &r->pieces[r->pieces_count++];
	piece->plan = plan;
	piece->bytes = bytes;
	piece->length = length;
	piece->vlan = d->vlan;
	piece->family = family;
	piece->done = false;
	datagram_copy_known(d, piece->origin, &piece->addresses, &piece->ports);
}

/* Notes a record that has been cut. `kept` is where the bytes that are stored lie. */
static void take(struct worker *w, const struct plan_input *plan, uint32_t piece, const uint8_t *bytes,
		 const uint8_t *kept, uint32_t length, struct tally *tally)
{
	struct refiner *r = w->refiner;

	if (r->records_count == REFINE_RECORDS)
		refine_records(w, plan);
	r->records[r->records_count++] =
		(struct refine_record){.bytes = bytes, .kept = kept, .length = length, .piece = (uint16_t)piece};
	tally->records++;
	tally->bytes += length;
}

static void refuse(struct refiner *r, uint16_t reason, uint8_t stage)
{
	r->records[r->records_count - 1].reason = reason;
	r->records[r->records_count - 1].stage = stage;
}

/* By the codec's own cut. */
static void cut_slices(struct worker *w, const struct plan_input *plan, uint32_t piece, const uint8_t *bytes,
		       const uint8_t *kept, uint32_t length, struct tally *tally)
{
	struct refiner *r = w->refiner;

	while (length > 0) {
		uint32_t consumed,
			count = plan->refine->codec->cut(bytes, length, r->slices, REFINE_RECORDS, &consumed);

		for (uint32_t i = 0; i < count; i++)
			take(w, plan, piece, bytes + r->slices[i].offset, kept + r->slices[i].offset,
			     r->slices[i].length, tally);
		bytes += consumed;
		kept += consumed;
		length -= consumed;
	}
}

static void cut_kpl(struct worker *w, const struct plan_input *plan, uint32_t piece, const uint8_t *bytes,
		    const uint8_t *kept, uint32_t length, struct tally *tally)
{
	struct refiner *r = w->refiner;

	for (uint32_t at = 0; at < length;) {
		enum codec_fault fault;
		uint32_t count = kpl_records(bytes, length, r->kpl, REFINE_RECORDS, &at, &fault);

		if (fault != CODEC_OK) {
			take(w, plan, piece, bytes, kept, length, tally);
			refuse(r, (uint16_t)fault, DEAD_LETTER_AT_CUT);
			r->own[r->records_count - 1] = (struct refine_own){.hashed = false};
			return;
		}
		for (uint32_t i = 0; i < count; i++) {
			const struct kpl_record *k = &r->kpl[i];
			struct refine_own *own;

			take(w, plan, piece, bytes + k->data.offset, kept + k->data.offset, k->data.length, tally);
			own = &r->own[r->records_count - 1];
			own->key = (struct md5_key){bytes + k->key.offset, k->key.length};
			own->hashed = k->explicit_hash.length > 0 &&
				      kpl_hash_of(bytes + k->explicit_hash.offset, k->explicit_hash.length, &own->hash);
		}
	}
}

/* Room for `bytes` in the block. What lies in it is on its way to lanes: then that goes there first. */
static void ensure_room(struct worker *w, const struct plan_input *plan, uint32_t bytes)
{
	struct refiner *r = w->refiner;

	if (bytes <= REFINE_BLOCK_BYTES - r->block_used)
		return;
	refine_records(w, plan);
	refine_append_jobs(w);
	r->block_used = 0;
}

static uint8_t *make_room(struct worker *w, const struct plan_input *plan, uint32_t bytes)
{
	struct refiner *r = w->refiner;
	uint8_t *room;

	ensure_room(w, plan, bytes);
	room = r->block + r->block_used;
	r->block_used += bytes;
	return room;
}

/*
 * Where the bytes to store are. A message that was put together lies in the assembly only until its next datagram, an
 * unpacked one in the scratch; what rules look at lies in the block, with a line end between one and the next, so that no
 * pattern matches across.
 */
static const uint8_t *keep(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			   const uint8_t **bytes, uint32_t length)
{
	bool elsewhere = *bytes < piece->bytes || *bytes >= piece->bytes + piece->length;
	uint8_t *room;

	if (!elsewhere && !plan->refine->rules)
		return *bytes;
	room = make_room(w, plan, (elsewhere ? length : 0) + length + 1);
	if (elsewhere) {
		*bytes = memcpy(room, *bytes, length);
		room += length;
	}
	if (!plan->refine->rules)
		return *bytes;
	memcpy(room, *bytes, length);
	room[length] = '\n';
	return room;
}

/* Rules look for text: a packed message is unpacked in front of them. Why it cannot be, then it stays as it is; or 0. */
static uint16_t unpack(struct worker *w, const struct plan_input *plan, const uint8_t **bytes, uint32_t *length)
{
	struct refiner *r = w->refiner;
	uint32_t unpacked;
	enum codec_fault fault;

	if (!plan->refine->rules || !gelf_is_packed(*bytes, *length))
		return 0;
	/* What makes room for it decodes others, in the same scratch: twice, as keep() wants it. */
	ensure_room(w, plan, 2 * GELF_MESSAGE_MAX + 1);
	fault = gelf_unpack(*bytes, *length, r->scratch, &unpacked);
	if (fault == CODEC_OK) {
		*bytes = r->scratch;
		*length = unpacked;
	}
	return (uint16_t)fault;
}

static void cut_piece(struct worker *w, const struct plan_input *plan, uint32_t index, struct tally *tally)
{
	struct refiner *r = w->refiner;
	struct refine_piece *piece = &r->pieces[index];
	const uint8_t *bytes = piece->bytes, *kept;
	uint32_t length = piece->length;
	uint64_t before = tally->records;
	uint8_t stage = DEAD_LETTER_AT_REASSEMBLY;
	uint16_t reason = 0;
	bool held = false;

	tally->frames++;
	if (length > 0 && plan->refine->codec->id == CODEC_GELF) {
		held = !refine_gelf(w, piece, &bytes, &length, &reason);
		if (!held && !reason) {
			reason = unpack(w, plan, &bytes, &length);
			stage = DEAD_LETTER_AT_DECODE;
		}
	}
	if (length > 0 && !held) {
		kept = keep(w, plan, piece, &bytes, length);
		if (plan->refine->codec->id == CODEC_KPL) {
			cut_kpl(w, plan, index, bytes, kept, length, tally);
		} else if (plan->refine->codec->cut) {
			cut_slices(w, plan, index, bytes, kept, length, tally);
		} else {
			take(w, plan, index, bytes, kept, length, tally);
			if (reason)
				refuse(r, reason, stage);
		}
	}
	tally->accepted += held || tally->records > before;
	piece->done = true;
}

static void count(struct worker *w, const struct plan_input *plan, const struct tally *tally)
{
	ledger_add(&w->ledger, input_word(plan->index, INPUT_FRAMES), tally->frames);
	ledger_add(&w->ledger, input_word(plan->index, INPUT_RECORDS), tally->records);
	ledger_add(&w->ledger, input_word(plan->index, INPUT_BYTES), tally->bytes);
	ledger_add(&w->ledger, WORKER_PARSED, tally->records);
	ledger_add(&w->ledger, WORKER_PARSED_BYTES, tally->bytes);
	ledger_add(&w->ledger, FRAME_ACCEPTED, tally->accepted);
	ledger_add(&w->ledger, FRAME_EMPTY, tally->frames - tally->accepted);
}

void refine_flush(struct worker *w)
{
	struct refiner *r = w->refiner;

	for (uint32_t first = 0; first < r->pieces_count; first++) {
		const struct plan_input *plan = r->pieces[first].plan;
		struct tally tally = {0};

		if (r->pieces[first].done)
			continue;
		for (uint32_t i = first; i < r->pieces_count; i++)
			if (r->pieces[i].plan == plan)
				cut_piece(w, plan, i, &tally);
		refine_records(w, plan);
		count(w, plan, &tally);
	}
	refine_append_jobs(w);
	refine_gelf_tell(w);
	r->block_used = 0;
	r->pieces_count = 0;
	w->refining = false;
}
