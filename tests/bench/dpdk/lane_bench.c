// Handing records from one core to another, which copies them out: a lane, published once per burst of 32, against
// rte_ring with bursts of 32 pointers. Three kinds of element:
//   8B      the hand-off alone, which is what the ring does too: 8 bytes of lane against a pointer nobody follows
//   64B     a record of 64 bytes; the ring's pointers point at such records, and both consumers copy the bytes
//   64B_nt  the same, the lane's written with non-temporal stores
#include <immintrin.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_pause.h>
#include <rte_malloc.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dataplane/seam/lane.h"
#include "tests/bench/pairs.h"

#define BURST 32u
#define RECORD_BYTES 64u
#define AHEAD 1024u /* bytes that the lane is prefetched ahead: half a burst of records */
/* What lane and ring hold, each so much that a pause of the consumer never fills it: then its length would be measured. */
#define RECORDS (64u << 10)
#define POINTERS (256u << 10)
#define RING_RECORDS (RECORDS + 2 * BURST) /* what the ring's pointers point at: none is written while one is in the ring */
#define ELEMENTS (128u << 10)     /* a run is shorter than a time slice */
#define GATHER_US 50u
#define GATHER_ELEMENTS 8192u
#define LANE_PAIRS 31u
#define LANE_TRIES 300u

enum element { ELEMENT_64B, ELEMENT_64B_NT, ELEMENT_8B };

struct bench {
	/* The producer's. */
	struct lane_writer writer;
	struct ledger_writer ledger;
	void (*produce)(struct bench *);
	/* What both look at, each on lines of its own. */
	_Alignas(128) _Atomic uint64_t head;
	_Alignas(128) _Atomic uint32_t go;
	_Alignas(128) _Atomic uint32_t done;
	_Atomic long switches; /* of the producer: how often it has been preempted */
	/* Constant during a run. */
	_Alignas(128) enum element element;
	struct region_writer region;
	uint32_t round;
	uint64_t lane_bytes;
	struct rte_ring *ring;
	uint8_t (*records)[RECORD_BYTES]; /* RING_RECORDS */
	/* The consumer's. */
	_Alignas(128) uint64_t sum;
	uint8_t copy[RECORDS * RECORD_BYTES];
};

static inline void fill_record(uint8_t *at, uint64_t n, bool non_temporal)
{
	__m128i words = _mm_set1_epi64x((long long)n);

	for (uint32_t i = 0; i < RECORD_BYTES / 16; i++) {
		if (non_temporal)
			_mm_stream_si128((__m128i *)(void *)at + i, words);
		else
			_mm_store_si128((__m128i *)(void *)at + i, words);
	}
}

static inline void lane_produce_as(struct bench *b, enum element element)
{
	uint32_t bytes = element == ELEMENT_8B ? 8 : RECORD_BYTES;

	for (uint64_t n = 0; n < ELEMENTS;) {
		uint8_t *at;

		/* Room for a burst at once, as the ring takes it. */
		while (!(at = lane_reserve(&b->writer, BURST * bytes)))
			rte_pause();
		for (uint32_t i = 0; i < BURST; i++, n++, at += bytes) {
			/* As a worker does (append.h), once for each line. */
			if (element == ELEMENT_64B || (element == ELEMENT_8B && i % 8 == 0))
				lane_prefetch(at + AHEAD);
			if (element == ELEMENT_8B)
				*(uint64_t *)(void *)at = n;
			else
				fill_record(at, n, element == ELEMENT_64B_NT);
		}
		/* Streamed bytes are ordered by nothing else, not even the commit's release store. */
		if (element == ELEMENT_64B_NT)
			_mm_sfence();
		ledger_add(&b->ledger, RECORD_APPENDED, BURST);
		ledger_add(&b->ledger, lane_word(0, LANE_RECORDS), BURST);
		ledger_set(&b->ledger, lane_word(0, LANE_POSITION), b->writer.position);
		ledger_commit(&b->ledger);
	}
}

static void lane_produce(struct bench *b)
{
	if (b->element == ELEMENT_64B)
		lane_produce_as(b, ELEMENT_64B);
	else if (b->element == ELEMENT_64B_NT)
		lane_produce_as(b, ELEMENT_64B_NT);
	else
		lane_produce_as(b, ELEMENT_8B);
}

/* Both consumers look again only after a while when they have found little, as the drain does, which sleeps for a millisecond. A
 * reader close behind its writer takes lines from it: those it looks at, and those behind the last that its core prefetches. With
 * looks every 2 us a lane's 8 bytes take 4 to 8 ns instead of 2 between cores of different caches, with 10 us 4. */
