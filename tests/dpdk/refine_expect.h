// What the lanes and ledgers of a rig must hold: told by the test, record by record.
#pragma once

#include "tests/dpdk/refine_rig.h"

enum want_key { WANT_STORED, WANT_SOURCE, WANT_FLOW, WANT_RANDOM, WANT_HASH /* stored, with a hash of its own */ };

struct want {                        /* what becomes of one record */
	uint32_t parsed;             /* bytes it has as a record */
	enum counter_record counter; /* RECORD_APPENDED, or why not */
	const char *stream;
	uint8_t codec;
	enum want_key key;
	char key_text[64];
	struct hash_key hash; /* WANT_HASH */
	uint32_t tags[4], tags_count;
	uint8_t payload[2048];
	uint32_t length;
	bool draws;    /* a random key that is not used: key_find() falls back to one */
	uint32_t told; /* bit n: WORKER_MALFORMED + n counts it */
};

struct sent { /* one datagram and what it brings */
	uint32_t input;
	uint8_t frame[4096];
	uint32_t frame_length;
	bool held; /* accepted without a record */
	uint32_t told, wants_count;
	struct want wants[64];
};

static struct key_random expected_random;
static uint64_t counters[COUNTERS_MAX], rows[INPUTS_MAX][LEDGER_LINE_WORDS];
static struct {
	uint8_t bytes[LANE_SIZE];
	uint32_t length;
	uint64_t records, payload;
} lanes[SLOTS];

/* Behind start_rigs(). */
static inline void expect_nothing(void)
{
	memset(counters, 0, sizeof counters);
	memset(rows, 0, sizeof rows);
	memset(lanes, 0, sizeof lanes);
	key_random_init(&expected_random, RIG_SEED);
}

static inline void send_bytes(struct sent *s, uint32_t input, const void *payload, uint32_t length)
{
	s->input = input;
	s->frame_length = make_frame(s->frame, input, payload, length);
	assert_true(s->frame_length <= sizeof s->frame);
}

/* ---- what becomes of a record ---- */

static inline void tell(struct want *w, unsigned counter)
{
	w->told |= 1u << (counter - WORKER_MALFORMED);
}

static inline struct want *want(struct sent *s, enum counter_record counter, uint32_t parsed)
{
	struct want *w = &s->wants[s->wants_count++];

	assert_true(s->wants_count <= sizeof s->wants / sizeof *s->wants);
	memset(w, 0, sizeof *w);
	w->counter = counter;
	w->parsed = parsed;
	return w;
}

static inline struct want *want_stored(struct sent *s, const char *stream, uint8_t codec, const char *key, const void *payload,
				       uint32_t length)
{
	struct want *w = want(s, RECORD_APPENDED, length);

	w->stream = stream;
	w->codec = codec;
	w->key = WANT_STORED;
	strcpy(w->key_text, key);
	memcpy(w->payload, payload, length);
	w->length = length;
	return w;
}

static inline struct want *want_dead(struct sent *s, uint32_t parsed, uint8_t stage, uint16_t reason, uint32_t detail,
				     const void *payload, uint32_t length)
{
	const struct config_input *in = &config.inputs[s->input];
	uint32_t id = input_id(in->name);
	struct want *w = want_stored(s, in->dead_letter, CODEC_DEAD_LETTER, "", payload, length);
	uint8_t header[24] = {1, stage, in->codec, 0, (uint8_t)reason, (uint8_t)(reason >> 8), CODEC_PARSER_VERSION, 0};

	memcpy(header + 8, &id, 4);
	memcpy(header + 12, &detail, 4);
	memcpy(header + 16, &now_ns, 8);
	memmove(w->payload + 24, w->payload, length);
	memcpy(w->payload, header, 24);
	w->length = length + 24;
	w->parsed = parsed;
	w->key = WANT_FLOW;
	tell(w, WORKER_DEAD_LETTERS);
	return w;
}

/* ---- where it goes ---- */

static inline const struct map_stream *find_stream(const char *name)
{
	for (uint32_t i = 0; i < map.streams_count; i++)
		if (strcmp(map.streams[i].name, name) == 0)
			return &map.streams[i];
	return NULL;
}

