// Standard output of `penstock read`: knows for every record whether its last byte went out.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output_mark { /* the end of a record (or gap) in the output */
	uint64_t end;      /* bytes of output up to here */
	uint64_t sequence; /* what comes after it in its shard */
	uint64_t records;  /* data records of the shard in front of that */
	uint32_t source;   /* whose record it was */
};

struct output; /* opaque */

// Writes to `fd`, which stays the caller's. `marked` is told of every mark whose bytes have all been written, in order, at
// once after the write; NULL: marks are not kept. -ENOMEM.
int output_open(int fd, void (*marked)(void *context, const struct output_mark *mark), void *context, struct output **out);
void output_close(struct output *o); /* flushes nothing */

// A sink (control/delivery/sink.h): takes bytes, writes when a MiB is full. 0; -EPIPE the reader is gone; -EINTR a signal
// came while nobody took the bytes; -errno.
int output_write(void *o, const void *bytes, size_t length);

// A record ends here: `mark` without its `end`. 0 or as output_write().
int output_mark(struct output *o, const struct output_mark *mark);

// Writes what is gathered. 0 or as output_write(); what was written before an error is marked all the same.
int output_flush(struct output *o);

// Tells that a signal wants the end: a write that would have to wait for longer than a second fails with -EINTR.
void output_hurry(struct output *o);
