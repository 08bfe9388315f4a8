// The dead-letter directory of a delivery: objects that ended there, each with a note beside it.
#include "control/delivery/dead_letters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/prefix.h"
#include "control/delivery/calls.h"
#include "control/delivery/directory.h"
#include "control/delivery/engine.h"

#define NOTE_MAX 16384u

// DEAD_LETTER/DELIVERY/NAME and beside it NAME.json.
static void dead_letter_name(const struct delivery *d, const struct work *w, const char *end, char *name, size_t room)
{
	snprintf(name, room, "%s/%s%s", d->config->name, w->object.name, end);
}

// Whether `bytes` more go into the dead-letter directory. It is counted anew when they would not: an operator takes
// files away. 0, -E2BIG or -errno.
static int dead_letters_take(struct delivery *d, uint64_t bytes)
{
	uint64_t most = d->config->dead_letter_bytes;
	int error;

	if (most == 0 || (d->dead_letters_counted && d->dead_letter_bytes + bytes <= most))
		return 0;
	error = directory_usage(d->config->dead_letter, d->config->name, &d->dead_letter_bytes);
	d->dead_letters_counted = error == 0;
	if (error)
		return error;
	return d->dead_letter_bytes + bytes <= most ? 0 : -E2BIG;
}

static int write_dead_object(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct directory_file file;
	struct sink sink;
	char name[1200];
	int error;

	/* Before anything is written: what is there, and what is spooled. How long others become is known behind them. */
	error = dead_letters_take(d, w->spool >= 0 ? w->spool_bytes : 1);
	if (error)
		return error;
	dead_letter_name(d, w, "", name, sizeof name);
	error = directory_create(d->config->dead_letter, name, &file);
	if (error)
		return error;
	sink = directory_sink(&file);
	error = work_produce(d, w, &sink, trouble);
	if (error == 0 && d->config->dead_letter_bytes > 0 && d->dead_letter_bytes + file.bytes > d->config->dead_letter_bytes)
		error = -E2BIG;
	if (error)
		directory_abandon(&file);
	else
		error = directory_commit(&file);
	if (error == 0)
		d->dead_letter_bytes += file.bytes;
	else if (error == -E2BIG)
		d->dead_letters_counted = false;
	return error;
}

static char *describe(const struct delivery *d, const struct work *w, const char *reason)
{
	const struct metadata_object *o = &w->object;
	char since[FORMAT_TIME_MAX], now[FORMAT_TIME_MAX];
	json_t *root;
	char *text;

	format_time(since, w->retrying_since_ns);
	format_time(now, delivery_calls.realtime_ns());
	root = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:i, s:s, s:s}", "delivery", d->config->name,
			 "stream", d->config->stream, "shard", (int)w->where.number, "object", o->name,
			 "first_sequence", (json_int_t)o->first_sequence, "last_sequence", (json_int_t)o->last_sequence,
			 "records", (json_int_t)o->records, "payload_bytes", (json_int_t)o->bytes, "gaps",
			 (json_int_t)w->gaps, "gap_records", (json_int_t)w->gap_records, "reason", reason, "attempts", (int)w->attempts, "first_failure", since, "time", now);
	text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	return text;
}

static int write_dead_note(struct delivery *d, struct work *w, const char *reason)
{
	struct directory_file file;
	struct sink sink;
	char name[1200], *text = describe(d, w, reason);
	int error;

	if (text == NULL)
		return -ENOMEM;
	dead_letter_name(d, w, ".json", name, sizeof name);
	error = directory_create(d->config->dead_letter, name, &file);
	if (error == 0) {
		sink = directory_sink(&file);
		error = sink.write(sink.handle, text, strlen(text));
		if (error == 0)
			error = sink.write(sink.handle, "\n", 1);
		if (error)
			directory_abandon(&file);
		else
			error = directory_commit(&file);
		if (error == 0)
			d->dead_letter_bytes += file.bytes;
	}
	free(text);
	return error;
}

int dead_letters_bury(struct delivery *d, struct work *w, struct trouble *trouble, const char *reason)
{
	int error = write_dead_object(d, w, trouble);

	if (error == 0)
		error = write_dead_note(d, w, reason);
	if (error == -E2BIG)
		trouble_set(trouble,
			    "dead-letter directory %s/%s holds as much as dead_letter_bytes lets it: take files away, or raise "
			    "it (the object waits; before that: %.100s)",
			    d->config->dead_letter, d->config->name, reason);
	else if (error && error != -ENODATA)
		trouble_set(trouble, "dead-letter directory %s: %s (the object waits; before that: %.100s)",
			    d->config->dead_letter, strerror(-error), reason);
	if (error == 0 && !d->dead_letters_said) {
		d->dead_letters_said = true;
		delivery_say(d, true, "%s put into %s after %u attempts: %s", w->object.name, d->config->dead_letter,
			     w->attempts, reason);
	}
	return error;
}

void dead_letters_remove(struct delivery *d, const struct work *w)
{
	char name[1200];

	if (!w->resumed)
		return;
	dead_letter_name(d, w, "", name, sizeof name);
	directory_remove(d->config->dead_letter, name);
	/* The note last: an object without one is nobody's. */
	dead_letter_name(d, w, ".json", name, sizeof name);
	directory_remove(d->config->dead_letter, name);
	d->dead_letters_counted = false;
}

/* ---- looking ---- */

struct listing {
	char **names;
	uint32_t count, room;
};

static int take_name(void *context, const char *path, uint64_t bytes)
{
	struct listing *l = context;
	size_t length = strlen(path), end = strlen(".json");
	const char *base = strrchr(path, '/');

	(void)bytes;
	base = base != NULL ? base + 1 : path;
	if (length <= end || strcmp(path + length - end, ".json") != 0 || base[0] == '.')
		return 0;
	if (l->count == l->room) {
		char **more = reallocarray(l->names, l->room ? l->room * 2 : 64, sizeof *more);

		if (more == NULL)
			return -ENOMEM;
		l->names = more;
		l->room = l->room ? l->room * 2 : 64;
	}
	l->names[l->count] = strndup(path, length - end);
	if (l->names[l->count] == NULL)
		return -ENOMEM;
	l->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int dead_letters_list(const struct config_delivery *config, char ***names, uint32_t *count)
{
	struct listing l = {0};
	int error = directory_visit(config->dead_letter, config->name, take_name, &l);

	if (error) {
		dead_letters_free(l.names, l.count);
		return error;
	}
	if (l.count > 0)
		qsort(l.names, l.count, sizeof *l.names, by_name);
	*names = l.names;
	*count = l.count;
	return 0;
}

void dead_letters_free(char **names, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int dead_letters_read(const struct config_delivery *config, const char *object, json_t **note)
{
	char name[1200], text[NOTE_MAX];
	int fd, length = snprintf(name, sizeof name, "%s/%s.json", config->name, object);
	ssize_t n;

	if ((size_t)length >= sizeof name || prefix_path_check(object) != 0)
		return -EINVAL;
	fd = directory_open(config->dead_letter, name);
	if (fd < 0)
		return fd;
	n = pread(fd, text, sizeof text, 0);
	close(fd);
	if (n < 0)
		return -EIO;
	*note = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*note) ? 0 : (json_decref(*note), -EBADMSG);
}
