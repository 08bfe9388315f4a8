// What the hot path costs a frame, by itself: bursts of 32 prepared frames through burst.c into 16 lanes, no driver.
//
//   burst_bench [v2|v3|v4 [ROUNDS [ONLY]]]      prints "name least-ns-per-frame median-ns-per-frame" lines, of the thread's own
//                                        time in short runs: others on the machine disturb some of them, never all
//   burst_bench --run ROUNDS [rules]     takes bursts of lines, for callgrind to count in measured_bursts(), and prints how
//                                        many frames. With rules, another input has some: not compiled, since nothing can
//                                        start the compiler under callgrind, but all else that workers get for them
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/packet/wire.h"
#include "dataplane/refine.h"
#include "dataplane/worker.h"

#define FRAMES 1024u
#define SHARDS 16u
#ifndef LANE_SIZE
#define LANE_SIZE (4ull << 20)
#endif
#define RUNS 100

static struct config config;
static struct port port;
static struct clock wall;
static struct worker *worker;
static _Atomic uint64_t heads[SHARDS];
static struct rte_mbuf *mbufs[FRAMES];

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void put16(uint8_t *at, unsigned n)
{
	at[0] = (uint8_t)(n >> 8);
	at[1] = (uint8_t)n;
}

static uint32_t build_frame(uint8_t *f, uint32_t number, bool lines)
{
	static const uint8_t mac[6] = {2, 0x70, 0x63, 0x61, 0x70, 0};
	uint8_t *ip = f + 14, *udp = ip + 20, *payload = udp + 8;
	uint32_t length = 0;

	for (int line = 0; line < (lines ? 10 : 1); line++)
		length += (uint32_t)sprintf((char *)payload + length, lines ? "host-%04d metric.%03d=%-75d\n" : "host-%04d %012d",
					    rand() % 10000, rand() % 1000, rand());
	memcpy(f, mac, 6);
	memset(f + 6, 2, 6);
	put16(f + 12, 0x0800);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	put16(ip + 2, 28 + length);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, (uint8_t[]){198, 18, 0, 10, 198, 18, 0, 2}, 8);
	ip[15] = (uint8_t)(10 + number % 200);
	put16(udp, 1024 + number);
	put16(udp + 2, 9000);
	put16(udp + 4, 8 + length);
	uint16_t sum = checksum_finish(checksum_sum_ipv4(ip));
	memcpy(ip + 10, &sum, 2);
	sum = checksum_finish(checksum_sum_pseudo(ip + 12, 8, 8 + length, 17) + checksum_sum(udp, 8 + length));
	memcpy(udp + 6, &sum, 2);
	return 42 + length;
}

static void make_frames(bool lines)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		if (!mbufs[i])
			mbufs[i] = aligned_alloc(64, sizeof(struct rte_mbuf) + 2176);
		memset(mbufs[i], 0, sizeof(struct rte_mbuf));
		mbufs[i]->buf_addr = mbufs[i] + 1;
		mbufs[i]->data_off = 128;
		mbufs[i]->buf_len = 2176;
		mbufs[i]->refcnt = 1;
		mbufs[i]->nb_segs = 1;
		mbufs[i]->data_len = (uint16_t)build_frame(rte_pktmbuf_mtod(mbufs[i], uint8_t *), i, lines);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
	}
}

/* Another input, with a rule. */
static void add_rules(void)
{
	config.inputs[1] = config.inputs[0];
	config.inputs[1].udp_port = 9001;
	config.inputs_count = 2;
	strcpy(config.rules[0].name, "noise");
	strcpy(config.rules[0].pattern, "debug");
	config.rules[0].input_index = 1;
	config.rules[0].verdict = VERDICT_DROP;
	config.rules_count = 1;
}

