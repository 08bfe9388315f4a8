// Learns the templates that flow exporters announce, as streams bring them, and keeps them for as long as their flows.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "control/delivery/source.h"
#include "control/metadata/metadata.h"
#include "control/streams.h"

struct learner; /* opaque; any thread may call. One thread of its own reads the streams */

/*
 * A stream is read for templates when an input of codec netflow brings it records. Each shard has a durable place of its own:
 * definitions and that place move in one transaction, so none is missed after a crash, and one that is read twice is kept
 * once. What is kept outlives the input; it goes with the records it decodes: see metadata_expire_templates().
 */

// Reads nothing yet, but knows what it is to read. `metadata` outlives it. 0 or -ENOMEM.
int learner_open(const struct config *config, struct metadata *metadata, struct learner **out);

// Begins to read. `streams` outlives the thread. Once. 0 or -ENOMEM.
int learner_begin(struct learner *learner, struct streams *streams);
void learner_close(struct learner *learner); /* NULL is fine */

// Takes over which streams are to be read. Those of an earlier configuration are no longer. -ENOMEM: all stays as it was.
int learner_configure(struct learner *learner, const struct config *config);

// As the table in control/delivery/source.h has them: the context is a struct learner. passed() is true at once for
// streams that are not read, once that is known; *last is set in any case.
bool learner_passed(void *learner, uint64_t stream_id, uint32_t shard, uint64_t sequence, uint64_t *last);
int learner_load(void *learner, uint64_t stream_id, uint64_t last, struct codec_templates **out);

// Memory of a stream's definitions when they are loaded: templates_create().
#define LEARNER_BYTES (4u << 20)