static void let_gather(struct bench *b, uint64_t elements)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * GATHER_US;

	if (elements >= GATHER_ELEMENTS)
		return;
	while (rte_rdtsc() < until && atomic_load_explicit(&b->done, memory_order_acquire) != b->round)
		rte_pause();
}

static void lane_consume(struct bench *b)
{
	struct lane_reader reader = {b->region.lanes[0], b->lane_bytes, atomic_load(&b->head), 0};
	uint64_t bytes = b->element == ELEMENT_8B ? 8 : RECORD_BYTES, line[LEDGER_LINE_WORDS];
	uint64_t end = reader.position + ELEMENTS * bytes;

	while (reader.position < end) {
		const uint8_t *from;
		int64_t span;

		if (!ledger_read(b->ledger.shared, worker_lines(1), lane_word(0, 0) / LEDGER_LINE_WORDS, 1, line))
			continue;
		span = lane_span(&reader, line[LANE_POSITION], UINT64_MAX, &from);
		let_gather(b, span > 0 ? (uint64_t)span / bytes : 0);
		if (span <= 0)
			continue;
		memcpy(b->copy, from, (size_t)span);
		b->sum += b->copy[span - 8];
		reader.position += (uint64_t)span;
		atomic_store_explicit(&b->head, reader.position, memory_order_release);
	}
}

static void ring_produce(struct bench *b)
{
	bool records = b->element != ELEMENT_8B;
	void *pointers[BURST];
	uint32_t next = 0; /* of the records, which are used in turn */

	for (uint64_t n = 0; n < ELEMENTS; n += BURST) {
		uint32_t sent = 0;

		for (uint32_t i = 0; i < BURST; i++) {
			pointers[i] = b->records[next + i];
			if (records)
				fill_record(pointers[i], n + i, false);
		}
		next = next + BURST < RING_RECORDS ? next + BURST : 0;
		while ((sent += rte_ring_enqueue_burst(b->ring, pointers + sent, BURST - sent, NULL)) < BURST)
			rte_pause();
	}
}

