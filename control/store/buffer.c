#include "control/store/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SPANS_PER_WORKER 4u /* copies per batch and lane, roughly; a batch that has used them up is closed */
#define SPANS_EXTRA 10u
#define GAPS_MAX 8u /* room for gap records behind the limit */

/* A page in front and one behind that nothing may touch: what runs over is found, and the kernel joins no other mapping to it, so
 * that the process's map shows how much of each buffer is resident. */
static void *map_guarded(size_t bytes)
{
	uint8_t *all = mmap(NULL, bytes + 2 * SEGMENT_BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	if (mprotect(all + SEGMENT_BLOCK, bytes, PROT_READ | PROT_WRITE) != 0) {
		munmap(all, bytes + 2 * SEGMENT_BLOCK);
		return NULL;
	}
	return all + SEGMENT_BLOCK;
}

static void unmap_guarded(void *mapped, size_t bytes)
{
	if (mapped)
		munmap((uint8_t *)mapped - SEGMENT_BLOCK, bytes + 2 * SEGMENT_BLOCK);
}

int buffer_open(struct buffer *b, size_t limit, uint32_t workers, bool busy)
{
	uint32_t spans_max = workers * (SPANS_PER_WORKER + 1) + SPANS_EXTRA; /* and each lane's mark once more */
	size_t prefix = sizeof(struct batch) + spans_max * sizeof(struct span);
	size_t mapped = BUFFER_FRONT + SEGMENT_BLOCK + prefix + limit + GAPS_MAX * GAP_BYTES + SEGMENT_BLOCK;
	struct span *spans = b->spans;

	mapped = (mapped + SEGMENT_BLOCK - 1) & ~(size_t)(SEGMENT_BLOCK - 1);
	if (!b->bytes || b->mapped != mapped || b->spans_max != spans_max || (busy && !b->huge)) {
		void *bytes;

		buffer_release(b);
		spans = calloc(spans_max, sizeof *spans);
		bytes = map_guarded(mapped);
		if (!spans || !bytes) {
			free(spans);
			unmap_guarded(bytes, mapped);
			return -ENOMEM;
		}
		if (busy)
			madvise(bytes, mapped, MADV_HUGEPAGE); /* a wish */
		b->bytes = bytes;
		b->huge = busy;
		b->mapped = mapped;
	}
	b->spans = spans;
	b->spans_max = spans_max;
	b->spans_count = 0;
	b->records_at = BUFFER_FRONT + prefix;
	b->records_bytes = 0;
	b->records_limit = limit;
	b->sequences = b->records = b->gaps = 0;
	b->gap_records = b->lane_gap_records = 0;
	b->puts = 0;
	b->first_arrival_ns = UINT64_MAX;
	b->last_arrival_ns = 0;
	b->batch_at = 0;
	return 0;
}

void buffer_release(struct buffer *b)
{
	unmap_guarded(b->bytes, b->mapped);
	free(b->spans);
	b->bytes = NULL;
	b->spans = NULL;
	b->mapped = 0;
	b->spans_max = 0;
}

void buffer_add_span(struct buffer *b, uint32_t worker, size_t bytes, struct lane_mark after)
{
	struct span *last = b->spans_count ? &b->spans[b->spans_count - 1] : NULL;

	if (!last || last->worker != worker) {
		last = &b->spans[b->spans_count++];
		*last = (struct span){.worker = (uint16_t)worker};
	}
	last->bytes += bytes;
	last->after = after;
	if (worker != SPAN_CONTROL)
		b->after[worker] = after;
	b->records_bytes += bytes;
}

void buffer_add_put(struct buffer *b, size_t bytes, uint32_t records, struct lane_mark after)
{
	b->put_after = after;
	buffer_add_span(b, SPAN_CONTROL, bytes, after);
	b->sequences += records;
	b->records += records;
	b->puts++;
}

bool buffer_gap_fits(const struct buffer *b)
{
	return b->records_bytes + GAP_BYTES <= b->records_limit + GAPS_MAX * GAP_BYTES &&
	       b->spans_count + 2 <= b->spans_max;
}

void gap_write(uint8_t *to, const struct gap *gap)
{
	struct record r = {
		.length = sizeof *gap, .kind = RECORD_GAP, .arrival_ns = gap->last_ns, .vlan = RECORD_VLAN_NONE};

	memcpy(to, &r, sizeof r);
	memcpy(to + sizeof r, gap, sizeof *gap);
}

void buffer_add_gap(struct buffer *b, const struct gap *gap)
{
	gap_write(buffer_end(b), gap);
	buffer_add_span(b, SPAN_CONTROL, GAP_BYTES, b->put_after);
	buffer_see_arrival(b, gap->last_ns);
	b->sequences++;
	b->gaps++;
	if (gap->count != GAP_COUNT_UNKNOWN)
		b->gap_records += gap->count;
}

void buffer_see_arrival(struct buffer *b, uint64_t arrival_ns)
{
	if (arrival_ns < b->first_arrival_ns)
		b->first_arrival_ns = arrival_ns;
	if (arrival_ns > b->last_arrival_ns)
		b->last_arrival_ns = arrival_ns;
}

/* Spans of no bytes: first the marks of lanes that gave nothing, then nothing at all. */
static void repeat_marks(struct buffer *b)
{
	if (b->put_after.records && b->spans_count < b->spans_max)
		b->spans[b->spans_count++] = (struct span){.worker = SPAN_CONTROL, .after = b->put_after};
	for (uint32_t w = 0; w < WORKERS_MAX && b->spans_count < b->spans_max; w++)
		if (b->after[w].position)
			b->spans[b->spans_count++] = (struct span){.worker = (uint16_t)w, .after = b->after[w]};
}

void buffer_close(struct buffer *b, uint64_t first_sequence, uint64_t records_before, uint64_t stored_ns, bool marks,
		  uint16_t overlapped)
{
	size_t prefix;

	b->marks = marks;
	if (marks)
		repeat_marks(b);
	/* Many records are not moved to close the span table: what is left of it says nothing, in so many words. */
	while (buffer_is_large(b) && b->spans_count < b->spans_max)
		b->spans[b->spans_count++] = (struct span){.worker = SPAN_CONTROL};
	prefix = sizeof b->batch + b->spans_count * sizeof *b->spans;
	b->batch = (struct batch){.magic = BATCH_MAGIC,
				  .length = (uint32_t)(prefix + b->records_bytes),
				  .first_sequence = first_sequence,
				  .sequences = b->sequences,
				  .records = b->records,
				  .records_before = records_before,
				  .stored_ns = stored_ns,
				  .first_arrival_ns = b->first_arrival_ns,
				  .last_arrival_ns = b->last_arrival_ns,
				  .spans = (uint16_t)b->spans_count,
				  .overlapped = overlapped};
	b->batch_at = b->records_at - prefix;
	memcpy(b->bytes + b->batch_at + sizeof b->batch, b->spans, b->spans_count * sizeof *b->spans);
	memcpy(b->bytes + b->batch_at, &b->batch, sizeof b->batch);
	batch_seal((struct batch *)(b->bytes + b->batch_at));
	memcpy(&b->batch, b->bytes + b->batch_at, sizeof b->batch);
}

void buffer_place(struct buffer *b, size_t lead)
{
	size_t at = BUFFER_FRONT + lead, end = at + b->batch.length;

	if (b->batch_at != at)
		memmove(b->bytes + at, b->bytes + b->batch_at, b->batch.length);
	b->batch_at = at;
	b->records_at = at + batch_prefix(&b->batch);
	memset(b->bytes + end, 0, block_round(end) - end);
}
