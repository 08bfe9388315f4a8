// How fast the drain brings lanes to disk, against fio writing to the same directory. Usage: drain_bench DIRECTORY
// [ROUNDS [MIB]]. Prints "drain_vs_fio", medians in MB/s, and the median of the rounds' ratios, as tests/bench/run reads it.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/store_feed.c"
#include "tests/support/store_rig.c"

#define WORKERS 1u
#define SHARDS 1u
#define PAYLOAD 1000u
#define LANE_BYTES (16u << 20)
#define ROUNDS_MAX 31

struct producer {
	struct rig *rig;
	uint32_t worker;
	uint64_t bytes;
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* As cheap as a worker can be: the same record over and over, published every 32. The drain is what is measured. */
static void *produce(void *arg)
{
	struct producer *p = arg;
	struct feed_worker *from = &p->rig->feed.workers[p->worker];
	uint8_t record[sizeof(struct record) + PAYLOAD];
	struct record r = {.length = PAYLOAD, .kind = RECORD_DATA, .arrival_ns = 1, .vlan = RECORD_VLAN_NONE};
	uint32_t bytes = record_bytes(0, 0, PAYLOAD), slot = 0;

	memset(record, 'x', sizeof record);
	memcpy(record, &r, sizeof r);
	for (uint64_t done = 0; done < p->bytes; slot = (slot + 1) % SHARDS) {
		for (int i = 0; i < 32; i++) {
			uint8_t *at = lane_reserve(&from->lanes[slot], bytes);

			if (!at) {
				nap();
				break;
			}
			memcpy(at, record, sizeof record);
			ledger_add(&from->ledger, lane_word(slot, LANE_RECORDS), 1);
			done += bytes;
		}
		ledger_set(&from->ledger, lane_word(slot, LANE_POSITION), from->lanes[slot].position);
		ledger_commit(&from->ledger);
	}
	return NULL;
}

static double drain_once(const char *directory, uint64_t bytes)
{
	struct producer producers[WORKERS];
	pthread_t threads[WORKERS];
	struct rig rig;
	double start, took;

	rig_make(&rig, directory, WORKERS, SHARDS);
	feed_close(&rig.feed, true);
	feed_open(&rig.feed, WORKERS, SHARDS, LANE_BYTES);
	rig.options.segment_bytes = 256u << 20;
	rig.options.batch_bytes = 4u << 20;
	rig.options.commit_ms = 10;
	rig_start(&rig);
	start = seconds();
	for (uint32_t w = 0; w < WORKERS; w++) {
		producers[w] = (struct producer){&rig, w, bytes / WORKERS};
		pthread_create(&threads[w], NULL, produce, &producers[w]);
	}
	for (uint32_t w = 0; w < WORKERS; w++)
		pthread_join(threads[w], NULL);
	if (!rig_settle(&rig, 60000)) {
		fprintf(stderr, "drain_bench: did not become durable within a minute\n");
		exit(1);
	}
	took = seconds() - start;
	rig_destroy(&rig);
	return (double)bytes / took / 1e6;
}

static double fio_once(const char *directory, uint64_t bytes)
{
	char command[512], line[4096];
	double rate = 0;
	FILE *out;

	snprintf(command, sizeof command,
		 "fio --name=penstock-fio --directory='%s' --size=%llu --direct=1 --ioengine=io_uring --rw=write "
		 "--bs=4M --iodepth=3 " /* what a shard has in flight at most: FLIGHTS_MAX batches */
		 "--end_fsync=1 --output-format=terse --terse-version=3 2>/dev/null; rm -f '%s'/penstock-fio.*",
		 directory, (unsigned long long)bytes, directory);
	out = popen(command, "r");
	while (out && fgets(line, sizeof line, out)) {
		char *field = line;

		for (int i = 1; i < 48 && field; i++)
			field = strchr(field, ';') ? strchr(field, ';') + 1 : NULL;
		if (field)
			rate = strtod(field, NULL) * 1024 / 1e6; /* KiB/s, final sync included in run time */
	}
	if (out)
		pclose(out);
	return rate;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 7;
	uint64_t bytes = (argc > 3 ? strtoull(argv[3], NULL, 10) : 1024) << 20;
	double drain[ROUNDS_MAX], fio[ROUNDS_MAX], ratio[ROUNDS_MAX];

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: drain_bench DIRECTORY [ROUNDS, 1 to %d [MIB]]\n", ROUNDS_MAX);
		return 2;
	}
	for (int i = 0; i < rounds; i++) {
		drain[i] = drain_once(argv[1], bytes);
		fio[i] = fio_once(argv[1], bytes);
		fprintf(stderr, "round %d: drain %.0f MB/s, fio %.0f MB/s\n", i + 1, drain[i], fio[i]);
		if (fio[i] <= 0) {
			fprintf(stderr, "drain_bench: fio did not run: is it installed?\n");
			return 1;
		}
		ratio[i] = drain[i] / fio[i];
	}
	qsort(drain, (size_t)rounds, sizeof drain[0], compare);
	qsort(fio, (size_t)rounds, sizeof fio[0], compare);
	qsort(ratio, (size_t)rounds, sizeof ratio[0], compare);
	printf("drain_vs_fio\t%.0f\t%.0f\t%.3f\n", drain[rounds / 2], fio[rounds / 2], ratio[rounds / 2]);
	return 0;
}
