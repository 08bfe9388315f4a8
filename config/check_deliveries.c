#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/check.h"
#include "config/knobs.h"
#include "config/prefix.h"

#define S3 "deliveries[].destination.s3"

void check_streams(struct loading *l)
{
	check_names(l, "streams[].name", l->config->streams_count);
}

// The host of "http://host:port" or "https://[::1]:port" into `host`, without brackets. NULL, or what is wrong.
static const char *split_endpoint(const char *endpoint, char *host, size_t room)
{
	const char *at, *end;
	size_t length;

	if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
		return "must begin with http:// or https://";
	at = strstr(endpoint, "://") + 3;
	if (at[strcspn(at, "/?#")] != '\0')
		return "holds only server and port: nothing can follow, not even '/'";
	if (strchr(at, '@'))
		return "holds no credentials: they are in access_key_file";
	end = *at == '[' ? strchr(at, ']') : at + strcspn(at, ":");
	if (*at == '[' && !end)
		return "has '[' without ']'";
	at += *at == '[';
	length = (size_t)(end - at);
	if (length == 0 || length >= room)
		return "has no host name";
	memcpy(host, at, length);
	host[length] = '\0';
	if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") != length)
		return "has a host name with characters that cannot be in one";
	end += *end == ']';
	if (*end == ':') {
		char *rest;
		unsigned long port = strtoul(end + 1, &rest, 10);

		if (end[1] < '0' || end[1] > '9' || *rest || port < 1 || port > 65535)
			return "has a port that is not a number from 1 to 65535";
	} else if (*end) {
		return "has something else than a port behind the host";
	}
	return NULL;
}

