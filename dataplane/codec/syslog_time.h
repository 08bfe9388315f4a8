// Times as senders of RFC 3164 write them. For syslog.c alone.
#pragma once

#include <string.h>

#include "dataplane/codec/instant.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/scan.h"

SCAN_INLINE uint32_t month_of(const uint8_t *name)
{
#define MONTH(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (c))
	switch (MONTH(name[0], name[1], name[2])) {
	case MONTH('J', 'a', 'n'):
		return 1;
	case MONTH('F', 'e', 'b'):
		return 2;
	case MONTH('M', 'a', 'r'):
		return 3;
	case MONTH('A', 'p', 'r'):
		return 4;
	case MONTH('M', 'a', 'y'):
		return 5;
	case MONTH('J', 'u', 'n'):
		return 6;
	case MONTH('J', 'u', 'l'):
		return 7;
	case MONTH('A', 'u', 'g'):
		return 8;
	case MONTH('S', 'e', 'p'):
		return 9;
	case MONTH('O', 'c', 't'):
		return 10;
	case MONTH('N', 'o', 'v'):
		return 11;
	case MONTH('D', 'e', 'c'):
		return 12;
	}
#undef MONTH
	return 0;
}

/* A time without a year is of the year that brings it nearest to its arrival: December's, in January, of the last. */
SCAN_INLINE int32_t nearest_year(struct instant_date date, uint64_t arrival_ns)
{
	int64_t arrival_day = (int64_t)(arrival_ns / INSTANT_SECOND / 86400), apart;

	date.year = instant_date((uint64_t)arrival_day).year;
	apart = instant_days(date) - arrival_day;
	if (apart > 183 && date.year > 1970)
		return date.year - 1;
	return apart < -183 ? date.year + 1 : date.year;
}

SCAN_INLINE __m128i ends_word(__m128i bytes)
{
	return _mm_or_si128(scan_is(bytes, ' '), scan_is(bytes, '['));
}

/* Whether "host app:" or "host app[pid]:" stands at bytes[at], by what syslog.c takes for them. */
static bool host_and_tag(const uint8_t *bytes, uint32_t length, uint32_t at);

/* ": " or " : ", which may end the record. */
SCAN_INLINE bool colon_follows(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	if (at < length && bytes[at] == ' ')
		at++;
	return at < length && bytes[at] == ':' && (length - at == 1 || bytes[at + 1] == ' ');
}

SCAN_INLINE bool capital_behind(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	return length - at > 1 && bytes[at] == ' ' && (uint8_t)(bytes[at + 1] - 'A') < 26;
}

