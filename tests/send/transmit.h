// Sends a series as UDP datagrams at an exact pace.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/send/record.h"

struct transmit {
	struct sockaddr_storage to;
	socklen_t to_length;
	uint64_t rate;      /* datagrams a second, 0: as fast as the kernel takes them */
	uint32_t burst;     /* datagrams handed over at once, at most */
	uint32_t flows;     /* sockets taken in turn, each with a source port of its own */
	double seconds;     /* stop after that long, 0: not */
};

struct transmit_result {
	uint64_t datagrams, bytes; /* accepted by the kernel */
	uint64_t refused;          /* datagrams the kernel refused; their records are tried again, so none is missing */
	double seconds;
};

// Sends series->count records (all sequences from series->first when count is UINT64_MAX) until done, until
// `seconds` passed or until *stop is set. On return series->count is the number of records the kernel accepted:
// always a gapless run from series->first. 0 or -errno.
int transmit_series(const struct transmit *how, struct send_series *series, const volatile int *stop,
		    struct transmit_result *result);
