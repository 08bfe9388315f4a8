// One S3 request: signed, sent, its answer judged.
#include "control/delivery/s3_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "control/delivery/calls.h"

#define CONNECT_SECONDS 10L
#define STALLED_SECONDS 30L /* without a byte moving */
#define TURN_MS 200

/* ---- signing ---- */

static int hash_body(const struct s3_request *r, char hex[SIGV4_HEX_BYTES])
{
	struct sigv4_hash *hash;
	char bytes[32768];
	int error;

	if (r->text != NULL)
		return sigv4_hash_bytes(r->text, strlen(r->text), hex);
	error = sigv4_hash_begin(&hash);
	if (error)
		return error;
	for (uint64_t at = 0; error == 0 && at < r->length;) {
		size_t want = r->length - at < sizeof bytes ? (size_t)(r->length - at) : sizeof bytes;
		ssize_t n = pread(r->fd, bytes, want, (off_t)(r->offset + at));

		if (n <= 0)
			error = n < 0 ? -errno : -EIO;
		else
			error = sigv4_hash_add(hash, bytes, (size_t)n);
		at += n > 0 ? (uint64_t)n : 0;
	}
	return sigv4_hash_end(hash, hex) != 0 && error == 0 ? -EIO : error;
}

static int add_header(struct s3_request *r, const char *name, const char *value)
{
	char line[2400];
	struct curl_slist *more;

	if ((size_t)snprintf(line, sizeof line, "%s: %s", name, value) >= sizeof line)
		return -ENOSPC;
	more = curl_slist_append(r->headers, line);
	if (more == NULL)
		return -ENOMEM;
	r->headers = more;
	return 0;
}

static int sign(struct s3 *s3, struct s3_request *r, const char *path)
{
	struct sigv4_field headers[S3_HEADERS_MAX];
	char hash[SIGV4_HEX_BYTES], authorization[1200];
	struct sigv4_request request = {r->method, path, false, r->query, r->query_count, headers, 0, hash};
	size_t n = 0;
	int error = hash_body(r, hash);

	if (error)
		return error;
	sigv4_time(&s3->scope, delivery_calls.realtime_ns());
	if (strncmp(s3->key_date, s3->scope.time, 8) != 0) {
		error = sigv4_key(s3->secret, &s3->scope, s3->key);
		if (error)
			return error;
		snprintf(s3->key_date, sizeof s3->key_date, "%.8s", s3->scope.time);
	}
	headers[n++] = (struct sigv4_field){"host", s3->host};
	headers[n++] = (struct sigv4_field){"x-amz-content-sha256", hash};
	headers[n++] = (struct sigv4_field){"x-amz-date", s3->scope.time};
	if (s3->token[0] != '\0')
		headers[n++] = (struct sigv4_field){"x-amz-security-token", s3->token};
	for (size_t i = 0; i < r->metadata_count && n < S3_HEADERS_MAX; i++)
		headers[n++] = r->metadata[i];
	request.headers_count = n;
	error = sigv4_authorization(&request, &s3->scope, s3->access_key, s3->key, authorization, sizeof authorization);
	/* The host header is curl's own, from the address. */
	for (size_t i = 1; error == 0 && i < n; i++)
		error = add_header(r, headers[i].name, headers[i].value);
	if (error == 0)
		error = add_header(r, "Authorization", authorization);
	/* No waiting for "100 Continue"; removed from what is sent, and never signed. */
	return error ? error : add_header(r, "Expect", "");
}

/* ---- curl's callbacks ---- */

static size_t give_body(char *out, size_t size, size_t count, void *context)
{
	struct s3_request *r = context;
	uint64_t left = r->length - r->sent;
	size_t want = size * count < left ? size * count : (size_t)left;
	ssize_t n;

	if (want == 0)
		return 0;
	n = pread(r->fd, out, want, (off_t)(r->offset + r->sent));
	if (n <= 0)
		return CURL_READFUNC_ABORT;
	r->sent += (uint64_t)n;
	return (size_t)n;
}

