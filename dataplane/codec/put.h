// How decoders put fields, and end early when the taker has enough.
#pragma once

#include "dataplane/codec/codec.h"

/*
 * Inside a decoder a step returns enum codec_fault, or PUT_ENDED when the sink wants no more. What leaves decode() is
 * put_result() of that, since an end that the taker asked for is no fault.
 */
#define PUT_ENDED CODEC_FAULT_END

#define PUT_NAME(literal) literal, sizeof(literal) - 1

/* Leaves the step with the first thing that is not CODEC_OK. */
#define PUT_TRY(step)                                                                                                  \
	do {                                                                                                           \
		enum codec_fault fault_ = (step);                                                                      \
		if (__builtin_expect(fault_ != CODEC_OK, 0))                                                           \
			return fault_;                                                                                 \
	} while (0)

static inline enum codec_fault put_result(enum codec_fault fault)
{
	return fault == PUT_ENDED ? CODEC_OK : fault;
}

static inline enum codec_fault put_field(struct field_sink *sink, const struct field *field)
{
	return __builtin_expect(sink->put(sink, field), 1) ? CODEC_OK : PUT_ENDED;
}

// FIELD_TEXT, FIELD_BYTES, FIELD_NUMBER, FIELD_ADDRESS, FIELD_MAC.
static inline enum codec_fault put_slice(struct field_sink *sink, enum field_type type, const char *name,
					 uint32_t name_length, const uint8_t *bytes, uint32_t length)
{
	struct field field = {.type = type, .name = name, .name_length = name_length, .bytes = bytes, .length = length};

	return put_field(sink, &field);
}

static inline enum codec_fault put_text(struct field_sink *sink, const char *name, uint32_t name_length,
					const uint8_t *bytes, uint32_t length)
{
	return put_slice(sink, FIELD_TEXT, name, name_length, bytes, length);
}

// FIELD_UNSIGNED, FIELD_TIME, FIELD_BOOL.
static inline enum codec_fault put_unsigned(struct field_sink *sink, enum field_type type, const char *name,
					    uint32_t name_length, uint64_t value)
{
	struct field field = {.type = type, .name = name, .name_length = name_length, .value.u = value};

	return put_field(sink, &field);
}

// FIELD_OBJECT, FIELD_ARRAY, FIELD_NULL.
static inline enum codec_fault put_bare(struct field_sink *sink, enum field_type type, const char *name,
					uint32_t name_length)
{
	struct field field = {.type = type, .name = name, .name_length = name_length};

	return put_field(sink, &field);
}

static inline enum codec_fault put_end(struct field_sink *sink)
{
	static const struct field end = {.type = FIELD_END};

	return put_field(sink, &end);
}
