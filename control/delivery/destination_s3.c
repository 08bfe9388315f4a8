#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/delivery/directory.h"
#include "control/delivery/engine.h"

/* Unnamed where the file system can: a kill leaves nothing behind. */
static int open_spool(const struct delivery *d)
{
	char name[CONFIG_PATH_MAX + 32];
	int fd = open(d->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		return fd;
	snprintf(name, sizeof name, "%s/object.XXXXXX", d->spool);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(name);
	return fd;
}

static int fill_spool(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct sink sink;
	int error = 0, fd = open_spool(d);
	off_t end;

	if (fd < 0) {
		trouble_set(trouble, "spool %s: %s", d->spool, strerror(-fd));
		trouble->local = true;
		return fd;
	}
	sink = (struct sink){directory_write_all, &fd};
	error = work_produce(d, w, &sink, trouble);
	end = lseek(fd, 0, SEEK_CUR);
	if (error == 0 && end < 0)
		error = -errno;
	if (error) {
		if (error != -ENODATA && !trouble->local)
			trouble_set(trouble, "spool %s: %s", d->spool, strerror(-error));
		trouble->local = true;
		close(fd);
		return error;
	}
	w->spool = fd;
	w->spool_bytes = (uint64_t)end;
	return 0;
}

struct upload_watch {
	struct delivery *d;
	struct work *w;
};

static bool cancelled(void *context)
{
	const struct upload_watch *u = context;

	return delivery_cancelled(u->d);
}

static int begun(void *context, const char *upload_id)
{
	const struct upload_watch *u = context;

	snprintf(u->w->object.upload_id, sizeof u->w->object.upload_id, "%s", upload_id);
	if (u->w->redriven)
		return 0; /* cut off, it is found by its name the next time */
	return u->d->options.journal->set_upload(u->d->options.metadata, &u->w->object);
}

static int told(struct delivery *d, struct trouble *trouble, int error)
{
	if (error && error != -ECANCELED)
		trouble_set(trouble, "%s", s3_error(d->s3));
	return error;
}

/* What an earlier run began it cannot go on with, its parts' ETags died with it: no part is left to be paid for. */
static int abort_stale(struct delivery *d, struct work *w, const struct s3_watch *watch, struct trouble *trouble)
{
	int error;

	if (!w->resumed || w->stale_aborted)
		return 0;
	if (w->object.upload_id[0] != '\0') {
		error = s3_abort(d->s3, w->object.name, w->object.upload_id, watch);
		if (error)
			return told(d, trouble, error);
		w->object.upload_id[0] = '\0';
		error = d->options.journal->set_upload(d->options.metadata, &w->object);
		if (error) {
			trouble_set(trouble, "metadata: %s", strerror(-error));
			trouble->local = true;
			return error;
		}
	}
	/* One may have been begun whose id never reached the journal. Keys that may not list uploads still deliver. */
	if (s3_abort_all(d->s3, w->object.name, watch) == -ECANCELED)
		return -ECANCELED;
	w->stale_aborted = true;
	return 0;
}

static int store(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct upload_watch context = {d, w};
	const struct s3_watch watch = {cancelled, begun, &context};
	char text[5][24];
	const struct sigv4_field metadata[] = {
		{"x-amz-meta-penstock-first-sequence", text[0]}, {"x-amz-meta-penstock-last-sequence", text[1]},
		{"x-amz-meta-penstock-records", text[2]},        {"x-amz-meta-penstock-gaps", text[3]},
		{"x-amz-meta-penstock-gap-records", text[4]},
	};
	struct s3_object object = {.key = w->object.name, .metadata = metadata, .metadata_count = 5};
	int error = w->spool >= 0 ? 0 : fill_spool(d, w, trouble);

	if (error == 0)
		error = abort_stale(d, w, &watch, trouble);
	if (error)
		return error;
	snprintf(text[0], sizeof text[0], "%" PRIu64, w->object.first_sequence);
	snprintf(text[1], sizeof text[1], "%" PRIu64, w->object.last_sequence);
	snprintf(text[2], sizeof text[2], "%" PRIu64, w->object.records);
	snprintf(text[3], sizeof text[3], "%" PRIu64, w->gaps);
	snprintf(text[4], sizeof text[4], "%" PRIu64, w->gap_records);
	object.fd = w->spool;
	object.size = w->spool_bytes;
	return told(d, trouble, s3_put(d->s3, &object, &w->upload, &watch));
}

static int holds(struct delivery *d, struct work *w, struct trouble *trouble)
{
	struct upload_watch context = {d, w};
	const struct s3_watch watch = {cancelled, begun, &context};
	uint64_t size;
	int held = s3_head(d->s3, w->object.name, &size, &watch);

	return held < 0 ? told(d, trouble, held) : held;
}

static void abandon(struct delivery *d, struct work *w)
{
	struct upload_watch context = {d, w};
	const struct s3_watch watch = {cancelled, begun, &context};

	if (w->object.upload_id[0] != '\0')
		s3_abort(d->s3, w->object.name, w->object.upload_id, &watch);
}

const struct destination destination_s3 = {store, holds, abandon};
