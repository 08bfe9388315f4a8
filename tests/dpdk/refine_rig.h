// A worker of each x86-64 level on plain memory, with lanes and a ledger, and frames for its inputs.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/refine.h"
#include "dataplane/worker.h"
#include "tests/dpdk/mirrored.h"
#include "tests/dpdk/shard_map.h"
#include "tests/support/frame_build.h"

#define LANE_SIZE (1ull << 19)
#define RIG_SEED 99u
#define SLOTS 22u /* stream a: 0 to 15, b: 16 to 18, one: 19, dead: 20 and 21 */

struct rig {
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
static struct plan *plan;
static struct refine_set *set;
static struct rig rigs[BURST_LEVELS];
static uint32_t rigs_count;
static uint64_t now_ns;

/* UDP port 600 and the input's number. */
static inline struct config_input *add_input(uint8_t codec, enum config_key key, const char *stream)
{
	struct config_input *input = &config.inputs[config.inputs_count];

	snprintf(input->name, sizeof input->name, "input%u", config.inputs_count);
	strcpy(input->stream, stream);
	input->udp_port = 600 + config.inputs_count++;
	input->codec = codec;
	input->key = key;
	input->vlan = -1;
	input->any_destination = true;
	input->key_field = 1;
	input->key_separator = ' ';
	strcpy(input->key_group, "1");
	return input;
}

static inline struct config_rule *add_rule(uint32_t input, const char *name, const char *pattern, enum config_verdict verdict)
{
	struct config_rule *rule = &config.rules[config.rules_count++];

	strcpy(rule->name, name);
	strcpy(rule->pattern, pattern);
	rule->input_index = input;
	rule->verdict = verdict;
	return rule;
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
	w->now_ns = now_ns;
	w->refiner = refiner_new(0);
	assert_non_null(w->refiner);
	worker_take_plan(w, plan);
	atomic_store(&w->next_plan, plan);
	atomic_store(&w->stop, true);
	key_random_init(&w->random, RIG_SEED);
	ledger_writer_init(&w->ledger, rig->ledger, rig->words, lines);
	for (uint32_t s = 0; s < SLOTS; s++) {
		atomic_store(&rig->heads[s], 0);
		rig->lanes[s] = mirrored(LANE_SIZE);
		lane_writer_init(&w->lanes[s].lane, rig->lanes[s], LANE_SIZE, s, &w->ledger, &rig->heads[s]);
	}
	rig->worker = w;
}

/* `inputs` fills the configuration. */
static inline void start_rigs(void (*inputs)(void))
{
	worker_process *levels[BURST_LEVELS];

	memset(&map, 0, sizeof map);
	memset(&config, 0, sizeof config);
	memset(&port, 0, sizeof port);
	now_ns = 1700000000000000000ull;
	config.rule_seconds = 30;
	config.rule_memory = 512u << 20;
	shard_map_add(&map, "a", 16);
	shard_map_add(&map, "b", 3);
	shard_map_add(&map, "one", 1);
	shard_map_add(&map, "dead", 2);
	inputs();
	frame_host(&port.host);
	assert_int_equal(plan_create(&config, NULL, 1, &map, 1, &plan), 0);
	assert_int_equal(refine_set_compile(&config, NULL, stderr, &set), 0);
	assert_int_equal(refine_set_attach(set, plan, &config, &map, BURST_LEVELS), 0);
	rigs_count = burst_levels(levels);
	for (uint32_t i = 0; i < rigs_count; i++) {
		make_rig(&rigs[i], levels[i]);
		rigs[i].worker->index = i;
	}
}

static inline void end_rigs(void)
{
	for (uint32_t i = 0; i < rigs_count; i++) {
		for (uint32_t s = 0; s < SLOTS; s++)
			munmap(rigs[i].lanes[s], 2 * LANE_SIZE);
		refiner_free(rigs[i].worker->refiner);
		free(rigs[i].worker);
		free(rigs[i].ledger);
		free(rigs[i].words);
	}
	plan_free(plan);
	refine_set_release(set);
}

/* ---- datagrams ---- */

static inline uint32_t make_frame(uint8_t *frame, uint32_t input, const void *payload, uint32_t length)
{
	struct frame_build what = {.destination_port = (uint16_t)(600 + input), .payload = length, .no_checksum = true};
	uint32_t bytes = frame_build(&what, frame);

	memcpy(frame + bytes - length, payload, length);
	return bytes;
}

/* A segment, in a heap block of its size. */
static inline struct rte_mbuf *make_segment(const uint8_t *bytes, uint32_t length)
{
	struct rte_mbuf *m = aligned_alloc(64, sizeof *m);

	assert_non_null(m);
	memset(m, 0, sizeof *m);
	m->buf_addr = frame_exact(bytes, length);
	m->buf_len = (uint16_t)length;
	m->data_len = (uint16_t)length;
	m->nb_segs = 1;
	return m;
}

/* A frame of one segment, or, when `cut` is not 0, of two that meet there. */
static inline struct rte_mbuf *make_mbuf(const uint8_t *bytes, uint32_t length, uint32_t cut)
{
	struct rte_mbuf *m = make_segment(bytes, cut ? cut : length);

	if (cut) {
		m->next = make_segment(bytes + cut, length - cut);
		m->nb_segs = 2;
	}
	m->pkt_len = length;
	return m;
}

static inline void free_mbuf(struct rte_mbuf *m)
{
	while (m) {
		struct rte_mbuf *next = m->next;

		free(m->buf_addr);
		free(m);
		m = next;
	}
}

static inline uint64_t sum(const uint64_t *words, uint32_t first, uint32_t end)
{
	uint64_t total = 0;

	for (uint32_t i = first; i < end; i++)
		total += words[i];
	return total;
}
