// Objects in an S3-compatible bucket: put, put in parts, head, abort. Over libcurl, signed by sigv4.h.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/delivery/sigv4.h"

struct s3; /* opaque: one bucket and its connections, for one thread */

#define S3_UPLOAD_ID_MAX 256u
#define S3_ETAG_MAX 128u

struct s3_upload { /* a multipart upload between attempts: parts the server has need not be sent again */
	char id[S3_UPLOAD_ID_MAX]; /* "": none under way */
	uint32_t parts;
	char (*etags)[S3_ETAG_MAX]; /* malloc'ed; "": not there yet */
};

struct s3_object {
	const char *key;
	int fd;                /* its bytes from 0 on */
	uint64_t size;
	const struct sigv4_field *metadata; /* x-amz-meta-... headers */
	uint32_t metadata_count;
};

struct s3_watch {
	// Asked about five times a second; true abandons what is under way with -ECANCELED.
	bool (*cancelled)(void *context);
	// A multipart upload was begun under this id: must be durable before its first part is sent. 0 or -errno.
	int (*begun)(void *context, const char *upload_id);
	void *context;
};

// Checks the endpoint and reads the credentials. 0; -EINVAL (the endpoint); -EACCES (the file is readable by
// others), -EBADMSG (there is something else in it), -errno, with
// the reason and the remedy in `error`.
int s3_open(const struct config_s3 *config, struct s3 **out, char *error, size_t room);
void s3_close(struct s3 *s3);

// Stores an object: in one request up to part_bytes, else in parts, resuming `upload`. 0; -ECANCELED; -EIO and others
// with s3_error(). Everything may be tried again.
int s3_put(struct s3 *s3, const struct s3_object *object, struct s3_upload *upload, const struct s3_watch *watch);

// 1 with *size; 0 when there is none; -EACCES when the key may write but not read; -errno.
int s3_head(struct s3 *s3, const char *key, uint64_t *size, const struct s3_watch *watch);

// Gives up a multipart upload. 0 also when the server does not know it; -errno.
int s3_abort(struct s3 *s3, const char *key, const char *upload_id, const struct s3_watch *watch);

// Gives up every multipart upload of exactly this key. 0 or -errno.
int s3_abort_all(struct s3 *s3, const char *key, const struct s3_watch *watch);

void s3_upload_reset(struct s3_upload *upload);

// What the last failure was, for people, with the remedy where one is known.
const char *s3_error(const struct s3 *s3);
