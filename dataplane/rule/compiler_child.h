// What passes between a program and the compiler it starts: see compiler.h. Private to the two.
#pragma once

#include <stdint.h>

#include "dataplane/rule/image.h"

#define COMPILE_REPORT_MAGIC 0x54524f5045522929ull

enum compile_mode {
	COMPILE_ALL,   /* every group into its database */
	COMPILE_ALONE, /* every pattern by itself, to tell which is too much; nothing is kept */
};

/* How the compiler ends, unless a signal ends it. */
enum compile_exit {
	COMPILE_DONE = 0,   /* the response is an image, or in COMPILE_ALONE a report without a fault */
	COMPILE_FAULTY = 3, /* it is a report with faults */
	COMPILE_OVER = 4,   /* memory has run out */
	COMPILE_BROKEN = 5, /* it could not read its request or write its response */
};

struct compile_request { /* then, for each group: count; for each pattern: flags, bytes with the zero, the text */
	uint32_t mode, groups, seconds, zero;
	uint64_t memory_bytes;
	struct image_key key;
};

// The compiler: reads its request from standard input, writes to standard output, ends.
_Noreturn void compiler_child_run(void);
