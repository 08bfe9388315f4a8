// Overwriting what redact rules match.
#include <string.h>

#include "dataplane/rule/ruleset.h"

/*
 * Hyperscan reports a match for each place where one ends: "123" as 1, 12 and 123. Ends come in ascending order as good
 * as always. Ranges that touch are made one on the way, so that what is left to do is linear in the record's length
 * however many matches there are. What comes out of order goes into the mask at once.
 */
struct ranges {
	struct slice *list; /* ascending, none touching another */
	uint32_t count;
	uint64_t *mask;
};

static void mask_range(uint64_t *mask, struct slice range)
{
	for (uint32_t at = range.offset, end = range.offset + range.length; at < end;) {
		uint32_t bit = at % 64, n = 64 - bit < end - at ? 64 - bit : end - at;

		mask[at / 64] |= (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
		at += n;
	}
}

static int found_range(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	struct ranges *r = arg;
	uint32_t start = (uint32_t)from, end = (uint32_t)to;

	(void)id, (void)flags;
	while (r->count) {
		struct slice last = r->list[r->count - 1];

		if (end < last.offset + last.length) {
			mask_range(r->mask, (struct slice){start, end - start});
			return 0;
		}
		if (last.offset + last.length < start)
			break;
		start = start < last.offset ? start : last.offset;
		r->count--;
	}
	r->list[r->count++] = (struct slice){start, end - start};
	return 0;
}

void redact_record(const struct ruleset *set, struct rule_scratch *scratch, uint64_t marks, uint8_t *bytes,
		   uint32_t length)
{
	uint32_t words = (length + 63) / 64;

	memset(scratch->mask, 0, words * sizeof *scratch->mask);
	for (; marks; marks &= marks - 1) {
		struct ranges ranges = {scratch->ranges, 0, scratch->mask};

		/* All rules see the record as it came: nothing is written before the last has been tried. */
		scan_bytes(set->redact[__builtin_ctzll(marks)], bytes, length, scratch, found_range, &ranges);
		for (uint32_t i = 0; i < ranges.count; i++)
			mask_range(scratch->mask, ranges.list[i]);
	}
	for (uint32_t w = 0; w < words; w++)
		for (uint64_t bits = scratch->mask[w]; bits; bits &= bits - 1)
			bytes[w * 64 + (uint32_t)__builtin_ctzll(bits)] = '*';
}
