// A worker of each x86-64 level on plain memory, fed with hand-made mbufs: after each burst its lanes and its ledger hold what
// tests/support/burst_reference makes of the same frames.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/packet/usual.h"
#include "dataplane/worker.h"
#include "tests/dpdk/mirrored.h"
#include "tests/dpdk/shard_map.h"
#include "tests/support/burst_reference.h"
#include "tests/support/frame_build.h"

#define LANE_SIZE (1ull << 18)
#define SLOTS 22u /* stream a: 0 to 15, b: 16 to 18, one: 19, two: 20 and 21 */
#define BURST 32u

struct rig { /* one worker of one level with its lanes */
	struct worker *worker;
	worker_process *process;
	struct ledger *ledger;
	uint64_t *words;
	uint8_t *lanes[SLOTS];
	_Atomic uint64_t heads[SLOTS];
};

static struct config config;
static struct shard_map map;
static struct port port;
static struct clock wall;
static struct reference reference;
static struct plan *plan;
static struct rig rigs[BURST_LEVELS];
static uint32_t rigs_count;
static uint64_t series = 1;

static inline uint32_t draw(uint32_t below)
{
	return (uint32_t)(frame_random(&series) >> 32) % below;
}

/* ---- set-up ---- */

static inline struct config_input *add_input(uint32_t udp_port, uint8_t codec, enum config_key key, const char *stream)
{
	struct config_input *input = &config.inputs[config.inputs_count];

	snprintf(input->name, sizeof input->name, "input%u", config.inputs_count++);
	strcpy(input->stream, stream);
	input->udp_port = udp_port;
	input->codec = codec;
	input->key = key;
	input->vlan = -1;
	input->tunnel = TUNNEL_ANY;
	input->vni = -1;
	input->any_destination = true;
	input->key_field = 1;
	input->key_separator = ' ';
	strcpy(input->key_constant, key == KEY_CONSTANT ? "all of them" : "");
	return input;
}

/* UDP ports 514 to 528 and 530 to 536: every codec with every kind of key, to many shards, few, one and none. */
static inline void telemetry_inputs(void)
{
	struct config_input *input;

	add_input(514, CODEC_DATAGRAM, KEY_FLOW, "a");
	add_input(515, CODEC_DATAGRAM, KEY_FIELD, "a");
	input = add_input(516, CODEC_LINES, KEY_FIELD, "b");
	input->key_field = 2;
	input->key_separator = ',';
	add_input(517, CODEC_LINES, KEY_SOURCE, "b");
	add_input(518, CODEC_DATAGRAM, KEY_CONSTANT, "a");
	add_input(519, CODEC_DATAGRAM, KEY_RANDOM, "a");
	add_input(520, CODEC_DATAGRAM, KEY_FIELD, "one");
	add_input(521, CODEC_LINES, KEY_FLOW, "a");
	add_input(522, CODEC_LINES, KEY_FIELD, "absent");
	add_input(523, CODEC_DATAGRAM, KEY_SOURCE, "a");
	add_input(524, CODEC_LINES, KEY_CONSTANT, "b");
	add_input(525, CODEC_LINES, KEY_RANDOM, "one");
	input = add_input(514, CODEC_DATAGRAM, KEY_SOURCE, "b"); /* tagged frames for 514 go here */
	input->vlan = 100;
	input = add_input(526, CODEC_DATAGRAM, KEY_FLOW, "b");
	input->any_destination = false;
	input->destination.family = 6;
	memcpy(input->destination.bytes, frame_own6, 16);
	add_input(527, CODEC_DATAGRAM, KEY_FIELD, "absent");
	input = add_input(528, CODEC_DATAGRAM, KEY_FIELD, "a");
	input->key_field = 3;
	add_input(530, CODEC_LINES, KEY_FIELD, "a");
	add_input(531, CODEC_LINES, KEY_FIELD, "one");
	add_input(532, CODEC_LINES, KEY_FIELD, "b");
	add_input(533, CODEC_DATAGRAM, KEY_FIELD, "b");
	add_input(534, CODEC_LINES, KEY_FIELD, "two");
	add_input(535, CODEC_LINES, KEY_FIELD, "a")->key_separator = '\r';
	input = add_input(536, CODEC_LINES, KEY_FIELD, "b");
	input->key_field = 2;
	input->key_separator = '\r';
}

