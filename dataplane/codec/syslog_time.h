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

SCAN_INLINE bool ends_with_colon(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	return at < length && bytes[at] == ':' && (length - at == 1 || bytes[at + 1] == ' ');
}

/* " 2024" behind the clock, which no host is called. Returns where it ends, `at` when there is none. */
SCAN_INLINE uint32_t year_behind(const uint8_t *bytes, uint32_t length, uint32_t at, int32_t *year)
{
	const uint8_t *text = bytes + at;
	int32_t value = 0;

	if (length - at < 5 || text[0] != ' ')
		return at;
	for (int i = 1; i < 5; i++) {
		if (!number_is_digit(text[i]))
			return at;
		value = value * 10 + (text[i] - '0');
	}
	if (value < 1970 || value > 2099)
		return at;
	if (length - at > 5 && text[5] != ' ' && !ends_with_colon(bytes, length, at + 5))
		return at;
	*year = value;
	return at + 5;
}

SCAN_INLINE bool is_utc(const uint8_t name[3])
{
	return memcmp(name, "UTC", 3) == 0 || memcmp(name, "GMT", 3) == 0;
}

/*
 * " EST:" behind the clock, as Cisco's routers write it; a host has no colon behind it. RFC 5322's (4.3) and central
 * Europe's; not CST, since America's and China's are 14 hours apart. Returns where the name ends, `at` when there is
 * none.
 */
static __attribute__((noinline)) uint32_t zone_behind(const uint8_t *bytes, uint32_t length, uint32_t at,
						      int32_t *offset_minutes)
{
	static const struct {
		char name[5];
		int32_t hours;
	} zones[] = {{"UTC", 0},  {"GMT", 0},  {"CET", 1},  {"CEST", 2}, {"EST", -5}, {"EDT", -4},
		     {"CDT", -5}, {"MST", -7}, {"MDT", -6}, {"PST", -8}, {"PDT", -7}};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		uint32_t name = (uint32_t)strlen(zones[i].name);

		if (length - at <= 1 + name || memcmp(bytes + at + 1, zones[i].name, name) != 0 ||
		    !ends_with_colon(bytes, length, at + 1 + name))
			continue;
		*offset_minutes = zones[i].hours * 60;
		return at + 1 + name;
	}
	return at;
}

/*
 * "Mmm dd hh:mm:ss" (RFC 3164, 4.1.2), as routers write it also with a fraction behind the seconds, a year behind the
 * day or the seconds, and a zone behind all of it: in UTC when nothing says otherwise; or RFC 3339, also without a
 * zone. Returns where it ends, 0 when there is none.
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
	if (number_is_digit(bytes[at])) {
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
	date.year = 0;
	if (length - at > 5 && bytes[at + 4] == ' ') {
		for (end = at + 4; at < end && number_is_digit(bytes[at]); at++)
			date.year = date.year * 10 + (bytes[at] - '0');
		if (at++ != end)
			return 0;
	}
	end = instant_clock(bytes, length, at, clock);
	if (!end)
		return 0;
	if (!date.year)
		end = year_behind(bytes, length, end, &date.year);
	if (length - end > 1 && bytes[end] == ' ' && (uint8_t)(bytes[end + 1] - 'A') < 26)
		end = zone_behind(bytes, length, end, &offset_minutes);
	if (!date.year)
		date.year = nearest_year(date, arrival_ns);
	return instant_make(date, clock[0], clock[1], clock[2], clock[3], offset_minutes, ns) ? end : 0;
}
