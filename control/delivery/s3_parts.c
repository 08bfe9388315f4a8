// An object in parts: begun, its parts sent several at a time, completed; what the server has survives a failure.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/delivery/s3_request.h"

#define PART_BYTES_MIN (5ull << 20) /* S3 refuses smaller ones but the last */
#define PARTS_MAX 10000u

struct parts {
	struct s3 *s3;
	const struct s3_object *object;
	struct s3_upload *upload;
	const struct s3_watch *watch;
	uint64_t part_bytes;
	char (*numbers)[12]; /* partNumber of each request in flight */
	struct s3_request *requests;
	uint32_t room, flying, next;
	bool lost; /* the server does not know the upload (any more) */
};

uint64_t s3_part_bytes(const struct s3 *s3, uint64_t size)
{
	uint64_t bytes = s3->config.part_bytes > PART_BYTES_MIN ? s3->config.part_bytes : PART_BYTES_MIN;
	uint64_t least = (size + PARTS_MAX - 1) / PARTS_MAX;

	return bytes > least ? bytes : least;
}

static bool upload_unknown(const struct s3_request *r)
{
	return r->result == CURLE_OK && r->status == 404 && strstr(r->body, "NoSuchUpload") != NULL;
}

static int begin_upload(struct parts *p)
{
	uint32_t parts = (uint32_t)((p->object->size + p->part_bytes - 1) / p->part_bytes);
	struct s3_request r = {
		.method = "POST",
		.object = p->object->key,
		.query = {{"uploads", ""}},
		.query_count = 1,
		.metadata = p->object->metadata,
		.metadata_count = p->object->metadata_count,
		.text = "",
	};
	char id[S3_UPLOAD_ID_MAX];
	int error = s3_exchange(p->s3, &r, p->watch);

	if (error == 0) {
		const char *at = r.body;

		if (!s3_element(&at, "UploadId", id, sizeof id) || id[0] == '\0') {
			snprintf(p->s3->error, sizeof p->s3->error,
				 "POST %.150s?uploads: the answer holds no usable UploadId", p->object->key);
			error = -EIO;
		}
	}
	s3_end(p->s3, &r);
	if (error)
		return error;
	s3_upload_reset(p->upload);
	p->upload->etags = calloc(parts, sizeof *p->upload->etags);
	if (p->upload->etags != NULL)
		error = p->watch->begun != NULL ? p->watch->begun(p->watch->context, id) : 0;
	else
		error = -ENOMEM;
	if (error) {
		snprintf(p->s3->error, sizeof p->s3->error, "multipart upload of %.150s: its id could not be kept: %s",
			 p->object->key, strerror(-error));
		s3_abort(p->s3, p->object->key, id, p->watch);
		return error;
	}
	snprintf(p->upload->id, sizeof p->upload->id, "%s", id);
	p->upload->parts = parts;
	return 0;
}

static int send_part(struct parts *p, uint32_t slot, uint32_t part)
{
	uint64_t offset = part * p->part_bytes, left = p->object->size - offset;

	snprintf(p->numbers[slot], sizeof p->numbers[slot], "%u", part + 1);
	p->requests[slot] = (struct s3_request){
		.method = "PUT",
		.object = p->object->key,
		.query = {{"partNumber", p->numbers[slot]}, {"uploadId", p->upload->id}},
		.query_count = 2,
		.fd = p->object->fd,
		.offset = offset,
		.length = left < p->part_bytes ? left : p->part_bytes,
		.part = part,
	};
	p->flying++;
	return s3_begin(p->s3, &p->requests[slot]);
}

static int take_part(struct parts *p, struct s3_request *r)
{
	int error = s3_judge(p->s3, r);

	p->lost |= upload_unknown(r);
	if (error == 0 && r->etag[0] == '\0') {
		snprintf(p->s3->error, sizeof p->s3->error, "PUT %.150s part %u: the answer holds no ETag",
			 p->object->key, r->part + 1);
		error = -EIO;
	}
	if (error == 0)
		memcpy(p->upload->etags[r->part], r->etag, sizeof r->etag);
	return error;
}

