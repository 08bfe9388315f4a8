#include "tests/support/field_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/codec/instant.h"
#include "dataplane/seam/key_text.h"

#define ARRIVAL_NS 1767323045000000006ull

static void say(struct field_text *t, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (t->length < sizeof t->text - 1) {
		int n = vsnprintf(t->text + t->length, sizeof t->text - t->length, format, arguments);

		t->length += (size_t)n < sizeof t->text - t->length ? (size_t)n : sizeof t->text - t->length - 1;
	}
	va_end(arguments);
}

static void say_quoted(struct field_text *t, const void *text, uint32_t length)
{
	const uint8_t *bytes = text;

	say(t, "\"");
	for (uint32_t i = 0; i < length; i++)
		say(t,
		    bytes[i] == '"' || bytes[i] == '\\' ? "\\%c"
		    : bytes[i] >= ' ' && bytes[i] < 127 ? "%c"
							: "\\x%02x",
		    bytes[i]);
	say(t, "\"");
}

static bool wrong(struct field_text *t, const char *what)
{
	t->wrong = true;
	say(t, " WRONG: %s", what);
	return false;
}

static void say_value(struct field_text *t, const struct field *f)
{
	char text[64];

	switch (f->type) {
	case FIELD_TEXT:
		say_quoted(t, f->bytes, f->length);
		return;
	case FIELD_BYTES:
		say(t, "0x");
		for (uint32_t i = 0; i < f->length; i++)
			say(t, "%02x", f->bytes[i]);
		return;
	case FIELD_NUMBER:
		say(t, "%.*s", (int)f->length, (const char *)f->bytes);
		return;
	case FIELD_INTEGER:
		say(t, "%" PRId64, f->value.i);
		return;
	case FIELD_UNSIGNED:
		say(t, "%" PRIu64, f->value.u);
		return;
	case FIELD_REAL:
		say(t, "%.17g", f->value.r);
		return;
	case FIELD_BOOL:
		say(t, f->value.u ? "true" : "false");
		return;
	case FIELD_NULL:
		say(t, "null");
		return;
	case FIELD_TIME:
		instant_text(f->value.u, text);
		say(t, "%.*s", (int)INSTANT_TEXT_BYTES, text);
		return;
	case FIELD_ADDRESS:
		say(t, "%.*s", (int)(f->length == 4 ? address4_text(f->bytes, text) : address6_text(f->bytes, text)),
		    text);
		return;
	case FIELD_MAC:
		for (uint32_t i = 0; i < 6; i++)
			say(t, "%s%02x", i ? ":" : "", f->bytes[i]);
		return;
	case FIELD_OBJECT:
	case FIELD_ARRAY:
	case FIELD_END:
		return;
	}
	wrong(t, "a type that nobody defined");
}

static bool put(struct field_sink *sink, const struct field *f)
{
	struct field_text *t = (struct field_text *)sink;

	if (t->wrong)
		return false;
	if (f->type == FIELD_END) {
		if (t->depth == 0)
			return wrong(t, "an END that closes nothing");
		say(t, t->array[t->depth--] ? "]" : "}");
		t->first = false;
		return true;
	}
	if (!t->first)
		say(t, ",");
	t->first = false;
	if (t->array[t->depth] ? f->name != NULL : f->name == NULL)
		return wrong(t, f->name ? "a name in an array" : "no name in an object");
	if (f->type == FIELD_ADDRESS && f->length != 4 && f->length != 16)
		return wrong(t, "an address of another length than 4 or 16");
	if (f->type == FIELD_MAC && f->length != 6)
		return wrong(t, "a MAC of another length than 6");
	if (f->name) {
		say_quoted(t, f->name, f->name_length);
		say(t, ":");
	}
	if (f->type == FIELD_OBJECT || f->type == FIELD_ARRAY) {
		if (t->depth == FIELD_DEPTH_MAX)
			return wrong(t, "deeper than FIELD_DEPTH_MAX");
		t->array[++t->depth] = f->type == FIELD_ARRAY;
		t->first = true;
		say(t, f->type == FIELD_ARRAY ? "[" : "{");
	}
	say_value(t, f);
	return ++t->fields != t->stop_after;
}

void field_text_begin(struct field_text *t)
{
	t->sink.put = put;
	t->length = 0;
	t->depth = t->fields = 0;
	t->array[0] = false;
	t->first = true;
	t->wrong = false;
	say(t, "{");
}

const char *field_text_end(struct field_text *t)
{
	while (t->depth)
		say(t, t->array[t->depth--] ? "]" : "}");
	say(t, "}");
	return t->text;
}

const char *field_text_of_record(const struct codec *codec, const struct codec_record *record)
{
	static struct field_text t;
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	static char with_fault[FIELD_TEXT_MAX + 64];
	struct codec_record exact = *record;
	uint8_t *copy = malloc(record->length ? record->length : 1);
	enum codec_fault fault;
	bool open;

	if (!copy)
		abort();
	memcpy(copy, record->bytes, record->length);
	exact.bytes = copy;
	if (!exact.scratch)
		exact.scratch = scratch;
	field_text_begin(&t);
	fault = codec->decode(&exact, &t.sink);
	free(copy);
	open = t.depth != 0;
	field_text_end(&t);
	if (fault == CODEC_OK && !open)
		return t.text;
	snprintf(with_fault, sizeof with_fault, "%s %s", fault == CODEC_OK ? "LEFT OPEN" : codec_fault_label(fault),
		 t.text);
	return with_fault;
}

const char *field_text_of(const struct codec *codec, const void *bytes, size_t length)
{
	struct codec_record record = {.bytes = bytes, .length = (uint32_t)length, .arrival_ns = ARRIVAL_NS};

	return field_text_of_record(codec, &record);
}
