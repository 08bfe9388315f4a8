// The learner's insides, shared by its two files.
#pragma once

#include <pthread.h>

#include "control/learner.h"

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

// learner_read.c: what is kept of the stream into memory, and where its shards go on. 0 or -errno.
int learner_begin_pupil(struct learner *learner, struct pupil *pupil, const struct stream *stream);

// learner_read.c: one shard up to its end, or some batches of it. 1: there is more; 0; -errno.
int learner_read_shard(struct learner *learner, struct pupil *pupil, struct shard *shard, uint32_t number);

// learner_read.c: now and then, lets go of what decodes nothing that is retained. 0 or -errno.
int learner_expire(struct learner *learner, struct pupil *pupil, const struct stream *stream);

// learner_read.c: gives the pupil's memory back.
void learner_forget(struct pupil *pupil);

// learner_read.c: for metadata_visit_templates(): into the struct codec_templates `arg`.
bool learner_import(void *arg, uint64_t id, const uint8_t *saved, uint32_t length);
