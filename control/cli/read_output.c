#include "control/cli/read_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/watch.h"

#define OUTPUT_BYTES (1u << 20)
#define OUTPUT_MARKS (1u << 14)
#define HURRY_MS 1000

struct output {
	int fd;
	int error; /* the first one sticks */
	bool hurry;
	void (*marked)(void *context, const struct output_mark *mark);
	void *context;
	uint64_t written; /* bytes the descriptor took */
	size_t used;
	uint32_t marks_count;
	struct output_mark marks[OUTPUT_MARKS];
	uint8_t bytes[OUTPUT_BYTES];
};

int output_open(int fd, void (*marked)(void *context, const struct output_mark *mark), void *context, struct output **out)
{
	struct output *o = malloc(sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->fd = fd;
	o->error = 0;
	o->hurry = false;
	o->marked = marked;
	o->context = context;
	o->written = 0;
	o->used = 0;
	o->marks_count = 0;
	/* A pipe of 64 KiB makes reader and writer take turns; a refusal changes nothing but speed. */
	(void)fcntl(fd, F_SETPIPE_SZ, OUTPUT_BYTES);
	*out = o;
	return 0;
}

void output_close(struct output *o)
{
	free(o);
}

void output_hurry(struct output *o)
{
	o->hurry = true;
}

static int write_some(struct output *o, const uint8_t *bytes, size_t length)
{
	struct pollfd wait = {.fd = o->fd, .events = POLLOUT};
	ssize_t n;

	if (o->hurry || watch_ended()) {
		/* A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)). */
		if (poll(&wait, 1, HURRY_MS) == 0)
			return -EINTR;
		if (length > PIPE_BUF)
			length = PIPE_BUF;
	}
	n = write(o->fd, bytes, length);
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN) { /* somebody else made the terminal or pipe non-blocking */
		poll(&wait, 1, HURRY_MS);
		return 0;
	}
	return errno == EINTR ? 0 : -errno;
}

// Writes `length` bytes; o->written tells how far it came.
static int write_all(struct output *o, const uint8_t *bytes, size_t length)
{
	while (length && !o->error) {
		size_t most = length < INT_MAX ? length : INT_MAX;
		int n = write_some(o, bytes, most);

		if (n < 0) {
			o->error = n;
			break;
		}
		bytes += n;
		length -= (size_t)n;
		o->written += (uint64_t)n;
	}
	return o->error;
}

static void tell_marks(struct output *o)
{
	uint32_t told = 0;

	while (told < o->marks_count && o->marks[told].end <= o->written)
		o->marked(o->context, &o->marks[told++]);
	o->marks_count -= told;
	memmove(o->marks, o->marks + told, o->marks_count * sizeof(*o->marks));
}

int output_flush(struct output *o)
{
	if (o->used && !o->error)
		write_all(o, o->bytes, o->used);
	o->used = 0;
	tell_marks(o);
	return o->error;
}

int output_write(void *handle, const void *bytes, size_t length)
{
	struct output *o = handle;

	if (length > OUTPUT_BYTES - o->used && output_flush(o))
		return o->error;
	if (length > OUTPUT_BYTES)
		return write_all(o, bytes, length);
	memcpy(o->bytes + o->used, bytes, length);
	o->used += length;
	return o->error;
}

int output_mark(struct output *o, const struct output_mark *mark)
{
	if (!o->marked)
		return o->error;
	if (o->marks_count == OUTPUT_MARKS && output_flush(o))
		return o->error;
	o->marks[o->marks_count] = *mark;
	o->marks[o->marks_count++].end = o->written + o->used;
	return o->error;
}