static void make_plan(enum config_key key, uint8_t codec, bool rules)
{
	static struct shard_map map;
	uint64_t step = UINT64_MAX / SHARDS + 1;

	snprintf(config.inputs[0].stream, sizeof config.inputs[0].stream, "s");
	config.inputs_count = 1;
	config.inputs[0].vlan = -1;
	config.inputs[0].any_destination = true;
	config.inputs[0].udp_port = 9000;
	config.inputs[0].codec = codec;
	config.inputs[0].key = key;
	config.inputs[0].key_field = 1;
	config.inputs[0].key_separator = ' ';
	map.streams_count = 1;
	map.shards_count = SHARDS;
	strcpy(map.streams[0].name, "s");
	map.streams[0].shards = SHARDS;
	for (uint32_t i = 0; i < SHARDS; i++)
		map.shards[i] = (struct map_shard){{step * i, 0}, {step * (i + 1) - 1, UINT64_MAX}, i, 0};
	struct plan *plan;

	if (rules)
		add_rules();
	if (plan_create(&config, NULL, 1, &map, 1, &plan) != 0 || (rules && !(worker->refiner = refiner_new(0))))
		exit(1);
	worker_take_plan(worker, plan);
}

static void make_worker(void)
{
	static const struct config_address own = {4, 24, {198, 18, 0, 2}};
	static const uint8_t mac[6] = {2, 0x70, 0x63, 0x61, 0x70, 0};
	uint32_t lines = worker_lines(SHARDS);
	struct ledger *ledger = aligned_alloc(64, ledger_bytes(lines));

	worker = aligned_alloc(64, (sizeof *worker + 63) & ~63ul);
	memset(worker, 0, sizeof *worker);
	memset(ledger, 0, ledger_bytes(lines));
	host_init(&port.host, mac, &own, 1, 2);
	worker->port = &port;
	worker->clock = &wall;
	ledger_writer_init(&worker->ledger, ledger, aligned_alloc(64, lines * 64), lines);
	key_random_init(&worker->random, 1);
	for (uint32_t s = 0; s < SHARDS; s++) {
		uint8_t *bytes = aligned_alloc(4096, LANE_SIZE + (128 << 10));

		memset(bytes, 0, LANE_SIZE + (128 << 10)); /* the mirror's start is room enough here */
		lane_writer_init(&worker->lanes[s].lane, bytes, LANE_SIZE, s, &worker->ledger, &heads[s]);
	}
}

void measured_bursts(worker_process *process, long first, long count);

/* And penstockd, which empties the lanes. */
__attribute__((noinline)) void measured_bursts(worker_process *process, long first, long count)
{
	for (long burst = first; burst < first + count; burst++) {
		process(worker, mbufs + burst * 32 % FRAMES, 32);
		for (uint32_t s = 0; s < SHARDS; s++)
			atomic_store_explicit(&heads[s], worker->lanes[s].lane.position, memory_order_relaxed);
	}
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, worker_process *process, long rounds)
{
	double took[RUNS];
	long burst = 0, each = rounds / RUNS;

	for (int run = -RUNS / 10; run < RUNS; run++) {
		double start = now_ns();

		measured_bursts(process, burst, each);
		burst += each;
		if (run >= 0)
			took[run] = (now_ns() - start) / (double)(each * 32);
	}
	qsort(took, RUNS, sizeof took[0], compare_doubles);
	printf("%s\t%.1f\t%.1f\n", name, took[0], took[RUNS / 2]);
}

static int run_counted(long rounds, bool rules)
{
	make_worker();
	make_frames(true);
	make_plan(KEY_FIELD, CODEC_LINES, rules);
	measured_bursts(burst_choose(), 0, rounds);
	printf("%ld\n", rounds * 32);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "--run") == 0)
		return run_counted(atol(argv[2]), argc > 3);

	worker_process *process = argc < 2 ? burst_choose() : argv[1][1] == '2' ? burst_process_v2 :
				  argv[1][1] == '3' ? burst_process_v3 : burst_process_v4;
	long rounds = argc > 2 ? atol(argv[2]) : 200000;

	char only = argc > 3 ? argv[3][0] : 0; /* f, m or l */

	make_worker();
	make_frames(false);
	make_plan(KEY_FLOW, CODEC_DATAGRAM, false);
	if (!only || only == 'f')
		measure("64 B, flow hash", process, rounds);
	make_plan(KEY_FIELD, CODEC_DATAGRAM, false);
	if (!only || only == 'm')
		measure("64 B, MD5 of a field", process, rounds);
	make_frames(true);
	make_plan(KEY_FIELD, CODEC_LINES, false);
	if (!only || only == 'l')
		measure("10 x 97 B lines, MD5 of a field", process, rounds / 10);
	return 0;
}
