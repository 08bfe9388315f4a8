// Patterns made into databases by a process of their own, whose time and memory are bounded.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "dataplane/rule/image.h"
#include "dataplane/rule/rule.h"

/*
 * A pattern of thirty characters can ask the compiler for all memory and minutes of time, and where a worker's process
 * forks, its memory becomes copy-on-write under the worker. So the compiler is this very program, started anew
 * (posix_spawn of /proc/self/exe) under the name COMPILER_NAME: whatever links compiler.c is one, by a constructor that
 * runs in front of main() and does not return when it sees that name. Patterns go in and images come out through
 * memfds.
 */
#define COMPILER_NAME "penstock-rule-compiler"

#define COMPILE_FAULTS_MAX 32u
#define COMPILE_NO_PATTERN UINT32_MAX

struct compile_budget {
	uint32_t seconds;
	uint64_t memory_bytes;
};

struct compile_fault {
	uint32_t group, pattern; /* COMPILE_NO_PATTERN: of all together */
	uint32_t byte;           /* in the pattern, from 0; COMPILE_NO_PATTERN: of all of it */
	char text[200];
};

struct compile_report {
	uint64_t magic;
	uint32_t group, pattern; /* what was begun last */
	uint32_t faults_count;
	uint32_t zero;
	struct compile_fault faults[COMPILE_FAULTS_MAX];
};

// Compiles `groups` within the budget. 0 with *image (freed by the caller); -EINVAL with faults in the report, at least
// one; -ECANCELED when `wait` (NULL is fine) says so; -errno when no process or memory can be had.
int compiler_run(const struct image_group *groups, uint32_t count, const struct compile_budget *budget,
		 const struct image_key *key, const struct rule_wait *wait, uint8_t **image, size_t *length,
		 struct compile_report *report);
