// The records of a batch, one after another, with their sequences.
#pragma once

#include "control/store/store.h"
#include "dataplane/seam/record.h"

struct batch_walk {
	const uint8_t *at;
	size_t left;
	uint64_t sequence; /* of the record that comes next */
};

static inline struct batch_walk batch_walk_begin(const struct store_batch *b)
{
	return (struct batch_walk){b->bytes, b->length, b->first_sequence};
}

// The next record, or NULL at the end (left == 0) or at something that is none (left > 0).
static inline const struct record *batch_walk_next(struct batch_walk *walk)
{
	const struct record *r = (const void *)walk->at;
	uint32_t bytes = walk->left > 0 ? record_check(walk->at, walk->left) : 0;

	if (bytes == 0)
		return NULL;
	walk->at += bytes;
	walk->left -= bytes;
	walk->sequence++;
	return r;
}
