// A record's decoded fields as a JSON object.
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/delivery/format_kinds.h"
#include "control/delivery/format_text.h"
#include "dataplane/seam/key_text.h"

#define FIELDS_BYTES_MAX (8u << 20) /* of names and values: a datagram whose fields repeat its bytes without an end stops here */
#define FIELD_COST 32u              /* for what stands around each of them */

struct printer {
	struct field_sink sink;
	struct format *f;
	uint64_t arrays;  /* bit i: the object or array `i` deep is an array; the record itself, 0, is none */
	uint32_t depth;
	uint32_t left;    /* of FIELDS_BYTES_MAX */
	bool letter;      /* a dead letter's */
	bool first;       /* nothing stands in the innermost one yet */
	enum codec_fault fault; /* why the printing ended, CODEC_OK if it did not */
};

_Static_assert(FIELD_DEPTH_MAX < 64, "a bit for each");

static bool in_array(const struct printer *p)
{
	return p->arrays >> p->depth & 1;
}

// What stands in front of a value: the comma, and inside an object the name.
static void put_name(struct printer *p, const struct field *field, const char *end)
{
	struct gather *w = &p->f->gather;

	if (!p->first)
		gather_put(w, ",", 1);
	p->first = false;
	if (in_array(p))
		return;
	gather_put(w, "\"", 1);
	if (field->name != NULL)
		format_text_repair(w, (const uint8_t *)field->name, field->name_length);
	else
		gather_text(w, "value");
	gather_text(w, end);
	gather_put(w, "\":", 2);
}

// Bytes that are no text: "name_base64":"…", and in an array, where there is no name to say so, {"base64":"…"}.
static void put_opaque(struct printer *p, const struct field *field)
{
	struct gather *w = &p->f->gather;

	put_name(p, field, "_base64");
	gather_text(w, in_array(p) ? "{\"base64\":\"" : "\"");
	format_text_base64(w, field->bytes, field->length);
	gather_text(w, in_array(p) ? "\"}" : "\"");
}

static void put_string(struct printer *p, const struct field *field, const uint8_t *text, size_t length)
{
	struct gather *w = &p->f->gather;

	put_name(p, field, "");
	gather_put(w, "\"", 1);
	format_text_escape(w, text, length);
	gather_put(w, "\"", 1);
}

static void put_plain(struct printer *p, const struct field *field, const char *text)
{
	put_name(p, field, "");
	gather_text(&p->f->gather, text);
}

