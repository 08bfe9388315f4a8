// A sink that requires of decoded fields what dataplane/codec/field.h promises, and reads every byte of them.
#pragma once

#include <string.h>

#include "dataplane/codec/codec.h"
#include "tests/fuzz/fuzz.h"

#define FIELDS_ARRIVAL 1767323045000000006ull /* 2026-01-02T03:04:05.000000006Z */

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

/* A record that lies at `bytes`, of a sender and a time that are always the same. */
static inline struct codec_record fields_record(const uint8_t *bytes, uint32_t length)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	static const uint8_t source[4] = {10, 0, 0, 1};

	return (struct codec_record){.bytes = bytes,
				     .length = length,
				     .source_bytes = 4,
				     .source = source,
				     .arrival_ns = FIELDS_ARRIVAL,
				     .scratch = scratch};
}

static inline enum codec_fault fields_read(const struct codec *codec, const struct codec_record *record,
					   struct fields *out)
{
	enum codec_fault fault;

	*out = (struct fields){.sink.put = fields_put};
	fault = codec->decode(record, &out->sink);
	fuzz_require((unsigned)fault < CODEC_FAULT_END);
	fuzz_require(fault != CODEC_OK || out->depth == 0);
	return fault;
}

/* Once more, with a sink that has enough after `stop` fields, which the record has: that is no fault. */
static inline void fields_read_some(const struct codec *codec, const struct codec_record *record, uint32_t stop)
{
	struct fields some = {.sink.put = fields_put, .stop_after = stop};

	fuzz_require(codec->decode(record, &some.sink) == CODEC_OK && some.ended);
}

// Decodes bytes[0..length), exactly them on the heap, and again with a sink that has enough after `stop` fields; 0: never.
// Returns the fault, and in *out (may be NULL) what the fields were.
static inline enum codec_fault fields_decode(uint8_t id, const uint8_t *bytes, uint32_t length, uint32_t stop,
					     struct fields *out)
{
	uint8_t *exact = fuzz_allocate(length);
	struct codec_record record = fields_record(exact, length);
	enum codec_fault fault;
	struct fields all;

	if (length)
		memcpy(exact, bytes, length);
	fault = fields_read(codec_by_id(id), &record, &all);
	if (stop && stop <= all.count)
		fields_read_some(codec_by_id(id), &record, stop);
	free(exact);
	if (out)
		*out = all;
	return fault;
}
