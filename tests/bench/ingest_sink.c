// Stands in for penstockd in the ingest benchmark: publishes one stream's map, then gives room back as fast as records
// come, without reading them, and prints what the dataplane's ledger counted meanwhile.
//
//   ingest_sink REGION-DIRECTORY STREAM SHARDS SECONDS      prints "measuring" when it begins, and at the
//                                      end "frames/s records/s refused frames dropped". A frame counts as far as its records
//                                      came into lanes: one that is dropped, or whose records are refused, is none.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/seam/region.h"

#define START_S 30 /* within which the dataplane has made its region and polled a frame */

static void pause_us(long us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&pause, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Looks every 50 us, without sleeping: a lane of 256 KiB is full after a millisecond, and a sleep may last as long. */
static void look_again(void)
{
	for (double until = now() + 50e-6; now() < until;)
		;
}

static void publish(struct control *control, const char *stream, uint32_t shards)
{
	static struct shard_map map;
	uint64_t step = shards == 1 ? 0 : UINT64_MAX / shards + 1;

	map.streams_count = 1;
	map.shards_count = shards;
	snprintf(map.streams[0].name, sizeof map.streams[0].name, "%s", stream);
	map.streams[0].shards = shards;
	for (uint32_t i = 0; i < shards; i++) {
		map.shards[i].slot = i;
		map.shards[i].first_hash[0] = step * i;
		map.shards[i].last_hash[0] = i + 1 == shards ? UINT64_MAX : step * (i + 1) - 1;
		map.shards[i].last_hash[1] = UINT64_MAX;
	}
	control_publish_map(control, &map);
}

struct totals {
	uint64_t polled, appended, refused, accepted;
};

static void give_room(const struct region_reader *region, struct control *control, uint32_t shards, struct totals *out)
{
	static uint64_t words[(WORKER_LANES_WORD / LEDGER_LINE_WORDS + SHARDS_MAX) * LEDGER_LINE_WORDS];

	memset(out, 0, sizeof *out);
	for (uint32_t w = 0; w < region->geometry.workers; w++) {
		const struct ledger *ledger = region_worker_ledger(region, w);
		uint32_t lines = worker_lines(region->geometry.shards);

		for (uint32_t slot = 0; slot < shards; slot++)
			if (ledger_read(ledger, lines, lane_word(slot, 0) / LEDGER_LINE_WORDS, 1, words))
				atomic_store_explicit(&control->head[slot][w], words[LANE_POSITION], memory_order_release);
		if (ledger_read(ledger, lines, 0, COUNTERS_MAX / LEDGER_LINE_WORDS, words)) {
			out->polled += words[WORKER_POLLED];
			out->accepted += words[FRAME_ACCEPTED];
			out->appended += words[RECORD_APPENDED];
			out->refused += words[RECORD_LANE_FULL] + words[RECORD_NO_STREAM];
		}
	}
}

int main(int argc, char **argv)
{
	struct region_reader region;
	struct control *control;
	struct totals first, last;
	double start, end;
	uint32_t shards;
	double deadline = now() + START_S;
	double frames, accepted, appended, refused;
	int fd, error;

	if (argc != 5)
		return 2;
	shards = (uint32_t)atoi(argv[3]);
	while (((error = region_open(argv[1], &region)) == -ENOENT || error == -EAGAIN) && now() < deadline)
		pause_us(1000);
	if (!error)
		error = control_create(argv[1], &region, &control, &fd);
	if (error) {
		fprintf(stderr, "ingest_sink: %s\n", strerror(-error));
		return 1;
	}
	publish(control, argv[2], shards);
	do {
		pause_us(1000);
		give_room(&region, control, shards, &first);
	} while (first.polled == 0 && now() < deadline);
	if (first.polled == 0) {
		fprintf(stderr, "ingest_sink: no frame in %d s\n", START_S);
		return 1;
	}
	for (start = now(); now() - start < 0.5; look_again()) /* warm */
		give_room(&region, control, shards, &first);
	printf("measuring\n");
	fflush(stdout);
	start = now();
	do {
		look_again();
		give_room(&region, control, shards, &last);
		end = now();
	} while (end - start < atof(argv[4]));
	accepted = (double)(last.accepted - first.accepted);
	appended = (double)(last.appended - first.appended);
	refused = (double)(last.refused - first.refused);
	frames = appended > 0 ? accepted * appended / (appended + refused) : 0;
	printf("%.0f %.0f %.0f %.0f\n", frames / (end - start), appended / (end - start), refused,
	       (double)(last.polled - first.polled) - accepted);
	return 0;
}