/* The value of four digits, 0 when they are not. */
SCAN_INLINE int32_t year_at(const uint8_t *text)
{
	int32_t value = 0;

	for (int i = 0; i < 4; i++) {
		if (!number_is_digit(text[i]))
			return 0;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

SCAN_INLINE bool is_utc(const uint8_t name[3])
{
	return memcmp(name, "UTC", 3) == 0 || memcmp(name, "GMT", 3) == 0;
}

/*
 * " EST:" behind the clock, as Cisco's routers write it; a host has no colon behind it. RFC 5322's (4.3) and central
 * Europe's; not CST, since America's and China's are 14 hours apart. Routers may be told to call theirs anything: in
 * front of a mnemonic (" JST: %SYS-5-CONFIG_I") any word with a capital is a zone, and says nothing of the offset. Only
 * those listed may have a blank in front of the colon: else it is a firewall's own name that has one. Returns where the
 * name ends, `at` when there is none.
 */
static __attribute__((noinline)) uint32_t zone_behind(const uint8_t *bytes, uint32_t length, uint32_t at,
						      int32_t *offset_minutes)
{
	static const struct {
		char name[5];
		int32_t hours;
	} zones[] = {{"UTC", 0},  {"GMT", 0},  {"CET", 1},  {"CEST", 2}, {"EST", -5}, {"EDT", -4},
		     {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};
	uint32_t end;

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		uint32_t name = (uint32_t)strlen(zones[i].name);

		if (length - at <= 1 + name || memcmp(bytes + at + 1, zones[i].name, name) != 0 ||
		    !colon_follows(bytes, length, at + 1 + name))
			continue;
		*offset_minutes = zones[i].hours * 60;
		return at + 1 + name;
	}
	end = scan_find(bytes, length, at + 1, ends_word);
	return length - end > 1 && memcmp(bytes + end - 1, ": %", 3) == 0 ? end - 1 : at;
}

/* What stands behind four digits and makes them a year: a colon, a zone, or both a host and a tag. Else they are a
 * host that is called so. */
static __attribute__((noinline)) bool makes_a_year(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	int32_t offset_minutes;

	if (colon_follows(bytes, length, at))
		return true;
	if (length - at < 2 || bytes[at] != ' ')
		return false;
	if (capital_behind(bytes, length, at) && zone_behind(bytes, length, at, &offset_minutes) != at)
		return true;
	if (length - at > 5 && is_utc(bytes + at + 1) && bytes[at + 4] == ' ' && host_and_tag(bytes, length, at + 5))
		return true;
	return host_and_tag(bytes, length, at + 1);
}

/* " 2024" behind the clock. Returns where it ends, `at` when there is none. */
SCAN_INLINE uint32_t year_behind(const uint8_t *bytes, uint32_t length, uint32_t at, int32_t *year)
{
	int32_t value;

	if (length - at < 5 || bytes[at] != ' ')
		return at;
	value = year_at(bytes + at + 1);
	if (value < 1970 || value > 2099 || !makes_a_year(bytes, length, at + 5))
		return at;
	*year = value;
	return at + 5;
}

/*
 * "Mmm dd hh:mm:ss" (RFC 3164, 4.1.2), as routers write it also with a fraction behind the seconds, a year in front of
 * it or behind the day or the seconds, and a zone behind all of it: in UTC when nothing says otherwise; or RFC 3339,
 * also without a zone. Returns where it ends, 0 when there is none.
 */
SCAN_INLINE uint32_t observed_time(const uint8_t *bytes, uint32_t length, uint32_t at, uint64_t arrival_ns,
				   uint64_t *ns)
{
	int32_t offset_minutes = 0;
	uint32_t end, clock[4];
	struct instant_date date;
	bool exists;

	if (length - at < 15)
		return 0;
	date.year = bytes[at + 4] == ' ' ? year_at(bytes + at) : 0;
	if (date.year) {
		at += 5;
		if (length - at < 15)
			return 0;
	} else if (number_is_digit(bytes[at])) {
		end = instant_rfc3339(bytes, length, at, ns, &exists);
		if (!end)
			end = instant_without_zone(bytes, length, at, ns, &exists);
		return end && exists ? end : 0;
	}
	date.month = month_of(bytes + at);
	if (!date.month || bytes[at + 3] != ' ')
		return 0;
	at += bytes[at + 4] == ' ' ? 5 : 4;
	for (date.day = 0, end = at + 2; at < end && number_is_digit(bytes[at]); at++)
		date.day = date.day * 10 + (bytes[at] - (uint32_t)'0');
	if (bytes[at++] != ' ')
		return 0;
	if (!date.year && length - at > 5 && bytes[at + 4] == ' ') {
		date.year = year_at(bytes + at);
		if (!date.year)
			return 0;
		at += 5;
	}
	end = instant_clock(bytes, length, at, clock);
	if (!end)
		return 0;
	if (!date.year)
		end = year_behind(bytes, length, end, &date.year);
	if (capital_behind(bytes, length, end))
		end = zone_behind(bytes, length, end, &offset_minutes);
	if (!date.year)
		date.year = nearest_year(date, arrival_ns);
	return instant_make(date, clock[0], clock[1], clock[2], clock[3], offset_minutes, ns) ? end : 0;
}
