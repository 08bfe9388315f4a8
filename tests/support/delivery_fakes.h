// A shard in memory and a journal in a file, for what stands on control/delivery/source.h.
#pragma once

#include "control/delivery/source.h"

/* ---- records ---- */

struct fake_record {
	uint8_t kind, origin, codec, key_kind;
	uint16_t vlan;
	uint32_t input;
	uint64_t arrival_ns, hash;
	const void *origin_bytes, *key, *payload;
	uint32_t key_length, payload_length;
};

// Lays a record out at `bytes` (room for RECORD_BYTES_MAX, 8-aligned). Its size.
uint32_t fake_record_put(uint8_t *bytes, const struct fake_record *r);

// A data record of a text payload, without origin, key "k", codec lines, input 7.
struct fake_record fake_text(uint64_t arrival_ns, const char *text);

/* ---- shards ---- */

struct shard *fake_shard_new(void);
void fake_shard_free(struct shard *s);

// Appends one record; it can be read after the next fake_shard_commit(), in a batch with those since the last.
void fake_shard_add(struct shard *s, const struct fake_record *r);
void fake_shard_commit(struct shard *s);

// Takes away all batches that begin before `sequence`.
void fake_shard_trim(struct shard *s, uint64_t sequence);

// Takes away the batch that holds `sequence`, as if it were damaged.
void fake_shard_damage(struct shard *s, uint64_t sequence);

// Reads fail with this -errno until it is 0 again.
void fake_shard_set_error(struct shard *s, int error);

extern const struct delivery_source fake_source;

/* ---- the journal ---- */

// Kept in the file, whole after a kill at any instant.
struct metadata *fake_journal_open(const char *path);
void fake_journal_close(struct metadata *m);

// Changes fail with this -errno until it is 0 again.
void fake_journal_set_error(struct metadata *m, int error);

// Called before and after every change.
extern void (*fake_journal_point)(void);

extern const struct delivery_journal fake_journal;
