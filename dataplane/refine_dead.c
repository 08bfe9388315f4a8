// Dead letters: what could not be taken, into the stream its input names.
#include "dataplane/append.h"
#include "dataplane/refiner.h"

static struct key find_key(struct worker *w, const struct refine_piece *piece, const struct refine_own *own)
{
	struct key key;

	if (!own)
		return key_of_dead(piece->origin, piece->ports, piece->family, &w->random);
	key = key_of_own(own->key, own->hashed, own->hash);
	key_hash_now(&key);
	return key;
}

void refine_dead_record(struct worker *w, const struct plan_input *plan, const struct refine_piece *piece,
			const struct refine_own *own, uint8_t stage, uint16_t reason, uint32_t detail,
			const uint8_t *bytes, uint32_t length)
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
	struct key key;

	if (r->dead_used > REFINE_DEAD_BYTES - RECORD_PAYLOAD_MAX)
		refine_append_jobs(w);
	job.payload = r->dead + r->dead_used;
	bytes_written = dead_letter_write(&header, bytes, length, r->dead + r->dead_used, RECORD_PAYLOAD_MAX);
	if (bytes_written == 0) { /* the longest frames of a tap */
		refine_drop(w, plan, RECORD_TOO_LARGE);
		return;
	}
	r->dead_used += bytes_written;
	key = find_key(w, piece, own);
	job.sizes = append_sizes(piece->family, key.stored, bytes_written);
	job.labels |= append_key_kind(key.kind);
	job.hash = key.hash;
	job.hashed = true;
	refine_queue(w, &plan->refine->dead_letter, &job, (struct md5_key){NULL, 0}, key.bytes, REFINE_DEAD);
}
