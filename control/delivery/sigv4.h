// AWS Signature Version 4: the canonical request, the key and the signature, for signing and for checking alike.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sigv4_field {
	const char *name, *value;
};

struct sigv4_request {
	const char *method;
	const char *path;           /* decoded, from its first slash on */
	bool encode_twice;          /* every service but S3 */
	const struct sigv4_field *query; /* decoded; "" is the value of one without */
	size_t query_count;
	const struct sigv4_field *headers; /* those that are signed, as they go over the wire; any case, any order */
	size_t headers_count;
	const char *payload_hash;   /* hexadecimal SHA-256 of the body, or UNSIGNED-PAYLOAD and the like */
};

struct sigv4_scope {
	char time[17];              /* 20260131T235959Z */
	const char *region, *service;
};

#define SIGV4_KEY_BYTES 32u
#define SIGV4_HEX_BYTES 65u /* of a SHA-256, terminator included */
#define SIGV4_EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Percent-encodes as SigV4 wants it: all but A-Z a-z 0-9 - . _ ~ (and / when `slashes`). 0 or -ENOSPC.
int sigv4_encode(const char *text, bool slashes, char *out, size_t room);

// The query sorted and encoded as it is signed and sent, without "?". 0, -ENOSPC or -ENOMEM.
int sigv4_query(const struct sigv4_field *query, size_t count, char *out, size_t room);

// The canonical request and the list of its signed headers ("host;x-amz-date"). 0, -ENOSPC or -ENOMEM.
int sigv4_canonical(const struct sigv4_request *request, char *text, size_t room, char *names, size_t names_room);

// The signing key of a day, region and service: good to keep for that day. 0 or -EIO.
int sigv4_key(const char *secret, const struct sigv4_scope *scope, uint8_t key[SIGV4_KEY_BYTES]);

// The signature over a canonical request, in hexadecimal. 0 or -EIO. Compare signatures with CRYPTO_memcmp().
int sigv4_signature(const uint8_t key[SIGV4_KEY_BYTES], const struct sigv4_scope *scope, const char *canonical,
		    char hex[SIGV4_HEX_BYTES]);

// The value of the Authorization header. 0, -ENOSPC, -ENOMEM or -EIO.
int sigv4_authorization(const struct sigv4_request *request, const struct sigv4_scope *scope, const char *access_key,
			const uint8_t key[SIGV4_KEY_BYTES], char *out, size_t room);

// Fills scope->time.
void sigv4_time(struct sigv4_scope *scope, uint64_t realtime_ns);

// SHA-256 in pieces: 0 or -EIO.
struct sigv4_hash; /* opaque */
int sigv4_hash_begin(struct sigv4_hash **out);
int sigv4_hash_add(struct sigv4_hash *hash, const void *bytes, size_t length);
int sigv4_hash_end(struct sigv4_hash *hash, char hex[SIGV4_HEX_BYTES]); /* frees it */
int sigv4_hash_bytes(const void *bytes, size_t length, char hex[SIGV4_HEX_BYTES]);
