// What a delivery stands on: a stream's shards to read, and a journal that outlives a crash. Tables, so that each can
// be replaced in tests; source_store.c holds the real ones.
#pragma once

#include "control/metadata/metadata.h"
#include "control/store/store.h"

struct delivery_source { /* as the functions of the same name in control/store/store.h */
	int (*reader_open)(struct shard *shard, struct shard_reader **out);
	void (*reader_close)(struct shard_reader *reader);
	int (*read)(struct shard_reader *reader, uint64_t sequence, struct store_batch *out);
	int (*records_before)(struct shard *shard, uint64_t sequence, uint64_t *records);
	void (*get_status)(struct shard *shard, struct shard_status *out);
};

struct delivery_journal { /* as in control/metadata/metadata.h */
	int (*get_delivery)(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			    struct metadata_delivery *out);
	int (*put_delivery)(struct metadata *m, const struct metadata_delivery *delivery);
	int (*get_object)(struct metadata *m, uint64_t stream_id, uint32_t shard, const char *delivery,
			  struct metadata_object *out);
	int (*plan_object)(struct metadata *m, const struct metadata_object *object);
	int (*set_upload)(struct metadata *m, const struct metadata_object *object);
	int (*finish_object)(struct metadata *m, const struct metadata_object *object,
			     const struct metadata_delivery *progress);
	int (*redrive_object)(struct metadata *m, const struct metadata_object *object,
			      const struct metadata_delivery *progress);
	int (*is_redriven)(struct metadata *m, const struct metadata_object *object);
	int (*forget_redriven)(struct metadata *m, const struct metadata_object *object);
};

struct codec_templates;

struct delivery_flows { /* flow templates of streams */
	// Whether what shards of a stream announce in front of `sequence` is known; then *last is what is known now.
	bool (*passed)(void *context, uint64_t stream_id, uint32_t shard, uint64_t sequence, uint64_t *last);
	// All that is known of a stream up to `last`: the caller's, NULL when that is nothing. 0 or -errno.
	int (*load)(void *context, uint64_t stream_id, uint64_t last, struct codec_templates **out);
	void *context;
};

extern const struct delivery_source delivery_source_store;
extern const struct delivery_journal delivery_journal_metadata;
