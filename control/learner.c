#include "control/learner.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>

#include "control/clock.h"
#include "control/delivery/batch_walk.h"
#include "control/log.h"
#include "dataplane/codec/netflow.h"
#include "dataplane/codec/templates.h"

#define LOOK_MS 50u          /* between two looks at the shards' ends */
#define BATCHES_AT_ONCE 64   /* of a shard, then the others have their turn */
#define NOTE_MS 2000u        /* a place that moved without news is made durable this late */
#define EXPIRE_MS 60000u
#define SEEN_PART 8u         /* an exporter that goes on is noted this often in the retention time */
#define SEEN_SLOTS 8192u     /* a power of two; half as many exporters are noted, all are decoded */
#define RETRY_MS 1000u       /* after an error */
#define SAVED_AT_ONCE 256u   /* definitions in one transaction, then the rest */

struct seen { /* an exporter's domain, in a table that is searched from its hash on */
	bool used;
	uint8_t domain[TEMPLATE_DOMAIN_BYTES];
	uint64_t seen_ns, noted_ns; /* arrival times */
};

struct place { /* of one shard */
	uint64_t next;      /* learned up to here */
	uint64_t durable;   /* and that is known after a crash */
	uint64_t noted_ms;
};

struct pupil { /* a stream that is read; its thread's but where marked (l) */
	char name[STREAM_NAME_MAX + 1]; /* (l) constant */
	bool wanted;                    /* (l) */
	bool looked;                    /* (l) the thread has been there */
	uint64_t stream_id;             /* (l) 0: there is none; changes when the stream is made again */
	struct place places[SHARDS_MAX]; /* (l) written under the lock */
	struct codec_templates *templates;
	struct seen *seen;
	uint32_t seen_count;
	uint64_t expired_ms, retry_ms;
	bool again;      /* what is in memory may not be what is kept: begin anew */
	bool trimmed;    /* the same, but there is no hurry */
	int said;        /* the error last logged */
	struct pupil *next; /* (l) */
};

struct learner {
	struct metadata *metadata;
	struct streams *streams;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool threaded, stop;    /* (l) */
	struct pupil *pupils;   /* (l) only the thread takes away */
	uint64_t last;          /* (l) metadata_last_template() */
	uint64_t seed;
};

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
static int read_shard(struct learner *l, struct pupil *p, struct shard *shard, uint32_t number)
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
static int expire(struct learner *l, struct pupil *p, const struct stream *stream)
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

static bool import(void *arg, uint64_t id, const uint8_t *saved, uint32_t length)
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

	import(b->pupil->templates, id, saved, length);
	add_seen(b->learner, b->pupil, saved, 0);
	return true;
}

static void forget(struct pupil *p)
{
	templates_free(p->templates);
	free(p->seen);
	p->templates = NULL;
	p->seen = NULL;
	p->seen_count = 0;
}

