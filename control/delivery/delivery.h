// A delivery: the records of a stream, in objects, in a directory or a bucket; each record in exactly one object.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/delivery/source.h"

struct delivery; /* opaque: one thread, under 16 MiB */

struct delivery_shard { /* one shard of the stream; the shard stays the store's and outlives the delivery */
	uint64_t stream_id;
	uint32_t number;
	struct shard *shard;
};

struct delivery_options {
	const struct delivery_source *source;   /* &delivery_source_store */
	const struct delivery_journal *journal; /* &delivery_journal_metadata */
	struct metadata *metadata;
	const struct delivery_shard *shards; /* copied */
	uint32_t shards_count;
	uint32_t identity; /* of the stream's incarnation, in every object's name; the same at every start */
	const struct delivery_flows *flows; /* what decodes JSON lines of flows; NULL: nothing. Outlives the delivery */
	const char *spool; /* a directory for objects on their way to a bucket; made when absent, STORE/spool */
	// The name of an input, or NULL; may be NULL itself. Called on the delivery's thread.
	const char *(*input_name)(void *context, uint32_t input);
	// One line for the log, when something changed: destination down, up again, records expired. `bad`: needs attention.
	void (*say)(void *context, bool bad, const char *line);
	void *context; /* of both */
};

struct delivery_status { /* one shard: taken = delivered + pending + failed + expired */
	uint64_t stream_id;
	uint32_t shard;
	uint64_t taken_records;     /* stored in the shard since the delivery began on it */
	uint64_t delivered_records, delivered_bytes, delivered_objects;
	uint64_t pending_records;   /* by the store's own count, not by subtraction */
	uint64_t failed_records;    /* in the dead-letter directory */
	uint64_t expired_records;   /* gone from the shard before they could be delivered */
	uint64_t next_sequence;
	uint64_t retrying_since_ns; /* CLOCK_REALTIME of the first failure of the object under way, 0 when there is none */
	uint32_t attempts;          /* failed ones of that object */
	char error[512];            /* the last failure's, kept until the next success */
};

// Starts delivering, from where the journal says or else from the oldest retained record. Checks the configuration
// against what is there: -EINVAL bad prefix or endpoint, which only another configuration mends; -EIO the
// spool, else the credentials file's, the journal's or the store's error; said through `say`.
// The configuration is constant and outlives the delivery.
int delivery_start(const struct config_delivery *config, const struct delivery_options *options, struct delivery **out);

// Stops and frees it. With `flush`, everything durable at the call is delivered first, hints or not, while timeout_ms
// lasts; the rest stays pending and is delivered after the next start. 0; -EAGAIN when flushing did not end in time;
// -ETIMEDOUT when the destination's file system does not even let go of the thread, which is then left behind.
int delivery_stop(struct delivery *d, bool flush, uint32_t timeout_ms);

// One row per shard into `out`, at most `room`. How many there are. From any thread.
uint32_t delivery_get_status(struct delivery *d, struct delivery_status *out, uint32_t room);

// Has the delivery's thread put one object out of the dead letters to the destination, with the name and bytes it has there,
// and waits for that up to timeout_ms. 0: it is at the destination, counted as delivered instead of failed, and gone from the
// dead letters. -EINPROGRESS: not yet; the same call again waits on. -EBUSY another object is asked for; -ENOENT there is no
// such dead letter; -EAGAIN it is not settled yet; -EIO and others: `reason` says what the destination, the directory
// or the journal said, and the object stays where it is.
int delivery_redrive(struct delivery *delivery, const char *object, uint32_t timeout_ms, char *reason, size_t room);

const struct config_delivery *delivery_get_config(const struct delivery *d);
