// A decoded record as a sequence of typed, named fields: what every codec hands out and everybody else takes.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Codecs put fields one after the other, nested ones between an opening and a closing one:
 *
 *   "host" TEXT web-1 | "tags" OBJECT | "env" TEXT prod | END | "values" ARRAY | NULL-named INTEGER 1 | ... | END
 *
 * The record itself is not put: what stands at the top level are its fields.
 */
enum field_type {
	FIELD_TEXT,     /* `bytes`; not checked to be UTF-8 unless the codec's format says so */
	FIELD_BYTES,    /* `bytes`, opaque: shown as base64 */
	FIELD_NUMBER,   /* `bytes`: a number as it stands in the record, by JSON's grammar */
	FIELD_INTEGER,  /* value.i */
	FIELD_UNSIGNED, /* value.u */
	FIELD_REAL,     /* value.r; may be NaN or infinite, which JSON shows as null */
	FIELD_BOOL,     /* value.u: 0 or 1 */
	FIELD_NULL,
	FIELD_TIME,     /* value.u: nanoseconds since 1970 UTC */
	FIELD_ADDRESS,  /* `bytes`: 4 or 16, network order */
	FIELD_MAC,      /* `bytes`: 6 */
	FIELD_OBJECT,   /* opens: named fields follow */
	FIELD_ARRAY,    /* opens: fields without a name follow */
	FIELD_END,      /* closes the innermost of them */
};

struct field {
	enum field_type type;
	uint32_t name_length, length;
	const char *name;     /* not terminated; NULL in an array and for FIELD_END */
	const uint8_t *bytes; /* into the record or the decoder's scratch: gone when put() returns */
	union {
		int64_t i;
		uint64_t u;
		double r;
	} value;
};

struct field_sink { /* the taker puts its own state behind it */
	// False ends the decoding: the taker has what it wanted.
	bool (*put)(struct field_sink *sink, const struct field *field);
};

#define FIELD_DEPTH_MAX 32u /* objects and arrays inside one another; a codec refuses more as CODEC_TOO_DEEP */