static inline void make_rig(struct rig *rig, worker_process *process)
{
	uint32_t lines = worker_lines(SLOTS);
	struct worker *w = aligned_alloc(64, (sizeof *w + 63) & ~63ul);

	rig->process = process;
	rig->ledger = aligned_alloc(64, ledger_bytes(lines));
	rig->words = aligned_alloc(64, lines * sizeof(struct ledger_line));
	assert_true(w && rig->ledger && rig->words);
	memset(w, 0, sizeof *w);
	memset(rig->ledger, 0, ledger_bytes(lines));
	w->port = &port;
	w->clock = &wall;
	w->process = process;
	w->tap = port.host.tap;
	worker_take_plan(w, plan);
	w->now_ns = reference.now_ns;
	atomic_store(&w->next_plan, plan);
	atomic_store(&w->stop, true);
	key_random_init(&w->random, 99);
	ledger_writer_init(&w->ledger, rig->ledger, rig->words, lines);
	for (uint32_t s = 0; s < SLOTS; s++) {
		atomic_store(&rig->heads[s], 0);
		rig->lanes[s] = mirrored(LANE_SIZE);
		lane_writer_init(&w->lanes[s].lane, rig->lanes[s], LANE_SIZE, s, &w->ledger, &rig->heads[s]);
	}
	rig->worker = w;
}

static inline void set_up_port(bool tap)
{
	worker_process *levels[BURST_LEVELS];

	memset(&map, 0, sizeof map);
	memset(&config, 0, sizeof config);
	memset(&port, 0, sizeof port);
	memset(&reference, 0, sizeof reference);
	shard_map_add(&map, "a", 16);
	shard_map_add(&map, "b", 3);
	shard_map_add(&map, "one", 1);
	shard_map_add(&map, "two", 2);
	if (tap) {
		add_input(514, CODEC_FRAME, KEY_SOURCE, "b");
		add_input(515, CODEC_FRAME, KEY_FIELD, "a");
		add_input(0, CODEC_FRAME, KEY_FLOW, "a");
		assert_int_equal(host_init_tap(&port.host, 2), 0);
	} else {
		telemetry_inputs();
		frame_host(&port.host);
	}
	assert_int_equal(plan_create(&config, NULL, 1, &map, 1, &plan), 0);
	reference.config = &config;
	reference.map = &map;
	reference.host = port.host;
	reference.match = plan->matches[0];
	reference.tap = tap;
	reference.now_ns = 1700000000000000000ull;
	key_random_init(&reference.random, 99);
	rigs_count = burst_levels(levels);
	for (uint32_t i = 0; i < rigs_count; i++)
		make_rig(&rigs[i], levels[i]);
}

static inline int set_up(void **state)
{
	(void)state;
	set_up_port(false);
	return 0;
}

static inline int set_up_tap(void **state)
{
	(void)state;
	set_up_port(true);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rigs_count; i++) {
		for (uint32_t s = 0; s < SLOTS; s++)
			munmap(rigs[i].lanes[s], 2 * LANE_SIZE);
		free(rigs[i].worker);
		free(rigs[i].ledger);
		free(rigs[i].words);
	}
	plan_free(plan);
	reference_free(&reference);
	return 0;
}

/* ---- frames as mbufs ---- */

struct chain { /* a frame in segments, each in a heap block of exactly its size */
	struct rte_mbuf *mbuf;
	uint8_t *frame;
	uint32_t length, verified;
};

static inline struct rte_mbuf *make_segment(const uint8_t *bytes, uint32_t length)
{
	struct rte_mbuf *m = aligned_alloc(64, sizeof *m);

	assert_non_null(m);
	memset(m, 0, sizeof *m);
	m->buf_addr = frame_exact(bytes, length);
	m->buf_len = m->data_len = (uint16_t)length;
	m->nb_segs = 1;
	return m;
}

/* Bytes of the buffers of a burst's frames, as they are of one pool; 0: each has its own. */
static uint32_t usual_room;

/* As nearly every driver hands out a whole frame: behind the headroom, alone. Its block ends with it, or where the hot path may
 * read it to, or a little earlier. */
static inline struct rte_mbuf *make_usual_segment(const uint8_t *bytes, uint32_t length)
{
	uint32_t reads = usual_room ? usual_room : draw(2) ? USUAL_READS : draw(USUAL_READS), room = length < reads ? reads : length;
	struct rte_mbuf *m = make_segment(bytes, 0);

	free(m->buf_addr);
	m->buf_addr = malloc(RTE_PKTMBUF_HEADROOM + room);
	assert_non_null(m->buf_addr);
	memset(m->buf_addr, "\n\r ,\xa5"[draw(5)], RTE_PKTMBUF_HEADROOM + room); /* nobody's bytes */
	if (room > length) /* one that could be taken for a line's end */
		((uint8_t *)m->buf_addr)[RTE_PKTMBUF_HEADROOM + length + draw(room - length < 64 ? room - length : 64)] = '\n';
	memcpy((uint8_t *)m->buf_addr + RTE_PKTMBUF_HEADROOM, bytes, length);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->buf_len = (uint16_t)(RTE_PKTMBUF_HEADROOM + room < UINT16_MAX ? RTE_PKTMBUF_HEADROOM + room : UINT16_MAX);
	m->data_len = (uint16_t)length;
	m->refcnt = 1;
	return m;
}

