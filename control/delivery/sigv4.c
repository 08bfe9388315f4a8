#include "control/delivery/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct text { /* appends to a caller's buffer; too little room is found at the end */
	char *at, *end;
	bool overflow;
};

static struct text text_begin(char *out, size_t room)
{
	return (struct text){out, out + room, room == 0};
}

static void put(struct text *t, const char *bytes, size_t length)
{
	if (t->overflow || length >= (size_t)(t->end - t->at)) {
		t->overflow = true;
		return;
	}
	memcpy(t->at, bytes, length);
	t->at += length;
}

static void put_text(struct text *t, const char *bytes)
{
	put(t, bytes, strlen(bytes));
}

static int text_end(struct text *t)
{
	if (t->overflow)
		return -ENOSPC;
	*t->at = '\0';
	return 0;
}

static void put_encoded(struct text *t, const char *s, bool slashes)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;
		char escape[3] = {'%', digits[c >> 4], digits[c & 15]};

		if ((c < 0x80 && isalnum(c)) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && slashes))
			put(t, s, 1);
		else
			put(t, escape, 3);
	}
}

int sigv4_encode(const char *text, bool slashes, char *out, size_t room)
{
	struct text t = text_begin(out, room);

	put_encoded(&t, text, slashes);
	return text_end(&t);
}

static int compare_fields(const void *a, const void *b)
{
	const struct sigv4_field *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

static void put_sorted(struct text *t, struct sigv4_field *fields, size_t count)
{
	qsort(fields, count, sizeof *fields, compare_fields);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			put(t, "&", 1);
		put_text(t, fields[i].name);
		put(t, "=", 1);
		put_text(t, fields[i].value);
	}
}

int sigv4_query(const struct sigv4_field *query, size_t count, char *out, size_t room)
{
	/* Sorted by what is sent, not by what it stands for: encode first. */
	struct sigv4_field *encoded = calloc(count + 1, sizeof *encoded);
	struct text t = text_begin(out, room);
	size_t scratch_bytes = 2;
	struct text s;
	char *scratch;

	for (size_t i = 0; i < count; i++)
		scratch_bytes += 3 * (strlen(query[i].name) + strlen(query[i].value)) + 2;
	scratch = malloc(scratch_bytes);
	if (encoded == NULL || scratch == NULL) {
		free(encoded);
		free(scratch);
		return -ENOMEM;
	}
	s = text_begin(scratch, scratch_bytes);
	for (size_t i = 0; i < count; i++) {
		encoded[i].name = s.at;
		put_encoded(&s, query[i].name, false);
		put(&s, "", 1);
		encoded[i].value = s.at;
		put_encoded(&s, query[i].value, false);
		put(&s, "", 1);
	}
	put_sorted(&t, encoded, count);
	free(encoded);
	free(scratch);
	return text_end(&t);
}

struct header {
	char name[128]; /* lower case */
	const char *value;
	size_t order;
};

static int compare_headers(const void *a, const void *b)
{
	const struct header *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : x->order < y->order ? -1 : x->order > y->order;
}

// Without blanks at the ends, and runs of blanks inside as one.
static void put_trimmed(struct text *t, const char *value)
{
	bool blank = false, begun = false;

	for (; *value != '\0'; value++) {
		if (*value == ' ' || *value == '\t') {
			blank = true;
			continue;
		}
		if (blank && begun)
			put(t, " ", 1);
		put(t, value, 1);
		begun = true;
		blank = false;
	}
}

static int put_headers(struct text *t, struct text *names, const struct sigv4_request *request)
{
	struct header *headers = calloc(request->headers_count + 1, sizeof *headers);

	if (headers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < request->headers_count; i++) {
		size_t length = strlen(request->headers[i].name);

		if (length >= sizeof headers[i].name)
			t->overflow = true;
		for (size_t c = 0; c < length && c < sizeof headers[i].name - 1; c++)
			headers[i].name[c] = (char)tolower((unsigned char)request->headers[i].name[c]);
		headers[i].value = request->headers[i].value;
		headers[i].order = i;
	}
	qsort(headers, request->headers_count, sizeof *headers, compare_headers);
	for (size_t i = 0; i < request->headers_count; i++) {
		bool again = i > 0 && strcmp(headers[i].name, headers[i - 1].name) == 0;

		if (again) {
			put(t, ",", 1);
		} else {
			if (i > 0) {
				put(t, "\n", 1);
				put(names, ";", 1);
			}
			put_text(t, headers[i].name);
			put(t, ":", 1);
			put_text(names, headers[i].name);
		}
		put_trimmed(t, headers[i].value);
	}
	put(t, "\n", 1);
	free(headers);
	return text_end(names);
}

static int put_path(struct text *t, const struct sigv4_request *request)
{
	size_t room = 3 * strlen(request->path) + 1;
	char *once;
	int error;

	if (!request->encode_twice) {
		put_encoded(t, request->path, true);
		return 0;
	}
	once = malloc(room);
	if (once == NULL)
		return -ENOMEM;
	error = sigv4_encode(request->path, true, once, room);
	put_encoded(t, once, true);
	free(once);
	return error;
}

