// Dead letters: what could not be taken, into the stream its input names.
#include "dataplane/append.h"
#include "dataplane/refiner.h"

/* By flow, where that is known, so that those of one sender stay in order; nobody asks for them by key. */
static void give_key(struct worker *w, const struct refine_piece *piece, struct job *job)
{
	uint8_t kind = RECORD_KEY_HASH;

	job->hashed = true;
	job->hash = (struct hash_key){0, 0};
	if (piece->ports == RECORD_ORIGIN_NONE) {
		job->hash.upper = key_random_next(&w->random);
	} else {
		job->hash.upper = key_flow_hash(piece->origin, record_origin_bytes(piece->ports));
		kind = piece->family == RECORD_ORIGIN_NONE ? RECORD_KEY_HASH : RECORD_KEY_FLOW;
	}
	job->labels |= append_key_kind(kind);
}

void refine_dead_letter(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			uint8_t stage, uint16_t reason, uint32_t detail, const uint8_t *bytes, uint32_t length)
{
	struct dead_letter_header header = {.stage = stage,
					    .codec = (uint8_t)(plan->labels >> 48),
					    .reason = reason,
					    .input = (uint32_t)plan->labels,
					    .detail = detail,
					    .arrival_ns = w->now_ns};
	struct refiner *r = w->refiner;
	struct job job = {.origin = piece->origin,
			  .plan = plan,
			  .labels = header.input | (uint64_t)piece->vlan << 32 | (uint64_t)CODEC_DEAD_LETTER << 48};
	uint32_t bytes_written;

	if (r->dead_used > REFINE_DEAD_BYTES - RECORD_PAYLOAD_MAX)
		refine_append_jobs(w);
	job.payload = r->dead + r->dead_used;
	bytes_written = dead_letter_write(&header, bytes, length, r->dead + r->dead_used, RECORD_PAYLOAD_MAX);
	if (bytes_written == 0) { /* the longest frames of a tap */
		refine_drop(w, plan, RECORD_TOO_LARGE);
		return;
	}
	r->dead_used += bytes_written;
	job.sizes = append_sizes(piece->family, 0, bytes_written);
	give_key(w, piece, &job);
	refine_queue(w, &plan->refine->dead_letter, &job, (struct md5_key){NULL, 0}, NULL, REFINE_DEAD);
}
