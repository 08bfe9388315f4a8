// Plans that change under a running worker: its thread polls frames without end while inputs, keys and streams are
// swapped. Each record is there once, in order, under an input that was configured; each row of the ledger counts for one.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_ethdev.h>

#include "dataplane/worker.h"
#include "tests/dpdk/mirrored.h"
#include "tests/support/frame_build.h"

#define LANE_SIZE (1ull << 20)
#define SLOTS 2u
#define FRAMES 32u
#define AHEAD 4000u /* frames: half of what a lane holds */
#define SWAPS 200u
#define STEADY_PORT 514u /* an input that stays */
#define TURNING_PORT 515u /* of another input after each swap, every third time of none */

static struct shard_map map;
static struct port port;
static struct clock wall;
static struct worker *worker;
static struct ledger *ledger;
static uint8_t *lanes[SLOTS];
static _Atomic uint64_t heads[SLOTS];

/* ---- the driver: frames without end, each with the next sequence of its UDP port ---- */

static struct driver { /* the worker's thread alone, but for `limit` and `idle`; read once settled */
	_Atomic uint64_t limit; /* frames given in all: no more than the lanes can take before they are drained; 0: shut */
	_Atomic bool idle;      /* the worker found it shut: what it was given before is committed */
	struct rte_mbuf *frames[FRAMES];
	uint32_t ports[FRAMES];
	uint64_t turn;
	uint64_t sent[2]; /* by port - STEADY_PORT */
} driver;

static uint16_t receive(void *queue, struct rte_mbuf **frames, uint16_t count)
{
	struct driver *d = queue;
	uint16_t n = 0;
	uint64_t limit = atomic_load_explicit(&d->limit, memory_order_acquire);

	if (limit == 0)
		atomic_store_explicit(&d->idle, true, memory_order_release); /* partner: settle() */
	if (d->turn >= limit)
		return 0;
	for (uint16_t most = (uint16_t)(d->turn % 7 + 1); n < most && n < count; n++) {
		uint32_t i = (uint32_t)(d->turn++ % FRAMES);
		struct rte_mbuf *m = d->frames[i];

		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, 42), &d->sent[d->ports[i] - STEADY_PORT], 8);
		d->sent[d->ports[i] - STEADY_PORT]++;
		/* Held by us as well: the worker's giving back frees nothing. */
		rte_mbuf_refcnt_set(m, 2);
		frames[n] = m;
	}
	return n;
}

static void make_driver(void)
{
	static void *queues[1] = {&driver}, *callbacks[1];
	static uint8_t frame[FRAME_BUILD_MAX];

	for (uint32_t i = 0; i < FRAMES; i++) {
		struct rte_mbuf *m = aligned_alloc(64, sizeof *m);

		driver.ports[i] = i % 3 == 2 ? TURNING_PORT : STEADY_PORT;
		struct frame_build what = {.destination_port = (uint16_t)driver.ports[i], .payload = 24};
		memset(m, 0, sizeof *m);
		m->data_len = (uint16_t)frame_build(&what, frame);
		m->pkt_len = m->data_len;
		m->nb_segs = 1;
		m->ol_flags = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD; /* payloads are rewritten */
		m->buf_addr = frame_exact(frame, m->data_len);
		m->buf_len = m->data_len;
		driver.frames[i] = m;
	}
	rte_eth_fp_ops[0].rx_pkt_burst = receive;
	rte_eth_fp_ops[0].rxq.data = queues;
	rte_eth_fp_ops[0].rxq.clbk = callbacks;
}

/* ---- the worker ---- */

static void make_worker(void)
{
	uint32_t lines = worker_lines(SLOTS);

	worker = aligned_alloc(64, (sizeof *worker + 63) & ~63ul);
	ledger = aligned_alloc(64, ledger_bytes(lines));
	assert_true(worker && ledger);
	memset(worker, 0, sizeof *worker);
	memset(ledger, 0, ledger_bytes(lines));
	frame_host(&port.host);
	worker->port = &port;
	worker->clock = &wall;
	worker->process = burst_choose();
	worker->burst = 32;
	key_random_init(&worker->random, 1);
	ledger_writer_init(&worker->ledger, ledger, aligned_alloc(64, lines * sizeof(struct ledger_line)), lines);
	for (uint32_t s = 0; s < SLOTS; s++) {
		lanes[s] = mirrored(LANE_SIZE);
		lane_writer_init(&worker->lanes[s].lane, lanes[s], LANE_SIZE, s, &worker->ledger, &heads[s]);
	}
	for (uint32_t s = 0; s < SLOTS; s++) {
		strcpy(map.streams[s].name, s ? "t" : "s");
		map.streams[s].first_shard = s;
		map.streams[s].shards = 1;
		map.shards[s] = (struct map_shard){{0, 0}, {UINT64_MAX, UINT64_MAX}, s, s};
	}
	map.streams_count = map.shards_count = SLOTS;
}

