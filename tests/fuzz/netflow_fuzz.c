// Any bytes as NetFlow and IPFIX datagrams, several one after the other over one template store: decoded, learned, saved.
#include <string.h>

#include "dataplane/codec/netflow.h"
#include "dataplane/codec/templates.h"
#include "tests/fuzz/fields.h"

static bool import_into(void *other, const uint8_t *saved, uint32_t length)
{
	fuzz_require(templates_import(other, saved, length) == 0);
	return true;
}

static void decode(const uint8_t *bytes, uint32_t length, const uint8_t *choice, struct codec_templates *templates)
{
	struct codec_record record = fields_record(bytes, length);
	struct fields f = {.sink.put = fields_put, .stop_after = choice[0] & 32 ? choice[1] : 0};

	record.source = choice;
	record.source_bytes = choice[0] & 1 ? 4 : 0;
	record.arrival_ns = choice[0] >> 1 & 7;
	record.templates = choice[0] & 16 ? NULL : templates;
	if (choice[0] & 64 && record.templates)
		fuzz_require(netflow_learn(&record) < CODEC_FAULT_END);
	fuzz_require(netflow_decode(&record, &f.sink) < CODEC_FAULT_END);
	fuzz_require(f.depth == 0 || f.ended);
	fuzz_require(f.count <= 40 + 4ull * length);
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
