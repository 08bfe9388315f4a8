#include "tests/send/record.h"

#include <stdio.h>
#include <string.h>

static uint64_t mix(uint64_t *state) /* splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t start_state(const struct send_series *series, uint64_t sequence)
{
	uint64_t state = series->seed;

	for (const char *c = series->id; *c; c++)
		state = state * 131 + (unsigned char)*c;
	state ^= sequence * 0xd6e8feb86659fd93ull;
	return state;
}

uint32_t record_smallest(const struct send_series *series)
{
	return (uint32_t)snprintf(NULL, 0, "%s %llu ", series->id,
				  (unsigned long long)(series->first + series->count)) + 1;
}

size_t record_make(const struct send_series *series, uint64_t sequence, char *out)
{
	static const char printable[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint64_t state = start_state(series, sequence);
	size_t size = series->size_min + mix(&state) % (series->size_max - series->size_min + 1);
	char header[SEND_ID_MAX + 24];
	size_t at = (size_t)snprintf(header, sizeof(header), "%s %llu ", series->id, (unsigned long long)sequence);

	memcpy(out, header, at);
	while (at < size) {
		uint64_t random = mix(&state);

		for (int i = 0; i < 8 && at < size; i++, random >>= 8) {
			char byte = series->binary ? (char)random : printable[random & 63];

			/* A newline inside a line would end it; a carriage return at its end may be taken for its ending. */
			if (series->lines && (byte == '\n' || byte == '\r'))
				byte = '.';
			out[at++] = byte;
		}
	}
	return size;
}
