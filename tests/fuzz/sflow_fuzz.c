// Any bytes as an sFlow datagram.
#include "tests/fuzz/fields.h"

/* The first byte says after how many fields the sink has enough: 0 never. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fields all;

	if (size == 0)
		return -1;
	fields_decode(CODEC_SFLOW, data + 1, (uint32_t)size - 1, data[0], &all);
	fuzz_require(all.depth == 0);
	fuzz_require(all.count <= 40 + 2 * (uint32_t)size);
	return 0;
}
