#include "control/cli/top_pages.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"
#include "control/cli/units.h"

#define WIDE 120u     /* columns from which the tables say more */

static const char title_mark[] = {MARK_TITLE, 0}, plain[] = {MARK_PLAIN, 0}, bad[] = {MARK_BAD, 0}, warn[] = {MARK_WARN, 0},
		  dim[] = {MARK_DIM, 0}, good[] = {MARK_GOOD, 0};

static void print_nothing(FILE *out, const char *what)
{
	fprintf(out, " %c%s%c\n\n", MARK_DIM, what, MARK_PLAIN);
}

// The titles of a table as its first row, marked.
static struct table *new_table(unsigned columns, const char *const *titles, const enum table_align *align)
{
	char marked[TABLE_COLUMNS_MAX][32];
	const char *pointers[TABLE_COLUMNS_MAX];

	for (unsigned i = 0; i < columns; i++) {
		snprintf(marked[i], sizeof(marked[i]), "%c%s%c", MARK_TITLE, titles[i], MARK_PLAIN);
		pointers[i] = marked[i];
	}
	return table_new(columns, pointers, align);
}

static void finish_table(struct table *t, FILE *out)
{
	table_print(t, out, 1);
	table_free(t);
	fputc('\n', out);
}

// The last values as a row of bars, the greatest of them full.
static void print_curve(FILE *out, const struct top_view *v, const char *label, const double *values, const char *greatest,
			double most)
{
	static const char *const bars[2][8] = {{" ", ".", ".", "-", "-", "=", "=", "#"}, {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}};
	unsigned room = v->columns > 40 ? v->columns - 32 : 8, have = v->history->count;

	if (room > TOP_HISTORY)
		room = TOP_HISTORY;
	if (have > room)
		have = room;
	fprintf(out, " %s%-7s%s ", title_mark, label, plain);
	for (unsigned i = v->history->count - have; i != v->history->count; i++) {
		double value = values[i % TOP_HISTORY];
		int step = most > 0 ? (int)(value / most * 7 + 0.5) : 0;

		fprintf(out, "%s%s", value > 0 ? good : dim, bars[v->utf8][step > 7 ? 7 : step]);
	}
	fprintf(out, "%s  max %s\n", plain, greatest);
}

