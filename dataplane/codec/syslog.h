// What the two halves of the syslog codec, cutting and decoding, both need.
#pragma once

#include "dataplane/codec/number.h"

// "<0>" to "<191>" at bytes[0..length), without leading zeros (RFC 5424, 6.2.1; RFC 3164, 4.1.1). Returns its bytes, 0
// when there is none.
static inline uint32_t syslog_priority(const uint8_t *bytes, uint32_t length, uint32_t *priority)
{
	uint32_t value = 0, at = 1;

	if (length < 3 || bytes[0] != '<')
		return 0;
	while (at < length && at < 4 && number_is_digit(bytes[at]))
		value = value * 10 + (bytes[at++] - (uint32_t)'0');
	if (at == 1 || at == length || bytes[at] != '>' || value > 191 || (bytes[1] == '0' && at > 2))
		return 0;
	*priority = value;
	return at + 1;
}

static inline uint32_t syslog_trim(const uint8_t *bytes, uint32_t start, uint32_t end)
{
	while (end > start && (bytes[end - 1] == '\n' || bytes[end - 1] == '\r'))
		end--;
	return end;
}