static int seek_body(void *context, curl_off_t offset, int origin)
{
	struct s3_request *r = context;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->length)
		return CURL_SEEKFUNC_CANTSEEK;
	r->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct s3_request *r = context;
	size_t length = size * count,
	       keep = S3_BODY_MAX - r->body_length < length ? S3_BODY_MAX - r->body_length : length;
	char *more = realloc(r->body, r->body_length + keep + 1);

	if (more == NULL)
		return 0;
	memcpy(more + r->body_length, bytes, keep);
	r->body = more;
	r->body_length += keep;
	r->body[r->body_length] = '\0';
	return length;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context)
{
	struct s3_request *r = context;
	size_t length = size * count, used;
	const char *value = bytes + 5;

	if (length > 5 && strncasecmp(bytes, "etag:", 5) == 0) {
		size_t left = length - 5;

		while (left > 0 && *value == ' ') {
			value++;
			left--;
		}
		for (used = 0; used < left && value[used] > ' '; used++)
			;
		if (used < sizeof r->etag) {
			memcpy(r->etag, value, used);
			r->etag[used] = '\0';
		}
	}
	return length;
}

/* ---- requests ---- */

static void set_body(struct s3_request *r)
{
	CURL *e = r->easy;

	if (strcmp(r->method, "PUT") == 0) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->length);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body);
		curl_easy_setopt(e, CURLOPT_READDATA, r);
		curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(e, CURLOPT_SEEKDATA, r);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
	} else if (strcmp(r->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->text != NULL ? r->text : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, r->text != NULL ? (long)strlen(r->text) : 0L);
	} else if (strcmp(r->method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (strcmp(r->method, "GET") != 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
	}
}

static void set_transport(struct s3 *s3, struct s3_request *r, const char *url)
{
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name server that does not answer holds no stop up */
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, STALLED_SECONDS);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "penstock");
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->curl_error);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (s3->config.ca_file[0] != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, s3->config.ca_file);
}

// scheme://host/path?query, encoded exactly as it is signed.
static int make_url(const struct s3 *s3, const struct s3_request *r, const char *path, char *url, size_t room)
{
	size_t used = (size_t)snprintf(url, room, "%s://%s", s3->scheme, s3->host);
	int error;

	if (used >= room)
		return -ENOSPC;
	error = sigv4_encode(path, true, url + used, room - used);
	if (error || r->query_count == 0)
		return error;
	used = strlen(url);
	if (used + 2 > room)
		return -ENOSPC;
	url[used++] = '?';
	return sigv4_query(r->query, r->query_count, url + used, room - used);
}

int s3_begin(struct s3 *s3, struct s3_request *r)
{
	char path[80 + 1024], url[8192];
	int error = 0;

	r->status = 0;
	r->etag[0] = r->curl_error[0] = '\0';
	r->body_length = 0;
	r->sent = 0;
	r->finished = false;
	r->headers = NULL;
	r->easy = curl_easy_init();
	r->body = calloc(1, 1);
	snprintf(path, sizeof path, "%s%s", s3->path, r->object);
	if (r->easy == NULL || r->body == NULL)
		error = -ENOMEM;
	if (error == 0 && s3->credentials_stale) {
		error = s3_read_credentials(s3);
		if (error)
			return error;
		s3->credentials_stale = false;
	}
	if (error == 0)
		error = sign(s3, r, path);
	if (error == 0)
		error = make_url(s3, r, path, url, sizeof url);
	if (error == 0) {
		set_transport(s3, r, url);
		set_body(r);
		if (curl_multi_add_handle(s3->multi, r->easy) != CURLM_OK)
			error = -EIO;
	}
	if (error)
		snprintf(s3->error, sizeof s3->error, "%s %s: %s", r->method, r->object, strerror(-error));
	return error;
}

