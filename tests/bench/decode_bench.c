// Nanoseconds to decode a frame and to find its input, with checksums in software. No target, no pass or fail.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/packet/decode.h"
#include "dataplane/packet/match.h"

#define FRAMES 64u /* a burst: what a worker has in its cache after the prefetch */
#define ROUNDS 9u
#define PASSES 40000u

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

struct load {
	uint8_t *frames[FRAMES];
	uint32_t length;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// Frames of `lines` lines of 97 bytes, or of `payload` bytes when `lines` is 0, with a source port of their own each.
static void make_load(struct load *load, uint32_t lines, uint32_t payload, bool tagged)
{
	uint32_t l3 = tagged ? 18 : 14, text = lines ? lines * 97 : payload;

	load->length = l3 + 28 + text;
	for (uint32_t f = 0; f < FRAMES; f++) {
		uint8_t *frame = calloc(1, load->length + 8), *ip = frame + l3, *udp = ip + 20;
		uint16_t sum;

		memcpy(frame, mac, 6);
		frame[6] = 2;
		wire_put16(frame + 12, tagged ? WIRE_TYPE_VLAN : WIRE_TYPE_IPV4);
		if (tagged) {
			wire_put16(frame + 14, 100);
			wire_put16(frame + 16, WIRE_TYPE_IPV4);
		}
		ip[0] = 0x45;
		wire_put16(ip + 2, (uint16_t)(28 + text));
		ip[8] = 64;
		ip[9] = WIRE_UDP;
		memcpy(ip + 12, (uint8_t[]){10, 0, 0, 2, 10, 0, 0, 1}, 8);
		sum = checksum_finish(checksum_sum_ipv4(ip));
		memcpy(ip + 10, &sum, 2);
		wire_put16(udp, (uint16_t)(1024 + f));
		wire_put16(udp + 2, 514);
		wire_put16(udp + 4, (uint16_t)(8 + text));
		for (uint32_t i = 0; i < text; i++)
			udp[8 + i] = lines && i % 97 == 96 ? '\n' : (uint8_t)('a' + (i * 7 + f) % 26);
		sum = checksum_finish(checksum_sum_pseudo(ip + 12, 8, 8 + text, WIRE_UDP) +
				      checksum_sum(udp, 8 + text));
		memcpy(udp + 6, &sum, 2);
		load->frames[f] = frame;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// The median over ROUNDS of nanoseconds per frame. With `match`, finding the input is included.
static double run(const struct load *load, const struct host *host, const struct match *match, uint32_t verified)
{
	double round[ROUNDS];
	uint64_t seen = 0;

	for (uint32_t r = 0; r < ROUNDS; r++) {
		double start = now_ns();

		for (uint32_t p = 0; p < PASSES; p++)
			for (uint32_t f = 0; f < FRAMES; f++) {
				struct datagram d;

				if (decode_frame(load->frames[f], load->length, host, verified, &d) != FRAME_ACCEPTED)
					abort();
				seen += d.length + (match ? match_find(match, &d) : 0) + d.ports[1];
			}
		round[r] = (now_ns() - start) / (PASSES * FRAMES);
	}
	if (seen == 0)
		abort();
	qsort(round, ROUNDS, sizeof round[0], compare);
	return round[ROUNDS / 2];
}

int main(void)
{
	static const struct {
		const char *name;
		uint32_t lines, payload;
		bool tagged;
	} cases[] = {
		{"64 B frame", 0, 22, false},
		{"64 B frame, one tag", 0, 18, true},
		{"1 KiB frame (10 x 97 B)", 10, 0, false},
	};
	const struct config_address address = {.family = 4, .prefix_length = 24, .bytes = {10, 0, 0, 1}};
	struct config_input input = {.vlan = -1, .any_destination = true, .udp_port = 514};
	struct match *match = malloc(sizeof *match);
	struct host host;

	if (!match || host_init(&host, mac, &address, 1, 2) != 0 || match_init(match, &input, 1, 0) != 0)
		return 1;
	printf("decode, ns per frame (median of %u)   software sums   with input match   sums by the NIC\n", ROUNDS);
	for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct load load;

		make_load(&load, cases[i].lines, cases[i].payload, cases[i].tagged);
		printf("  %-35s %13.2f %18.2f %17.2f\n", cases[i].name, run(&load, &host, NULL, 0),
		       run(&load, &host, match, 0),
		       run(&load, &host, NULL, DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD));
		for (uint32_t f = 0; f < FRAMES; f++)
			free(load.frames[f]);
	}
	free(match);
	return 0;
}
