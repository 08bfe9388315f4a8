// What the code under test says in its log, to be counted. One test at a time.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int log_rig_file, log_rig_before; /* what stderr is, and what it was */

static inline void log_rig_begin(void)
{
	char path[] = "/tmp/penstock-log.XXXXXX";

	log_rig_file = mkstemp(path);
	assert_true(log_rig_file >= 0);
	unlink(path);
	log_rig_before = dup(STDERR_FILENO);
	assert_int_equal(dup2(log_rig_file, STDERR_FILENO), STDERR_FILENO);
}

/* How often `part` was said so far. */
static inline int log_rig_count(const char *part)
{
	static char text[65536];
	ssize_t n = pread(log_rig_file, text, sizeof text - 1, 0);
	int count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		count++;
	return count;
}

static inline void log_rig_end(void)
{
	dup2(log_rig_before, STDERR_FILENO);
	close(log_rig_before);
	close(log_rig_file);
}
