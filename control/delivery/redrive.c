// Objects out of the dead letters, put to the destination after all: their name and bytes stay what they were.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/delivery/calls.h"
#include "control/delivery/dead_letters.h"
#include "control/delivery/directory.h"
#include "control/delivery/engine.h"

/*
 * Stored, then counted and remembered as redriven in one transaction, then the files removed, then forgotten. A crash in
 * front of the count has the object stored again over itself; one behind it finds it remembered, and only removes.
 */

#define FRESH_NS 5000000000ull /* a result nobody took for longer is not what the next call asks for */

struct casualty { /* a dead object */
	struct work work;  /* as if it were planned */
	struct work *home; /* its shard's, whose row counts it; NULL: of another incarnation of the stream, counted nowhere */
};

static bool take_number(const json_t *note, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(note, key);

	*out = (uint64_t)json_integer_value(value);
	return json_is_integer(value) && json_integer_value(value) >= 0;
}

// Whether the name is one that this stream, as it is now, gives to these bounds.
static bool is_ours(const struct delivery *d, const struct work *w)
{
	char middle[STREAM_NAME_MAX + 80];

	snprintf(middle, sizeof middle, "%s-%08" PRIx32 "-%012u-%020" PRIu64 "-%020" PRIu64 ".", d->config->stream,
		 d->options.identity, w->where.number, w->object.first_sequence, w->object.last_sequence);
	return strstr(w->object.name, middle) != NULL;
}

static int take_note(struct delivery *d, const char *object, struct casualty *c)
{
	struct metadata_object *o = &c->work.object;
	uint64_t shard = 0;
	json_t *note;
	int error = dead_letters_read(d->config, object, &note);

	if (error)
		return error;
	snprintf(o->name, sizeof o->name, "%s", object);
	snprintf(o->delivery, sizeof o->delivery, "%s", d->config->name);
	if (!take_number(note, "shard", &shard) || !take_number(note, "first_sequence", &o->first_sequence) ||
	    !take_number(note, "last_sequence", &o->last_sequence) || !take_number(note, "records", &o->records) ||
	    !take_number(note, "payload_bytes", &o->bytes))
		error = -EBADMSG;
	/* Notes of older versions have no gaps. */
	take_number(note, "gaps", &c->work.gaps);
	take_number(note, "gap_records", &c->work.gap_records);
	json_decref(note);
	c->work.where.number = o->shard = (uint32_t)shard;
	for (uint32_t i = 0; i < d->works_count && !error; i++)
		if (d->works[i].where.number == shard && is_ours(d, &c->work))
			c->home = &d->works[i];
	if (c->home != NULL)
		c->work.where = c->home->where;
	o->stream_id = c->work.where.stream_id;
	return error;
}

static int open_object(const struct delivery *d, struct work *w)
{
	char name[1200];
	struct stat file;

	snprintf(name, sizeof name, "%s/%s", d->config->name, w->object.name);
	w->spool = directory_open(d->config->dead_letter, name);
	if (w->spool < 0)
		return w->spool;
	if (fstat(w->spool, &file) != 0)
		return -errno;
	w->spool_bytes = (uint64_t)file.st_size;
	return 0;
}

static int count(struct delivery *d, const struct casualty *c)
{
	const struct metadata_object *o = &c->work.object;
	struct metadata_delivery row = c->home->row;
	int error;

	if (row.failed_records < o->records)
		return -ERANGE;
	row.failed_records -= o->records;
	row.delivered_records += o->records;
	row.delivered_bytes += o->bytes;
	row.delivered_objects++;
	error = d->options.journal->redrive_object(d->options.metadata, o, &row);
	if (error == 0)
		work_move(d, c->home, &row, c->home->position);
	return error;
}

