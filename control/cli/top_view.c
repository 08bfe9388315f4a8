#include "control/cli/top_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/ledger_view.h"
#include "control/cli/table.h"
#include "control/cli/top_pages.h"
#include "control/cli/units.h"

static const char *const names[] = {"overview", "ports", "streams", "deliveries", "ledger"};

const char *top_page_name(enum top_page page)
{
	return names[page];
}

void top_add_history(struct top_history *history, const struct rates *rates)
{
	unsigned at = history->count++ % TOP_HISTORY;

	history->frames[at] = rates->frames;
	history->records[at] = rates->records;
}

void top_print_head(FILE *out, const struct top_view *v)
{
	const struct state *s = v->now;
	char up[2][UNITS_TEXT_MAX], count[UNITS_TEXT_MAX], time[UNITS_TEXT_MAX];

	fprintf(out, "%cpenstock%c  %c%s%c   dataplane %c%s%c %s   penstockd up %s\n", MARK_BOLD, MARK_PLAIN,
		s->healthy ? MARK_GOOD : MARK_BAD, s->healthy ? "healthy" : "UNHEALTHY", MARK_PLAIN,
		s->dataplane_alive ? MARK_GOOD : MARK_BAD, s->dataplane, MARK_PLAIN,
		s->dataplane_alive ? units_duration(up[0], s->dataplane_uptime_ns) : "",
		units_duration(up[1], s->penstockd_uptime_ns));
	for (size_t i = 0; i < json_array_size(s->problems) && i < 3; i++)
		fprintf(out, "%c! %s%c\n", MARK_BAD, json_string_value(json_array_get(s->problems, i)), MARK_PLAIN);
	if (json_array_size(s->problems) > 3)
		fprintf(out, "%c! and %zu more: penstock status%c\n", MARK_BAD, json_array_size(s->problems) - 3, MARK_PLAIN);
	if (s->balanced)
		fprintf(out, "ledger    %cbalanced, 0 unaccounted%c", MARK_GOOD, MARK_PLAIN);
	else
		fprintf(out, "ledger    %c%s unaccounted%c", MARK_BAD, units_count(count, s->unaccounted), MARK_PLAIN);
	fprintf(out, "   %c%s%c\n", MARK_DIM, units_instant(time, s->now_ns), MARK_PLAIN);
}

void top_print_page(FILE *out, const struct top_view *v, enum top_page page)
{
	struct ledger_view ledger = {.columns = v->columns};

	fputc('\n', out);
	switch (page) {
	case PAGE_OVERVIEW:
		page_curves(out, v);
		page_ports(out, v, false);
		page_fates(out, v, false);
		page_streams(out, v);
		page_deliveries(out, v);
		break;
	case PAGE_PORTS:
		page_ports(out, v, true);
		page_workers(out, v);
		page_fates(out, v, true);
		break;
	case PAGE_STREAMS:
		page_streams(out, v);
		break;
	case PAGE_DELIVERIES:
		page_deliveries(out, v);
		break;
	case PAGE_LEDGER:
		if (v->ledger)
			ledger_print(out, v->ledger, &ledger);
		break;
	case PAGES_END:
		break;
	}
}

void top_print_line(FILE *out, const struct top_view *v)
{
	char t[8][UNITS_TEXT_MAX];
	uint64_t pending = 0;
	struct rates r;

	rates_of(v->then, v->now, &r);
	for (uint32_t i = 0; i < v->now->deliveries_count; i++)
		pending += v->now->deliveries[i].pending_records;
	fprintf(out, "%s %s rx %s pps %sb/s drop %s/s%s%s | stored %s rec/s %s/s | disk %s/s | pending %s | unaccounted %s\n",
		units_instant(t[0], v->now->now_ns), v->now->healthy ? "healthy" : "UNHEALTHY", units_short(t[1], r.frames),
		units_short(t[2], r.bits), units_short(t[3], r.dropped + r.fates), *r.growing ? " " : "", r.growing,
		units_short(t[4], r.records), units_bytes(t[5], r.bytes), units_bytes(t[6], r.written), units_count(t[7], pending),
		v->now->balanced ? "0" : units_count(t[0], v->now->unaccounted));
}

json_t *top_json(const struct state *then, const struct state *now)
{
	json_t *ports = json_array(), *streams = json_array(), *deliveries = json_array();
	struct rates r;

	rates_of(then, now, &r);
	for (uint32_t i = 0; i < now->ports_count; i++) {
		struct port_rates p;

		rates_of_port(then, now, i, &p);
		json_array_append_new(ports, json_pack("{s:s, s:f, s:f, s:f, s:I, s:s}", "name", now->ports[i].name, "frames_per_s",
						       p.frames, "bits_per_s", p.bits, "dropped_per_s", p.dropped, "dropped",
						       (json_int_t)p.dropped_total, "drop_reason", p.growing));
	}
	for (uint32_t i = 0; i < now->streams_count; i++) {
		const struct state_stream *s = &now->streams[i];
		struct stream_rates p;

		rates_of_stream(then, now, i, &p);
		json_array_append_new(streams, json_pack("{s:s, s:f, s:f, s:I, s:I}", "name", s->name, "records_per_s", p.records,
							 "bytes_per_s", p.bytes, "retained_records",
							 (json_int_t)s->retained_records, "retained_bytes",
							 (json_int_t)s->retained_bytes));
	}
	for (uint32_t i = 0; i < now->deliveries_count; i++) {
		const struct state_delivery *d = &now->deliveries[i];
		struct delivery_rates p;

		rates_of_delivery(then, now, i, &p);
		json_array_append_new(deliveries,
				      json_pack("{s:s, s:s, s:f, s:f, s:I, s:I, s:I}", "name", d->name, "stream", d->stream,
						"records_per_s", p.records, "bytes_per_s", p.bytes, "pending_records",
						(json_int_t)d->pending_records, "failed_records", (json_int_t)d->failed_records,
						"retrying_since_ns", (json_int_t)d->retrying_since_ns));
	}
	return json_pack("{s:I, s:f, s:b, s:I, s:f, s:f, s:f, s:s, s:f, s:f, s:f, s:o, s:o, s:o}", "now_ns",
			 (json_int_t)now->now_ns, "seconds", r.seconds, "healthy", now->healthy, "unaccounted",
			 (json_int_t)now->unaccounted, "frames_per_s", r.frames, "bits_per_s", r.bits, "dropped_per_s",
			 r.dropped + r.fates, "drop_reason", r.growing, "records_per_s", r.records, "bytes_per_s", r.bytes,
			 "written_per_s", r.written, "ports", ports, "streams", streams, "deliveries", deliveries);
}
