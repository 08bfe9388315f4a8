// A delivery over fake shards in a directory of its own, and ways to look at what it left there.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "control/delivery/delivery.h"
#include "tests/support/delivery_fakes.h"

#define RIG_SHARDS 2u
#define RIG_BYTES 50u /* of payload, where the content is checked */
#define RIG_IDENTITY 0x0badcafe
#define RIG_ARRIVAL 1767268800000000000ull /* 2026-01-01T12:00:00Z */

struct rig {
	char directory[64]; /* out/, dead/, spool/ and journal in it */
	struct config_delivery config;
	struct shard *shards[RIG_SHARDS];
	struct metadata *journal;
	struct delivery *delivery;
	char said[8192]; /* every line of the log; read after delivery_rig_stop() */
};

// A new directory under /tmp (or `directory` when it is given), raw format, newline, no compression, into out/ beneath it.
void rig_init(struct rig *rig, const char *directory);

// Records "<shard>:<n>:xxxx\n"-like of `bytes` payload, numbered from `first`, in batches of 7.
void rig_fill(struct rig *rig, uint32_t shard, uint32_t first, uint32_t count, uint32_t bytes);

// The payload of record n; length `bytes`.
void rig_payload(char *out, uint32_t shard, uint32_t n, uint32_t bytes);

int delivery_rig_start(struct rig *rig);
int delivery_rig_stop(struct rig *rig, bool flush, uint32_t timeout_ms);

// Stops (without flush), closes everything, removes the directory.
void rig_end(struct rig *rig);

struct delivery_status rig_status(struct rig *rig, uint32_t shard);

// Polls until the condition on the shard's status holds; false after ten seconds.
bool rig_wait(struct rig *rig, uint32_t shard, bool (*condition)(const struct delivery_status *));

// Files beneath directory/`sub`, in name order: "name size\n" each into `out`. Their count; those still temporary in *temporary.
int rig_list(const struct rig *rig, const char *sub, char *out, size_t room, int *temporary);

// All bytes of the files beneath directory/`sub` in name order, of names that end in `end`; malloc'ed, terminated.
char *rig_contents(const struct rig *rig, const char *sub, const char *end, size_t *length);

// Conditions for rig_wait().
bool rig_settled(const struct delivery_status *status); /* nothing is pending */

// taken = delivered + pending + failed + expired, or the test fails.
void rig_balances(const struct delivery_status *status);

// The raw objects beneath `sub` hold exactly the records first..first+count-1 of the shard, each of RIG_BYTES, in order, or
// the test fails.
void rig_holds_records(const struct rig *rig, const char *sub, uint32_t shard, uint32_t first, uint32_t count);

void rig_remove_tree(const char *path);
