// The hot path: what is found in a burst of records, and what follows for each.
#include <string.h>

#include "dataplane/rule/ruleset.h"
#include "dataplane/rule/utf8.h"

struct burst { /* records that are scanned together */
	const struct ruleset *set;
	struct rule_scratch *scratch;
	uint8_t *bytes; /* of the slices; NULL: `each` tells where records lie */
	const struct slice *slices;
	const struct rule_record *each;
	uint32_t count;
	const uint8_t *block; /* what is scanned, from `begin` to `end`: the records' own bytes or a copy */
	uint32_t begin, end;
	const struct slice *places; /* of the records in it, ascending and apart */
	uint32_t at;                /* the record in which the last match ended */
	uint32_t patience;          /* matches until it is cheaper to scan every record alone */
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

// The finding of a record, empty when it is the first that is said of it.
static inline struct finding *touch(struct rule_scratch *scratch, uint32_t i)
{
	uint64_t *word = &scratch->touched[i / 64], bit = 1ull << i % 64;

	if (!(*word & bit)) {
		*word |= bit;
		scratch->findings[i] = (struct finding){ROW_NONE, false, 0};
	}
	return &scratch->findings[i];
}

// The record that a match ending at byte `to` of the block ends in, or b->count: it ends between two.
static inline uint32_t record_at(struct burst *b, uint32_t to)
{
	const struct slice *places = b->places;
	uint32_t low = 0, high = b->count;

	if (to >= places[b->at].offset && to - places[b->at].offset <= places[b->at].length)
		return b->at;
	while (high - low > 1) { /* the last that begins at or before `to` */
		uint32_t middle = (low + high) / 2;

		if (places[middle].offset <= to)
			low = middle;
		else
			high = middle;
	}
	if (to < places[low].offset || to - places[low].offset > places[low].length)
		return b->count;
	b->at = low;
	return low;
}

static int found_in_block(unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags,
			  void *arg)
{
	struct burst *b = arg;
	uint32_t i = record_at(b, b->begin + (uint32_t)to), row = b->set->parts[DATABASE_BLOCK].rows[id];
	uint8_t proof = row == ROW_LITERAL ? PATTERN_MAYBE : b->set->rows[row].proof;
	struct finding *finding;

	(void)from, (void)flags;
	if (b->patience-- == 0)
		return 1;
	if (i == b->count)
		return 0;
	finding = touch(b->scratch, i);
	if (proof == PATTERN_IN_LINE && memchr(b->block + b->places[i].offset, '\n', b->places[i].length))
		proof = PATTERN_MAYBE;
	if (proof == PATTERN_MAYBE)
		finding->again = true;
	else
		note(finding, b->set, row);
	return 0;
}

// What a record's finding means, but for what needs its bytes. Rows and marks are in the order of the configuration.
static inline uint64_t conclude(const struct ruleset *set, const struct finding *finding, uint32_t *deciding,
				struct rule_verdict *out)
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
		matching &= set->rows[row].before;
		out->rule = set->rows[row].rule;
		out->action = actions[set->rows[row].verdict];
	}
	out->tags = matching & set->marks_tag;
	*deciding = row;
	return matching;
}

static void decide(const struct ruleset *set, struct rule_scratch *scratch, const struct finding *finding,
		   struct rule_record record, struct rule_verdict *out)
{
	uint32_t row;
	uint64_t matching = conclude(set, finding, &row, out);

	if (row != ROW_NONE && set->rows[row].verdict == VERDICT_SAMPLE) {
		uint32_t *next = &scratch->samples[set->rows[row].rule];

		if (*next)
			out->action = RULE_SAMPLED_OUT;
		*next = *next ? *next - 1 : set->rows[row].every - 1;
	}
	if (matching & set->marks_redact) {
		redact_record(set, scratch, matching & set->marks_redact, record.bytes, record.length);
		out->redacted = 1;
	}
}

struct rule_verdict ruleset_quiet(struct ruleset *set)
{
	const struct finding nothing = {ROW_NONE, false, 0};
	struct rule_verdict quiet;
	uint32_t row;

	conclude(set, &nothing, &row, &quiet); /* redact rules are not inverted */
	set->quiet_varies = row != ROW_NONE && set->rows[row].verdict == VERDICT_SAMPLE;
	return quiet;
}

static void scan_alone(const struct ruleset *set, struct rule_scratch *scratch, struct rule_record record,
		       struct finding *finding)
{
	if (set->parts[DATABASE_ALONE].database)
		scan_part(set, scratch, DATABASE_ALONE, record, finding);
	if (set->parts[DATABASE_UTF8].database && utf8_is_valid(record.bytes, record.length))
		scan_part(set, scratch, DATABASE_UTF8, record, finding);
}

// Scans the block, unless that has not paid of late. False when all records have to be scanned alone.
static bool scan_block(struct burst *b)
{
	const hs_database_t *database = b->set->parts[DATABASE_BLOCK].database;
	struct habit *habit = &b->scratch->habits[b->set->input];

	if (!database || b->end == b->begin)
		return true;
	if (habit->pause) {
		habit->pause -= habit->pause < b->count ? habit->pause : b->count;
		return false;
	}
	b->at = 0;
	b->patience = 64 + 8 * b->count;
	return scan_bytes(database, b->block + b->begin, b->end - b->begin, b->scratch, found_in_block, b) ==
	       HS_SUCCESS;
}