static int put(struct delivery *d, struct casualty *c, struct trouble *trouble)
{
	int error = open_object(d, &c->work);

	if (error == 0)
		error = d->destination->store(d, &c->work, trouble) ? -EIO : 0; /* in words: what it is called may mean another thing */
	if (c->work.spool >= 0)
		close(c->work.spool);
	s3_upload_reset(&c->work.upload);
	return error;
}

static int redrive(struct delivery *d, const char *object, struct trouble *trouble)
{
	const struct delivery_journal *journal = d->options.journal;
	struct casualty c = {.work = {.spool = -1, .resumed = true, .redriven = true}};
	int done = 0, error = take_note(d, object, &c);

	if (error)
		return error;
	if (c.home != NULL && c.home->planned && c.home->object.first_sequence == c.work.object.first_sequence)
		return -EAGAIN;
	if (c.home != NULL)
		done = journal->is_redriven(d->options.metadata, &c.work.object);
	if (done < 0)
		return done;
	if (!done) {
		error = put(d, &c, trouble);
		if (error == 0 && c.home != NULL)
			error = count(d, &c);
	}
	if (error)
		return error;
	dead_letters_remove(d, &c.work);
	if (c.home != NULL)
		journal->forget_redriven(d->options.metadata, &c.work.object);
	return 0;
}

int redrive_step(struct delivery *d)
{
	struct redrive *r = &d->redrive;
	struct trouble trouble = {.text = ""};
	char object[sizeof r->object];
	int result;

	pthread_mutex_lock(&d->lock);
	result = r->state == REDRIVE_WANTED;
	if (result)
		snprintf(object, sizeof object, "%s", r->object);
	pthread_mutex_unlock(&d->lock);
	if (!result)
		return 0;
	result = redrive(d, object, &trouble);
	if (result && trouble.text[0] == '\0')
		trouble_set(&trouble, "%s", result == -EBADMSG ? "its note does not say what it is" :
			    result == -ERANGE ? "the ledger counts fewer failed records than it holds" : strerror(-result));
	pthread_mutex_lock(&d->lock);
	r->state = REDRIVE_DONE;
	r->result = result == -EBUSY || result == -EINPROGRESS ? -EIO : result;
	r->done_ns = delivery_calls.monotonic_ns();
	snprintf(r->reason, sizeof r->reason, "%s", result ? trouble.text : "");
	pthread_cond_broadcast(&d->wake);
	pthread_mutex_unlock(&d->lock);
	return 1;
}

// Under the lock: asks for the object unless it is asked for already. 0 or -EBUSY.
static int ask(struct delivery *d, const char *object)
{
	struct redrive *r = &d->redrive;
	bool same = strcmp(r->object, object) == 0;

	if (r->state == REDRIVE_WANTED)
		return same ? 0 : -EBUSY;
	if (r->state == REDRIVE_DONE && same && delivery_calls.monotonic_ns() - r->done_ns < FRESH_NS)
		return 0;
	snprintf(r->object, sizeof r->object, "%s", object);
	r->state = REDRIVE_WANTED;
	pthread_cond_broadcast(&d->wake);
	return 0;
}

int delivery_redrive(struct delivery *d, const char *object, uint32_t timeout_ms, char *reason, size_t room)
{
	uint64_t until = delivery_calls.monotonic_ns() + timeout_ms * 1000000ull;
	struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
	struct redrive *r = &d->redrive;
	int result;

	if (strlen(object) >= sizeof r->object)
		return -ENOENT;
	pthread_mutex_lock(&d->lock);
	result = ask(d, object);
	while (result == 0 && r->state == REDRIVE_WANTED && !d->finished)
		if (pthread_cond_timedwait(&d->wake, &d->lock, &deadline) != 0)
			break;
	if (result == 0 && r->state == REDRIVE_DONE && strcmp(r->object, object) == 0) {
		result = r->result;
		snprintf(reason, room, "%s", r->reason);
		r->state = REDRIVE_NONE;
	} else if (result == 0) {
		result = -EINPROGRESS;
	}
	pthread_mutex_unlock(&d->lock);
	return result;
}
