// Compares records read back with what the manifests say was sent, sequence by sequence.
#pragma once

#include <stdio.h>

#include "tests/send/record.h"

#define VERIFY_SERIES_MAX 64u

struct verify;

// A verifier of `count` series; the caller keeps them. NULL when memory is short or two series share an id.
struct verify *verify_new(const struct send_series *series, unsigned count);

// Reads raw records, each followed by a newline (which may also occur inside a binary record), to the end of `in`.
// 0 or -errno.
int verify_read(struct verify *v, FILE *in);

struct verify_totals {
	uint64_t expected, seen, missing, duplicate, corrupted;
	uint64_t foreign;      /* records of no series here */
	uint64_t out_of_order; /* records after a higher sequence of their series */
};

// Prints one line a series and every missing or duplicate range (the first `ranges_max` of each) and sums up.
void verify_report(const struct verify *v, FILE *out, unsigned ranges_max, struct verify_totals *totals);

void verify_free(struct verify *v);