static void ring_consume(struct bench *b)
{
	bool records = b->element != ELEMENT_8B;
	void *pointers[BURST];

	for (uint64_t n = 0; n < ELEMENTS;) {
		uint32_t count = rte_ring_dequeue_burst(b->ring, pointers, BURST, NULL);

		if (count < BURST)
			let_gather(b, count);
		for (uint32_t i = 0; i < count; i++) {
			if (records)
				/* As far as a lane's consumer goes, which begins anew with every look. */
				memcpy(b->copy + (n + i) % GATHER_ELEMENTS * RECORD_BYTES, pointers[i], RECORD_BYTES);
			else
				b->sum += (uint64_t)pointers[i];
		}
		b->sum += b->copy[0];
		n += count;
	}
}

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static long preempted(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static void *producer(void *arg)
{
	struct bench *b = arg;

	pin(1);
	for (uint32_t round = 1;; round++) {
		while (atomic_load(&b->go) < round)
			rte_pause();
		if (!b->produce)
			return NULL;
		b->produce(b);
		atomic_store(&b->switches, preempted());
		atomic_store(&b->done, round);
	}
}

/* Nanoseconds per element of one run of both ends; 0 when one of them was preempted meanwhile. */
static double run(struct bench *b, struct rte_ring *ring)
{
	uint32_t round = atomic_load(&b->go) + 1;
	long before = preempted() + atomic_load(&b->switches);
	double start, spent;

	b->round = round;
	b->ring = ring;
	b->produce = ring ? ring_produce : lane_produce;
	start = bench_ns();
	atomic_store(&b->go, round);
	if (ring)
		ring_consume(b);
	else
		lane_consume(b);
	while (atomic_load(&b->done) < round)
		rte_pause();
	spent = bench_ns() - start;
	return preempted() + atomic_load(&b->switches) == before ? spent / ELEMENTS : 0;
}

/* `what` begins with the ring's kind: one producer and one consumer, or many. */
static void compare(struct bench *b, const char *what, uint32_t elements, enum element element)
{
	unsigned flags = what[0] == 's' ? RING_F_SP_ENQ | RING_F_SC_DEQ : 0;
	struct rte_ring *ring = rte_ring_create(what, elements, SOCKET_ID_ANY, flags | RING_F_EXACT_SZ);
	char name[64];
	double ours[LANE_PAIRS], theirs[LANE_PAIRS], ratio[LANE_PAIRS];
	uint32_t kept = 0;

	if (!ring) {
		fprintf(stderr, "lane_bench: no memory for a ring of %u: %s\n", elements, rte_strerror(rte_errno));
		exit(1);
	}
	snprintf(name, sizeof name, "lane_vs_ring_%s", what);
	b->element = element;
	run(b, NULL);
	run(b, ring);
	for (uint32_t tries = 0; kept < LANE_PAIRS && tries < LANE_TRIES; tries++) {
		ours[kept] = run(b, NULL);
		theirs[kept] = run(b, ring);
		if (ours[kept] == 0 || theirs[kept] == 0)
			continue;
		ratio[kept] = theirs[kept] / ours[kept];
		kept++;
	}
	if (kept < 9)
		printf("%s\t-\t-\t-\n", name); /* others use these cores: no figure rather than a wrong one */
	else
		printf("%s\t%.3f\t%.3f\t%.2f\n", name, median(ours, kept), median(theirs, kept), median(ratio, kept));
	fflush(stdout);
	rte_ring_free(ring);
}

/* The commit alone, every burst touching these many lines as the last did. */
static void print_commit(struct bench *b)
{
	for (uint32_t lines = 1; lines <= 8; lines *= 2) {
		double start = bench_ns();

		for (uint32_t i = 0; i < 1000000; i++) {
			for (uint32_t line = 0; line < lines; line++)
				ledger_add(&b->ledger, line * LEDGER_LINE_WORDS, 1);
			ledger_commit(&b->ledger);
		}
		printf("lane_commit_%u_lines_ns_per_burst\t%.2f\t-\t-\n", lines, (bench_ns() - start) / 1e6);
	}
}

/* The lane before stays mapped until the end. */
static void new_lane(struct bench *b, uint64_t bytes)
{
	char directory[] = "/dev/shm/penstock-bench-XXXXXX", path[64];
	struct region_geometry geometry = {.workers = 1, .shards = 1, .lane_bytes = bytes};
	uint32_t lines = worker_lines(1);

	if (!mkdtemp(directory) || region_create(directory, &geometry, &b->region) != 0 ||
	    region_populate(&b->region, 0, 0, -1) != 0) {
		fprintf(stderr, "lane_bench: cannot set up %s\n", directory);
		exit(1);
	}
	ledger_writer_init(&b->ledger, (struct ledger *)((uint8_t *)b->region.region + b->region.region->ledgers_offset),
			   aligned_alloc(64, lines * sizeof(struct ledger_line)), lines);
	atomic_store(&b->head, 0);
	b->lane_bytes = geometry.lane_bytes;
	lane_writer_init(&b->writer, b->region.lanes[0], b->lane_bytes, 0, &b->ledger, &b->head);
	snprintf(path, sizeof path, "%s/data", directory);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	char prefix[64];
	char *eal[] = {"lane_bench", "--no-huge", "--no-pci", "-m", "64", "--no-shconf", "-l", "0", "--log-level", "3",
		       "--file-prefix", prefix};
	static struct bench b;
	pthread_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "lane_bench: needs two cores\n");
		return 77;
	}
	snprintf(prefix, sizeof prefix, "penstock-lane-bench-%d", (int)getpid());
	if (rte_eal_init(sizeof eal / sizeof *eal, eal) < 0) {
		fprintf(stderr, "lane_bench: EAL: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	b.records = rte_zmalloc(NULL, RING_RECORDS * sizeof *b.records, 64);
	if (!b.records) {
		fprintf(stderr, "lane_bench: no memory for records\n");
		return 1;
	}
	pin(0);
	pthread_create(&thread, NULL, producer, &b);
	new_lane(&b, RECORDS * RECORD_BYTES);
	compare(&b, "spsc_64B", RECORDS, ELEMENT_64B);
	compare(&b, "mpmc_64B", RECORDS, ELEMENT_64B);
	compare(&b, "spsc_64B_nt", RECORDS, ELEMENT_64B_NT);
	compare(&b, "mpmc_64B_nt", RECORDS, ELEMENT_64B_NT);
	new_lane(&b, POINTERS * 8);
	compare(&b, "spsc_8B", POINTERS, ELEMENT_8B);
	compare(&b, "mpmc_8B", POINTERS, ELEMENT_8B);
	b.produce = NULL;
	atomic_fetch_add(&b.go, 1);
	pthread_join(thread, NULL);
	print_commit(&b);
	rte_eal_cleanup();
	return b.sum == 0;
}
