// One stream's templates: read, kept, and let go of.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "control/clock.h"
#include "control/delivery/batch_walk.h"
#include "control/learner_private.h"
#include "dataplane/codec/netflow.h"
#include "dataplane/codec/templates.h"

#define BATCHES_AT_ONCE 64   /* of a shard, then the others have their turn */
#define NOTE_MS 2000u        /* a place that moved without news is made durable this late */
#define EXPIRE_MS 60000u
#define SEEN_PART 8u         /* an exporter that goes on is noted this often in the retention time */
#define SEEN_SLOTS 8192u     /* a power of two; half as many exporters are noted, all are decoded */
#define SAVED_AT_ONCE 256u   /* definitions in one transaction, then the rest */

/* ---- keeping what was learned ---- */

struct catch { /* definitions on their way into the database */
	struct metadata_saved list[SAVED_AT_ONCE];
	uint8_t bytes[SAVED_AT_ONCE][TEMPLATE_SAVED_MAX];
	uint32_t count;
};

static bool take_saved(void *arg, const uint8_t *saved, uint32_t length)
{
	struct catch *c = arg;

	if (c->count == SAVED_AT_ONCE)
		return false;
	memcpy(c->bytes[c->count], saved, length);
	c->list[c->count] = (struct metadata_saved){c->bytes[c->count], length};
	c->count++;
	return true;
}

/* The domain's place, or the free one where it would stand; NULL when the table is full without it. */
static struct seen *find_seen(const struct learner *l, const struct pupil *p, const uint8_t *domain)
{
	uint32_t at = XXH32(domain, TEMPLATE_DOMAIN_BYTES, (uint32_t)l->seed);

	for (uint32_t i = 0; i < SEEN_SLOTS; i++) {
		struct seen *seen = &p->seen[(at + i) % SEEN_SLOTS];

		if (!seen->used || memcmp(seen->domain, domain, TEMPLATE_DOMAIN_BYTES) == 0)
			return seen;
	}
	return NULL;
}

static void add_seen(const struct learner *l, struct pupil *p, const uint8_t *saved, uint64_t ns)
{
	uint8_t domain[TEMPLATE_DOMAIN_BYTES];
	struct seen *seen;

	metadata_template_domain(saved, domain);
	seen = find_seen(l, p, domain);
	if (!seen || seen->used || p->seen_count >= SEEN_SLOTS / 2)
		return;
	*seen = (struct seen){.used = true, .seen_ns = ns, .noted_ns = ns};
	memcpy(seen->domain, domain, sizeof domain);
	p->seen_count++;
}

/* Writes down all that is new, and that the shard has been read up to `next`. */
static int keep(struct learner *l, struct pupil *p, uint32_t shard, uint64_t next, uint64_t now_ns)
{
	struct catch *c = malloc(sizeof *c);
	struct place *place = &p->places[shard];
	uint64_t last = 0;
	int error = c ? 0 : -ENOMEM;

	do {
		if (error)
			break;
		c->count = 0;
		templates_export(p->templates, take_saved, c);
		/* The place moves with the last of them only: what is left is read again after a crash. */
		error = metadata_add_templates(l->metadata, p->stream_id, shard, c->count < SAVED_AT_ONCE ? next : place->durable,
					       c->list, c->count);
		p->trimmed |= error > 0;
		error = error > 0 ? 0 : error;
		for (uint32_t i = 0; i < c->count && !error; i++)
			add_seen(l, p, c->list[i].bytes, now_ns);
	} while (!error && c->count == SAVED_AT_ONCE);
	free(c);
	if (!error)
		error = metadata_last_template(l->metadata, &last);
	if (error)
		return error;
	pthread_mutex_lock(&l->lock);
	place->next = place->durable = next;
	place->noted_ms = clock_monotonic_ms();
	l->last = last;
	pthread_mutex_unlock(&l->lock);
	return 0;
}

/* ---- reading ---- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Whose datagram it is, as metadata_template_domain() has it. False: it has no domain. */
static bool domain_of(const struct codec_record *record, uint8_t *domain)
{
	uint32_t id = 0;

	if (record->length < 2)
		return false;
	id = get16(record->bytes) == 9 ? 16 : get16(record->bytes) == 10 ? 12 : 0;
	if (id == 0 || record->length < id + 4)
		return false;
	memset(domain, 0, TEMPLATE_DOMAIN_BYTES);
	domain[0] = (uint8_t)get16(record->bytes);
	domain[1] = record->source_bytes;
	memcpy(domain + 2, record->source, record->source_bytes);
	memcpy(domain + 18, record->bytes + id, 4);
	return true;
}

static void learn(const struct learner *l, struct pupil *p, const struct record *r)
{
	struct codec_record record = {
		.bytes = record_payload(r),
		.length = r->length,
		.source_bytes = r->origin == RECORD_ORIGIN_IPV4 ? 4 : r->origin == RECORD_ORIGIN_IPV6 ? 16 : 0,
		.source = record_origin(r),
		.arrival_ns = r->arrival_ns,
		.templates = p->templates,
	};
	uint8_t domain[TEMPLATE_DOMAIN_BYTES];
	struct seen *seen;

	if (!record_is_data(r) || r->codec != CODEC_NETFLOW)
		return;
	netflow_learn(&record);
	seen = domain_of(&record, domain) ? find_seen(l, p, domain) : NULL;
	if (seen && seen->used && r->arrival_ns > seen->seen_ns)
		seen->seen_ns = r->arrival_ns;
}

