#include "tests/send/transmit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST_MAX 64u
#define FLOWS_MAX 256u
#define NS 1000000000ull

struct burst {
	struct mmsghdr messages[BURST_MAX];
	struct iovec vectors[BURST_MAX];
	uint64_t records[BURST_MAX]; /* in each datagram */
	char *bytes;                 /* BURST_MAX x SEND_RECORD_MAX */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t when_ns)
{
	struct timespec t = {.tv_sec = (time_t)(when_ns / NS), .tv_nsec = (long)(when_ns % NS)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* Puts `sequence` and those after it into one datagram; how many records went in. */
static uint64_t fill_datagram(const struct send_series *series, uint64_t sequence, uint64_t left, char *out, size_t *length)
{
	uint64_t wanted = series->lines ? series->lines : 1, n = 0;

	*length = 0;
	while (n < wanted && n < left && *length + series->size_max + 1 <= SEND_RECORD_MAX) {
		*length += record_make(series, sequence + n++, out + *length);
		if (series->lines)
			out[(*length)++] = '\n';
	}
	return n;
}

static unsigned fill_burst(struct burst *burst, const struct transmit *how, const struct send_series *series,
			   uint64_t sent, uint64_t total, unsigned datagrams)
{
	unsigned n = 0;

	for (; n < datagrams && sent < total; n++) {
		char *bytes = burst->bytes + (size_t)n * (SEND_RECORD_MAX + 1);
		size_t length;

		burst->records[n] = fill_datagram(series, series->first + sent, total - sent, bytes, &length);
		burst->vectors[n] = (struct iovec){.iov_base = bytes, .iov_len = length};
		burst->messages[n].msg_hdr = (struct msghdr){.msg_name = (void *)&how->to, .msg_namelen = how->to_length,
							     .msg_iov = &burst->vectors[n], .msg_iovlen = 1};
		sent += burst->records[n];
	}
	return n;
}

/* How many datagrams are due, at least 1; sleeps until the first of them is. */
static unsigned wait_due(const struct transmit *how, uint64_t start_ns, uint64_t datagrams)
{
	uint64_t due, now = now_ns();
	unsigned limit = how->burst && how->burst < BURST_MAX ? how->burst : BURST_MAX;

	if (!how->rate)
		return limit;
	due = start_ns + (uint64_t)((unsigned __int128)datagrams * NS / how->rate);
	if (due > now) {
		/* Waking for every datagram would cost more than sending it: at most 2,000 wake-ups a second. */
		if (due < now + NS / 2000)
			due = now + NS / 2000;
		sleep_until(due);
		now = now_ns();
	}
	due = (uint64_t)((unsigned __int128)(now - start_ns) * how->rate / NS) + 1;
	if (due <= datagrams)
		return 1;
	return due - datagrams < limit ? (unsigned)(due - datagrams) : limit;
}

static int send_all(const struct transmit *how, struct send_series *series, const volatile int *stop, const int *sockets,
		    struct burst *burst, struct transmit_result *result)
{
	uint64_t start = now_ns(), sent = 0, total = series->count;
	uint64_t end = how->seconds > 0 ? start + (uint64_t)(how->seconds * 1e9) : UINT64_MAX;
	int error = 0;

	while (sent < total && !*stop && now_ns() < end) {
		unsigned due = wait_due(how, start, result->datagrams);
		unsigned n = fill_burst(burst, how, series, sent, total, due);
		int socket = sockets[result->datagrams % how->flows];
		int accepted;

		if (!n) /* a record larger than a datagram: refused by the options already */
			return -EMSGSIZE;
		accepted = sendmmsg(socket, burst->messages, n, 0);
		if (accepted < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR || errno == EPERM)) {
			result->refused++;
			sleep_until(now_ns() + NS / 10000);
			continue;
		}
		if (accepted < 0) {
			error = -errno;
			break;
		}
		for (int i = 0; i < accepted; i++) {
			sent += burst->records[i];
			result->bytes += burst->vectors[i].iov_len;
		}
		result->datagrams += (uint64_t)accepted;
	}
	series->count = sent;
	result->seconds = (double)(now_ns() - start) / 1e9;
	return error;
}

int transmit_series(const struct transmit *how, struct send_series *series, const volatile int *stop,
		    struct transmit_result *result)
{
	int sockets[FLOWS_MAX], error = 0;
	struct burst burst = {.bytes = malloc((size_t)BURST_MAX * (SEND_RECORD_MAX + 1))};
	uint32_t opened = 0;

	memset(result, 0, sizeof(*result));
	if (!burst.bytes)
		return -ENOMEM;
	if (!how->flows || how->flows > FLOWS_MAX)
		error = -EINVAL;
	for (; !error && opened < how->flows; opened++) {
		/* Not connected: a refusal sent back by the far end must not turn into an error of a later datagram. */
		sockets[opened] = socket(how->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (sockets[opened] < 0) {
			error = -errno;
			break;
		}
	}
	if (!error)
		error = send_all(how, series, stop, sockets, &burst, result);
	for (uint32_t i = 0; i < opened; i++)
		close(sockets[i]);
	free(burst.bytes);
	return error;
}
