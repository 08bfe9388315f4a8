// A GELF message as clients pack it: in gzip or zlib.
#pragma once

#include <isa-l/igzip_lib.h>
#include <stdint.h>
#include <stdlib.h>

/* `wrapper` is IGZIP_GZIP or IGZIP_ZLIB. Bytes written to `out`, which must have room for them. */
static inline uint32_t gelf_pack(uint16_t wrapper, const void *bytes, uint32_t length, uint8_t *out, uint32_t room)
{
	struct isal_zstream stream;

	isal_deflate_stateless_init(&stream);
	stream.gzip_flag = wrapper;
	stream.next_in = (uint8_t *)(uintptr_t)bytes;
	stream.avail_in = length;
	stream.end_of_stream = 1;
	stream.next_out = out;
	stream.avail_out = room;
	if (isal_deflate_stateless(&stream) != COMP_OK)
		abort();
	return stream.total_out;
}
