// Any bytes as a datagram of collectd.
#include "tests/fuzz/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return -1;
	fields_decode(CODEC_COLLECTD, data + 1, (uint32_t)size - 1, data[0], NULL);
	return 0;
}