/* `cuts` are the lengths of all segments but the last. */
static inline struct chain make_chain(const uint8_t *frame, uint32_t length, const uint32_t *cuts, uint32_t cuts_count)
{
	struct chain chain = {.frame = frame_exact(frame, length), .length = length};
	struct rte_mbuf **next = &chain.mbuf;
	uint32_t at = 0;

	for (uint32_t i = 0; i <= cuts_count; i++) {
		uint32_t bytes = i < cuts_count ? cuts[i] : length - at;

		*next = cuts_count == 0 && length <= UINT16_MAX && draw(100) ? make_usual_segment(frame, length)
									    : make_segment(frame + at, bytes);
		next = &(*next)->next;
		at += bytes;
	}
	chain.mbuf->nb_segs = (uint16_t)(cuts_count + 1);
	chain.mbuf->pkt_len = length;
	return chain;
}

static inline void free_chain(struct chain *chain)
{
	for (struct rte_mbuf *m = chain->mbuf, *next; m; m = next) {
		next = m->next;
		free(m->buf_addr);
		free(m);
	}
	free(chain->frame);
}

/* ---- running and comparing ---- */

static inline void expect_lane(struct rig *rig, uint32_t slot)
{
	const struct reference_lane *want = &reference.lanes[slot];
	uint64_t head = atomic_load(&rig->heads[slot]), position = rig->worker->lanes[slot].lane.position;
	const uint8_t *got = rig->lanes[slot] + head % LANE_SIZE;

	assert_int_equal(position - head, want->length);
	for (uint32_t at = 0; at < want->length;) {
		const struct record *r = (const struct record *)(const void *)(want->bytes + at);
		uint32_t total = record_check(got + at, want->length - at);

		assert_int_equal(total, record_bytes(r->origin, r->key_length, r->length));
		assert_memory_equal(got + at, r,
				    sizeof *r + record_origin_bytes(r->origin) + r->key_length + r->length);
		at += total;
	}
	atomic_store(&rig->heads[slot], position);
}

static inline uint64_t sum(const uint64_t *words, uint32_t first, uint32_t end)
{
	uint64_t total = 0;

	for (uint32_t i = first; i < end; i++)
		total += words[i];
	return total;
}

/* The committed ledger says what the reference counted, and its equations hold. */
static inline void expect_ledger(struct rig *rig)
{
	uint32_t lines = worker_lines(SLOTS);
	uint64_t *words = malloc(lines * sizeof(struct ledger_line)), appended = 0;

	assert_non_null(words);
	assert_true(ledger_read(rig->ledger, lines, 0, lines, words));
	for (uint32_t i = 0; i < COUNTERS_MAX; i++)
		if (i != WORKER_BURSTS)
			assert_int_equal(words[i], reference.counters[i]);
	for (uint32_t i = 0; i < config.inputs_count && i < INPUTS_MAX; i++)
		assert_memory_equal(words + input_word(i, 0), reference.inputs[i], sizeof reference.inputs[i]);
	for (uint32_t s = 0; s < SLOTS; s++) {
		assert_int_equal(words[lane_word(s, LANE_POSITION)], rig->worker->lanes[s].lane.position);
		assert_int_equal(words[lane_word(s, LANE_RECORDS)], reference.lanes_records[s]);
		assert_int_equal(words[lane_word(s, LANE_BYTES)], reference.lanes_bytes[s]);
		appended += words[lane_word(s, LANE_RECORDS)];
	}
	assert_int_equal(words[WORKER_POLLED], sum(words, COUNTER_FRAME_BASE, COUNTER_FRAME_END));
	assert_int_equal(words[WORKER_PARSED], sum(words, COUNTER_RECORD_BASE, COUNTER_RECORD_END));
	assert_int_equal(words[RECORD_APPENDED], appended);
	free(words);
}

/* One burst through every level; frees the frames. */
static inline void run_burst(struct chain *chains, uint16_t count)
{
	struct rte_mbuf *frames[BURST_MAX];

	for (uint16_t i = 0; i < count; i++) {
		frames[i] = chains[i].mbuf;
		reference_frame(&reference, chains[i].frame, chains[i].length, chains[i].verified);
	}
	for (uint32_t level = 0; level < rigs_count; level++) {
		if (draw(8)) /* or what one burst has of short lines decides how the next ones' are cut */
			memset(rigs[level].worker->marks_paused, 0, sizeof rigs[level].worker->marks_paused);
		rigs[level].process(rigs[level].worker, frames, count);
		for (uint32_t s = 0; s < SLOTS; s++)
			expect_lane(&rigs[level], s);
		expect_ledger(&rigs[level]);
		if (draw(2)) { /* the other copy, and which one the next burst goes to */
			worker_commit(rigs[level].worker);
			expect_ledger(&rigs[level]);
		}
	}
	reference_clear(&reference);
	for (uint16_t i = 0; i < count; i++)
		free_chain(&chains[i]);
}
