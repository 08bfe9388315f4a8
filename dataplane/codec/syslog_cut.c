// Datagrams with several syslog messages: each place of a datagram says by itself how the message there is framed.
#include "dataplane/codec/codec.h"
#include "dataplane/codec/scan.h"
#include "dataplane/codec/syslog.h"

SCAN_INLINE __m128i is_newline(__m128i bytes)
{
	return scan_is(bytes, '\n');
}

SCAN_INLINE __m128i is_less(__m128i bytes)
{
	return scan_is(bytes, '<');
}

/*
 * "LEN SP <" of RFC 6587, 3.4.1 (octet counting), at bytes[0..length). Returns the bytes of LEN and SP and how many it
 * says follow, or 0. More than five digits are more than a datagram has: text.
 */
static uint32_t octet_count(const uint8_t *bytes, uint32_t length, uint32_t *count)
{
	uint32_t at = 0, value = 0;

	while (at < length && at < 5 && number_is_digit(bytes[at]))
		value = value * 10 + (bytes[at++] - (uint32_t)'0');
	if (at == 0 || bytes[0] == '0' || length - at < 2 || bytes[at] != ' ' || bytes[at + 1] != '<')
		return 0;
	*count = value;
	return at + 1;
}

/* Where the next "\n<PRI>" behind bytes[at] begins, or `length`. */
static uint32_t next_message(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	uint32_t unused;

	for (at++; at < length; at += 16) {
		uint32_t found = scan_mask(bytes, length, at, is_less);

		if (!found)
			continue;
		for (found &= scan_mask(bytes, length, at - 1, is_newline); found; found &= found - 1) {
			uint32_t less = at + (uint32_t)__builtin_ctz(found);

			if (syslog_priority(bytes + less, length - less, &unused))
				return less - 1;
		}
	}
	return length;
}

uint32_t syslog_cut(const uint8_t *bytes, uint32_t length, struct slice *out, uint32_t room, uint32_t *consumed)
{
	uint32_t at = 0, count = 0;

	for (;;) {
		uint32_t header, octets, end;

		while (at < length && (bytes[at] == '\n' || bytes[at] == '\r'))
			at++;
		*consumed = at;
		if (at == length || count == room)
			return count;
		header = octet_count(bytes + at, length - at, &octets);
		at += header;
		if (!header)
			end = next_message(bytes, length, at);
		else
			end = octets < length - at ? at + octets
						   : length; /* a count that lies ends where the datagram does */
		out[count++] = (struct slice){at, syslog_trim(bytes, at, end) - at};
		at = end;
	}
}
