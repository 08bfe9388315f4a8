// The records an independent sender makes: "ID SEQUENCE payload", every byte a function of id, seed and sequence.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEND_ID_MAX 32u
#define SEND_RECORD_MAX 65507u /* the largest UDP payload over IPv4 */

/*
 *   "a1 4711 x7Kd...."   size bytes in all; with size_min < size_max the size, too, follows from the sequence
 *
 * Who knows a manifest can make every record again and compare, so a reader needs no copy of what was sent.
 */
struct send_series {
	char id[SEND_ID_MAX + 1]; /* [A-Za-z0-9._-]{1,32} */
	uint64_t seed;
	uint64_t first, count;    /* sequences first .. first + count - 1 */
	uint32_t size_min, size_max;
	bool binary;              /* payload of any byte value; printable otherwise */
	uint32_t lines;           /* records per datagram, each ended by a newline; 0: one record, no newline */
};

// Fills `out` (SEND_RECORD_MAX bytes) with the record of `sequence`; its length in bytes.
size_t record_make(const struct send_series *series, uint64_t sequence, char *out);

// The smallest size_min that holds the header of every sequence of the series.
uint32_t record_smallest(const struct send_series *series);
