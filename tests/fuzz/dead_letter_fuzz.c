// Any bytes as a dead letter: what is read is what is written again.
#include "dataplane/codec/dead_letter.h"
#include "tests/fuzz/fields.h"

static void check_letter(const uint8_t *bytes, uint32_t length)
{
	struct dead_letter letter;
	enum codec_fault fault = dead_letter_read(bytes, length, &letter);
	uint8_t *again = fuzz_allocate(length);

	fuzz_require((fault == CODEC_OK) == (fields_decode(CODEC_DEAD_LETTER, bytes, length, 0, NULL) == CODEC_OK));
	if (fault == CODEC_OK) {
		fuzz_require(letter.length + sizeof letter.header == length &&
			     letter.bytes + letter.length == bytes + length);
		fuzz_require(strcmp(dead_letter_reason_label(letter.header.reason), "unknown") != 0);
		fuzz_require(strcmp(dead_letter_stage_label(letter.header.stage), "unknown") != 0);
		fuzz_require(dead_letter_write(&letter.header, letter.bytes, letter.length, again, length) == length);
		/* But for the version of the parser, which is ours. */
		fuzz_require(memcmp(again, bytes, 6) == 0 && memcmp(again + 8, bytes + 8, length - 8) == 0);
	}
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return -1;
	fields_decode(CODEC_DEAD_LETTER, data + 1, (uint32_t)size - 1, data[0], NULL);
	check_letter(data + 1, (uint32_t)size - 1);
	return 0;
}
