// The text of one field of a record, found by its name or path: what keys are made of.
#pragma once

#include "dataplane/codec/codec.h"

#define FIELD_PATH_BYTES_MAX 256u

struct field_path { /* a value of its own: points into nothing */
	uint32_t steps;
	struct {
		uint16_t start, length; /* in `names` */
		uint32_t index;         /* of an array's element; UINT32_MAX: the name is no index */
	} step[FIELD_DEPTH_MAX + 1];
	char names[FIELD_PATH_BYTES_MAX];
};

// "host": the field of that name at the top level. "/tags/env", "/values/0": a JSON pointer (RFC 6901), in which ~1 is
// / and ~0 is ~ and a number is an index where an array stands. 0, or -EINVAL: empty, longer than FIELD_PATH_BYTES_MAX,
// deeper than fields can be, or a ~ with nothing it could mean.
int field_path_parse(const char *text, struct field_path *out);

// Decodes `record` as far as the first field at `path` and writes its value to text[0..room) as JSON output shows it,
// without quotes: text and numbers as they are, times by RFC 3339, addresses and MACs as text, bytes in base64. Returns
// its length; cut at `room`, in front of a character that does not fit. 0: there is none, it is empty, null, an object
// or an array, or the record does not decode as far as that, or `codec` has no fields. Needs what decode() needs of
// `record`.
uint32_t field_path_find(const struct field_path *path, const struct codec *codec, const struct codec_record *record,
			 char *text, uint32_t room);
