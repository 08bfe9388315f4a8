// A planned object's name and bytes.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/delivery/batch_walk.h"
#include "control/delivery/engine.h"
#include "config/prefix.h"
#include "dataplane/codec/templates.h"

static void extension(const struct delivery *d, char text[32])
{
	snprintf(text, 32, "%s%s", format_extension(d->config->format), compress_extension(d->config->compression));
}

int work_name(const struct delivery *d, const struct work *w, uint64_t oldest_ns, struct metadata_object *object)
{
	char end[32];
	size_t used;
	int error, length;

	error = prefix_expand(d->config->prefix, d->config->stream, w->where.number, oldest_ns, object->name,
			      sizeof object->name);
	if (error)
		return error;
	extension(d, end);
	used = strlen(object->name);
	length = snprintf(object->name + used, sizeof object->name - used, "%s-%08" PRIx32 "-%012u-%020" PRIu64 "-%020" PRIu64 "%s",
			  d->config->stream, d->options.identity, w->where.number,
			  object->first_sequence, object->last_sequence, end);
	if ((size_t)length >= sizeof object->name - used)
		return -ENAMETOOLONG;
	return prefix_path_check(object->name);
}

bool work_extension_fits(const struct delivery *d, const struct metadata_object *object)
{
	char end[32], sequence[32];
	size_t length = strlen(object->name), tail;

	extension(d, end);
	snprintf(sequence, sizeof sequence, "-%020" PRIu64, object->last_sequence);
	tail = strlen(end) + strlen(sequence);
	return length > tail && strcmp(object->name + length - strlen(end), end) == 0 &&
	       memcmp(object->name + length - tail, sequence, strlen(sequence)) == 0;
}

struct production {
	struct delivery *d;
	struct work *w;
	struct trouble *trouble;
	uint64_t next, records, bytes;
};

static int read_failed(struct production *p, int error)
{
	trouble_set(p->trouble, "reading the shard at sequence %" PRIu64 ": %s", p->next, strerror(-error));
	p->trouble->local = true;
	return error;
}

static int gone(struct production *p)
{
	trouble_set(p->trouble, "the records of this object are gone from the shard");
	return -ENODATA;
}

// The batch that holds p->next.
static int read_batch(struct production *p, struct store_batch *b)
{
	const struct delivery_source *source = p->d->options.source;
	int result = source->read(p->w->reader, p->next, b);

	if (result == -ESTALE)
		return gone(p);
	if (result < 0)
		return read_failed(p, result);
	if (result == 0)
		return work_trim(p->d, p->w) > p->next ? gone(p) : read_failed(p, -EAGAIN);
	return b->first_sequence > p->next ? gone(p) : 0;
}

static int add_batch(struct production *p, const struct store_batch *b)
{
	struct batch_walk walk = batch_walk_begin(b);
	struct work *w = p->w;
	const struct record *r;

	while (p->next <= w->object.last_sequence && (r = batch_walk_next(&walk)) != NULL) {
		int error;

		if (walk.sequence <= p->next)
			continue;
		error = format_add(p->d->format, w->where.number, p->next, r);
		if (error)
			return error;
		p->next++;
		if (record_is_data(r)) {
			p->records++;
			p->bytes += r->length;
		} else {
			struct gap gap;

			memcpy(&gap, record_payload(r), sizeof gap);
			w->gaps++;
			w->gap_records += gap.count != GAP_COUNT_UNKNOWN ? gap.count : 0;
		}
	}
	if (walk.left > 0 && p->next <= w->object.last_sequence)
		return read_failed(p, -EBADMSG);
	/* As in scan.c: one gap record may stand for many sequences. */
	if (walk.left == 0 && p->next < b->first_sequence + b->sequences)
		p->next = b->first_sequence + b->sequences;
	return 0;
}

static int add_records(struct production *p)
{
	const struct metadata_object *o = &p->w->object;

	p->w->gaps = p->w->gap_records = 0;
	while (p->next <= o->last_sequence) {
		struct store_batch b;
		int error;

		if (delivery_cancelled(p->d))
			return -ECANCELED;
		error = read_batch(p, &b);
		if (error == 0)
			error = add_batch(p, &b);
		if (error)
			return error;
	}
	/* Not what was planned: never happens, and must not pass for it if it does. */
	return p->records == o->records && p->bytes == o->bytes ? 0 : gone(p);
}

static int copy_spool(const struct work *w, const struct sink *sink)
{
	char bytes[32768];

	for (uint64_t at = 0; at < w->spool_bytes;) {
		ssize_t n = pread(w->spool, bytes, sizeof bytes, (off_t)at);
		int error;

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		error = sink->write(sink->handle, bytes, (size_t)n);
		if (error)
			return error;
		at += (uint64_t)n;
	}
	return 0;
}

// Those the object was planned with, afresh: decoding adds to them, and a second attempt must not know more than the first.
static int load_templates(struct delivery *d, const struct work *w, struct trouble *trouble, struct codec_templates **out)
{
	const struct delivery_flows *flows = d->options.flows;
	int error = 0;

	if (flows != NULL && d->config->format == FORMAT_JSONL)
		error = flows->load(flows->context, w->object.stream_id, w->object.templates, out);
	if (error) {
		trouble_set(trouble, "flow templates: %s", strerror(-error));
		trouble->local = true;
	}
	return error;
}

int work_produce(struct delivery *d, struct work *w, const struct sink *sink, struct trouble *trouble)
{
	struct production p = {d, w, trouble, w->object.first_sequence, 0, 0};
	struct codec_templates *templates = NULL;
	struct sink front;
	int error;

	trouble->text[0] = '\0';
	/* What was spooled is there even when its records have expired since. */
	if (w->spool >= 0)
		return copy_spool(w, sink);
	error = load_templates(d, w, trouble, &templates);
	if (error)
		return error;
	format_use_templates(d->format, templates);
	error = compress_begin(d->compress, sink, &front);
	if (error == 0)
		error = format_begin(d->format, &front);
	if (error == 0)
		error = add_records(&p);
	if (error == 0)
		error = format_end(d->format);
	if (error == 0)
		error = compress_end(d->compress);
	format_use_templates(d->format, NULL);
	templates_free(templates);
	if (error && trouble->text[0] == '\0')
		trouble_set(trouble, "%s", strerror(-error));
	return error;
}