static inline uint32_t find_slot(const struct map_stream *stream, struct hash_key hash)
{
	for (uint32_t i = 0; i < stream->shards; i++)
		if (hash.upper <= map.shards[stream->first_shard + i].last_hash[0])
			return map.shards[stream->first_shard + i].slot;
	fail();
	return 0;
}

static inline struct hash_key hash_of(const char *text)
{
	struct md5_key key = {(const uint8_t *)text, (uint32_t)strlen(text)};
	uint8_t digest[1][16];

	md5_batch(&key, 1, digest);
	return hash_key_of_digest(digest[0]);
}

static inline void expect_stored(const struct sent *s, const struct want *w, const struct map_stream *stream)
{
	const uint8_t *ip = s->frame + 14;
	struct record header = {.length = w->length,
				.kind = w->tags_count ? RECORD_TAGGED : RECORD_DATA,
				.origin = 4,
				.arrival_ns = now_ns,
				.input = input_id(config.inputs[s->input].name),
				.vlan = RECORD_VLAN_NONE,
				.codec = w->codec};
	uint32_t key_length = w->key == WANT_STORED || w->key == WANT_HASH ? (uint32_t)strlen(w->key_text) : 0, slot,
		 bytes;
	struct hash_key hash = w->hash;
	uint8_t origin[12], *at;

	memcpy(origin, ip + 12, 12); /* addresses and ports: there are no options */
	if (w->key == WANT_STORED)
		hash = stream->shards > 1 || strcmp(w->key_text, "nobody") == 0 ? hash_of(w->key_text)
										: (struct hash_key){0, 0};
	if (w->key == WANT_SOURCE)
		hash = stream->shards > 1 ? hash_of("192.0.2.99") : (struct hash_key){0, 0};
	if (w->key == WANT_FLOW)
		hash = (struct hash_key){key_flow_hash(origin, sizeof origin), 0};
	if (w->key == WANT_RANDOM)
		hash = (struct hash_key){key_random_next(&expected_random), 0};
	header.key_kind = w->key == WANT_SOURCE   ? RECORD_KEY_SOURCE
			  : w->key == WANT_FLOW   ? RECORD_KEY_FLOW
			  : w->key == WANT_RANDOM ? RECORD_KEY_HASH
						  : RECORD_KEY_STORED;
	if (w->tags_count)
		header.key_kind = (uint8_t)(header.key_kind | (w->tags_count - 1) << 2);
	header.key_length = (uint16_t)(key_length + 4 * w->tags_count);
	header.hash = hash.upper;
	slot = find_slot(stream, hash);
	bytes = record_bytes(4, header.key_length, w->length);
	assert_true(lanes[slot].length + bytes <= LANE_SIZE);
	at = lanes[slot].bytes + lanes[slot].length;
	memset(at, 0, bytes);
	memcpy(at, &header, sizeof header);
	memcpy(at + 32, origin, 12);
	memcpy(at + 44, w->key_text, key_length);
	memcpy(at + 44 + key_length, w->tags, 4 * w->tags_count);
	memcpy(at + 44 + header.key_length, w->payload, w->length);
	lanes[slot].length += bytes;
	lanes[slot].records++;
	lanes[slot].payload += w->length;
	counters[RECORD_APPENDED]++;
	counters[WORKER_APPENDED_BYTES] += w->length;
}

static inline void expect_told(uint32_t told)
{
	for (; told; told &= told - 1)
		counters[WORKER_MALFORMED + __builtin_ctz(told)]++;
}

static const uint32_t ways_told = 1u << (WORKER_DEAD_LETTERS - WORKER_MALFORMED) |
				  1u << (WORKER_ROUTED - WORKER_MALFORMED) | 1u << (WORKER_TAGGED - WORKER_MALFORMED);