static void judge(struct habit *habit, uint32_t seen, uint32_t again)
{
	habit->seen += seen;
	habit->again += again;
	if (habit->seen < HABIT_RECORDS)
		return;
	habit->pause = habit->again > habit->seen / 4 * 3 ? HABIT_PAUSE : 0;
	habit->seen = habit->again = 0;
}

// Scans alone what the block left open of record `i`, and decides. True when it was scanned once more.
static inline bool finish(struct burst *b, uint32_t i, bool again, struct rule_verdict *out)
{
	struct finding *finding = touch(b->scratch, i);
	struct rule_record record = record_of(b, i);

	again |= finding->again;
	if (again) {
		*finding = (struct finding){ROW_NONE, false, 0};
		scan_part(b->set, b->scratch, DATABASE_RECORDS, record, finding);
	}
	scan_alone(b->set, b->scratch, record, finding);
	decide(b->set, b->scratch, finding, record, out);
	return again;
}

// Scans the block, then alone what that left open, and gives verdicts.
static void scan_burst(struct burst *b, struct rule_verdict *out)
{
	const struct ruleset *set = b->set;
	bool all = set->quiet_varies || set->parts[DATABASE_ALONE].database || set->parts[DATABASE_UTF8].database;
	bool blocked = b->block != NULL, again = blocked && !scan_block(b);
	struct habit *habit = &b->scratch->habits[set->input];
	uint32_t repeated = 0;

	if (all || again) {
		for (uint32_t i = 0; i < b->count; i++)
			repeated += finish(b, i, again, &out[i]);
	} else {
		for (uint32_t i = 0; i < b->count; i++)
			out[i] = set->quiet;
		for (uint32_t w = 0; w <= (b->count - 1) / 64; w++)
			for (uint64_t bits = b->scratch->touched[w]; bits; bits &= bits - 1) {
				uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);

				repeated += finish(b, i, false, &out[i]);
			}
	}
	if (blocked && habit->pause == 0)
		judge(habit, b->count, repeated);
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

// memcpy() for some dozen bytes: without a call, nothing read or written outside.
static inline void copy_short(uint8_t *to, const uint8_t *from, uint32_t length)
{
	uint32_t at = 0;

	if (length < 16) {
		for (; at < length; at++)
			to[at] = from[at];
		return;
	}
	for (; at + 16 <= length; at += 16)
		__builtin_memcpy(to + at, from + at, 16);
	__builtin_memcpy(to + length - 16, from + length - 16, 16); /* once more what overlaps */
}

// Takes records from b->each or the slices, at least one, copies together what fits, and scans that. How many it took.
static uint32_t gather(struct burst *b, uint32_t count, struct rule_verdict *out)
{
	struct rule_scratch *s = b->scratch;
	bool several = count > 1 && b->set->parts[DATABASE_BLOCK].database && s->habits[b->set->input].pause == 0;
	uint32_t at = 0, i;

	memset(s->touched, 0, sizeof s->touched);
	for (i = 0; i < count && i < BURST_RECORDS; i++) {
		struct rule_record record = record_of(b, i);

		s->places[i] = (struct slice){at, 0};
		if (!several || record.length > GATHER_RECORD_MAX) {
			touch(s, i)->again = true;
			continue;
		}
		if (at + record.length + 1 > GATHER_BYTES)
			break;
		s->places[i].length = record.length;
		copy_short(s->gathered + at, record.bytes, record.length);
		at += record.length;
		s->gathered[at++] = '\n';
	}
	b->count = i;
	b->block = at ? s->gathered : NULL;
	b->begin = 0;
	b->end = at ? at - 1 : 0;
	b->places = s->places;
	if (!b->block && s->habits[b->set->input].pause)
		s->habits[b->set->input].pause -=
			s->habits[b->set->input].pause < i ? s->habits[b->set->input].pause : i;
	scan_burst(b, out);
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

void ruleset_scan(const struct ruleset *set, struct rule_scratch *scratch, uint8_t *bytes, uint32_t length,
		  const struct slice *records, uint32_t count, struct rule_verdict *out)
{
	struct burst b = {.set = set, .scratch = scratch, .bytes = bytes, .slices = records};

	(void)length;
	while (count) {
		uint32_t taken = count < BURST_RECORDS ? count : BURST_RECORDS;

		if (taken > 1 && parted_by_lines(set, bytes, b.slices, taken)) {
			memset(scratch->touched, 0, sizeof scratch->touched);
			b.count = taken;
			b.block = bytes;
			b.begin = b.slices[0].offset;
			b.end = b.slices[taken - 1].offset + b.slices[taken - 1].length;
			b.places = b.slices;
			scan_burst(&b, out);
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
		decide(set, scratch, &finding, records[i], &out[i]);
	}
}