static bool count_new(void *arg, const uint8_t *saved, uint32_t length)
{
	(void)saved;
	(void)length;
	*(bool *)arg = true;
	return false; /* it stays new */
}

/* One shard up to its end or BATCHES_AT_ONCE. 1: there is more; 0; -errno. */
int learner_read_shard(struct learner *l, struct pupil *p, struct shard *shard, uint32_t number)
{
	struct place *place = &p->places[number];
	uint64_t next = place->next, now_ns = clock_realtime_ns();
	struct shard_reader *reader;
	struct shard_status status;
	struct store_batch b;
	int result, batches = 0;
	bool news = false;

	shard_get_status(shard, &status);
	if (status.durable_sequence <= next)
		return place->next != place->durable && clock_monotonic_ms() - place->noted_ms > NOTE_MS ?
			keep(l, p, number, next, now_ns) : 0;
	result = shard_reader_open(shard, &reader);
	if (result)
		return result;
	while (batches++ < BATCHES_AT_ONCE && (result = shard_read(reader, next, &b)) > 0) {
		struct batch_walk walk = batch_walk_begin(&b);
		const struct record *r;

		while ((r = batch_walk_next(&walk)) != NULL)
			if (walk.sequence > next)
				learn(l, p, r);
		next = b.first_sequence + b.sequences;
	}
	shard_reader_close(reader);
	if (result < 0)
		return result;
	if (result == 0 && next < status.durable_sequence) /* what lay between has expired */
		next = status.durable_sequence;
	templates_export(p->templates, count_new, &news);
	if (news || clock_monotonic_ms() - place->noted_ms > NOTE_MS) {
		int error = keep(l, p, number, next, now_ns);

		return error ? error : result;
	}
	pthread_mutex_lock(&l->lock);
	place->next = next;
	pthread_mutex_unlock(&l->lock);
	return result;
}

/* Exporters that go on are noted now and then, so that what decodes their flows stays; what decodes nothing more goes. */
int learner_expire(struct learner *l, struct pupil *p, const struct stream *stream)
{
	uint64_t retention_ns = stream->info.retention_seconds * 1000000000u, now = clock_realtime_ns();
	uint32_t gone = 0;
	int error = 0;

	if (p->expired_ms == 0)
		p->expired_ms = clock_monotonic_ms(); /* what a start has to catch up with comes first */
	if (clock_monotonic_ms() - p->expired_ms < EXPIRE_MS)
		return 0;
	p->expired_ms = clock_monotonic_ms();
	for (uint32_t i = 0; i < SEEN_SLOTS && !error; i++)
		if (p->seen[i].used && p->seen[i].seen_ns - p->seen[i].noted_ns >= retention_ns / SEEN_PART) {
			error = metadata_see_domain(l->metadata, p->stream_id, p->seen[i].domain, p->seen[i].seen_ns);
			p->seen[i].noted_ns = p->seen[i].seen_ns;
		}
	/* A file's worth of records stays longer than the retention time, and clocks are set back: twice the time is kept. */
	if (!error && now > 2 * retention_ns)
		error = metadata_expire_templates(l->metadata, p->stream_id, now - 2 * retention_ns, &gone);
	/* What was let go would not be news when it is announced again. */
	if (gone || p->trimmed)
		p->again = true;
	p->trimmed = false;
	return error;
}

/* ---- streams ---- */

bool learner_import(void *arg, uint64_t id, const uint8_t *saved, uint32_t length)
{
	(void)id;
	templates_import(arg, saved, length); /* what it does not take was written by something else: passed over */
	return true;
}

struct beginning {
	const struct learner *learner;
	struct pupil *pupil;
};

static bool import_and_see(void *arg, uint64_t id, const uint8_t *saved, uint32_t length)
{
	const struct beginning *b = arg;

	learner_import(b->pupil->templates, id, saved, length);
	add_seen(b->learner, b->pupil, saved, 0);
	return true;
}

void learner_forget(struct pupil *p)
{
	templates_free(p->templates);
	free(p->seen);
	p->templates = NULL;
	p->seen = NULL;
	p->seen_count = 0;
}

/* The stream is there, for the first time or as another one of its name. */
int learner_begin_pupil(struct learner *l, struct pupil *p, const struct stream *stream)
{
	struct place *places = calloc(SHARDS_MAX, sizeof *places);
	struct beginning beginning = {l, p};
	int error = places ? 0 : -ENOMEM;

	learner_forget(p);
	p->seen = calloc(SEEN_SLOTS, sizeof *p->seen);
	if (!error && !p->seen)
		error = -ENOMEM;
	if (!error)
		error = templates_create(LEARNER_BYTES, l->seed, &p->templates);
	if (!error)
		error = metadata_visit_templates(l->metadata, stream->info.id, 0, INT64_MAX, import_and_see, &beginning);
	for (uint32_t i = 0; i < stream->info.shards && !error; i++) {
		error = metadata_get_learned(l->metadata, stream->info.id, i, &places[i].next);
		if (error == -ENOENT)
			error = 0;
		if (places[i].next == 0)
			places[i].next = 1; /* the first ever given */
		places[i].durable = places[i].next;
	}
	if (!error) {
		pthread_mutex_lock(&l->lock);
		p->stream_id = stream->info.id;
		memcpy(p->places, places, sizeof p->places);
		pthread_mutex_unlock(&l->lock);
	}
	free(places);
	return error;
}