static double greatest(const struct top_view *v, const double *values)
{
	double most = 0;

	for (unsigned i = 0; i < TOP_HISTORY && i < v->history->count; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

void page_curves(FILE *out, const struct top_view *v)
{
	char text[UNITS_TEXT_MAX], more[UNITS_TEXT_MAX], t[6][UNITS_TEXT_MAX];
	const struct state *s = v->now;
	struct rates r;
	double most;

	rates_of(v->then, s, &r);
	if (v->history && v->history->count) {
		most = greatest(v, v->history->frames);
		snprintf(more, sizeof(more), "%.20s pps", units_short(text, most));
		print_curve(out, v, "FRAMES", v->history->frames, more, most);
		most = greatest(v, v->history->records);
		snprintf(more, sizeof(more), "%.20s rec/s", units_short(text, most));
		print_curve(out, v, "STORED", v->history->records, more, most);
		fputc('\n', out);
	}
	fprintf(out, " %sSTORE%s   drained %s/s   written %s/s   %s commits/s   %s", title_mark, plain, units_bytes(t[0], r.drained),
		units_bytes(t[1], r.written), units_short(t[2], r.commits), s->direct_io ? "direct I/O" : "buffered");
	if (s->stalled)
		fprintf(out, "   %sSTALLED%s", bad, plain);
	if (s->inflight_ms >= 100)
		fprintf(out, "   %soldest write %s%s", s->inflight_ms >= 1000 ? bad : warn,
			units_duration(t[3], s->inflight_ms * 1000000), plain);
	if (s->write_errors)
		fprintf(out, "   %s%s write errors%s", bad, units_count(t[4], s->write_errors), plain);
	fputs("\n\n", out);
}

void page_ports(FILE *out, const struct top_view *v, bool all)
{
	static const char *const titles[] = {"PORT", "LINK", "PPS", "BITS/S", "DROPS/S", "DROPPED", "REASON", "FRAMES", "DEVICE"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_LEFT, TABLE_RIGHT, TABLE_LEFT};
	unsigned columns = v->columns >= WIDE || all ? 9 : 7;
	struct table *t;

	if (!v->now->ports_count) {
		print_nothing(out, "no ports: the dataplane does not run, or has none");
		return;
	}
	t = new_table(columns, titles, align);
	for (uint32_t i = 0; i < v->now->ports_count; i++) {
		const struct state_port *p = &v->now->ports[i];
		char text[UNITS_TEXT_MAX];
		struct port_rates r;

		rates_of_port(v->then, v->now, i, &r);
		table_add(t, "%s%s", p->name, p->accountable ? "" : " (!)");
		if (!p->link_up)
			table_add(t, "%sdown%s", bad, plain);
		else
			table_add(t, "%s", p->link_mbps ? units_short(text, (double)p->link_mbps * 1e6) : "up");
		table_add(t, "%s", units_short(text, r.frames));
		table_add(t, "%s", units_short(text, r.bits));
		table_add(t, "%s%s%s", r.dropped > 0 ? bad : dim, units_short(text, r.dropped), plain);
		table_add(t, "%s", units_count(text, r.dropped_total));
		table_add(t, "%s%s%s", r.dropped > 0 ? bad : dim, *r.growing ? r.growing : "-", plain);
		if (columns < 9)
			continue;
		table_add(t, "%s", units_count(text, p->rx));
		table_add(t, "%s%.40s%s", dim, p->device, plain);
	}
	finish_table(t, out);
	for (uint32_t i = 0; i < v->now->ports_count; i++) {
		if (!v->now->ports[i].accountable)
			fprintf(out, " %s(!) %s: its driver %s loses frames that no counter shows%s\n\n", warn, v->now->ports[i].name,
				v->now->ports[i].driver, plain);
	}
}

// Frames and records that ended in no stream, by reason.
void page_fates(FILE *out, const struct top_view *v, bool all)
{
	static const char *const titles[] = {"ENDED IN NO STREAM", "PER S", "EVER"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT};
	struct table *t = NULL;

	for (uint32_t i = 0; i < v->now->fates_count; i++) {
		const struct state_fate *f = &v->now->fates[i];
		uint64_t before = f->count;
		char text[UNITS_TEXT_MAX];
		double rate;

		for (uint32_t j = 0; j < v->then->fates_count; j++) {
			if (!strcmp(v->then->fates[j].name, f->name))
				before = v->then->fates[j].count;
		}
		rate = (double)(f->count - before) * 1e9 / (double)(v->now->now_ns - v->then->now_ns + 1);
		if (!f->count || (!all && f->count == before))
			continue;
		if (!t)
			t = new_table(3, titles, align);
		table_add(t, "%s", f->name);
		table_add(t, "%s%s%s", rate > 0 ? warn : dim, units_short(text, rate), plain);
		table_add(t, "%s", units_count(text, f->count));
	}
	if (t)
		finish_table(t, out);
	else if (all)
		print_nothing(out, "every frame and every record ended in a stream");
}

void page_workers(FILE *out, const struct top_view *v)
{
	static const char *const titles[] = {"WORKER", "PORT", "QUEUE", "PPS", "RECORDS/S", "LANE FULL/S", "FRAMES", "RECORDS", "LANE FULL"};
	static const enum table_align align[] = {TABLE_RIGHT, TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	bool same = v->then->workers_count == v->now->workers_count;
	double seconds = (double)(v->now->now_ns - v->then->now_ns + 1) / 1e9;
	unsigned columns = v->columns >= WIDE ? 9 : 6;
	struct table *t;

	if (!v->now->workers_count)
		return;
	t = new_table(columns, titles, align);
	for (uint32_t i = 0; i < v->now->workers_count; i++) {
		const struct state_worker *w = &v->now->workers[i], *x = same ? &v->then->workers[i] : w;
		char text[UNITS_TEXT_MAX];

		table_add(t, "%u", (unsigned)w->worker);
		table_add(t, "%.*s", columns > 6 ? 60 : 20, w->port);
		table_add(t, "%u", (unsigned)w->queue);
		table_add(t, "%s", units_short(text, (double)(w->polled - x->polled) / seconds));
		table_add(t, "%s", units_short(text, (double)(w->appended - x->appended) / seconds));
		table_add(t, "%s%s%s", w->lane_full > x->lane_full ? bad : dim,
			  units_short(text, (double)(w->lane_full - x->lane_full) / seconds), plain);
		if (columns < 9)
			continue;
		table_add(t, "%s", units_count(text, w->polled));
		table_add(t, "%s", units_count(text, w->appended));
		table_add(t, "%s", units_count(text, w->lane_full));
	}
	finish_table(t, out);
}

void page_streams(FILE *out, const struct top_view *v)
{
	static const char *const titles[] = {"STREAM", "SHARDS", "REC/S", "BYTES/S", "KEPT", "OLDEST",
					     "LOST", "STORED", "RETAINED", "EXPIRED", "SEGMENTS"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	bool wide = v->columns >= WIDE;
	struct table *t;

	if (!v->now->streams_count) {
		print_nothing(out, "no streams: penstock stream create NAME --shards N makes one");
		return;
	}
	t = new_table(wide ? 11 : 7, titles, align);
	for (uint32_t i = 0; i < v->now->streams_count; i++) {
		const struct state_stream *s = &v->now->streams[i];
		uint64_t age = s->oldest_ns && v->now->now_ns > s->oldest_ns ? v->now->now_ns - s->oldest_ns : 0;
		uint64_t lost = s->lost_records + s->expired_early_records + s->gap_records;
		char text[UNITS_TEXT_MAX];
		struct stream_rates r;

		rates_of_stream(v->then, v->now, i, &r);
		table_add(t, "%s%.*s%s", s->writable ? plain : bad, wide ? 60 : 24, s->name, plain);
		table_add(t, "%s", units_count(text, s->shards));
		table_add(t, "%s", units_short(text, r.records));
		table_add(t, "%s", units_bytes(text, r.bytes));
		table_add(t, "%s", units_bytes(text, (double)s->retained_bytes));
		table_add(t, "%s", age ? units_duration(text, age) : "-");
		table_add(t, "%s%s%s", lost ? bad : dim, units_short(text, (double)lost), plain);
		if (!wide)
			continue;
		table_add(t, "%s", units_count(text, s->stored_records));
		table_add(t, "%s", units_count(text, s->retained_records));
		table_add(t, "%s", units_count(text, s->expired_records));
		table_add(t, "%s", units_count(text, s->segments));
	}
	finish_table(t, out);
}

void page_deliveries(FILE *out, const struct top_view *v)
{
	static const char *const titles[] = {"DELIVERY", "STREAM", "REC/S", "BYTES/S", "PENDING", "FAILED", "RETRYING", "DELIVERED", "OBJECTS"};
	static const enum table_align align[] = {TABLE_LEFT, TABLE_LEFT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT,
						 TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT, TABLE_RIGHT};
	bool wide = v->columns >= WIDE;
	struct table *t;

	if (!v->now->deliveries_count) {
		print_nothing(out, "no deliveries");
		return;
	}
	t = new_table(wide ? 9 : 7, titles, align);
	for (uint32_t i = 0; i < v->now->deliveries_count; i++) {
		const struct state_delivery *d = &v->now->deliveries[i];
		char text[UNITS_TEXT_MAX];
		struct delivery_rates r;

		rates_of_delivery(v->then, v->now, i, &r);
		table_add(t, "%s%.*s%s", d->running ? plain : bad, wide ? 40 : 14, d->name, plain);
		table_add(t, "%.*s", wide ? 40 : 14, d->stream);
		table_add(t, "%s", units_short(text, r.records));
		table_add(t, "%s", units_bytes(text, r.bytes));
		table_add(t, "%s", units_count(text, d->pending_records));
		table_add(t, "%s%s%s", d->failed_records ? bad : dim, units_count(text, d->failed_records), plain);
		if (d->retrying_since_ns && v->now->now_ns > d->retrying_since_ns)
			table_add(t, "%sfor %s%s", bad, units_duration(text, v->now->now_ns - d->retrying_since_ns), plain);
		else
			table_add(t, "%s-%s", dim, plain);
		if (!wide)
			continue;
		table_add(t, "%s", units_count(text, d->delivered_records));
		table_add(t, "%s", units_count(text, d->delivered_objects));
	}
	table_print(t, out, 1);
	table_free(t);
	for (uint32_t i = 0; i < v->now->deliveries_count; i++) {
		if (v->now->deliveries[i].retrying_since_ns && *v->now->deliveries[i].error)
			fprintf(out, " %s%s: %s%s\n", bad, v->now->deliveries[i].name, v->now->deliveries[i].error, plain);
	}
	fputc('\n', out);
}
