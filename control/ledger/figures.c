#include "control/ledger/figures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/store/batch.h"

static void add_port(struct balance_figures *f, const struct region_sample *s, uint32_t i)
{
	const uint64_t *row = s->port_words + port_word(i, 0);
	const struct region_port *port = &s->ports[i];

	memcpy(f->ports[i].name, port->name, sizeof f->ports[i].name);
	f->ports[i].accountable = port->accountable != 0;
	f->ports[i].wire_counter = port->wire_counter != 0;
	f->ports[i].first_worker = port->first_worker;
	f->ports[i].queues = port->queues;
	f->ports[i].wire = row[PORT_WIRE];
	f->ports[i].rx = row[PORT_RX];
	f->ports[i].missed = row[PORT_MISSED];
	f->ports[i].errors = row[PORT_ERRORS];
	f->ports[i].no_mbuf = row[PORT_NO_MBUF];
	f->ports[i].down = row[PORT_DOWN];
	f->ports[i].exact = row[PORT_EXACT] == 1;
	f->ports[i].polled = row[PORT_POLLED];
}

static int add_region(struct balance_figures *f, const struct region_sample *s)
{
	f->taken_ns = s->taken_ns;
	f->heartbeat_ns = s->heartbeat_ns;
	f->started_ns = s->started_ns;
	f->generation = s->generation;
	f->running = s->alive && s->state == REGION_RUNNING;
	f->ports_count = s->ports_count;
	for (uint32_t i = 0; i < s->ports_count; i++)
		add_port(f, s, i);
	f->workers = calloc(s->geometry.workers + 1, sizeof *f->workers);
	if (!f->workers)
		return -ENOMEM;
	f->workers_count = s->geometry.workers;
	for (uint32_t w = 0; w < s->geometry.workers; w++) {
		const uint64_t *words = sample_worker(s, w);

		memcpy(f->workers[w].counters, words + WORKER_COUNTERS_WORD, sizeof f->workers[w].counters);
		for (uint32_t slot = 0; slot < s->geometry.shards; slot++) {
			f->workers[w].lane_records += words[lane_word(slot, LANE_RECORDS)];
			f->workers[w].lane_dropped += words[lane_word(slot, LANE_DROPPED)];
		}
	}
	return 0;
}

/* What a slot's lanes say: the region's half of a shard. `marks` is the drain's, copied before; NULL for no shard. */
static void add_lanes(struct balance_shard *shard, const struct region_sample *s, const struct lane_mark *marks)
{
	shard->lanes = true;
	for (uint32_t w = 0; w < s->geometry.workers; w++) {
		const uint64_t *words = sample_worker(s, w);

		shard->appended += words[lane_word(shard->slot, LANE_RECORDS)];
		shard->dropped += words[lane_word(shard->slot, LANE_DROPPED)];
		shard->untold += words[lane_word(shard->slot, LANE_GAP_COUNT)];
		if (!marks)
			continue;
		shard->drained += marks[w].records;
		shard->waiting_bytes += words[lane_word(shard->slot, LANE_POSITION)] - marks[w].position;
	}
}

struct looking { /* one take of the figures */
	const struct monitor_parts *parts;
	struct told *told;
	struct balance_figures *f;
	struct region_sample *sample;
	struct stream **streams;
	uint32_t streams_count;
	struct before {            /* of a shard, by slot, looked at before the region */
		struct shard_status status;
		struct lane_mark marks[WORKERS_MAX];
		uint64_t generation;
	} *before;
	bool leaving[SHARDS_MAX], owned[SHARDS_MAX];
};

static void look_before(struct looking *l)
{
	for (uint32_t i = 0; i < l->streams_count; i++)
		for (uint32_t n = 0; n < l->streams[i]->info.shards; n++) {
			struct before *b = &l->before[l->streams[i]->rows[n].slot];

			shard_get_status(l->streams[i]->shards[n], &b->status);
			b->generation = shard_get_marks(l->streams[i]->shards[n], b->marks);
		}
}

/* Gap records are counted from here on; what was told before is what is missing now, when nothing is under way. */
static void judge_told(struct told *told, struct balance_shard *shard, uint64_t stream_id, uint64_t generation)
{
	if (!told->known || told->stream_id != stream_id || told->generation != generation) {
		told->known = shard->waiting_bytes == 0 && shard->dropped - shard->untold >= shard->gap_records;
		told->stream_id = stream_id;
		told->generation = generation;
		told->records = shard->dropped - shard->untold - shard->gap_records;
	}
	shard->told = told->known;
	shard->told_first = told->records;
}

