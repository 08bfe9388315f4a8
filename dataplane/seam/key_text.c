#include "dataplane/seam/key_text.h"

#include <string.h>

static const char digits[] = "0123456789abcdef";

/* The decimal digits of 0..255. */
static inline char *put_byte(char *at, uint32_t n)
{
	uint32_t hundreds = n / 100, tens = n / 10 % 10;

	*at = (char)('0' + hundreds);
	at += hundreds != 0;
	*at = (char)('0' + tens);
	at += n >= 10;
	*at = (char)('0' + n % 10);
	return at + 1;
}

static char *put_port(char *at, const uint8_t port[2])
{
	uint32_t n = (uint32_t)port[0] << 8 | port[1];
	char reversed[5];
	uint32_t length = 0;

	do {
		reversed[length++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (length)
		*at++ = reversed[--length];
	return at;
}

/* A group of an IPv6 address without leading zeros. */
static inline char *put_group(char *at, uint32_t group)
{
	*at = digits[group >> 12];
	at += group > 0xfff;
	*at = digits[group >> 8 & 15];
	at += group > 0xff;
	*at = digits[group >> 4 & 15];
	at += group > 0xf;
	*at = digits[group & 15];
	return at + 1;
}

uint32_t address4_text(const uint8_t address[4], char *text)
{
	char *at = put_byte(text, address[0]);

	*at++ = '.';
	at = put_byte(at, address[1]);
	*at++ = '.';
	at = put_byte(at, address[2]);
	*at++ = '.';
	return (uint32_t)(put_byte(at, address[3]) - text);
}

struct run { /* of zero groups */
	uint32_t first, groups;
};

static struct run longest_run(const uint32_t groups[8])
{
	struct run best = {8, 0}, here = {0, 0};

	for (uint32_t i = 0; i < 8; i++) {
		if (groups[i]) {
			here = (struct run){i + 1, 0};
		} else if (++here.groups > best.groups) {
			best = here;
		}
	}
	return best.groups >= 2 ? best : (struct run){8, 0};
}

uint32_t address6_text(const uint8_t address[16], char *text)
{
	uint32_t groups[8], end = 8;
	struct run run;
	char *at = text;

	for (uint32_t i = 0; i < 8; i++)
		groups[i] = (uint32_t)address[2 * i] << 8 | address[2 * i + 1];
	run = longest_run(groups);
	if (run.first == 0 && (run.groups == 6 || (run.groups == 5 && groups[5] == 0xffff)))
		end = 6;
	for (uint32_t i = 0; i < end; i++) {
		if (i == run.first) {
			*at++ = ':';
			i += run.groups - 1;
			if (i == 7)
				*at++ = ':';
			continue;
		}
		if (i)
			*at++ = ':';
		at = put_group(at, groups[i]);
	}
	if (end == 6) {
		*at++ = ':';
		at += address4_text(address + 12, at);
	}
	return (uint32_t)(at - text);
}

static char *put_end4(char *at, const uint8_t *address, const uint8_t *port)
{
	at += address4_text(address, at);
	*at++ = ':';
	return put_port(at, port);
}

static char *put_end6(char *at, const uint8_t *address, const uint8_t *port)
{
	*at++ = '[';
	at += address6_text(address, at);
	*at++ = ']';
	*at++ = ':';
	return put_port(at, port);
}

static uint32_t flow_text(const struct record *record, char *text)
{
	char *at = text;

	if (record->origin == RECORD_ORIGIN_IPV4) {
		const struct origin4 *o = (const struct origin4 *)record_origin(record);

		at = put_end4(at, o->source, o->source_port);
		*at++ = '>';
		at = put_end4(at, o->destination, o->destination_port);
	} else {
		const struct origin6 *o = (const struct origin6 *)record_origin(record);

		at = put_end6(at, o->source, o->source_port);
		*at++ = '>';
		at = put_end6(at, o->destination, o->destination_port);
	}
	memcpy(at, "/udp", 4);
	return (uint32_t)(at + 4 - text);
}

static uint32_t hash_text(uint64_t hash, char *text)
{
	for (uint32_t i = 0; i < 16; i++)
		text[i] = digits[hash >> (60 - 4 * i) & 15];
	return 16;
}

uint32_t key_text(const struct record *record, char *text)
{
	uint8_t kind = record_key_kind(record);

	if (record->kind == RECORD_GAP)
		return 0;
	if (kind == RECORD_KEY_STORED && record_key_bytes(record)) {
		memcpy(text, record_key(record), record_key_bytes(record));
		return record_key_bytes(record);
	}
	if (kind == RECORD_KEY_SOURCE && record->origin == RECORD_ORIGIN_IPV4)
		return address4_text(record_origin(record), text);
	if (kind == RECORD_KEY_SOURCE && record->origin == RECORD_ORIGIN_IPV6)
		return address6_text(record_origin(record), text);
	if (kind == RECORD_KEY_FLOW && record->origin != RECORD_ORIGIN_NONE)
		return flow_text(record, text);
	return hash_text(record->hash, text);
}
