#include "control/declare.h"

#include <errno.h>
#include <string.h>

#include "control/log.h"

static int make(const struct config_stream *declared, struct streams *streams)
{
	int error;

	if (streams_why_unavailable(streams, declared->name)) {
		log_warning("stream %s: declared, but cannot be opened: a changed retention is taken over at the next start",
			    declared->name);
		return 0;
	}
	error = streams_create(streams, declared->name, declared->shards, declared->retention_seconds,
			       declared->retention_bytes);
	if (error == -EEXIST) {
		log_warning("stream %s: declared, but still being deleted: it is made at the next start", declared->name);
		return 0;
	}
	if (error)
		log_error("stream %s: declared, but cannot be made: %s", declared->name,
			  error == -ENOSPC ? "no free lane slots (raise region.shards or delete a stream), or the disk is full" :
					     strerror(-error));
	return error;
}

static int compare(const struct config_stream *declared, struct streams *streams, const struct metadata_stream *found)
{
	int error;

	if (declared->shards != found->shards)
		log_warning("stream %s: declared with %u shards, but it has %u: that stays", declared->name, declared->shards,
			    found->shards);
	if (declared->retention_seconds == found->retention_seconds && declared->retention_bytes == found->retention_bytes)
		return 0;
	error = streams_set_retention(streams, declared->name, declared->retention_seconds, declared->retention_bytes);
	if (error)
		log_error("stream %s: its retention cannot be changed: %s", declared->name, strerror(-error));
	else
		log_info("stream %s: retention is now %llu s, %llu bytes", declared->name,
			 (unsigned long long)declared->retention_seconds, (unsigned long long)declared->retention_bytes);
	return error;
}

int declare_streams(const struct config *config, struct streams *streams)
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
		failed = held ? compare(declared, streams, &found) : make(declared, streams);
		error = error ? error : failed;
	}
	return error;
}
