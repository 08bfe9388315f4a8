// Any bytes as Graphite lines: cut and decoded, see codec.h.
#include "dataplane/seam/record.h"
#include "tests/fuzz/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return codec_fuzz(CODEC_GRAPHITE, data, size);
}
