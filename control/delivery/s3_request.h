// Inside the S3 client: one signed request after another, or several at once, over a curl multi handle.
#pragma once

#include <curl/curl.h>
#include <stddef.h>

#include "control/delivery/s3.h"

#define S3_BODY_MAX (256u << 10) /* of an answer; longer ones are cut */
#define S3_QUERY_MAX 4u
#define S3_HEADERS_MAX 12u

struct s3 {
	struct config_s3 config;
	char scheme[8], host[320]; /* host: as in the Host header, bucket included when it is virtual */
	char path[80];             /* "/" or "/bucket/" */
	char access_key[160], secret[256], token[2048];
	bool credentials_stale;    /* refused by the server: read the file again first */
	struct sigv4_scope scope;
	uint8_t key[SIGV4_KEY_BYTES];
	char key_date[9];
	CURLM *multi;
	char error[512];
};

struct s3_request {
	/* set by the caller */
	const char *method, *object; /* object key, "" for the bucket */
	struct sigv4_field query[S3_QUERY_MAX];
	size_t query_count;
	const struct sigv4_field *metadata;
	size_t metadata_count;
	const char *text;            /* body from memory, or */
	int fd;                      /* from a file, */
	uint64_t offset, length;     /* these bytes of it */
	uint32_t part;               /* for the caller */

	/* the answer */
	long status;                 /* HTTP's, 0 when none came */
	CURLcode result;
	char etag[S3_ETAG_MAX];
	char *body;                  /* terminated, never NULL after the request ended */
	size_t body_length;
	char curl_error[CURL_ERROR_SIZE];

	/* private */
	CURL *easy;
	struct curl_slist *headers;
	uint64_t sent;
	bool finished;
};

// Signs and sends. 0 or -errno (s3->error set). Must be ended.
int s3_begin(struct s3 *s3, struct s3_request *r);

// Lets the requests under way move; returns after at most 200 ms, or when one finished. 0; -ECANCELED.
int s3_turn(struct s3 *s3, const struct s3_watch *watch);

// Frees what the request holds; aborts it when it is not finished.
void s3_end(struct s3 *s3, struct s3_request *r);

// Begin, turn until finished: 0 when an answer with status below 300 came, else -EIO with s3->error set; -ECANCELED.
// Must be ended in every case.
int s3_exchange(struct s3 *s3, struct s3_request *r, const struct s3_watch *watch);

// Judges a finished request: as s3_exchange().
int s3_judge(struct s3 *s3, struct s3_request *r);

// The text of the first <name> from `*at` on, entities decoded; *at moves behind it. False: none, or too long.
bool s3_element(const char **at, const char *name, char *out, size_t room);

// s3_credentials.c: two lines, a third for a session token. 0 or -errno with s3->error set.
int s3_read_credentials(struct s3 *s3);

// s3_parts.c: how large the parts of an object of `size` bytes are; and s3_put() for one of more than one part.
uint64_t s3_part_bytes(const struct s3 *s3, uint64_t size);
int s3_put_parts(struct s3 *s3, const struct s3_object *object, struct s3_upload *upload, const struct s3_watch *watch);
