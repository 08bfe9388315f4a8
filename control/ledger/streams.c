// The part of the table behind the lanes: what the store has, and what became of it.
#include <string.h>

#include "control/ledger/section.h"

#define RECORD_BYTES_LEAST 32u /* no record is shorter than its header */

typedef bool shard_filter(const struct balance_shard *shard);

static bool has_lanes(const struct balance_shard *shard)
{
	return shard->lanes;
}

static bool has_stream(const struct balance_shard *shard)
{
	return shard->stream[0] != 0;
}

static bool is_told(const struct balance_shard *shard)
{
	return shard->lanes && shard->told;
}

static bool same_stream(const struct balance_shard *a, const struct balance_shard *b)
{
	return strcmp(a->stream, b->stream) == 0;
}

/* True for the first shard of its stream that the filter lets through: where the stream's section is made. */
static bool leads(const struct balance_figures *f, uint32_t index, shard_filter *wanted)
{
	if (!wanted(&f->shards[index]))
		return false;
	for (uint32_t i = 0; i < index; i++)
		if (wanted(&f->shards[i]) && same_stream(&f->shards[i], &f->shards[index]))
			return false;
	return true;
}

/* Records between the drain and the worker: as many as the bytes there can hold, none when there are no bytes. */
static void judge_lanes(struct balance_section *s, const struct balance_shard *shard)
{
	int64_t waiting = (int64_t)(shard->appended - shard->drained), most;
	uint64_t known = shard->drained - shard->deleted;
	uint64_t first = shard->stored_first - shard->put_first, last = shard->stored_last - shard->put;

	most = (int64_t)(shard->waiting_bytes / RECORD_BYTES_LEAST);
	if (shard->stream[0] == 0) {
		section_pair(s, shard->appended, shard->deleted);
		return;
	}
	if (waiting > most)
		section_fault(s, waiting - most);
	else if (waiting < 0)
		section_fault(s, waiting);
	if (known < first)
		section_fault(s, -(int64_t)(first - known));
	else if (known > last)
		section_fault(s, (int64_t)(known - last));
}

static void add_lanes(struct builder *b, const struct balance_figures *f, uint32_t lead)
{
	const char *stream = f->shards[lead].stream;
	struct balance_section *s =
		section_open(b, "lane records + put = stored + waiting + deleted", stream[0] ? "stream %s, lanes" :
			     "lanes of deleted streams%s", stream);
	uint64_t appended = 0, put = 0, stored = 0, deleted = 0, waiting = 0;

	for (uint32_t i = lead; i < f->shards_count; i++) {
		const struct balance_shard *shard = &f->shards[i];
		uint64_t known = shard->drained - shard->deleted;

		if (!has_lanes(shard) || !same_stream(shard, &f->shards[lead]))
			continue;
		appended += shard->appended;
		deleted += shard->deleted;
		if (stream[0]) {
			uint64_t first = shard->stored_first - shard->put_first, last = shard->stored_last - shard->put;

			/* The drain goes on while we look: any figure between the two looks is as true. */
			put += shard->put;
			stored += shard->put + (known < first ? first : known > last ? last : known);
			waiting += shard->appended > shard->drained ? shard->appended - shard->drained : 0;
		}
		judge_lanes(s, shard);
	}
	section_left(b, s, "lane records", appended, "appended by workers since the region was made");
	if (stream[0]) {
		section_left(b, s, "put", put, "appended by penstockd itself: replayed dead letters");
		section_right(b, s, "stored", stored, "durable in the store: from these lanes, and put");
		section_right(b, s, "waiting", waiting, "in the lanes or on their way to the disk");
	}
	section_right(b, s, "deleted", deleted, "went with streams deleted since");
	section_close(b, s);
}