/* The stream is there, for the first time or as another one of its name. */
static int begin(struct learner *l, struct pupil *p, const struct stream *stream)
{
	struct place *places = calloc(SHARDS_MAX, sizeof *places);
	struct beginning beginning = {l, p};
	int error = places ? 0 : -ENOMEM;

	forget(p);
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

/* 1: there is more to read at once. */
static int serve(struct learner *l, struct pupil *p)
{
	struct stream *stream = streams_hold(l->streams, p->name);
	int error = 0, more = 0;

	if (stream && clock_monotonic_ms() >= p->retry_ms) {
		if (p->stream_id != stream->info.id || p->again)
			error = begin(l, p, stream);
		p->again = error < 0;
		for (uint32_t i = 0; i < stream->info.shards && error >= 0; i++) {
			error = read_shard(l, p, stream->shards[i], i);
			more |= error > 0;
		}
		if (error >= 0)
			error = expire(l, p, stream);
		p->again |= error < 0; /* what was to be kept is learned again */
		p->retry_ms = error < 0 ? clock_monotonic_ms() + RETRY_MS : 0;
		if (error < 0 && error != p->said)
			log_warning("stream %s: its flow templates cannot be learned now: %s; tried again", p->name,
				    strerror(-error));
		p->said = error < 0 ? error : 0;
	}
	if (stream)
		streams_release(l->streams, stream);
	pthread_mutex_lock(&l->lock);
	p->looked = true;
	if (!stream)
		p->stream_id = 0;
	pthread_mutex_unlock(&l->lock);
	return error < 0 ? 0 : more;
}

/* Takes away those that are no longer wanted, and names the one behind `after` (NULL: the first). Under the lock. */
static struct pupil *next_pupil(struct learner *l, struct pupil *after)
{
	struct pupil **link = after ? &after->next : &l->pupils;

	while (*link && !(*link)->wanted) {
		struct pupil *gone = *link;

		*link = gone->next;
		forget(gone);
		free(gone);
	}
	return *link;
}

static void *run(void *arg)
{
	struct learner *l = arg;

	pthread_mutex_lock(&l->lock);
	while (!l->stop) {
		struct pupil *p = NULL;
		int more = 0;

		while ((p = next_pupil(l, p)) != NULL && !l->stop) {
			pthread_mutex_unlock(&l->lock);
			more |= serve(l, p);
			pthread_mutex_lock(&l->lock);
		}
		if (!l->stop && !more) {
			uint64_t until = clock_monotonic_ms() + LOOK_MS;
			struct timespec t = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};

			if (l->pupils)
				pthread_cond_timedwait(&l->wake, &l->lock, &t);
			else
				pthread_cond_wait(&l->wake, &l->lock);
		}
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

int learner_open(const struct config *config, struct metadata *metadata, struct learner **out)
{
	struct learner *l = calloc(1, sizeof *l);
	pthread_condattr_t attributes;
	int error;

	if (!l)
		return -ENOMEM;
	l->metadata = metadata;
	if (getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK) != sizeof l->seed)
		l->seed = clock_realtime_ns();
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	(void)metadata_last_template(metadata, &l->last); /* what the disk refuses is read again with the first news */
	error = learner_configure(l, config);
	if (error)
		learner_close(l);
	else
		*out = l;
	return error;
}

int learner_begin(struct learner *l, struct streams *streams)
{
	l->streams = streams;
	l->threaded = pthread_create(&l->thread, NULL, run, l) == 0;
	return l->threaded ? 0 : -ENOMEM;
}

void learner_close(struct learner *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	if (l->threaded)
		pthread_join(l->thread, NULL);
	for (struct pupil *p = l->pupils; p; p = p->next)
		p->wanted = false;
	next_pupil(l, NULL);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct pupil *find(struct learner *l, const char *name)
{
	struct pupil *p = l->pupils;

	while (p && strcmp(p->name, name) != 0)
		p = p->next;
	return p;
}

/* The streams that flows go to, some perhaps twice. */
static uint32_t list_streams(const struct config *config, const char **names)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->inputs_count; i++)
		if (config->inputs[i].codec == CODEC_NETFLOW)
			names[count++] = config->inputs[i].stream;
	for (uint32_t i = 0; i < config->rules_count; i++)
		if (config->rules[i].verdict == VERDICT_ROUTE && config->inputs[config->rules[i].input_index].codec == CODEC_NETFLOW)
			names[count++] = config->rules[i].stream;
	return count;
}

int learner_configure(struct learner *l, const struct config *config)
{
	const char *names[INPUTS_MAX + CONFIG_RULES_MAX];
	struct pupil **fresh;
	uint32_t count = list_streams(config, names);

	fresh = calloc(count + 1, sizeof(struct pupil *));
	for (uint32_t i = 0; fresh && i < count; i++) {
		fresh[i] = calloc(1, sizeof **fresh);
		if (!fresh[i]) {
			while (i > 0)
				free(fresh[--i]);
			free(fresh);
			fresh = NULL;
			break;
		}
		memcpy(fresh[i]->name, names[i], strlen(names[i]) + 1);
	}
	if (!fresh)
		return -ENOMEM;
	pthread_mutex_lock(&l->lock);
	for (struct pupil *p = l->pupils; p; p = p->next)
		p->wanted = false;
	for (uint32_t i = 0; i < count; i++) {
		struct pupil *known = find(l, fresh[i]->name);

		if (known) {
			known->wanted = true;
			free(fresh[i]);
			continue;
		}
		fresh[i]->wanted = true;
		fresh[i]->next = l->pupils;
		l->pupils = fresh[i];
	}
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	free(fresh);
	return 0;
}

/* ---- asking ---- */

bool learner_passed(void *learner, uint64_t stream_id, uint32_t shard, uint64_t sequence, uint64_t *last)
{
	struct learner *l = learner;
	bool passed = true;

	pthread_mutex_lock(&l->lock);
	*last = l->last;
	for (const struct pupil *p = l->pupils; p; p = p->next)
		if (p->wanted && (!p->looked || (p->stream_id == stream_id && shard < SHARDS_MAX &&
						 p->places[shard].next < sequence)))
			passed = false;
	pthread_mutex_unlock(&l->lock);
	return passed;
}

int learner_load(void *learner, uint64_t stream_id, uint64_t last, struct codec_templates **out)
{
	struct learner *l = learner;
	struct codec_templates *t;
	int error = templates_create(LEARNER_BYTES, l->seed, &t);

	if (error)
		return error;
	error = metadata_visit_templates(l->metadata, stream_id, 0, last, import, t);
	if (error)
		templates_free(t);
	else
		*out = t;
	return error;
}
