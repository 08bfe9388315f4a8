// Writes bytes to files and makes them durable, many files at a time: io_uring, or threads where that is not to be had.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer; /* opaque; used by one thread */

struct write_job { /* the caller's, with its bytes, from submit until it comes back from writer_wait() */
	int fd;
	const uint8_t *bytes;
	size_t length;
	uint64_t at; /* offset in the file */
	int result;  /* 0: written and synced; -errno otherwise, and nothing may be assumed of the file */
	_Atomic bool
		wrote; /* set when all is written and only the sync is missing; writer_wait() wakes up for it, too */
	void *owner;   /* whatever the caller wants to find it by */

	size_t written; /* the writer's from here on */
	int write_result, sync_result;
	unsigned pending;
	struct write_job *next;
};

// Takes io_uring when the kernel allows it (said in the log when not). 0 or -errno.
int writer_open(struct writer **out);

// True when io_uring carries the writes.
bool writer_has_ring(const struct writer *w);

// Starts pwrite + fdatasync of `job`.
void writer_submit(struct writer *w, struct write_job *job);

// The jobs that have ended, as a list; NULL when none did within timeout_ns, or some were only written.
struct write_job *writer_wait(struct writer *w, uint64_t timeout_ns);

// Every job must have come back.
void writer_close(struct writer *w);
