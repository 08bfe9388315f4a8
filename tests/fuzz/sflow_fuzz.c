// Any bytes as an sFlow datagram.
#include "dataplane/codec/sflow.h"
#include "tests/fuzz/fuzz.h"

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
	if (field->type == FIELD_TEXT || field->type == FIELD_BYTES || field->type == FIELD_ADDRESS || field->type == FIELD_MAC)
		for (uint32_t i = 0; i < field->length; i++)
			c->bytes += field->bytes[i];
	if (field->type == FIELD_OBJECT || field->type == FIELD_ARRAY) {
		fuzz_require(c->depth < FIELD_DEPTH_MAX);
		c->array[++c->depth] = field->type == FIELD_ARRAY;
	}
	return c->fields != c->end_after;
}

/* The first byte says after how many fields the sink has enough: 0 never. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codec_record record = {0};
	struct checker c = {.sink.put = check};

	if (size == 0)
		return -1;
	c.end_after = data[0];
	record.bytes = data + 1;
	record.length = (uint32_t)(size - 1);
	fuzz_require(sflow_decode(&record, &c.sink) < CODEC_FAULT_END);
	fuzz_require(c.depth == 0 || c.fields == c.end_after);
	fuzz_require(c.fields <= 40 + 2ull * record.length);
	return 0;
}
