#include "control/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "control/clock.h"
#include "control/learner_private.h"
#include "control/log.h"
#include "dataplane/codec/templates.h"

#define LOOK_MS 50u          /* between two looks at the shards' ends */
#define RETRY_MS 1000u       /* after an error */

/* 1: there is more to read at once. */
static int serve(struct learner *l, struct pupil *p)
{
	struct stream *stream = streams_hold(l->streams, p->name);
	int error = 0, more = 0;

	if (stream && clock_monotonic_ms() >= p->retry_ms) {
		if (p->stream_id != stream->info.id || p->again)
			error = learner_begin_pupil(l, p, stream);
		p->again = error < 0;
		for (uint32_t i = 0; i < stream->info.shards && error >= 0; i++) {
			error = learner_read_shard(l, p, stream->shards[i], i);
			more |= error > 0;
		}
		if (error >= 0)
			error = learner_expire(l, p, stream);
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
		learner_forget(gone);
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
	error = metadata_visit_templates(l->metadata, stream_id, 0, last, learner_import, t);
	if (error)
		templates_free(t);
	else
		*out = t;
	return error;
}
