// The hot path: what is found in a burst of records, and what follows for each.
#include <string.h>

#include "dataplane/rule/ruleset.h"
#include "dataplane/rule/utf8.h"

struct burst { /* records that are scanned together */
	const struct ruleset *set;
	struct rule_scratch *scratch;
	uint8_t *bytes;                /* of the slices; NULL: `each` tells where records lie */
	const struct slice *slices;
	const struct rule_record *each;
	uint32_t count;
	const uint8_t *block;          /* what is scanned: the records' own bytes or a copy */
	uint32_t at;                   /* the record in which the last match ended */
	uint32_t patience;             /* matches until it is cheaper to scan every record alone */
};

struct alone { /* one record, scanned with one database */
	const struct ruleset *set;
	const uint16_t *rows;
	struct finding *finding;
};

static inline struct rule_record record_of(const struct burst *b, uint32_t i)
{
	if (b->bytes)
		return (struct rule_record){b->bytes + b->slices[i].offset, b->slices[i].length};
	return b->each[i];
}

static inline void note(struct finding *finding, const struct ruleset *set, uint32_t row)
{
	uint8_t mark = set->rows[row].mark;

	if (mark != MARK_NONE)
		finding->marks |= 1ull << mark;
	else if (row < finding->first)
		finding->first = row;
}

static int found_alone(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	const struct alone *a = arg;

	(void)from, (void)to, (void)flags;
	note(a->finding, a->set, a->rows[id]);
	return 0;
}

static void scan_part(const struct ruleset *set, struct rule_scratch *scratch, enum database which,
		      struct rule_record record, struct finding *finding)
{
	const struct part *part = &set->parts[which];
	struct alone a = {set, part->rows, finding};

	if (part->database && record.length)
		scan_bytes(part->database, record.bytes, record.length, scratch, found_alone, &a);
}

// The record that a match ending at byte `to` of the block ends in, or b->count: it ends between two.
static inline uint32_t record_at(struct burst *b, uint32_t to)
{
	const uint32_t *starts = b->scratch->starts, *ends = b->scratch->ends;
	uint32_t low = 0, high = b->count;

	if (to >= starts[b->at] && to <= ends[b->at])
		return b->at;
	while (high - low > 1) { /* the last that begins at or before `to` */
		uint32_t middle = (low + high) / 2;

		if (starts[middle] <= to)
			low = middle;
		else
			high = middle;
	}
	if (to < starts[low] || to > ends[low])
		return b->count;
	b->at = low;
	return low;
}

static int found_in_block(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *arg)
{
	struct burst *b = arg;
	uint32_t i = record_at(b, (uint32_t)to), row = b->set->parts[DATABASE_BLOCK].rows[id];
	struct finding *finding;
	uint8_t proof;

	(void)from, (void)flags;
	if (b->patience-- == 0)
		return 1;
	if (i == b->count)
		return 0;
	finding = &b->scratch->findings[i];
	proof = b->set->rows[row].proof;
	if (proof == PATTERN_IN_LINE) {
		uint32_t start = b->scratch->starts[i], length = b->scratch->ends[i] - start;

		proof = memchr(b->block + start, '\n', length) ? PATTERN_MAYBE : PATTERN_CERTAIN;
	}
	if (proof == PATTERN_CERTAIN)
		note(finding, b->set, row);
	else
		finding->again = true;
	return 0;
}

// What a record's finding means. `rows` of a set are in the order of the configuration, marks are, too.
static void conclude(const struct ruleset *set, struct rule_scratch *scratch, const struct finding *finding,
		     struct rule_record record, struct rule_verdict *out)
{
	static const uint8_t actions[] = {[VERDICT_KEEP] = RULE_KEEP,
					  [VERDICT_DROP] = RULE_DROP,
					  [VERDICT_ROUTE] = RULE_ROUTE,
					  [VERDICT_SAMPLE] = RULE_KEEP,
					  [VERDICT_DEAD_LETTER] = RULE_DEAD_LETTER};
	uint64_t matching = finding->marks ^ set->marks_inverted, final = matching & set->marks_final;
	uint32_t row = finding->first;

	if (final && set->mark_row[__builtin_ctzll(final)] < row)
		row = set->mark_row[__builtin_ctzll(final)];
	*out = (struct rule_verdict){0, RULE_NONE, RULE_KEEP, 0};
	if (row != ROW_NONE) {
		const struct row *r = &set->rows[row];

		matching &= r->before;
		out->rule = r->rule;
		out->action = actions[r->verdict];
		if (r->verdict == VERDICT_SAMPLE) {
			uint32_t *next = &scratch->samples[r->rule];

			if (*next)
				out->action = RULE_SAMPLED_OUT;
			*next = *next ? *next - 1 : r->every - 1;
		}
	}
	out->tags = matching & set->marks_tag;
	if (matching & set->marks_redact) {
		redact_record(set, scratch, matching & set->marks_redact, record.bytes, record.length);
		out->redacted = 1;
	}
}

