// Looking into a record: whether it follows its codec's format, and the field that is its key.
#include "dataplane/refiner.h"

void refine_decode(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		   struct refine_decoded *out)
{
	const struct refine *refine = plan->refine;
	struct refiner *r = w->refiner;
	const struct refine_piece *piece = &r->pieces[record->piece];
	struct codec_record in = {.bytes = record->bytes,
				  .length = record->length,
				  .source_bytes = record_source_bytes(piece->addresses),
				  .source = piece->origin,
				  .arrival_ns = w->now_ns,
				  .scratch = r->scratch};
	uint8_t *room = r->key_bytes + r->keys_used;

	*out = (struct refine_decoded){.fault = CODEC_OK};
	if (refine->invalid != INVALID_KEEP)
		out->fault = codec_check(refine->codec, &in);
	if (out->fault != CODEC_OK || plan->key.kind != KEY_PATH)
		return;
	out->key =
		(struct md5_key){room, field_path_find(&refine->path, refine->codec, &in, (char *)room, KEY_BYTES_MAX)};
	r->keys_used += out->key.length;
}