static inline void expect_sent(const struct sent *s)
{
	uint64_t *row = rows[s->input];

	counters[WORKER_POLLED]++;
	counters[WORKER_POLLED_BYTES] += s->frame_length;
	counters[s->held || s->wants_count > 0 ? FRAME_ACCEPTED : FRAME_EMPTY]++;
	row[INPUT_FRAMES]++;
	expect_told(s->told);
	for (uint32_t i = 0; i < s->wants_count; i++) {
		const struct want *w = &s->wants[i];
		const struct map_stream *stream = w->stream ? find_stream(w->stream) : NULL;

		/* What is found in a record is counted whatever becomes of it, its way to a stream only if there is one. */
		expect_told(w->counter == RECORD_APPENDED && !stream ? w->told & ~ways_told : w->told);
		if (w->draws)
			key_random_next(&expected_random);
		row[INPUT_RECORDS]++;
		row[INPUT_BYTES] += w->parsed;
		counters[WORKER_PARSED]++;
		counters[WORKER_PARSED_BYTES] += w->parsed;
		if (w->counter == RECORD_APPENDED && stream) {
			expect_stored(s, w, stream);
			continue;
		}
		if (w->counter == RECORD_APPENDED && w->key == WANT_RANDOM)
			key_random_next(&expected_random);
		counters[w->counter == RECORD_APPENDED ? RECORD_NO_STREAM : w->counter]++;
		row[INPUT_REFUSED]++;
	}
}

static inline void check_lane(struct rig *rig, uint32_t slot)
{
	uint64_t head = atomic_load(&rig->heads[slot]), position = rig->worker->lanes[slot].lane.position;
	const uint8_t *got = rig->lanes[slot] + head % LANE_SIZE;

	assert_int_equal(position - head, lanes[slot].length);
	for (uint32_t at = 0; at < lanes[slot].length;) {
		const struct record *r = (const struct record *)(const void *)(lanes[slot].bytes + at);
		uint32_t total = record_check(got + at, lanes[slot].length - at);

		assert_memory_equal(got + at, r,
				    sizeof *r + record_origin_bytes(r->origin) + r->key_length + r->length);
		assert_int_equal(total, record_bytes(r->origin, r->key_length, r->length));
		at += total;
	}
	atomic_store(&rig->heads[slot], position);
}

/* The committed ledger says what was told, and its equations hold. */
static inline void check_ledger(struct rig *rig)
{
	uint32_t lines = worker_lines(SLOTS);
	uint64_t *words = malloc(lines * sizeof(struct ledger_line)), appended = 0;

	assert_non_null(words);
	assert_true(ledger_read(rig->ledger, lines, 0, lines, words));
	for (uint32_t i = 0; i < COUNTERS_MAX; i++)
		if (i != WORKER_BURSTS && words[i] != counters[i])
			fail_msg("%s is %lu, not %lu", counter_label(i), words[i], counters[i]);
	for (uint32_t i = 0; i < config.inputs_count; i++)
		assert_memory_equal(words + input_word(i, 0), rows[i], sizeof rows[i]);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(words[lane_word(s, LANE_RECORDS)], lanes[s].records);
		assert_int_equal(words[lane_word(s, LANE_BYTES)], lanes[s].payload);
		appended += words[lane_word(s, LANE_RECORDS)];
	}
	assert_int_equal(words[WORKER_POLLED], sum(words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
	assert_int_equal(words[WORKER_PARSED], sum(words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
	assert_int_equal(words[RECORD_APPENDED], appended);
	free(words);
}

static inline void check_rigs(void)
{
	for (uint32_t level = 0; level < rigs_count; level++) {
		worker_commit(rigs[level].worker);
		for (uint32_t s = 0; s < SLOTS; s++)
			check_lane(&rigs[level], s);
		check_ledger(&rigs[level]);
	}
	for (uint32_t s = 0; s < SLOTS; s++)
		lanes[s].length = 0;
}

/* One burst through every level: datagrams input by input in the order of their first, each input's in their order. */
static inline void run_burst(const struct sent *sent, uint32_t count, const uint32_t *cuts)
{
	struct rte_mbuf *frames[BURST_MAX];
	bool done[BURST_MAX] = {false};

	for (uint32_t first = 0; first < count; first++)
		for (uint32_t i = first; i < count; i++)
			if (!done[i] && sent[i].input == sent[first].input) {
				expect_sent(&sent[i]);
				done[i] = true;
			}
	for (uint32_t level = 0; level < rigs_count; level++) {
		/* Rules overwrite frames in copies only, but one process must not depend on what another left. */
		for (uint32_t i = 0; i < count; i++)
			frames[i] = make_mbuf(sent[i].frame, sent[i].frame_length, cuts ? cuts[i] : 0);
		rigs[level].worker->now_ns = now_ns;
		rigs[level].process(rigs[level].worker, frames, (uint16_t)count);
		for (uint32_t i = 0; i < count; i++)
			free_mbuf(frames[i]);
	}
	check_rigs();
}
