// Bytes as a burst of records in one of the layouts they arrive in, and its verdicts compared with the reference's.
#pragma once

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/rule_reference.h"

#define BURST_MAX 200u

/* Records are what lies between bytes of value 1. */
struct rule_burst {
	uint8_t *block, *redacted;
	uint32_t length, count;
	struct slice slices[BURST_MAX];
	struct rule_record each[BURST_MAX];
	struct rule_verdict out[BURST_MAX];
};

/* `layout`: 0 one behind the other, 1 '\n' between, 2 "\r\n", 3 something else; any larger number: each by itself. */
static inline void rule_burst_make(struct rule_burst *b, const uint8_t *data, size_t size, uint32_t layout)
{
	static const char *const between[] = {"", "\n", "\r\n", "\n\t\n", ""};

	memset(b, 0, sizeof *b);
	b->block = fuzz_allocate(size * 3 + 3); /* every separator is a byte of the data */
	for (size_t at = 0; at <= size && b->count < BURST_MAX;) {
		const uint8_t *end = at < size ? memchr(data + at, 1, size - at) : NULL;
		uint32_t n = (uint32_t)(end ? (size_t)(end - data) - at : size - at);
		const char *separator = between[layout < 4 ? layout : 4];

		if (n > RECORD_PAYLOAD_MAX)
			n = RECORD_PAYLOAD_MAX;
		if (n)
			memcpy(b->block + b->length, data + at, n);
		b->slices[b->count++] = (struct slice){b->length, n};
		b->length += n;
		at += n + 1;
		if (!end)
			break;
		memcpy(b->block + b->length, separator, strlen(separator));
		b->length += (uint32_t)strlen(separator);
	}
	b->block = realloc(b->block, b->length + !b->length); /* exactly: a sanitizer sees one byte too many */
	b->redacted = fuzz_allocate(b->length);
	memcpy(b->redacted, b->block, b->length);
	for (uint32_t i = 0; i < b->count; i++)
		b->each[i] = (struct rule_record){b->block + b->slices[i].offset, b->slices[i].length};
}

static inline void rule_burst_check(struct rule_burst *b, const struct ruleset *set, struct rule_scratch *scratch,
				    struct reference *reference, uint32_t layout)
{
	struct rule_verdict expected[BURST_MAX];
	uint8_t *before = fuzz_allocate(b->length);

	memcpy(before, b->block, b->length);
	for (uint32_t i = 0; i < b->count; i++)
		expected[i] = reference_decide(reference, before + b->slices[i].offset, b->slices[i].length,
					       b->redacted + b->slices[i].offset);
	if (layout < 4)
		ruleset_scan(set, scratch, b->block, b->length, b->slices, b->count, b->out);
	else
		ruleset_scan_each(set, scratch, b->each, b->count, b->out);
	for (uint32_t i = 0; i < b->count; i++)
		fuzz_require(reference_same(&expected[i], &b->out[i]));
	fuzz_require(memcmp(b->redacted, b->block, b->length) == 0);
	free(before);
	free(b->block);
	free(b->redacted);
}
