// What the fuzz targets share. Each is a program of libFuzzer: `make fuzz` builds and runs them.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Given `size` arbitrary bytes. 0, or -1 for an input that is not worth keeping.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input: a failure is a crash, which libFuzzer keeps the input of. */
#define fuzz_require(condition)                                                                      \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                     \
		}                                                                                    \
	} while (0)

static inline void *fuzz_allocate(size_t size)
{
	void *bytes = malloc(size ? size : 1);

	fuzz_require(bytes);
	return bytes;
}
