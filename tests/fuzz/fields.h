// A sink that requires of decoded fields what dataplane/codec/field.h promises, and reads every byte of them.
#pragma once

#include <string.h>

#include "dataplane/codec/codec.h"
#include "tests/fuzz/fuzz.h"

struct fields {
	struct field_sink sink;
	uint32_t depth, count;
	uint32_t stop_after; /* 0: never */
	bool array[FIELD_DEPTH_MAX + 1];
	bool ended;
	uint64_t hash; /* of all there is: the same fields have the same */
};

static inline void fields_mix(struct fields *f, const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		f->hash = (f->hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

static inline bool fields_put(struct field_sink *sink, const struct field *field)
{
	struct fields *f = (struct fields *)sink;
	bool opens = field->type == FIELD_OBJECT || field->type == FIELD_ARRAY;

	fuzz_require(!f->ended && field->type <= FIELD_END);
	fuzz_require(!field->name == (field->type == FIELD_END || f->array[f->depth]));
	fuzz_require(field->name || field->name_length == 0);
	fuzz_require(field->type != FIELD_END || f->depth > 0);
	fuzz_require(field->type != FIELD_BOOL || field->value.u <= 1);
	fuzz_require(field->type != FIELD_MAC || field->length == 6);
	fuzz_require(field->type != FIELD_ADDRESS || field->length == 4 || field->length == 16);
	fields_mix(f, &field->type, sizeof field->type);
	fields_mix(f, field->name, field->name_length);
	if (field->type <= FIELD_NUMBER || field->type == FIELD_ADDRESS || field->type == FIELD_MAC)
		fields_mix(f, field->bytes, field->length);
	else if (!opens && field->type != FIELD_NULL && field->type != FIELD_END)
		fields_mix(f, &field->value, sizeof field->value);
	if (field->type == FIELD_END)
		f->depth--;
	if (opens) {
		fuzz_require(f->depth < FIELD_DEPTH_MAX);
		f->array[++f->depth] = field->type == FIELD_ARRAY;
	}
	f->ended = ++f->count == f->stop_after;
	return !f->ended;
}

// Decodes bytes[0..length), exactly them on the heap, and once more with a sink that soon has enough. Returns the
// fault, and in *out (may be NULL) what the fields were.
static inline enum codec_fault fields_decode(uint8_t codec, const uint8_t *bytes, uint32_t length, uint32_t stop_after,
					     struct fields *out)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	struct fields all = {.sink.put = fields_put}, some = {.sink.put = fields_put, .stop_after = stop_after};
	uint8_t *exact = fuzz_allocate(length);
	struct codec_record record = {
		.bytes = exact, .length = length, .scratch = scratch, .arrival_ns = 1767323045000000006};
	enum codec_fault fault;

	if (length)
		memcpy(exact, bytes, length);
	fault = codec_by_id(codec)->decode(&record, &all.sink);
	fuzz_require((unsigned)fault < CODEC_FAULT_END);
	fuzz_require(fault != CODEC_OK || all.depth == 0);
	if (stop_after && stop_after <= all.count) {
		fuzz_require(codec_by_id(codec)->decode(&record, &some.sink) == CODEC_OK);
		fuzz_require(some.ended);
	}
	free(exact);
	if (out)
		*out = all;
	return fault;
}