int sigv4_canonical(const struct sigv4_request *request, char *text, size_t room, char *names, size_t names_room)
{
	struct text t = text_begin(text, room), n = text_begin(names, names_room);
	int error;

	put_text(&t, request->method);
	put(&t, "\n", 1);
	error = put_path(&t, request);
	if (error)
		return error;
	put(&t, "\n", 1);
	if (t.overflow)
		return -ENOSPC;
	error = sigv4_query(request->query, request->query_count, t.at, (size_t)(t.end - t.at));
	if (error)
		return error;
	t.at += strlen(t.at);
	put(&t, "\n", 1);
	error = put_headers(&t, &n, request);
	if (error)
		return error;
	put(&t, "\n", 1);
	put_text(&t, names);
	put(&t, "\n", 1);
	put_text(&t, request->payload_hash);
	return text_end(&t);
}

static int hmac(const void *key, size_t key_length, const char *text, uint8_t out[SIGV4_KEY_BYTES])
{
	unsigned length = SIGV4_KEY_BYTES;

	return HMAC(EVP_sha256(), key, (int)key_length, (const uint8_t *)text, strlen(text), out, &length) ? 0 : -EIO;
}

int sigv4_key(const char *secret, const struct sigv4_scope *scope, uint8_t key[SIGV4_KEY_BYTES])
{
	char first[4 + 512], date[9];
	int length = snprintf(first, sizeof first, "AWS4%s", secret), error;

	if ((size_t)length >= sizeof first)
		return -EINVAL;
	snprintf(date, sizeof date, "%.8s", scope->time);
	error = hmac(first, (size_t)length, date, key);
	if (error == 0)
		error = hmac(key, SIGV4_KEY_BYTES, scope->region, key);
	if (error == 0)
		error = hmac(key, SIGV4_KEY_BYTES, scope->service, key);
	if (error == 0)
		error = hmac(key, SIGV4_KEY_BYTES, "aws4_request", key);
	OPENSSL_cleanse(first, sizeof first);
	return error;
}

static void put_hex(const uint8_t *bytes, char hex[SIGV4_HEX_BYTES])
{
	for (size_t i = 0; i < SIGV4_KEY_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

int sigv4_signature(const uint8_t key[SIGV4_KEY_BYTES], const struct sigv4_scope *scope, const char *canonical,
		    char hex[SIGV4_HEX_BYTES])
{
	char hash[SIGV4_HEX_BYTES], text[512];
	uint8_t signature[SIGV4_KEY_BYTES];
	int error = sigv4_hash_bytes(canonical, strlen(canonical), hash);
	int length = snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", scope->time,
			      scope->time, scope->region, scope->service, hash);

	if (error)
		return error;
	if ((size_t)length >= sizeof text)
		return -EINVAL;
	error = hmac(key, SIGV4_KEY_BYTES, text, signature);
	put_hex(signature, hex);
	return error;
}

int sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope, const char *access_key,
			const uint8_t key[SIGV4_KEY_BYTES], char *out, size_t room)
{
	const size_t canonical_room = 32u << 10;
	char *canonical = malloc(canonical_room), names[1024], hex[SIGV4_HEX_BYTES];
	int error, length;

	if (canonical == NULL)
		return -ENOMEM;
	error = sigv4_canonical(request, canonical, canonical_room, names, sizeof names);
	if (error == 0)
		error = sigv4_signature(key, scope, canonical, hex);
	free(canonical);
	if (error)
		return error;
	length = snprintf(out, room,
			  "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request,SignedHeaders=%s,Signature=%s",
			  access_key, scope->time, scope->region, scope->service, names, hex);
	return (size_t)length >= room ? -ENOSPC : 0;
}

void sigv4_time(struct sigv4_scope *scope, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000u);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (strftime(scope->time, sizeof scope->time, "%Y%m%dT%H%M%SZ", &tm) == 0)
		scope->time[0] = '\0';
}

/* Fetched once: looking a digest up by name costs more than hashing a short text. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

int sigv4_hash_begin(struct sigv4_hash **out)
{
	EVP_MD_CTX *context;

	pthread_once(&sha256_once, fetch_sha256);
	context = sha256 != NULL ? EVP_MD_CTX_new() : NULL;
	if (context == NULL || EVP_DigestInit_ex2(context, sha256, NULL) != 1) {
		EVP_MD_CTX_free(context);
		return -EIO;
	}
	*out = (struct sigv4_hash *)context;
	return 0;
}

int sigv4_hash_add(struct sigv4_hash *hash, const void *bytes, size_t length)
{
	return EVP_DigestUpdate((EVP_MD_CTX *)hash, bytes, length) == 1 ? 0 : -EIO;
}

int sigv4_hash_end(struct sigv4_hash *hash, char hex[SIGV4_HEX_BYTES])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	int error = EVP_DigestFinal_ex((EVP_MD_CTX *)hash, digest, NULL) == 1 ? 0 : -EIO;

	EVP_MD_CTX_free((EVP_MD_CTX *)hash);
	put_hex(digest, hex);
	return error;
}

int sigv4_hash_bytes(const void *bytes, size_t length, char hex[SIGV4_HEX_BYTES])
{
	struct sigv4_hash *hash;
	int error = sigv4_hash_begin(&hash);

	if (error)
		return error;
	error = sigv4_hash_add(hash, bytes, length);
	return sigv4_hash_end(hash, hex) != 0 ? -EIO : error;
}
