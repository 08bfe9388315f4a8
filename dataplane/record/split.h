// Cutting a block of text into lines with vector code.
#pragma once

#include <stdint.h>

struct slice { /* bytes [offset, offset + length) of the block it was cut from */
	uint32_t offset, length;
};

// Cuts bytes[0..length) into records, at most `room` of them, and returns how many. A record is a line without its
// '\n' and without one '\r' directly in front of it; what follows the last '\n' is a record by the same rule; a line
// with nothing left is none. *consumed says how far it came: `length`, or, when room ran out, the start of a line to
// go on from. Offsets count from `bytes`. Reads nothing outside the block. length < 2^31.
uint32_t split_lines(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);

/* One way of doing it. split_lines() takes the first that this processor can run. */
struct split_engine {
	const char *name;
	uint32_t (*lines)(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed);
};

// The engines this processor can run, fastest first; *count of them, at least one. Constant for the life of the process.
const struct split_engine *split_engines(uint32_t *count);