// Keeps `room` parts in flight until all are there. The first failure ends it; those that arrived stay.
static int send_parts(struct parts *p)
{
	int error = 0;

	while (error == 0) {
		for (uint32_t i = 0; error == 0 && i < p->room; i++) {
			while (p->next < p->upload->parts && p->upload->etags[p->next][0] != '\0')
				p->next++;
			if (p->requests[i].easy == NULL && p->next < p->upload->parts)
				error = send_part(p, i, p->next++);
		}
		if (error || p->flying == 0)
			break;
		error = s3_turn(p->s3, p->watch);
		for (uint32_t i = 0; i < p->room; i++) {
			struct s3_request *r = &p->requests[i];

			if (r->easy == NULL || !r->finished)
				continue;
			if (error == 0)
				error = take_part(p, r);
			s3_end(p->s3, r);
			p->flying--;
		}
	}
	for (uint32_t i = 0; i < p->room; i++)
		s3_end(p->s3, &p->requests[i]);
	return error;
}

static char *completion(const struct s3_upload *upload)
{
	size_t room = 128 + upload->parts * (S3_ETAG_MAX * 6 + 80), used;
	char *text = malloc(room);

	if (text == NULL)
		return NULL;
	used = (size_t)snprintf(text, room, "<CompleteMultipartUpload>");
	for (uint32_t i = 0; i < upload->parts; i++) {
		used += (size_t)snprintf(text + used, room - used, "<Part><PartNumber>%u</PartNumber><ETag>", i + 1);
		for (const char *c = upload->etags[i]; *c != '\0'; c++) {
			char plain[2] = {*c, '\0'};
			const char *escaped = *c == '"' ? "&quot;" : *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : plain;

			used += (size_t)snprintf(text + used, room - used, "%s", escaped);
		}
		used += (size_t)snprintf(text + used, room - used, "</ETag></Part>");
	}
	snprintf(text + used, room - used, "</CompleteMultipartUpload>");
	return text;
}

// What counts is the object that stands there: its ETag in the answer may be empty, its size may not be another.
static int check_object(struct parts *p)
{
	uint64_t size = 0;
	int held = s3_head(p->s3, p->object->key, &size, p->watch);

	if (held < 0)
		return held;
	if (held > 0 && size == p->object->size)
		return 0;
	snprintf(p->s3->error, sizeof p->s3->error,
		 "%.150s: completed, but the server holds %llu bytes instead of %llu", p->object->key,
		 (unsigned long long)size, (unsigned long long)p->object->size);
	return -EIO;
}

static int complete(struct parts *p)
{
	char *text = completion(p->upload);
	struct s3_request r = {
		.method = "POST",
		.object = p->object->key,
		.query = {{"uploadId", p->upload->id}},
		.query_count = 1,
		.text = text,
	};
	int error = text != NULL ? s3_exchange(p->s3, &r, p->watch) : -ENOMEM;

	if (error == -EIO)
		p->lost = upload_unknown(&r);
	s3_end(p->s3, &r);
	free(text);
	if (error)
		return error;
	error = check_object(p);
	/* A key that may only write: then the server's word, which came without an error in it, must do. */
	return error == -EACCES ? 0 : error;
}

int s3_put_parts(struct s3 *s3, const struct s3_object *object, struct s3_upload *upload, const struct s3_watch *watch)
{
	uint32_t room = s3->config.concurrency > 0 ? s3->config.concurrency : 1;
	struct s3_request requests[CONFIG_S3_CONCURRENCY_MAX] = {{0}};
	char numbers[CONFIG_S3_CONCURRENCY_MAX][12];
	struct parts p = {
		.s3 = s3,
		.object = object,
		.upload = upload,
		.watch = watch,
		.part_bytes = s3_part_bytes(s3, object->size),
		.numbers = numbers,
		.requests = requests,
		.room = room < CONFIG_S3_CONCURRENCY_MAX ? room : CONFIG_S3_CONCURRENCY_MAX,
	};
	int error = upload->id[0] == '\0' ? begin_upload(&p) : 0;

	if (error == 0)
		error = send_parts(&p);
	if (error == 0)
		error = complete(&p);
	/* A completion whose answer was lost: the upload is gone because the object is there. */
	if (error == -EIO && p.lost) {
		s3_upload_reset(upload);
		if (check_object(&p) == 0)
			error = 0;
	}
	return error;
}
