// What changed between two looks at penstockd, per second.
#pragma once

#include "control/cli/state.h"

struct port_rates {
	double frames, bits, dropped;  /* per second; bits of the frames' bytes, as they were received */
	uint64_t dropped_total;
	const char *growing;           /* the drop that grew most since the last look, else the greatest; "" for none */
};

struct stream_rates {
	double records; /* stored */
	double bytes;   /* payload that inputs brought */
};

struct delivery_rates {
	double records, bytes;
};

struct rates {
	double seconds;
	double frames, bits, dropped;  /* all ports */
	double records, bytes;         /* stored, all streams */
	double drained, written;       /* bytes */
	double commits;
	const char *growing;           /* of the workers' fates: the one that grew most; "" */
	double fates;                  /* frames and records per second that ended in no stream, answers to ARP and ping left out */
};

// Each looks its object up in `then` by name; what was not there yet, or began anew, counts from 0.
void rates_of(const struct state *then, const struct state *now, struct rates *out);
void rates_of_port(const struct state *then, const struct state *now, uint32_t port, struct port_rates *out);
void rates_of_stream(const struct state *then, const struct state *now, uint32_t stream, struct stream_rates *out);
void rates_of_delivery(const struct state *then, const struct state *now, uint32_t delivery, struct delivery_rates *out);
