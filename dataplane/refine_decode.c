// Looking into a record: whether it follows its codec's format, and the field that is its key.
#include "dataplane/refiner.h"

static bool take_all(struct field_sink *sink, const struct field *field)
{
	(void)sink;
	(void)field;
	return true;
}

void refine_decode(struct worker *w, const struct plan_input *plan, const struct refine_record *record,
		   struct refine_decoded *out)
{
	const struct refine *refine = plan->refine;
	struct refiner *r = w->refiner;
	const struct refine_piece *piece = &r->pieces[record->piece];
	struct codec_record in = {.bytes = record->bytes,
				  .length = record->length,
				  .source_bytes = piece->addresses == RECORD_ORIGIN_IPV4   ? 4
						  : piece->addresses == RECORD_ORIGIN_IPV6 ? 16
											   : 0,
				  .source = piece->origin,
				  .arrival_ns = w->now_ns,
				  .scratch = r->scratch};
	uint8_t *room = r->key_bytes + r->keys_used;
	struct field_sink sink = {take_all};

	*out = (struct refine_decoded){.fault = CODEC_OK};
	if (refine->invalid != INVALID_KEEP)
		out->fault = refine->codec->decode(&in, &sink);
	/* Flows before their template: penstockd decodes them when it has come. */
	if (out->fault == CODEC_NO_TEMPLATE)
		out->fault = CODEC_OK;
	if (out->fault != CODEC_OK || plan->key.kind != KEY_PATH)
		return;
	out->key =
		(struct md5_key){room, field_path_find(&refine->path, refine->codec, &in, (char *)room, KEY_BYTES_MAX)};
	r->keys_used += out->key.length;
}
