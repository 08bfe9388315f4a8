#include "control/cli/top_rates.h"

#include <string.h>

static double seconds_between(const struct state *then, const struct state *now)
{
	return now->now_ns > then->now_ns ? (double)(now->now_ns - then->now_ns) / 1e9 : 1;
}

// A counter that went back was started anew: what it has now is what it gained.
static double gain(uint64_t then, uint64_t now)
{
	return (double)(now >= then ? now - then : now);
}

static const struct state_port *find_port(const struct state *s, const char *name)
{
	static const struct state_port none;

	for (uint32_t i = 0; i < s->ports_count; i++) {
		if (!strcmp(s->ports[i].name, name))
			return &s->ports[i];
	}
	return &none;
}

static const struct state_stream *find_stream(const struct state *s, const char *name)
{
	static const struct state_stream none;

	for (uint32_t i = 0; i < s->streams_count; i++) {
		if (!strcmp(s->streams[i].name, name))
			return &s->streams[i];
	}
	return &none;
}

static const struct state_delivery *find_delivery(const struct state *s, const struct state_delivery *like)
{
	static const struct state_delivery none;

	for (uint32_t i = 0; i < s->deliveries_count; i++) {
		if (!strcmp(s->deliveries[i].name, like->name) && !strcmp(s->deliveries[i].stream, like->stream))
			return &s->deliveries[i];
	}
	return &none;
}

void rates_of_port(const struct state *then, const struct state *now, uint32_t port, struct port_rates *out)
{
	const struct state_port *p = &now->ports[port], *q = find_port(then, p->name);
	double seconds = seconds_between(then, now), most = 0;
	const struct {
		const char *name;
		uint64_t then, now;
	} drops[] = {{"missed", q->missed, p->missed}, {"errors", q->errors, p->errors}, {"no_mbuf", q->no_mbuf, p->no_mbuf},
		     {"down", q->down, p->down}};

	*out = (struct port_rates){.growing = ""};
	out->frames = gain(q->rx, p->rx) / seconds;
	out->bits = gain(q->rx_bytes, p->rx_bytes) * 8 / seconds;
	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++) {
		double grown = gain(drops[i].then, drops[i].now);
		/* One that grows goes before any that stands still. */
		double weight = grown ? 1e20 + grown : (double)drops[i].now;

		out->dropped += grown / seconds;
		out->dropped_total += drops[i].now;
		if (weight > most) {
			most = weight;
			out->growing = drops[i].name;
		}
	}
}

void rates_of_stream(const struct state *then, const struct state *now, uint32_t stream, struct stream_rates *out)
{
	const struct state_stream *s = &now->streams[stream], *t = find_stream(then, s->name);
	double seconds = seconds_between(then, now);

	out->records = gain(t->stored_records, s->stored_records) / seconds;
	out->bytes = gain(t->input_bytes, s->input_bytes) / seconds;
}

void rates_of_delivery(const struct state *then, const struct state *now, uint32_t delivery, struct delivery_rates *out)
{
	const struct state_delivery *d = &now->deliveries[delivery], *e = find_delivery(then, d);
	double seconds = seconds_between(then, now);

	out->records = gain(e->delivered_records, d->delivered_records) / seconds;
	out->bytes = gain(e->delivered_bytes, d->delivered_bytes) / seconds;
}

static void rates_of_fates(const struct state *then, const struct state *now, struct rates *out)
{
	double most = 0;

	out->growing = "";
	for (uint32_t i = 0; i < now->fates_count; i++) {
		uint64_t before = 0;
		double grown;

		for (uint32_t j = 0; j < then->fates_count; j++) {
			if (!strcmp(then->fates[j].name, now->fates[i].name))
				before = then->fates[j].count;
		}
		grown = gain(before, now->fates[i].count);
		out->fates += grown / out->seconds;
		if (grown > most) {
			most = grown;
			out->growing = now->fates[i].name;
		}
	}
}

void rates_of(const struct state *then, const struct state *now, struct rates *out)
{
	memset(out, 0, sizeof(*out));
	out->seconds = seconds_between(then, now);
	for (uint32_t i = 0; i < now->ports_count; i++) {
		struct port_rates port;

		rates_of_port(then, now, i, &port);
		out->frames += port.frames;
		out->bits += port.bits;
		out->dropped += port.dropped;
	}
	for (uint32_t i = 0; i < now->streams_count; i++) {
		struct stream_rates stream;

		rates_of_stream(then, now, i, &stream);
		out->records += stream.records;
		out->bytes += stream.bytes;
	}
	out->drained = gain(then->drained_bytes, now->drained_bytes) / out->seconds;
	out->written = gain(then->written_bytes, now->written_bytes) / out->seconds;
	out->commits = gain(then->commits, now->commits) / out->seconds;
	rates_of_fates(then, now, out);
}
