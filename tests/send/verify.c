#include "tests/send/verify.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (4u << 20)
#define CORRUPTED_SHOWN 10u

struct tally {
	const struct send_series *series;
	uint8_t *times;    /* how often each sequence was seen, up to 255 */
	uint64_t seen, duplicate, corrupted, out_of_order;
	uint64_t highest;
};

struct verify {
	unsigned count;
	struct tally tallies[VERIFY_SERIES_MAX];
	uint64_t foreign, corrupted_shown;
	char *buffer, expected[SEND_RECORD_MAX + 1];
};

struct verify *verify_new(const struct send_series *series, unsigned count)
{
	struct verify *v = count <= VERIFY_SERIES_MAX ? calloc(1, sizeof(*v)) : NULL;

	if (!v)
		return NULL;
	v->count = count;
	v->buffer = malloc(BUFFER_BYTES);
	for (unsigned i = 0; i < count; i++) {
		v->tallies[i].series = &series[i];
		v->tallies[i].times = calloc(1, series[i].count + 1);
		if (!v->tallies[i].times)
			goto fail;
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(series[i].id, series[j].id))
				goto fail;
	}
	if (v->buffer)
		return v;
fail:
	verify_free(v);
	return NULL;
}

void verify_free(struct verify *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < v->count; i++)
		free(v->tallies[i].times);
	free(v->buffer);
	free(v);
}

static struct tally *find_tally(struct verify *v, const char *text, size_t length, size_t *id_length)
{
	for (unsigned i = 0; i < v->count; i++) {
		*id_length = strlen(v->tallies[i].series->id);
		if (length > *id_length && text[*id_length] == ' ' && !memcmp(text, v->tallies[i].series->id, *id_length))
			return &v->tallies[i];
	}
	return NULL;
}

static void count_seen(struct tally *t, uint64_t sequence)
{
	uint8_t *times = &t->times[sequence - t->series->first];

	t->seen++;
	if (*times)
		t->duplicate++;
	if (*times < UINT8_MAX)
		++*times;
	if (sequence < t->highest)
		t->out_of_order++;
	else
		t->highest = sequence;
}

static size_t skip_line(const char *text, size_t length)
{
	const char *end = memchr(text, '\n', length);

	return end ? (size_t)(end - text) + 1 : length;
}

static size_t take_corrupted(struct verify *v, struct tally *t, const char *text, size_t length, const char *why)
{
	size_t line = skip_line(text, length);

	t->corrupted++;
	if (v->corrupted_shown++ < CORRUPTED_SHOWN)
		fprintf(stderr, "corrupted (%s): %.*s\n", why, (int)(line > 80 ? 80 : line), text);
	return line;
}

/* Takes the record at `text`; the bytes it took, its newline included. At least one. */
static size_t take_record(struct verify *v, const char *text, size_t length)
{
	size_t at, size;
	struct tally *t = find_tally(v, text, length, &at);
	uint64_t sequence = 0;

	if (!t) {
		v->foreign++;
		return skip_line(text, length);
	}
	for (at++; at < length && isdigit((unsigned char)text[at]); at++)
		sequence = sequence * 10 + (uint64_t)(text[at] - '0');
	if (sequence - t->series->first >= t->series->count)
		return take_corrupted(v, t, text, length, "sequence never sent");
	size = record_make(t->series, sequence, v->expected);
	if (size > length || memcmp(text, v->expected, size))
		return take_corrupted(v, t, text, length, "bytes differ");
	if (size < length && text[size] != '\n')
		return take_corrupted(v, t, text, length, "too long");
	count_seen(t, sequence);
	return size < length ? size + 1 : size;
}

int verify_read(struct verify *v, FILE *in)
{
	size_t held = 0, at;
	bool more = true;

	while (more || held) {
		size_t n = fread(v->buffer + held, 1, BUFFER_BYTES - held, in);

		if (ferror(in))
			return -EIO;
		more = n > 0;
		held += n;
		for (at = 0; at < held && (!more || held - at > SEND_RECORD_MAX);)
			at += take_record(v, v->buffer + at, held - at);
		memmove(v->buffer, v->buffer + at, held - at);
		held -= at;
	}
	return 0;
}

/* Prints the runs of sequences whose `times` answers the question. */
static uint64_t print_ranges(const struct tally *t, FILE *out, const char *what, bool missing, unsigned ranges_max)
{
	uint64_t total = 0, count = t->series->count;
	unsigned ranges = 0;

	for (uint64_t i = 0, start; i < count; i++) {
		if (missing ? t->times[i] : t->times[i] < 2)
			continue;
		for (start = i; i + 1 < count && (missing ? !t->times[i + 1] : t->times[i + 1] > 1);)
			i++;
		total += i - start + 1;
		if (ranges++ < ranges_max)
			fprintf(out, "  %s %s %llu-%llu (%llu)\n", t->series->id, what,
				(unsigned long long)(t->series->first + start), (unsigned long long)(t->series->first + i),
				(unsigned long long)(i - start + 1));
	}
	if (ranges > ranges_max)
		fprintf(out, "  %s %s: %u more ranges\n", t->series->id, what, ranges - ranges_max);
	return total;
}

void verify_report(const struct verify *v, FILE *out, unsigned ranges_max, struct verify_totals *totals)
{
	memset(totals, 0, sizeof(*totals));
	totals->foreign = v->foreign;
	for (unsigned i = 0; i < v->count; i++) {
		const struct tally *t = &v->tallies[i];
		uint64_t missing = t->series->count - (t->seen - t->duplicate);

		fprintf(out, "%s: sent %llu, seen %llu, missing %llu, duplicate %llu, corrupted %llu, out of order %llu\n",
			t->series->id, (unsigned long long)t->series->count, (unsigned long long)t->seen,
			(unsigned long long)missing, (unsigned long long)t->duplicate, (unsigned long long)t->corrupted,
			(unsigned long long)t->out_of_order);
		print_ranges(t, out, "missing", true, ranges_max);
		print_ranges(t, out, "duplicate", false, ranges_max);
		totals->expected += t->series->count;
		totals->seen += t->seen;
		totals->missing += missing;
		totals->duplicate += t->duplicate;
		totals->corrupted += t->corrupted;
		totals->out_of_order += t->out_of_order;
	}
}
