// Two ways of doing one thing, timed in turn so that whatever else the machine does meets both.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAIRS 11u
#define PAIR_NS 30000000u /* one side of a pair runs at least this long */

struct contender {
	void (*run)(void *arg); /* does `units` of its work */
	void *arg;
	double units;
};

static inline double bench_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds per unit over at least PAIR_NS. */
static inline double contender_time(const struct contender *c)
{
	double start = bench_ns(), spent;
	uint64_t runs = 0;

	do {
		for (int i = 0; i < 8; i++, runs++)
			c->run(c->arg);
		spent = bench_ns() - start;
	} while (spent < PAIR_NS);
	return spent / ((double)runs * c->units);
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static inline double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, compare_doubles);
	return values[count / 2];
}

/* Prints "name  ours  theirs  ratio": medians in ns per unit, and the median of the pairs' own ratios (more is better). */
static inline void pairs_print(const char *name, const struct contender *ours, const struct contender *theirs)
{
	double a[PAIRS], b[PAIRS], ratio[PAIRS];

	contender_time(ours);
	contender_time(theirs);
	for (uint32_t i = 0; i < PAIRS; i++) {
		a[i] = contender_time(ours);
		b[i] = contender_time(theirs);
		ratio[i] = b[i] / a[i];
	}
	printf("%s\t%.3f\t%.3f\t%.2f\n", name, median(a, PAIRS), median(b, PAIRS), median(ratio, PAIRS));
	fflush(stdout);
}
