#include "control/declare.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "control/log.h"

/* Logged, and written down for who asked. */
static void fail(FILE *failures, bool bad, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fail(FILE *failures, bool bad, const char *format, ...)
{
	char line[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (bad)
		log_error("%s", line);
	else
		log_warning("%s", line);
	if (failures)
		fprintf(failures, "%s\n", line);
}

static int make(const struct config_stream *declared, struct streams *streams, FILE *failures)
{
	int error;

	if (streams_why_unavailable(streams, declared->name)) {
		fail(failures, false,
		     "stream %s: declared, but cannot be opened: a changed retention is taken over at the next start",
		     declared->name);
		return 0;
	}
	error = streams_create(streams, declared->name, declared->shards, declared->retention_seconds,
			       declared->retention_bytes);
	if (error == -EEXIST) {
		fail(failures, false, "stream %s: declared, but still being deleted: it is made at the next start or reload",
		     declared->name);
		return 0;
	}
	if (error)
		fail(failures, true, "stream %s: declared, but cannot be made: %s", declared->name,
		     error == -ENOSPC ? "no free lane slots (raise region.shards or delete a stream), or the disk is full" :
					strerror(-error));
	return error;
}

static int compare(const struct config_stream *declared, struct streams *streams, const struct metadata_stream *found,
		   FILE *failures)
{
	int error;

	if (declared->shards != found->shards)
		log_warning("stream %s: declared with %u shards, but it has %u: that stays", declared->name, declared->shards,
			    found->shards);
	if (declared->retention_seconds == found->retention_seconds && declared->retention_bytes == found->retention_bytes)
		return 0;
	error = streams_set_retention(streams, declared->name, declared->retention_seconds, declared->retention_bytes);
	if (error)
		fail(failures, true, "stream %s: its retention cannot be changed: %s", declared->name, strerror(-error));
	else
		log_info("stream %s: retention is now %llu s, %llu bytes", declared->name,
			 (unsigned long long)declared->retention_seconds, (unsigned long long)declared->retention_bytes);
	return error;
}

int declare_streams(const struct config *config, struct streams *streams, FILE *failures)
{
	int error = 0;

	for (uint32_t i = 0; i < config->streams_count; i++) {
		const struct config_stream *declared = &config->streams[i];
		struct stream *held = streams_hold(streams, declared->name);
		struct metadata_stream found;
		int failed;

		if (held) {
			found = held->info;
			streams_release(streams, held);
		}
		failed = held ? compare(declared, streams, &found, failures) : make(declared, streams, failures);
		error = error ? error : failed;
	}
	return error;
}
