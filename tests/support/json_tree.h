// json_fields() against jansson: the same texts refused, the same trees made of the others.
#pragma once

#include <jansson.h>
#include <string.h>

#include "dataplane/codec/json.h"
#include "tests/fuzz/fuzz.h"

struct json_tree { /* a sink that builds jansson's values */
	struct field_sink sink;
	json_t *open[FIELD_DEPTH_MAX + 1]; /* borrowed, but for the record itself in front */
	uint32_t depth;
};

static inline json_t *json_tree_number(const struct field *field)
{
	return json_loadb((const char *)field->bytes, field->length, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
}

static inline bool json_tree_put(struct field_sink *sink, const struct field *field)
{
	struct json_tree *t = (struct json_tree *)sink;
	json_t *value = NULL, *open = t->open[t->depth];

	switch (field->type) {
	case FIELD_END:
		t->depth--;
		return true;
	case FIELD_TEXT:
		value = json_stringn((const char *)field->bytes, field->length);
		break;
	case FIELD_NUMBER: /* none: out of a double's range */
		value = json_tree_number(field);
		value = value ? value : json_null();
		break;
	case FIELD_BOOL:
		value = json_boolean(field->value.u);
		break;
	case FIELD_NULL:
		value = json_null();
		break;
	case FIELD_OBJECT:
		value = json_object();
		break;
	case FIELD_ARRAY:
		value = json_array();
		break;
	default:
		break;
	}
	fuzz_require(value);
	if (json_is_array(open)) {
		fuzz_require(json_array_append_new(open, value) == 0);
	} else {
		char *name = fuzz_allocate(field->name_length + 1);

		memcpy(name, field->name, field->name_length);
		name[field->name_length] = '\0';
		fuzz_require(json_object_set_new(open, name, value) == 0);
		free(name);
	}
	if (field->type == FIELD_OBJECT || field->type == FIELD_ARRAY)
		t->open[++t->depth] = value;
	return true;
}

/* Levels of nesting of a valid value, itself included. */
static inline uint32_t json_tree_depth(json_t *value)
{
	uint32_t most = 0, depth;
	const char *name;
	json_t *inner;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	json_array_foreach(value, i, inner) most = (depth = json_tree_depth(inner)) > most ? depth : most;
	json_object_foreach(value, name, inner) most = (depth = json_tree_depth(inner)) > most ? depth : most;
	return most + 1;
}

/* json_fields() on an exact copy agrees with jansson about bytes[0..length). Returns its verdict. */
static inline enum codec_fault json_tree_compare(const uint8_t *bytes, uint32_t length)
{
	static uint8_t *scratch;
	struct json_tree tree = {.sink = {json_tree_put}};
	uint8_t *copy = fuzz_allocate(length);
	enum codec_fault fault;
	json_error_t error;
	json_t *theirs, *ours;

	if (!scratch)
		scratch = fuzz_allocate(CODEC_SCRATCH_BYTES);
	ours = tree.open[0] = json_object();
	memcpy(copy, bytes, length);
	fault = json_fields(copy, length, scratch, CODEC_SCRATCH_BYTES, &tree.sink);
	theirs = json_loadb((const char *)copy, length, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
			    &error);
	free(copy);
	if (!theirs) {
		enum json_error_code code = json_error_code(&error);

		/* What jansson refuses for its own sake: numbers that no double holds, names with a NUL, its depth of
		 * 2,048. */
		fuzz_require(fault != CODEC_OK || code == json_error_numeric_overflow ||
			     code == json_error_null_byte_in_key || code == json_error_stack_overflow);
	} else if (fault == CODEC_TOO_DEEP) {
		fuzz_require(json_tree_depth(theirs) > FIELD_DEPTH_MAX);
	} else if (fault != CODEC_OK) {
		fuzz_require(memchr(bytes, '\0', length)); /* which jansson takes for the end of the text */
	} else {
		fuzz_require(json_equal(theirs, json_is_object(theirs) ? ours : json_object_get(ours, "value")));
	}
	json_decref(theirs);
	json_decref(ours);
	return fault;
}
