// Any bytes as a lane or a batch: walked with record_check(), keyed, and written in every format.
#include <string.h>

#include "control/delivery/format.h"
#include "dataplane/seam/key_text.h"
#include "dataplane/seam/record.h"
#include "tests/fuzz/fuzz.h"

static int swallow(void *handle, const void *bytes, size_t length)
{
	uint64_t *total = handle;

	for (size_t i = 0; i < length; i++)
		*total += ((const uint8_t *)bytes)[i];
	return 0;
}

static void check_record(const struct record *r, uint32_t bytes, size_t left)
{
	char text[KEY_TEXT_MAX];
	uint32_t key = key_text(r, text);

	fuzz_require(bytes <= left && bytes % RECORD_ALIGN == 0);
	fuzz_require(bytes == record_bytes(r->origin, r->key_length, r->length));
	fuzz_require(record_payload(r) + r->length <= (const uint8_t *)r + bytes);
	fuzz_require(r->length <= RECORD_PAYLOAD_MAX && record_key_bytes(r) <= RECORD_KEY_MAX);
	for (uint32_t i = 0; i < record_tags_count(r); i++)
		fuzz_require(record_tag(r, i) == record_tag(r, i)); /* read by the sanitizer, too */
	fuzz_require(r->kind == RECORD_GAP ? key == 0 && r->length == sizeof(struct gap) : key >= 1 && key <= KEY_TEXT_MAX);
}

static void walk(const uint8_t *lane, size_t length, struct format *format)
{
	uint64_t sequence = 1, total = 0;
	struct sink sink = {.write = swallow, .handle = &total};
	uint32_t bytes;

	fuzz_require(format_begin(format, &sink) == 0);
	for (size_t at = 0; at < length && (bytes = record_check(lane + at, length - at)) != 0; at += bytes) {
		const struct record *r = (const struct record *)(lane + at);

		check_record(r, bytes, length - at);
		fuzz_require(format_add(format, 3, sequence++, r) == 0);
	}
	fuzz_require(format_end(format) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct format *formats[3];
	uint8_t *lane = fuzz_allocate(size); /* aligned, and not a byte longer */

	memcpy(lane, data, size);
	for (int i = 0; i < 3; i++) {
		struct format_options options = {.format = (enum config_format)i, .delimiter = "\n"};

		if (!formats[i])
			fuzz_require(format_open(&options, &formats[i]) == 0);
		walk(lane, size, formats[i]);
	}
	free(lane);
	return 0;
}