static int add_shard(struct looking *l, const struct stream *stream, uint32_t n)
{
	const struct metadata_shard *row = &stream->rows[n];
	struct balance_shard *shard = &l->f->shards[l->f->shards_count++];
	const struct before *b = &l->before[row->slot];
	struct shard_status now;
	int error = 0;

	shard_get_status(stream->shards[n], &now);
	memcpy(shard->stream, stream->info.name, sizeof stream->info.name);
	shard->number = row->number;
	shard->slot = row->slot;
	shard->stored = now.stored_records;
	shard->put = now.put_records;
	shard->retained = now.retained_records;
	shard->expired = now.expired_records;
	shard->expired_early = now.expired_early_records;
	shard->lost = now.lost_records;
	l->owned[row->slot] = true;
	/* A shard that has not met this region yet has nothing to say about it. */
	if (!l->sample->attached || row->slot >= l->sample->geometry.shards ||
	    b->generation != l->sample->generation || !l->sample->slots[row->slot].known ||
	    l->sample->slots[row->slot].stream_id != stream->info.id)
		return 0;
	add_lanes(shard, l->sample, b->marks);
	shard->stored_first = b->status.stored_records - l->sample->slots[row->slot].base;
	shard->put_first = b->status.put_records;
	shard->stored_last = now.stored_records - l->sample->slots[row->slot].base;
	shard->gap_records = b->status.lane_gap_records;
	error = metadata_get_discarded(l->parts->metadata, row->slot, l->sample->generation, &shard->deleted);
	judge_told(&l->told[row->slot], shard, stream->info.id, l->sample->generation);
	return error;
}

/* A slot that no shard owns now, but where records once went. */
static int add_orphan(struct looking *l, uint32_t slot)
{
	struct balance_shard *shard = &l->f->shards[l->f->shards_count];

	shard->slot = slot;
	add_lanes(shard, l->sample, NULL);
	if (shard->appended == 0) {
		memset(shard, 0, sizeof *shard);
		return 0;
	}
	shard->drained = shard->appended;
	l->f->shards_count++;
	return metadata_get_discarded(l->parts->metadata, slot, l->sample->generation, &shard->deleted);
}

static int add_shards(struct looking *l)
{
	int error = 0;

	l->f->shards = calloc(2 * SHARDS_MAX, sizeof *l->f->shards);
	if (!l->f->shards)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->streams_count && !error; i++)
		for (uint32_t n = 0; n < l->streams[i]->info.shards && !error; n++)
			error = add_shard(l, l->streams[i], n);
	for (uint32_t slot = 0; l->sample->attached && slot < l->sample->geometry.shards && !error; slot++)
		if (!l->owned[slot] && !l->leaving[slot])
			error = add_orphan(l, slot);
	return error;
}

static int add_deliveries(struct looking *l)
{
	struct delivery_row *rows;
	uint32_t count, total = 0;
	int error = deliveries_list(l->parts->deliveries, &rows, &count);

	if (error)
		return error;
	for (uint32_t i = 0; i < count; i++)
		total += rows[i].shards_count;
	l->f->deliveries = calloc(total + 1, sizeof *l->f->deliveries);
	for (uint32_t i = 0; i < count && l->f->deliveries; i++)
		for (uint32_t n = 0; n < rows[i].shards_count; n++) {
			struct balance_delivery *d = &l->f->deliveries[l->f->deliveries_count++];
			const struct delivery_status *status = &rows[i].shards[n];

			snprintf(d->name, sizeof d->name, "%s", rows[i].config->name);
			snprintf(d->stream, sizeof d->stream, "%s", rows[i].config->stream);
			d->shard = status->shard;
			d->taken = status->taken_records;
			d->delivered = status->delivered_records;
			d->pending = status->pending_records;
			d->failed = status->failed_records;
			d->expired = status->expired_records;
		}
	deliveries_free_rows(rows, count);
	return l->f->deliveries ? 0 : -ENOMEM;
}

static int look(struct looking *l)
{
	int error;

	l->f = calloc(1, sizeof *l->f);
	l->before = calloc(SHARDS_MAX, sizeof *l->before);
	if (!l->f || !l->before)
		return -ENOMEM;
	streams_mark_leaving(l->parts->streams, l->leaving);
	error = streams_hold_all(l->parts->streams, &l->streams, &l->streams_count);
	if (error)
		return error;
	/* The order is what makes the inequalities true: drain, ports, workers, drain. */
	look_before(l);
	error = plane_sample(l->parts->plane, &l->sample);
	if (!error && l->sample->attached)
		error = add_region(l->f, l->sample);
	if (!error)
		error = add_shards(l);
	if (!error)
		error = add_deliveries(l);
	return error;
}

int figures_take(const struct monitor_parts *parts, struct told *told, struct balance_figures **out)
{
	struct looking l = {.parts = parts, .told = told};
	uint64_t changes = streams_changes(parts->streams);
	int error = look(&l);

	for (uint32_t i = 0; i < l.streams_count; i++)
		streams_release(parts->streams, l.streams[i]);
	free(l.streams);
	free(l.before);
	plane_free_sample(l.sample);
	if (!error && streams_changes(parts->streams) != changes)
		error = -EAGAIN;
	if (error)
		balance_free_figures(l.f);
	else
		*out = l.f;
	return error;
}
