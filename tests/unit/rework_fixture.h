// A bench to replay dead letters on: an input as a test configures it, and what became of the records in them.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/replay/rework.h"
#include "dataplane/codec/codec.h"

#define ARRIVAL 1767268800123456789ull
#define ENDS_MAX 64u

struct end { /* what became of a record that is stored */
	char stream[32];
	bool dead;
	struct hash_key hash;
	uint32_t bytes;
	_Alignas(8) uint8_t record[4096];
};

struct bench {
	struct config *config;
	struct rework *rework;
	struct rework_sink sink;
	struct end ends[ENDS_MAX];
	uint32_t count;
};

static const struct origin4 sender = {{198, 51, 100, 1}, {192, 0, 2, 9}, {1, 2}, {8, 7}};

static inline bool note(struct rework_sink *sink, const struct rework_record *record)
{
	struct bench *b = (struct bench *)((char *)sink - offsetof(struct bench, sink));
	struct end *end = &b->ends[b->count++];

	assert_true(b->count <= ENDS_MAX && record->bytes <= sizeof end->record);
	assert_int_equal(record_check(record->record, record->bytes), record->bytes);
	snprintf(end->stream, sizeof end->stream, "%s", record->stream);
	end->dead = record->dead;
	end->hash = record->hash;
	end->bytes = record->bytes;
	memcpy(end->record, record->record, record->bytes);
	return true;
}

static inline const struct record *record_of(const struct end *end)
{
	return (const struct record *)(const void *)end->record;
}

/* An input "in" of stream "main", with dead letters in "dead"; changed as the test wants before open_bench(). */
static inline struct config_input *new_bench(struct bench *b, uint8_t codec, enum config_key key)
{
	struct config_input *input;

	memset(b, 0, sizeof *b);
	b->config = calloc(1, sizeof *b->config);
	assert_non_null(b->config);
	b->config->inputs_count = 1;
	b->config->rule_seconds = 30;
	b->config->rule_memory = 512u << 20;
	input = &b->config->inputs[0];
	strcpy(input->name, "in");
	strcpy(input->stream, "main");
	strcpy(input->dead_letter, "dead");
	input->codec = codec;
	input->key = key;
	input->key_field = 1;
	input->key_separator = ' ';
	return input;
}

static inline struct config_rule *add_rule(struct bench *b, const char *pattern, enum config_verdict verdict)
{
	struct config_rule *rule = &b->config->rules[b->config->rules_count++];

	snprintf(rule->name, sizeof rule->name, "rule%u", b->config->rules_count);
	snprintf(rule->pattern, sizeof rule->pattern, "%s", pattern);
	strcpy(rule->stream, "aside");
	rule->verdict = verdict;
	return rule;
}

static inline void new_step(struct bench *b)
{
	b->count = 0;
	b->sink = (struct rework_sink){.put = note};
}

static inline void open_bench(struct bench *b)
{
	assert_int_equal(rework_open(b->config, 0, stderr, &b->rework), 0);
	new_step(b);
}

static inline void close_bench(struct bench *b)
{
	rework_close(b->rework);
	free(b->config);
}

/* A dead letter as the worker stores it; of `origin`, NULL: none. */
static inline struct end letter_of(const struct dead_letter_header *header, const void *bytes, uint32_t length,
				   const struct origin4 *origin)
{
	struct end letter = {.dead = true};
	struct record record = {.kind = RECORD_DATA, .arrival_ns = ARRIVAL, .vlan = RECORD_VLAN_NONE,
				.codec = CODEC_DEAD_LETTER, .key_kind = RECORD_KEY_HASH};
	uint8_t *at = letter.record + sizeof record;

	if (origin) {
		record.origin = RECORD_ORIGIN_IPV4;
		record.key_kind = RECORD_KEY_FLOW;
		memcpy(at, origin, sizeof *origin);
		at += sizeof *origin;
	}
	record.length = dead_letter_write(header, bytes, length, at, sizeof letter.record - 128);
	assert_true(record.length > 0);
	memcpy(letter.record, &record, sizeof record);
	letter.bytes = record_bytes(record.origin, 0, record.length);
	return letter;
}

static inline void replay(struct bench *b, const struct end *end)
{
	const struct record *record = record_of(end);
	struct dead_letter letter;

	assert_int_equal(dead_letter_read(record_payload(record), record->length, &letter), CODEC_OK);
	assert_true(rework_apply(b->rework, record, &letter, &b->sink));
}

static inline void replay_text(struct bench *b, uint8_t stage, uint16_t reason, const char *text)
{
	struct dead_letter_header header = {.stage = stage, .codec = b->config->inputs[0].codec, .reason = reason,
					    .input = input_id("in"), .arrival_ns = ARRIVAL};
	struct end letter = letter_of(&header, text, (uint32_t)strlen(text), &sender);

	replay(b, &letter);
}
