// Decoded fields as one line of text, for tests to compare.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/codec/codec.h"

#define FIELD_TEXT_MAX 65536u

/*
 * A sink that writes what it is given like compact JSON, in the order it comes:
 *
 *   {"host":"web-1","tags":{"env":"prod"},"values":[1,2.5],"when":2026-01-02T03:04:05.000000006Z,"from":10.0.0.1}
 *
 * Quoted: FIELD_TEXT, with \" \\ and \xHH for what is no printable ASCII (so bytes stay comparable). Not quoted:
 * numbers as they stand, times (RFC 3339, UTC), addresses, MACs (lower case, colons). FIELD_BYTES: 0x and hexadecimal
 * digits. It fails the test when names stand where none belong, an END closes nothing or nesting passes
 * FIELD_DEPTH_MAX.
 */
struct field_text {
	struct field_sink sink;    /* first: what decode() is given */
	char text[FIELD_TEXT_MAX]; /* terminated; "{...}" after field_text_end() */
	size_t length;
	unsigned depth, fields; /* open objects and arrays; fields put, ENDs not counted */
	unsigned stop_after;    /* 0: never; else put() returns false for this many-th field */
	bool array[FIELD_DEPTH_MAX + 1], first;
	bool wrong; /* what was put is no sequence of fields; said in `text` */
};

// Ready for a record; keeps `stop_after`.
void field_text_begin(struct field_text *t);

// Closes the record (and, for a record with a fault, what was left open). Returns the text.
const char *field_text_end(struct field_text *t);

// The fields of bytes[0..length) by the codec's decode(), which sees an exact copy on the heap, so that the sanitizer
// reports a read outside; on a fault "LABEL {fields so far}". Arrival is 2026-01-02T03:04:05.000000006Z, the source
// unknown, no templates. The text lies in a static buffer that the next call overwrites.
const char *field_text_of(const struct codec *codec, const void *bytes, size_t length);

// The same for a record that a test has filled in; `scratch` may be NULL, then there is one.
const char *field_text_of_record(const struct codec *codec, const struct codec_record *record);