static void read_words(uint32_t word, uint64_t words[LEDGER_LINE_WORDS])
{
	assert_true(ledger_read(ledger, worker_lines(SLOTS), word / LEDGER_LINE_WORDS, 1, words));
}

/* ---- the configurations, and what the main thread of the dataplane does with them ---- */

static struct region_input described[INPUTS_MAX];
static struct config *config;
static struct plan *plan;
static struct rows rows;

static void turning_name(uint32_t swap, char *name, size_t room)
{
	snprintf(name, room, "turning%u", swap);
}

static struct config *make_config(uint32_t swap)
{
	struct config *c = calloc(1, sizeof *c);

	assert_non_null(c);
	c->inputs_count = swap % 3 == 2 ? 1 : 2;
	for (uint32_t i = 0; i < c->inputs_count; i++) {
		/* The one that stays stands now here, now there. */
		bool steady = i == swap % c->inputs_count;
		struct config_input *input = &c->inputs[i];

		strcpy(input->name, "steady");
		if (!steady)
			turning_name(swap, input->name, sizeof input->name);
		strcpy(input->stream, !steady && swap % 2 ? "t" : "s");
		input->udp_port = steady ? STEADY_PORT : TURNING_PORT;
		input->vlan = -1;
		input->any_destination = true;
		input->codec = CODEC_DATAGRAM;
		input->key = swap % 4 == 0 ? KEY_FLOW : swap % 4 == 1 ? KEY_CONSTANT : swap % 4 == 2 ? KEY_RANDOM : KEY_SOURCE;
		snprintf(input->key_constant, sizeof input->key_constant, "constant %u", swap);
	}
	return c;
}

/* As dataplane/reload.c: the old plan and its configuration are freed as soon as the worker has acknowledged. */
static void swap_plan(uint32_t swap)
{
	struct config *next = make_config(swap), *old_config = config;
	struct plan *made, *old = plan;
	uint32_t count = swap == 1 ? INPUTS_MAX : rows.count; /* all rows have been used: each new input needs one cleared */

	rows_assign(&rows, described, count, next);
	assert_int_equal(plan_create(next, &rows, 1, &map, 1, &made), 0);
	made->serial = swap;
	atomic_store_explicit(&worker->next_plan, made, memory_order_release);
	while (old && atomic_load_explicit(&worker->acknowledged, memory_order_acquire) != swap)
		sched_yield();
	rows_describe(described, &rows, next, 0);
	config = next;
	plan = made;
	plan_free(old);
	free(old_config);
}

/* ---- the drain ---- */

static struct {
	uint64_t next_steady;                /* sequence expected of the input that stays */
	uint64_t last_turning[SLOTS];        /* the last of the other's in this lane */
	uint8_t *seen;                       /* by sequence of the turning port */
	uint64_t seen_room, steady, turning; /* records so far */
	uint64_t of_input[SWAPS + 1];        /* of each turning input */
} drained;

static uint32_t swap_of(uint32_t input)
{
	char name[NAME_MAX_BYTES];

	for (uint32_t swap = SWAPS; swap >= 1; swap--) {
		turning_name(swap, name, sizeof name);
		if (input_id(name) == input)
			return swap;
	}
	fail_msg("a record of an input nobody configured");
	return 0;
}

