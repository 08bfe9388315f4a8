// Points in time as codecs hand them out: nanoseconds since 1970 UTC, made from calendar dates and written as text.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define INSTANT_SECOND 1000000000ull
#define INSTANT_SECONDS_MAX (UINT64_MAX / INSTANT_SECOND) /* 2554-07-21 */
#define INSTANT_TEXT_BYTES 30u

/* Of the proleptic Gregorian calendar. */
struct instant_date {
	int32_t year;
	uint32_t month, day; /* from 1 */
};

// Days since 1970-01-01 of a date that exists, negative before; constant time. (H. Hinnant, chrono-compatible low-level
// date algorithms, days_from_civil.)
static inline int64_t instant_days(struct instant_date date)
{
	int64_t year = (int64_t)date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	uint32_t of_era = (uint32_t)(year - era * 400);
	uint32_t of_year = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1;

	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

// The date of a day, `days` >= 0 since 1970-01-01 (civil_from_days).
static inline struct instant_date instant_date(uint64_t days)
{
	uint64_t shifted = days + 719468, era = shifted / 146097;
	uint32_t of_era = (uint32_t)(shifted - era * 146097);
	uint32_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint32_t month = (5 * of_year + 2) / 153;
	uint32_t day = of_year - (153 * month + 2) / 5 + 1;

	month = month < 10 ? month + 3 : month - 9;
	return (struct instant_date){(int32_t)(year_of_era + era * 400 + (month <= 2)), month, day};
}

static inline bool instant_leap_year(int32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Whether the calendar has it.
static inline bool instant_date_exists(struct instant_date date)
{
	static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (date.month - 1 >= 12)
		return false;
	return date.day - 1 < (date.month == 2 && instant_leap_year(date.year) ? 29u : days[date.month - 1]);
}

static inline char *instant_put_digits(char *at, uint32_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + digits;
}

// A date and time of day in UTC as nanoseconds; `nanoseconds` < 10^9. False when the calendar or the clock has it not
// (a leap second included) or it is before 1970 or after 2554.
bool instant_make(struct instant_date date, uint32_t hour, uint32_t minute, uint32_t second, uint32_t nanoseconds,
		  int32_t offset_minutes, uint64_t *ns);

// Up to 9 digits behind a decimal point, at bytes[at], as nanoseconds. Returns where they end; digits behind the ninth
// are skipped.
uint32_t instant_fraction(const uint8_t *bytes, uint32_t length, uint32_t at, uint32_t *nanoseconds);

// "hh:mm:ss" and an optional fraction at bytes[at]. Returns where it ends, 0 when there is none; ranges are not
// checked.
uint32_t instant_clock(const uint8_t *bytes, uint32_t length, uint32_t at, uint32_t clock[4]);

// An RFC 3339 date-time at bytes[at], "2003-08-24T05:14:15.000003-07:00", with any number of digits behind the point of
// which 9 count. Returns where it ends, 0 when there is none; *ns when it has no error, else *exists is false.
uint32_t instant_rfc3339(const uint8_t *bytes, uint32_t length, uint32_t at, uint64_t *ns, bool *exists);

// The same without a zone, which senders of ISO 8601 leave out: taken as UTC. What stands behind it is for the caller
// to check.
uint32_t instant_without_zone(const uint8_t *bytes, uint32_t length, uint32_t at, uint64_t *ns, bool *exists);

// RFC 3339 in UTC with nanoseconds, "2026-01-02T03:04:05.000000006Z": INSTANT_TEXT_BYTES bytes, no terminator.
static inline void instant_text(uint64_t ns, char text[INSTANT_TEXT_BYTES])
{
	uint64_t seconds = ns / INSTANT_SECOND;
	uint32_t of_day = (uint32_t)(seconds % 86400);
	struct instant_date date = instant_date(seconds / 86400);
	char *at = instant_put_digits(text, (uint32_t)date.year, 4);

	*at++ = '-';
	at = instant_put_digits(at, date.month, 2);
	*at++ = '-';
	at = instant_put_digits(at, date.day, 2);
	*at++ = 'T';
	at = instant_put_digits(at, of_day / 3600, 2);
	*at++ = ':';
	at = instant_put_digits(at, of_day / 60 % 60, 2);
	*at++ = ':';
	at = instant_put_digits(at, of_day % 60, 2);
	*at++ = '.';
	at = instant_put_digits(at, (uint32_t)(ns % INSTANT_SECOND), 9);
	*at = 'Z';
}
