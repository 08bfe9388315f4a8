// Where bytes go, and a buffer in front of it: what formats write to and compression stands between.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sink {
	// Takes all of `bytes`. 0 or -errno; after an error the sink is not written to again.
	int (*write)(void *handle, const void *bytes, size_t length);
	void *handle;
};

#define GATHER_BYTES (64u << 10)

struct gather { /* gathers small pieces; the first error sticks and is what gather_flush() returns */
	struct sink sink;
	size_t used;
	int error;
	uint8_t bytes[GATHER_BYTES];
};

void gather_begin(struct gather *w, const struct sink *sink);
void gather_put(struct gather *w, const void *bytes, size_t length);
void gather_text(struct gather *w, const char *text);

// Sends on what is gathered. 0 or the first error since gather_begin().
int gather_flush(struct gather *w);
