// How the flow codecs put fields: a sink that is not asked again once it has what it wanted.
#pragma once

#include "dataplane/codec/field.h"
#include "dataplane/packet/wire.h"

struct flow_put {
	struct field_sink *sink;
	bool ended;
};

#define FLOW_NAME(text) (text), (uint32_t)(sizeof(text) - 1)

static inline void flow_put(struct flow_put *p, const struct field *field)
{
	if (!p->ended)
		p->ended = !p->sink->put(p->sink, field);
}

// Opens an object or array, or puts an END.
static inline void flow_put_mark(struct flow_put *p, enum field_type type, const char *name, uint32_t name_length)
{
	flow_put(p, &(struct field){.type = type, .name = name, .name_length = name_length});
}

static inline void flow_put_end(struct flow_put *p)
{
	static const struct field end = {.type = FIELD_END};

	flow_put(p, &end);
}

// An object in an array.
static inline void flow_put_element(struct flow_put *p)
{
	static const struct field object = {.type = FIELD_OBJECT};

	flow_put(p, &object);
}

static inline void flow_put_unsigned(struct flow_put *p, const char *name, uint32_t name_length, uint64_t value)
{
	flow_put(p, &(struct field){.type = FIELD_UNSIGNED, .name = name, .name_length = name_length, .value.u = value});
}

static inline void flow_put_time(struct flow_put *p, const char *name, uint32_t name_length, uint64_t ns)
{
	flow_put(p, &(struct field){.type = FIELD_TIME, .name = name, .name_length = name_length, .value.u = ns});
}

// TEXT, BYTES, ADDRESS or MAC.
static inline void flow_put_bytes(struct flow_put *p, enum field_type type, const char *name, uint32_t name_length,
				  const uint8_t *bytes, uint32_t length)
{
	flow_put(p, &(struct field){
			    .type = type, .name = name, .name_length = name_length, .bytes = bytes, .length = length});
}

static inline uint32_t flow_get32(const uint8_t *p)
{
	return __builtin_bswap32(wire_raw32(p));
}

static inline uint64_t flow_get64(const uint8_t *p)
{
	return __builtin_bswap64(wire_raw64(p));
}