int s3_turn(struct s3 *s3, const struct s3_watch *watch)
{
	struct CURLMsg *message;
	bool finished = false;
	int running, left;

	if (watch->cancelled != NULL && watch->cancelled(watch->context))
		return -ECANCELED;
	curl_multi_perform(s3->multi, &running);
	while ((message = curl_multi_info_read(s3->multi, &left)) != NULL) {
		struct s3_request *r = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		r->result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &r->status);
		r->finished = true;
		finished = true;
	}
	if (!finished)
		curl_multi_poll(s3->multi, NULL, 0, TURN_MS, NULL);
	return 0;
}

void s3_end(struct s3 *s3, struct s3_request *r)
{
	if (r->easy != NULL) {
		curl_multi_remove_handle(s3->multi, r->easy);
		curl_easy_cleanup(r->easy);
	}
	curl_slist_free_all(r->headers);
	free(r->body);
	r->easy = NULL;
	r->headers = NULL;
	r->body = NULL;
}

/* ---- answers ---- */

static const char *remedy(const char *code, long status)
{
	static const struct {
		const char *code, *text;
	} known[] = {
		{"SignatureDoesNotMatch",
		 "the secret in access_key_file is not this access key's (or region is wrong)"},
		{"InvalidAccessKeyId", "the server does not know the access key in access_key_file"},
		{"AccessDenied", "allow this key s3:PutObject and s3:AbortMultipartUpload on the bucket"},
		{"NoSuchBucket", "create the bucket or correct `bucket`"},
		{"RequestTimeTooSkewed", "set this host's clock (chrony or ntp)"},
		{"ExpiredToken", "renew the session token in access_key_file"},
		{"AuthorizationHeaderMalformed", "correct `region`"},
		{"PermanentRedirect", "the bucket is in another region: correct `endpoint` and `region`"},
		{"SlowDown", "the server asks for less; trying again more slowly"},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].code, code) == 0)
			return known[i].text;
	if (status == 301 || status == 307)
		return "the bucket is elsewhere: correct `endpoint` and `region`";
	if (status == 403)
		return "check access_key_file and the key's rights on the bucket";
	return status == 404 ? "check `endpoint` and `bucket`" : NULL;
}

static const char *transport_remedy(CURLcode result)
{
	switch (result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "check the name in `endpoint`, and this host's resolver";
	case CURLE_COULDNT_CONNECT:
		return "is the server up, and `endpoint` its address?";
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return "give the authority that signed the server's certificate as `ca_file`";
	default:
		return NULL;
	}
}

int s3_judge(struct s3 *s3, struct s3_request *r)
{
	char code[80] = "", message[160] = "";
	const char *at = r->body, *advice;

	if (r->result != CURLE_OK) {
		advice = transport_remedy(r->result);
		snprintf(s3->error, sizeof s3->error, "%s %s://%.100s: %.120s%s%s", r->method, s3->scheme, s3->host,
			 r->curl_error[0] != '\0' ? r->curl_error : curl_easy_strerror(r->result), advice ? "; " : "",
			 advice ? advice : "");
		return -EIO;
	}
	/* Completing may fail after the server has said 200. */
	if (r->status >= 200 && r->status < 300 && (r->body_length == 0 || strstr(r->body, "<Error>") == NULL))
		return 0;
	s3_element(&at, "Code", code, sizeof code);
	at = r->body;
	s3_element(&at, "Message", message, sizeof message);
	if (r->status == 403 || r->status == 401 || r->status == 400)
		s3->credentials_stale = true;
	advice = remedy(code, r->status);
	snprintf(s3->error, sizeof s3->error, "%s %s://%.100s%.70s: HTTP %ld %s%s%.80s%s%s", r->method, s3->scheme,
		 s3->host, s3->path, r->status, code, message[0] != '\0' ? ": " : "", message, advice ? "; " : "",
		 advice ? advice : "");
	return -EIO;
}

int s3_exchange(struct s3 *s3, struct s3_request *r, const struct s3_watch *watch)
{
	int error = s3_begin(s3, r);

	while (error == 0 && !r->finished)
		error = s3_turn(s3, watch);
	return error ? error : s3_judge(s3, r);
}
