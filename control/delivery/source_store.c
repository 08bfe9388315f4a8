#include "control/delivery/source.h"

const struct delivery_source delivery_source_store = {
	shard_reader_open, shard_reader_close, shard_read, shard_records_before, shard_get_status,
};

const struct delivery_journal delivery_journal_metadata = {
	metadata_get_delivery, metadata_put_delivery, metadata_get_object,
	metadata_plan_object,  metadata_set_upload,   metadata_finish_object,
	metadata_redrive_object, metadata_is_redriven, metadata_forget_redriven,
};