// The fewest digits that read back as the same double: up to 15 always do, 17 are always enough.
static void put_real(struct printer *p, const struct field *field)
{
	double value = field->value.r;
	char text[40];

	if (!isfinite(value)) {
		put_plain(p, field, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	put_plain(p, field, text);
}

static void put_address(struct printer *p, const struct field *field)
{
	char text[48];

	if (field->length == 4)
		put_string(p, field, (const uint8_t *)text, address4_text(field->bytes, text));
	else if (field->length == 16)
		put_string(p, field, (const uint8_t *)text, address6_text(field->bytes, text));
	else
		put_opaque(p, field);
}

static void put_mac(struct printer *p, const struct field *field)
{
	const uint8_t *m = field->bytes;
	char text[18];

	if (field->length != 6) {
		put_opaque(p, field);
		return;
	}
	snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	put_string(p, field, (const uint8_t *)text, 17);
}

static void put_time(struct printer *p, const struct field *field)
{
	char text[FORMAT_TIME_MAX];

	format_time(text, field->value.u);
	put_string(p, field, (const uint8_t *)text, strlen(text));
}

static bool open_nested(struct printer *p, const struct field *field)
{
	bool array = field->type == FIELD_ARRAY;

	if (p->depth == FIELD_DEPTH_MAX) {
		p->fault = CODEC_TOO_DEEP;
		return false;
	}
	put_name(p, field, "");
	gather_text(&p->f->gather, array ? "[" : "{");
	p->depth++;
	p->arrays = (p->arrays & ~(1ull << p->depth)) | (uint64_t)array << p->depth;
	p->first = true;
	return true;
}

static void close_nested(struct printer *p)
{
	assert(p->depth > 0);
	gather_text(&p->f->gather, in_array(p) ? "]" : "}");
	p->depth--;
	p->first = false;
}

static void put_value(struct printer *p, const struct field *field)
{
	char number[24];

	switch (field->type) {
	case FIELD_TEXT:
		if (format_text_valid(field->bytes, field->length))
			put_string(p, field, field->bytes, field->length);
		else
			put_opaque(p, field);
		break;
	case FIELD_NUMBER:
		put_name(p, field, "");
		gather_put(&p->f->gather, field->bytes, field->length);
		break;
	case FIELD_INTEGER:
		snprintf(number, sizeof number, "%" PRId64, field->value.i);
		put_plain(p, field, number);
		break;
	case FIELD_UNSIGNED:
		snprintf(number, sizeof number, "%" PRIu64, field->value.u);
		put_plain(p, field, number);
		break;
	case FIELD_REAL:
		put_real(p, field);
		break;
	case FIELD_BOOL:
		put_plain(p, field, field->value.u != 0 ? "true" : "false");
		break;
	case FIELD_NULL:
		put_plain(p, field, "null");
		break;
	case FIELD_TIME:
		put_time(p, field);
		break;
	case FIELD_ADDRESS:
		put_address(p, field);
		break;
	case FIELD_MAC:
		put_mac(p, field);
		break;
	default:
		put_opaque(p, field);
	}
}

static bool is_named(const struct field *field, const char *name)
{
	return field->name_length == strlen(name) && memcmp(field->name, name, field->name_length) == 0;
}

/* A dead letter's input goes by its name, and its bytes stand in the line as data. True: that is all of the field. */
static bool take_letter(struct printer *p, const struct field *field)
{
	char id[9] = "";
	const char *name;

	if (is_named(field, "data"))
		return true;
	if (!is_named(field, "input") || field->length != 8)
		return false;
	memcpy(id, field->bytes, 8);
	name = format_input(p->f, (uint32_t)strtoul(id, NULL, 16), id);
	put_string(p, field, (const uint8_t *)name, strlen(name));
	return true;
}

static bool take_field(struct field_sink *sink, const struct field *field)
{
	struct printer *p = (struct printer *)sink;
	uint64_t cost = (uint64_t)field->name_length + field->length + FIELD_COST;

	if (p->f->gather.error != 0)
		return false;
	if (field->type == FIELD_END) {
		close_nested(p);
		return true;
	}
	if (cost > p->left) {
		p->fault = CODEC_TOO_LARGE;
		return false;
	}
	p->left -= (uint32_t)cost;
	if (p->letter && p->depth == 0 && field->name != NULL && take_letter(p, field))
		return true;
	if (field->type == FIELD_OBJECT || field->type == FIELD_ARRAY)
		return open_nested(p, field);
	put_value(p, field);
	return true;
}

static bool pass_over(struct field_sink *sink, const struct field *field)
{
	(void)sink;
	(void)field;
	return true;
}

/* Flows before their template: whoever prints them may get it. What has gone into the gather cannot be taken back. */
static void look_for_templates(struct format *f, const struct codec *codec, struct codec_record *record)
{
	struct field_sink sink = {pass_over};

	if (f->options.flows == NULL || codec->id != CODEC_NETFLOW)
		return;
	f->options.flows(f->options.context, false);
	record->templates = f->templates;
	if (codec->decode(record, &sink) == CODEC_NO_TEMPLATE)
		f->options.flows(f->options.context, true);
	record->templates = f->templates;
}

void format_fields_add(struct format *f, const struct codec *codec, const struct record *r)
{
	struct printer p = {.sink = {take_field}, .f = f, .left = FIELDS_BYTES_MAX, .letter = codec->id == CODEC_DEAD_LETTER,
			    .first = true};
	struct codec_record record = {
		.bytes = record_payload(r),
		.length = r->length,
		.source_bytes = r->origin == RECORD_ORIGIN_IPV4 ? 4 : r->origin == RECORD_ORIGIN_IPV6 ? 16 : 0,
		.source = record_origin(r),
		.arrival_ns = r->arrival_ns,
		.templates = f->templates,
		.scratch = f->scratch,
	};
	enum codec_fault fault;

	look_for_templates(f, codec, &record);
	gather_text(&f->gather, "\"fields\":{");
	fault = codec->decode(&record, &p.sink);
	if (p.fault != CODEC_OK)
		fault = p.fault;
	while (p.depth > 0)
		close_nested(&p);
	gather_text(&f->gather, "},");
	if (fault == CODEC_OK)
		return;
	gather_text(&f->gather, "\"fault\":\"");
	gather_text(&f->gather, codec_fault_label(fault));
	gather_text(&f->gather, "\",");
}