static void take_record(uint32_t slot, const struct record *r)
{
	static uint32_t last_input, last_swap;
	uint64_t sequence;

	memcpy(&sequence, record_payload(r), sizeof sequence);
	assert_int_equal(r->kind, RECORD_DATA);
	if (r->input == input_id("steady")) {
		assert_int_equal(slot, 0);
		assert_int_equal(sequence, drained.next_steady);
		drained.next_steady++;
		drained.steady++;
		return;
	}
	if (r->input != last_input)
		last_swap = swap_of(last_input = r->input);
	assert_int_equal(slot, last_swap % 2);
	assert_true(drained.turning == 0 || drained.last_turning[slot] == UINT64_MAX || sequence > drained.last_turning[slot]);
	drained.last_turning[slot] = sequence;
	if (sequence >= drained.seen_room) {
		uint64_t room = sequence * 2 + 4096;

		drained.seen = realloc(drained.seen, room);
		assert_non_null(drained.seen);
		memset(drained.seen + drained.seen_room, 0, room - drained.seen_room);
		drained.seen_room = room;
	}
	assert_int_equal(drained.seen[sequence]++, 0);
	drained.turning++;
	drained.of_input[last_swap]++;
}

static void drain(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		uint64_t line[LEDGER_LINE_WORDS], head = atomic_load(&heads[slot]);

		read_words(lane_word(slot, 0), line);
		while (head < line[LANE_POSITION]) {
			const uint8_t *at = lanes[slot] + head % LANE_SIZE;
			uint32_t bytes = record_check(at, line[LANE_POSITION] - head);

			assert_true(bytes > 0);
			take_record(slot, (const struct record *)(const void *)at);
			head += bytes;
		}
		atomic_store_explicit(&heads[slot], head, memory_order_release);
	}
}

static uint64_t counter(uint32_t word)
{
	uint64_t line[LEDGER_LINE_WORDS];

	read_words(word, line);
	return line[word % LEDGER_LINE_WORDS];
}

static void open_driver(void)
{
	drain();
	atomic_store_explicit(&driver.limit, counter(WORKER_POLLED) + AHEAD, memory_order_release);
}

/* Shuts the driver until what it gave is committed, and drains that. */
static void settle(void)
{
	atomic_store_explicit(&driver.idle, false, memory_order_relaxed);
	atomic_store_explicit(&driver.limit, 0, memory_order_release);
	while (!atomic_load_explicit(&driver.idle, memory_order_acquire))
		sched_yield();
	drain();
}

static void expect_rows(uint32_t swap)
{
	uint64_t line[LEDGER_LINE_WORDS];

	for (uint32_t i = 0; i < config->inputs_count; i++) {
		bool steady = strcmp(config->inputs[i].name, "steady") == 0;

		read_words(input_word(rows.of[i], 0), line);
		assert_int_equal(line[INPUT_RECORDS], steady ? drained.steady : drained.of_input[swap]);
		assert_int_equal(line[INPUT_FRAMES], line[INPUT_RECORDS]);
		assert_int_equal(line[INPUT_REFUSED], 0);
	}
}

static void expect_balance(void)
{
	assert_int_equal(counter(WORKER_POLLED), driver.sent[0] + driver.sent[1]);
	assert_int_equal(counter(WORKER_POLLED), counter(FRAME_ACCEPTED) + counter(FRAME_NO_INPUT));
	assert_int_equal(counter(WORKER_PARSED), drained.steady + drained.turning);
	assert_int_equal(counter(RECORD_APPENDED), drained.steady + drained.turning);
	assert_int_equal(drained.steady, driver.sent[0]);
	assert_int_equal(drained.turning + counter(FRAME_NO_INPUT), driver.sent[1]);
}

static void *run(void *with)
{
	worker_run(with);
	return NULL;
}

static void inputs_change_under_a_running_worker_and_nothing_is_lost(void **state)
{
	pthread_t thread;

	(void)state;
	make_driver();
	make_worker();
	drained.last_turning[0] = drained.last_turning[1] = UINT64_MAX;
	swap_plan(1);
	assert_int_equal(pthread_create(&thread, NULL, run, worker), 0);
	for (uint32_t swap = 2; swap <= SWAPS; swap++) {
		for (int turn = 0; turn < 20; turn++) {
			open_driver();
			sched_yield();
		}
		if (swap % 10 == 0) { /* else under load */
			settle();
			expect_rows(swap - 1);
			expect_balance();
		}
		swap_plan(swap);
	}
	for (uint64_t enough = drained.steady + 1000; drained.steady < enough;)
		open_driver();
	settle();
	atomic_store(&worker->stop, true);
	pthread_join(thread, NULL);
	expect_rows(SWAPS);
	expect_balance();
	assert_true(drained.turning > 0 && counter(FRAME_NO_INPUT) > 0);
	plan_free(plan);
	free(config);
	free(drained.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inputs_change_under_a_running_worker_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
