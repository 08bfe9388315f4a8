// Nanoseconds to find what is innermost in a frame, for every kind of tunnel, and to put fragments together. No target,
// no pass or fail. The inner datagram has 100 bytes; sums in software, as they are when a tunnel's NIC says nothing.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "tests/support/tunnel_build.h"

#define ROUNDS 9u
#define PASSES 20000u

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *rounds)
{
	qsort(rounds, ROUNDS, sizeof rounds[0], compare);
	return rounds[ROUNDS / 2];
}

static double look(const struct host *host, const uint8_t *frame, uint32_t length, enum counter_frame expected)
{
	double rounds[ROUNDS];

	for (uint32_t r = 0; r < ROUNDS; r++) {
		double start = now_ns();

		for (uint32_t p = 0; p < PASSES; p++) {
			struct datagram d;
			enum counter_frame fate =
				decode_frame(frame, length, host, host->tap ? DECODE_ALL_GOOD : 0, &d);

			if (host->tunnels)
				fate = tunnel_enter(frame, length, host, fate, &d);
			if (fate != expected)
				abort();
		}
		rounds[r] = (now_ns() - start) / PASSES;
	}
	return median(rounds);
}

/* Per fragment: datagrams of `pieces` fragments of 1,480 bytes. */
static double join(const struct host *host, uint32_t pieces)
{
	static const uint8_t secret[REASSEMBLY_SECRET_BYTES] = {9};
	static uint8_t text[65536];
	static struct stack stack;
	void *memory = aligned_alloc(64, 4u << 20);
	struct reassembly *r;
	uint8_t *frames[64];
	uint32_t lengths[64];
	double rounds[ROUNDS];

	if (!memory || pieces > 44)
		abort();
	memset(memory, 0, 4u << 20);
	r = reassembly_init(memory, 4u << 20, 30000000000ull, secret);
	for (uint32_t i = 0; i < pieces; i++) {
		stack_fragment(&stack, &(struct stack_fragment){.family = 4,
								.id = 7,
								.bytes = text,
								.offset = i * 1480,
								.length = 1480,
								.more = i + 1 < pieces});
		stack_ethernet(&stack, 0x0800);
		lengths[i] = stack_length(&stack);
		frames[i] = frame_exact(stack_head(&stack), lengths[i]);
	}
	for (uint32_t round = 0; round < ROUNDS; round++) {
		double start = now_ns();

		for (uint32_t p = 0; p < PASSES / 16; p++)
			for (uint32_t i = 0; i < pieces; i++) {
				const uint8_t *packet;
				struct datagram d;
				uint32_t length;

				if (decode_frame(frames[i], lengths[i], host, 0, &d) != FRAME_IPV4_FRAGMENT)
					abort();
				if (reassembly_add(r, frames[i], &d, p, &packet, &length) !=
				    (i + 1 < pieces ? FRAME_FRAGMENT_HELD : FRAME_ACCEPTED))
					abort();
			}
		rounds[round] = (now_ns() - start) / (PASSES / 16) / pieces;
	}
	for (uint32_t i = 0; i < pieces; i++)
		free(frames[i]);
	free(memory);
	return median(rounds);
}

int main(void)
{
	static struct stack stack;
	struct host host, plain, tap;

	frame_host(&host);
	host.tunnels = UINT32_MAX;
	frame_host(&plain);
	if (host_init_tap(&tap, 2) != 0)
		return 1;
	stack_begin(&stack, 100);
	stack_udp(&stack, 4, NULL, NULL, 514, false);
	stack_ethernet(&stack, 0x0800);
	printf("tunnels, ns per frame (median of %u)          port    tap\n", ROUNDS);
	printf("  %-40s %7.1f %6.1f   (%.1f on a port without tunnels)\n", "none",
	       look(&host, stack_head(&stack), stack_length(&stack), FRAME_ACCEPTED),
	       look(&tap, stack_head(&stack), stack_length(&stack), FRAME_ACCEPTED),
	       look(&plain, stack_head(&stack), stack_length(&stack), FRAME_ACCEPTED));
	for (uint32_t k = 0; k < stack_kinds_count; k++) {
		stack_build(&stack, k, 514, 100);
		printf("  %-40s %7.1f %6.1f\n", stack_kinds[k].name,
		       look(&host, stack_head(&stack), stack_length(&stack), FRAME_ACCEPTED),
		       look(&tap, stack_head(&stack), stack_length(&stack), FRAME_ACCEPTED));
	}
	stack_begin(&stack, 100);
	stack_udp(&stack, 4, stack_inner4, stack_inner4 + 4, 514, false);
	for (uint32_t i = 0; i < 400; i++)
		stack_ip(&stack, 4, i < 399 ? stack_inner4 : NULL, i < 399 ? stack_inner4 + 4 : NULL, 4);
	stack_ethernet(&stack, 0x0800);
	printf("  %-40s %7.1f %6.1f\n", "refused: 400 layers of IP in IP",
	       look(&host, stack_head(&stack), stack_length(&stack), FRAME_TUNNEL_LAYERS),
	       look(&tap, stack_head(&stack), stack_length(&stack), FRAME_TUNNEL_LAYERS));
	printf("fragments of 1,480 bytes, ns each: %.1f in twos, %.1f in sixes, %.1f in forties\n", join(&plain, 2),
	       join(&plain, 6), join(&plain, 40));
	return 0;
}