// What the vendor's naming rules for buckets forbid and what would not go into a URL, or NULL.
static const char *bucket_fault(const char *bucket)
{
	size_t length = strlen(bucket);

	if (length < 3 || length > 63)
		return "has 3 to 63 characters";
	if (strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") != length)
		return "is of lower-case letters, digits, '.' and '-'";
	if (strchr(".-", bucket[0]) || strchr(".-", bucket[length - 1]) || strstr(bucket, ".."))
		return "begins and ends with a letter or digit, and holds no '..'";
	return NULL;
}

static void check_s3(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_s3 *s3 = &c->deliveries[i].s3;
	char host[256] = "";
	uint8_t address[16];
	const char *fault;
	bool numeric;

	if (!origin_bad(c, S3 ".endpoint", i) && (fault = split_endpoint(s3->endpoint, host, sizeof host)))
		origin_report(c, &l->reports, SEVERITY_ERROR, S3 ".endpoint", i, "the endpoint '%s' %s", s3->endpoint,
			      fault);
	if (!origin_bad(c, S3 ".bucket", i) && (fault = bucket_fault(s3->bucket)))
		origin_report(c, &l->reports, SEVERITY_ERROR, S3 ".bucket", i, "a bucket's name %s", fault);
	numeric = inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
	if (s3->virtual_host && numeric)
		origin_report(c, &l->reports, SEVERITY_ERROR, S3 ".addressing", i,
			      "virtual-host puts the bucket before the host name, and %s is an address: use path",
			      host);
	if (s3->virtual_host && strncmp(s3->endpoint, "https:", 6) == 0 && strchr(s3->bucket, '.'))
		origin_report(c, &l->reports, SEVERITY_WARNING, S3 ".addressing", i,
			      "certificates for *.%s do not cover a bucket's name with a '.': use path", host);
	if (s3->ca_file[0] && strncmp(s3->endpoint, "http:", 5) == 0)
		origin_report(c, &l->reports, SEVERITY_WARNING, S3 ".ca_file", i, "has no effect without https");
}

static void check_destination(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const char *path = "deliveries[].destination";
	bool directory = origin_place(l->origin, knob_find("deliveries[].destination.directory"), i)->node;
	bool s3 = origin_place(l->origin, knob_find(S3), i)->node;

	if (origin_bad(c, path, i))
		return;
	if (directory == s3)
		origin_report(c, &l->reports, SEVERITY_ERROR, path, i,
			      directory ? "directory and s3 exclude each other: make two deliveries"
					: "give either a directory or s3");
	else if (s3 && !origin_bad(c, S3, i))
		check_s3(l, i);
}

// The stream a delivery names: true when all its inputs, if any is known, take frames.
static void check_stream(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_delivery *d = &c->deliveries[i];
	bool declared = false;

	for (uint32_t s = 0; s < c->streams_count; s++)
		declared |= origin_bad(c, "streams[].name", s) || strcmp(c->streams[s].name, d->stream) == 0;
	if (!declared && !l->incomplete)
		origin_report(c, &l->reports, SEVERITY_WARNING, "deliveries[].stream", i,
			      "stream '%s' is not declared: nothing is delivered until it is made", d->stream);
	for (uint32_t in = 0; in < c->inputs_count && d->format == FORMAT_PCAPNG; in++) {
		if (origin_bad(c, "inputs[].stream", in) || origin_bad(c, "inputs[].codec", in))
			continue;
		if (strcmp(c->inputs[in].stream, d->stream) == 0 && c->inputs[in].codec != CODEC_FRAME)
			origin_report(
				c, &l->reports, SEVERITY_WARNING, "deliveries[].format", i,
				"pcapng holds frames, and input '%s' (%s:%u:%u) brings other records into stream '%s'",
				c->inputs[in].name, c->inputs[in].file, c->inputs[in].line, c->inputs[in].column,
				d->stream);
	}
}

// Two deliveries of one stream to one place would write over each other's objects.
static bool same_place(const struct config_delivery *a, const struct config_delivery *b)
{
	if (a->destination != b->destination || strcmp(a->stream, b->stream) != 0 || strcmp(a->prefix, b->prefix) != 0)
		return false;
	if (a->destination == DESTINATION_DIRECTORY)
		return strcmp(a->directory, b->directory) == 0;
	return strcmp(a->s3.endpoint, b->s3.endpoint) == 0 && strcmp(a->s3.bucket, b->s3.bucket) == 0;
}

static bool place_bad(const struct config *c, uint32_t i)
{
	return origin_bad(c, "deliveries[].stream", i) || origin_bad(c, "deliveries[].prefix", i) ||
	       origin_bad(c, "deliveries[].destination", i) || origin_bad(c, "deliveries[].destination.directory", i) ||
	       origin_bad(c, S3 ".endpoint", i) || origin_bad(c, S3 ".bucket", i);
}

static void check_places(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;

	for (uint32_t j = 0; j < i && !place_bad(c, i); j++) {
		const struct config_delivery *a = &c->deliveries[j], *b = &c->deliveries[i];

		if (place_bad(c, j) || !same_place(a, b))
			continue;
		origin_report(c, &l->reports, SEVERITY_ERROR, "deliveries[].destination", i,
			      "delivery '%s' (%s:%u:%u) writes the same stream there: give one of them a prefix",
			      a->name, a->file, a->line, a->column);
		return;
	}
}

static void check_format(struct loading *l, uint32_t i)
{
	const struct config *c = l->config;
	const struct config_delivery *d = &c->deliveries[i];
	const char *stream = origin_bad(c, "deliveries[].stream", i) ? "stream" : d->stream;
	char reason[200];

	if (!origin_bad(c, "deliveries[].prefix", i) && prefix_check(d->prefix, stream, reason, sizeof reason) != 0)
		origin_report(c, &l->reports, SEVERITY_ERROR, "deliveries[].prefix", i, "the prefix: %s", reason);
	if (origin_bad(c, "deliveries[].format", i))
		return;
	if (d->format != FORMAT_JSONL && origin_given(c, "deliveries[].payload", i))
		origin_report(c, &l->reports, SEVERITY_WARNING, "deliveries[].payload", i,
			      "has no effect unless format is jsonl");
	if (d->format != FORMAT_RAW && origin_given(c, "deliveries[].delimiter", i))
		origin_report(c, &l->reports, SEVERITY_WARNING, "deliveries[].delimiter", i,
			      "has no effect unless format is raw");
}

// The default of dead_letter, the one that another knob decides.
static void place_dead_letter(struct loading *l, uint32_t i)
{
	struct config *c = l->config;
	struct config_delivery *d = &c->deliveries[i];
	char path[2 * CONFIG_PATH_MAX];
	int n;

	if (d->dead_letter[0] || origin_bad(c, "deliveries[].dead_letter", i))
		return;
	n = snprintf(path, sizeof path, "%s/dead-letter", c->store_directory);
	if (n < (int)sizeof d->dead_letter)
		memcpy(d->dead_letter, path, (size_t)n + 1);
	else
		origin_report(c, &l->reports, SEVERITY_ERROR, "deliveries[].dead_letter", i,
			      "dead-letter in the store's directory has %d bytes: give a shorter path", n);
}

void check_deliveries(struct loading *l)
{
	check_names(l, "deliveries[].name", l->config->deliveries_count);
	for (uint32_t i = 0; i < l->config->deliveries_count; i++) {
		check_destination(l, i);
		if (!origin_bad(l->config, "deliveries[].stream", i) &&
		    !origin_bad(l->config, "deliveries[].format", i))
			check_stream(l, i);
		check_places(l, i);
		check_format(l, i);
		place_dead_letter(l, i);
	}
}