static void add_gaps(struct builder *b, const struct balance_figures *f, uint32_t lead)
{
	struct balance_section *s = section_open(b, "drops = told before + gap records + waiting + untold",
						 "stream %s, gaps", f->shards[lead].stream);
	uint64_t dropped = 0, untold = 0, before = 0, gaps = 0, waiting = 0;

	for (uint32_t i = lead; i < f->shards_count; i++) {
		const struct balance_shard *shard = &f->shards[i];
		uint64_t right = shard->told_first + shard->gap_records + shard->untold;

		if (!is_told(shard) || !same_stream(shard, &f->shards[lead]))
			continue;
		dropped += shard->dropped;
		untold += shard->untold;
		before += shard->told_first;
		gaps += shard->gap_records;
		if (shard->waiting_bytes == 0 || right > shard->dropped)
			section_pair(s, shard->dropped, right);
		else
			waiting += shard->dropped - right;
	}
	section_left(b, s, "drops", dropped, "records refused because a lane was full");
	section_right(b, s, "told before", before, "in gap records stored before penstockd started");
	section_right(b, s, "gap records", gaps, "what the gap records stored since then stand for");
	section_right(b, s, "waiting", waiting, "in gap records that the drain has not reached");
	section_right(b, s, "untold", untold, "to be told when the lane has room again");
	section_close(b, s);
}

static void add_shards(struct builder *b, const struct balance_figures *f, uint32_t lead)
{
	struct balance_section *s =
		section_open(b, "stored = retained + expired + lost", "stream %s, store", f->shards[lead].stream);
	uint64_t stored = 0, retained = 0, expired = 0, early = 0, lost = 0;

	for (uint32_t i = lead; i < f->shards_count; i++) {
		const struct balance_shard *shard = &f->shards[i];

		if (!same_stream(shard, &f->shards[lead]))
			continue;
		stored += shard->stored;
		retained += shard->retained;
		expired += shard->expired;
		early += shard->expired_early;
		lost += shard->lost;
		section_pair(s, shard->stored, shard->retained + shard->expired + shard->lost);
	}
	section_left(b, s, "stored", stored, "records ever stored");
	section_right(b, s, "retained", retained, "to be read");
	section_right(b, s, "expired", expired - early, "older than the retention time");
	section_right(b, s, "expired_early", early, "removed by size before their time");
	section_right(b, s, "lost", lost, "in batches that were damaged on disk");
	section_close(b, s);
}

void balance_add_streams(struct builder *b, const struct balance_figures *f)
{
	for (uint32_t i = 0; i < f->shards_count; i++) {
		if (leads(f, i, has_lanes))
			add_lanes(b, f, i);
		if (leads(f, i, is_told) && f->shards[i].stream[0])
			add_gaps(b, f, i);
		if (leads(f, i, has_stream))
			add_shards(b, f, i);
	}
}

static bool same_delivery(const struct balance_delivery *a, const struct balance_delivery *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->stream, b->stream) == 0;
}

static void add_delivery(struct builder *b, const struct balance_figures *f, uint32_t lead)
{
	const struct balance_delivery *first = &f->deliveries[lead];
	struct balance_section *s = section_open(b, "taken = delivered + pending + failed + expired",
						 "delivery %s of stream %s", first->name, first->stream);
	uint64_t taken = 0, delivered = 0, pending = 0, failed = 0, expired = 0;

	for (uint32_t i = lead; i < f->deliveries_count; i++) {
		const struct balance_delivery *d = &f->deliveries[i];

		if (!same_delivery(d, first))
			continue;
		taken += d->taken;
		delivered += d->delivered;
		pending += d->pending;
		failed += d->failed;
		expired += d->expired;
		section_pair(s, d->taken, d->delivered + d->pending + d->failed + d->expired);
	}
	section_left(b, s, "taken", taken, "records stored since the delivery began");
	section_right(b, s, "delivered", delivered, "at the destination");
	section_right(b, s, "pending", pending, "not yet sent");
	section_right(b, s, "failed", failed, "kept in the dead-letter folder");
	section_right(b, s, "expired", expired, "gone from the stream before they could be sent");
	section_close(b, s);
}

void balance_add_deliveries(struct builder *b, const struct balance_figures *f)
{
	for (uint32_t i = 0; i < f->deliveries_count; i++) {
		bool first = true;

		for (uint32_t j = 0; j < i && first; j++)
			first = !same_delivery(&f->deliveries[j], &f->deliveries[i]);
		if (first)
			add_delivery(b, f, i);
	}
}