static void scan_alone(const struct ruleset *set, struct rule_scratch *scratch, struct rule_record record,
		       struct finding *finding)
{
	if (set->parts[DATABASE_ALONE].database)
		scan_part(set, scratch, DATABASE_ALONE, record, finding);
	if (set->parts[DATABASE_UTF8].database && utf8_is_valid(record.bytes, record.length))
		scan_part(set, scratch, DATABASE_UTF8, record, finding);
}

// Scans block[0..length), then alone what that left open, and gives verdicts. Starts and ends are set.
static void scan_burst(struct burst *b, uint32_t length, struct rule_verdict *out)
{
	const struct ruleset *set = b->set;
	struct finding *findings = b->scratch->findings;
	hs_error_t end = HS_SUCCESS;

	b->at = 0;
	b->patience = 64 + 8 * b->count;
	if (set->parts[DATABASE_BLOCK].database && length)
		end = scan_bytes(set->parts[DATABASE_BLOCK].database, b->block, length, b->scratch, found_in_block, b);
	for (uint32_t i = 0; i < b->count; i++) {
		struct rule_record record = record_of(b, i);

		if (findings[i].again || end == HS_SCAN_TERMINATED) {
			findings[i] = (struct finding){ROW_NONE, false, 0};
			scan_part(set, b->scratch, DATABASE_RECORDS, record, &findings[i]);
		}
		scan_alone(set, b->scratch, record, &findings[i]);
		conclude(set, b->scratch, &findings[i], record, &out[i]);
	}
}

// True when what lies between the slices keeps them apart: '\n' in front of each but the first, and a line end behind
// each but the last. Where no pattern minds the end of a line, "\r\n" is one, too.
static bool parted_by_lines(const struct ruleset *set, const uint8_t *bytes, const struct slice *slices, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++) {
		uint32_t end = slices[i - 1].offset + slices[i - 1].length, next = slices[i].offset;

		if (next <= end || bytes[next - 1] != '\n')
			return false;
		if (bytes[end] != '\n' && (set->line_ends || bytes[end] != '\r' || bytes[end + 1] != '\n'))
			return false;
	}
	return true;
}

// Takes records from b->each or the slices, at least one, copies together what fits, and scans that. How many it took.
static uint32_t gather(struct burst *b, uint32_t count, struct rule_verdict *out)
{
	struct rule_scratch *s = b->scratch;
	bool several = count > 1 && b->set->parts[DATABASE_BLOCK].database;
	uint32_t at = 0, i;

	for (i = 0; i < count && i < BURST_RECORDS; i++) {
		struct rule_record record = record_of(b, i);
		bool together = several && record.length <= GATHER_RECORD_MAX;

		if (together && at + record.length + 1 > GATHER_BYTES)
			break;
		s->findings[i] = (struct finding){ROW_NONE, !together, 0};
		s->starts[i] = s->ends[i] = at;
		if (together) {
			memcpy(s->gathered + at, record.bytes, record.length);
			s->ends[i] = at + record.length;
			at = s->ends[i] + 1;
			s->gathered[at - 1] = '\n';
		}
	}
	b->count = i;
	b->block = s->gathered;
	scan_burst(b, at ? at - 1 : 0, out);
	return i;
}

void ruleset_scan_each(const struct ruleset *set, struct rule_scratch *scratch, const struct rule_record *records,
		       uint32_t count, struct rule_verdict *out)
{
	struct burst b = {.set = set, .scratch = scratch, .each = records};

	while (count) {
		uint32_t taken = gather(&b, count, out);

		b.each += taken;
		out += taken;
		count -= taken;
	}
}

static void scan_in_place(struct burst *b, struct rule_verdict *out)
{
	struct rule_scratch *s = b->scratch;
	uint32_t begin = b->slices[0].offset;

	for (uint32_t i = 0; i < b->count; i++) {
		s->findings[i] = (struct finding){ROW_NONE, false, 0};
		s->starts[i] = b->slices[i].offset - begin;
		s->ends[i] = s->starts[i] + b->slices[i].length;
	}
	b->block = b->bytes + begin;
	scan_burst(b, s->ends[b->count - 1], out);
}

void ruleset_scan(const struct ruleset *set, struct rule_scratch *scratch, uint8_t *bytes, uint32_t length,
		  const struct slice *records, uint32_t count, struct rule_verdict *out)
{
	struct burst b = {.set = set, .scratch = scratch, .bytes = bytes, .slices = records};

	(void)length;
	while (count) {
		uint32_t taken = count < BURST_RECORDS ? count : BURST_RECORDS;

		if (taken > 1 && parted_by_lines(set, bytes, b.slices, taken)) {
			b.count = taken;
			scan_in_place(&b, out);
		} else {
			taken = gather(&b, count, out);
		}
		b.slices += taken;
		out += taken;
		count -= taken;
	}
}

void ruleset_scan_alone(const struct ruleset *set, struct rule_scratch *scratch, const struct rule_record *records,
			uint32_t count, struct rule_verdict *out)
{
	for (uint32_t i = 0; i < count; i++) {
		struct finding finding = {ROW_NONE, false, 0};

		scan_part(set, scratch, DATABASE_RECORDS, records[i], &finding);
		scan_alone(set, scratch, records[i], &finding);
		conclude(set, scratch, &finding, records[i], &out[i]);
	}
}
