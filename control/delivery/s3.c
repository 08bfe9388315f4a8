#include "control/delivery/s3.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "control/delivery/s3_request.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int bad_endpoint(struct s3 *s3, const char *why)
{
	snprintf(s3->error, sizeof s3->error, "endpoint \"%.150s\" %s; write http://host:port or https://host",
		 s3->config.endpoint, why);
	return -EINVAL;
}

// Splits the endpoint, and puts the bucket where the addressing style has it.
static int take_endpoint(struct s3 *s3)
{
	const struct config_s3 *config = &s3->config;
	const char *rest, *default_port;
	char host[256];
	size_t length;

	if (strncmp(config->endpoint, "http://", 7) == 0) {
		snprintf(s3->scheme, sizeof s3->scheme, "http");
		rest = config->endpoint + 7;
		default_port = ":80";
	} else if (strncmp(config->endpoint, "https://", 8) == 0) {
		snprintf(s3->scheme, sizeof s3->scheme, "https");
		rest = config->endpoint + 8;
		default_port = ":443";
	} else {
		return bad_endpoint(s3, "has no scheme");
	}
	length = strcspn(rest, "/");
	if (length == 0 || length >= sizeof host || (rest[length] == '/' && rest[length + 1] != '\0'))
		return bad_endpoint(s3, "is no host and port alone");
	if (strcspn(rest, "@?# \t") < length)
		return bad_endpoint(s3, "has more in it than a host and a port");
	snprintf(host, sizeof host, "%.*s", (int)length, rest);
	/* A client does not send its scheme's own port in the Host header, and the header is signed. */
	if (length > strlen(default_port) && strcmp(host + length - strlen(default_port), default_port) == 0)
		host[length - strlen(default_port)] = '\0';
	if (config->bucket[0] == '\0' || strchr(config->bucket, '/') != NULL) {
		snprintf(s3->error, sizeof s3->error, "bucket \"%s\" is no name of a bucket", config->bucket);
		return -EINVAL;
	}
	snprintf(s3->host, sizeof s3->host, "%s%s%s", config->virtual_host ? config->bucket : "",
		 config->virtual_host ? "." : "", host);
	snprintf(s3->path, sizeof s3->path, "/%s%s", config->virtual_host ? "" : config->bucket,
		 config->virtual_host ? "" : "/");
	return 0;
}

int s3_open(const struct config_s3 *config, struct s3 **out, char *error, size_t room)
{
	struct s3 *s3 = calloc(1, sizeof *s3);
	int result;

	if (s3 == NULL)
		return -ENOMEM;
	pthread_once(&curl_once, init_curl);
	s3->config = *config;
	s3->scope.region = s3->config.region[0] != '\0' ? s3->config.region : "us-east-1";
	s3->scope.service = "s3";
	result = take_endpoint(s3);
	if (result == 0)
		result = s3_read_credentials(s3);
	if (result == 0) {
		s3->multi = curl_multi_init();
		result = s3->multi == NULL ? -ENOMEM : 0;
	}
	if (result) {
		snprintf(error, room, "%s", s3->error[0] != '\0' ? s3->error : strerror(-result));
		s3_close(s3);
		return result;
	}
	*out = s3;
	return 0;
}

void s3_close(struct s3 *s3)
{
	if (s3 == NULL)
		return;
	if (s3->multi != NULL)
		curl_multi_cleanup(s3->multi);
	OPENSSL_cleanse(s3, sizeof *s3);
	free(s3);
}

const char *s3_error(const struct s3 *s3)
{
	return s3->error;
}

void s3_upload_reset(struct s3_upload *upload)
{
	free(upload->etags);
	*upload = (struct s3_upload){.parts = 0};
}

static int put_whole(struct s3 *s3, const struct s3_object *object, const struct s3_watch *watch)
{
	struct s3_request r = {
		.method = "PUT",
		.object = object->key,
		.metadata = object->metadata,
		.metadata_count = object->metadata_count,
		.fd = object->fd,
		.length = object->size,
	};
	int error = s3_exchange(s3, &r, watch);

	s3_end(s3, &r);
	return error;
}

int s3_put(struct s3 *s3, const struct s3_object *object, struct s3_upload *upload, const struct s3_watch *watch)
{
	if (object->size <= s3_part_bytes(s3, object->size))
		return put_whole(s3, object, watch);
	return s3_put_parts(s3, object, upload, watch);
}

int s3_head(struct s3 *s3, const char *key, uint64_t *size, const struct s3_watch *watch)
{
	struct s3_request r = {.method = "HEAD", .object = key};
	curl_off_t length = -1;
	int error = s3_exchange(s3, &r, watch);

	if (error == 0) {
		curl_easy_getinfo(r.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		*size = length >= 0 ? (uint64_t)length : 0;
		error = 1;
	} else if (r.result == CURLE_OK && r.status == 404) {
		error = 0;
	} else if (r.result == CURLE_OK && r.status == 403) {
		error = -EACCES;
	}
	s3_end(s3, &r);
	return error;
}

int s3_abort(struct s3 *s3, const char *key, const char *upload_id, const struct s3_watch *watch)
{
	struct s3_request r = {.method = "DELETE", .object = key, .query = {{"uploadId", upload_id}}, .query_count = 1};
	int error = s3_exchange(s3, &r, watch);

	if (error == -EIO && r.result == CURLE_OK && r.status == 404 && strstr(r.body, "NoSuchBucket") == NULL)
		error = 0;
	s3_end(s3, &r);
	return error;
}

int s3_abort_all(struct s3 *s3, const char *key, const struct s3_watch *watch)
{
	struct s3_request r = {
		.method = "GET", .object = "", .query = {{"prefix", key}, {"uploads", ""}}, .query_count = 2};
	char found[1100], id[S3_UPLOAD_ID_MAX];
	int error = s3_exchange(s3, &r, watch);
	const char *at = r.body != NULL ? r.body : "";

	while (error == 0 && (at = strstr(at, "<Upload>")) != NULL) {
		bool whole = s3_element(&at, "Key", found, sizeof found);
		const char *next = at;

		if (whole && s3_element(&next, "UploadId", id, sizeof id) && strcmp(found, key) == 0)
			error = s3_abort(s3, key, id, watch);
		at++;
	}
	s3_end(s3, &r);
	return error;
}
