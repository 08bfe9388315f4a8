// Any bytes as NetFlow and IPFIX datagrams, several one after the other over one template store: decoded, learned, saved.
#include <string.h>

#include "dataplane/codec/netflow.h"
#include "dataplane/codec/templates.h"
#include "tests/fuzz/fuzz.h"

/* A sink that checks the order of what it is given. */
struct checker {
	struct field_sink sink;
	bool array[FIELD_DEPTH_MAX + 1];
	uint32_t depth;
	uint64_t fields, end_after, bytes;
};

static bool check(struct field_sink *sink, const struct field *field)
{
	struct checker *c = (struct checker *)sink;

	c->fields++;
	fuzz_require(c->end_after == 0 || c->fields <= c->end_after);
	if (field->type == FIELD_END) {
		fuzz_require(c->depth > 0);
		c->depth--;
		return c->fields != c->end_after;
	}
	fuzz_require(!field->name == c->array[c->depth]);
	for (uint32_t i = 0; field->name && i < field->name_length; i++)
		c->bytes += (uint8_t)field->name[i];
	switch (field->type) {
	case FIELD_TEXT:
	case FIELD_BYTES:
	case FIELD_ADDRESS:
	case FIELD_MAC:
		for (uint32_t i = 0; i < field->length; i++)
			c->bytes += field->bytes[i];
		break;
	case FIELD_OBJECT:
	case FIELD_ARRAY:
		fuzz_require(c->depth < FIELD_DEPTH_MAX);
		c->array[++c->depth] = field->type == FIELD_ARRAY;
		break;
	default:
		break;
	}
	return c->fields != c->end_after;
}

static bool import_into(void *other, const uint8_t *saved, uint32_t length)
{
	fuzz_require(templates_import(other, saved, length) == 0);
	return true;
}

static void decode(const uint8_t *bytes, uint32_t length, const uint8_t *choice, struct codec_templates *templates)
{
	static uint8_t scratch[CODEC_SCRATCH_BYTES];
	struct codec_record record = {.bytes = bytes,
				      .length = length,
				      .source = choice,
				      .source_bytes = choice[0] & 1 ? 4 : 0,
				      .arrival_ns = choice[0] >> 1 & 7,
				      .templates = choice[0] & 16 ? NULL : templates,
				      .scratch = scratch};
	struct checker c = {.sink.put = check, .end_after = choice[0] & 32 ? choice[1] : 0};
	enum codec_fault fault;

	if (choice[0] & 64 && record.templates)
		fuzz_require(netflow_learn(&record) < CODEC_FAULT_END);
	fault = netflow_decode(&record, &c.sink);
	fuzz_require(fault < CODEC_FAULT_END);
	fuzz_require(c.depth == 0 || c.fields == c.end_after);
	fuzz_require(c.fields <= 40 + 4ull * length);
}

/* Datagrams of the input: 4 bytes that choose, 2 of length, the bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec_templates *templates, *copy;

	fuzz_require(templates_create(TEMPLATES_BYTES_MIN, 7, &templates) == 0);
	fuzz_require(templates_create(TEMPLATES_BYTES_MIN, 8, &copy) == 0);
	for (uint32_t n = 0; size > 6 && n < 64; n++) {
		uint32_t length = (uint32_t)data[4] << 8 | data[5];
		uint8_t *exact;

		if (length > size - 6)
			length = (uint32_t)(size - 6);
		exact = fuzz_allocate(length);
		memcpy(exact, data + 6, length);
		decode(exact, length, data, templates);
		free(exact);
		if (data[0] & 128)
			templates_export(templates, import_into, copy);
		data += 6 + length;
		size -= 6 + length;
	}
	templates_export(templates, import_into, copy);
	templates_free(templates);
	templates_free(copy);
	return 0;
}
