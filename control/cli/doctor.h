// What on this host will cost packets, why, and the command that fixes it.
#pragma once

#include <jansson.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

#include "config/config.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct finding {
	enum verdict verdict;
	const char *check; /* stable name, as --json has it; static */
	char *found;
	const char *why;   /* static */
	char *fix;         /* "" when there is nothing to fix */
};

struct doctor {
	const struct config *config; /* NULL: none was given */
	const char *root;            /* in front of /sys, /proc and /etc: "" but in tests */
	int (*filesystem)(const char *path, struct statfs *out); /* statfs() but in tests */
	const json_t *status;        /* two answers of penstockd, a second apart; NULL when it does not run */
	const json_t *earlier;
	struct finding *findings;
	unsigned count, room;
	bool failed;                 /* out of memory */
};

// Adds what a check found. `fix` is a printf format too, with its own arguments already in it (see doctor_fix()); NULL
// when the verdict is ok.
void doctor_add(struct doctor *d, enum verdict verdict, const char *check, const char *why, const char *fix,
		const char *found, ...) __attribute__((format(printf, 6, 7)));

// A formatted fix for doctor_add(), good until the next call.
const char *doctor_fix(const char *format, ...) __attribute__((format(printf, 1, 2)));

void doctor_free(struct doctor *d);

/* Reading the host: paths are formats, put behind d->root. */

// The first line of a file. False when it cannot be read.
bool doctor_read(const struct doctor *d, char *line, size_t size, const char *path, ...) __attribute__((format(printf, 4, 5)));

// A number, or `absent`.
long long doctor_read_number(const struct doctor *d, long long absent, const char *path, ...)
	__attribute__((format(printf, 3, 4)));

bool doctor_exists(const struct doctor *d, const char *path, ...) __attribute__((format(printf, 2, 3)));

// "0-3,8" into a set. False when it is no such list.
bool doctor_parse_cpus(const char *list, cpu_set_t *out);

// A set as "0-3,8".
void doctor_print_cpus(const cpu_set_t *cpus, char *text, size_t size);

// The cores of the configuration's workers; false when there are none.
bool doctor_worker_cores(const struct doctor *d, cpu_set_t *out);

/* The checks. */
void doctor_check_memory(struct doctor *d);
void doctor_check_cores(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_store(struct doctor *d);
