// What a burst must become, by plain code: one frame after the other, one record after the other, no vectors.
#pragma once

#include "dataplane/packet/match.h"
#include "dataplane/record/key.h"
#include "dataplane/seam/region.h"

#define REFERENCE_SLOTS 32u
#define REFERENCE_LANE_BYTES (4u << 20)

struct reference_lane { /* the records a lane should have got since it was last cleared, packed as there */
	uint8_t *bytes;
	uint32_t length;
};

struct reference {
	const struct config *config;
	const struct shard_map *map;
	struct host host;
	struct match match;
	struct reassembly *reassembly; /* its own, or NULL */
	bool tap;
	uint64_t now_ns;
	struct key_random random;
	uint64_t counters[COUNTERS_MAX];
	uint64_t inputs[INPUTS_MAX][LEDGER_LINE_WORDS];
	uint64_t lanes_records[REFERENCE_SLOTS], lanes_bytes[REFERENCE_SLOTS];
	struct reference_lane lanes[REFERENCE_SLOTS];
};

// One frame, whole, of `length` bytes; `verified` is of enum decode_verified.
void reference_frame(struct reference *r, const uint8_t *frame, uint32_t length, uint32_t verified);

// Forgets the records; their memory stays for the next burst's, since under a sanitizer 4 MiB anew for each cost more than all else.
void reference_clear(struct reference *r);

// Forgets them and frees their memory.
void reference_free(struct reference *r);
