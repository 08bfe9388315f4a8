#include "dataplane/codec/instant.h"

#include "dataplane/codec/number.h"

bool instant_make(struct instant_date date, uint32_t hour, uint32_t minute, uint32_t second, uint32_t nanoseconds,
		  int32_t offset_minutes, uint64_t *ns)
{
	int64_t seconds;

	if (hour > 23 || minute > 59 || second > 59 || !instant_date_exists(date))
		return false;
	seconds = instant_days(date) * 86400 + hour * 3600 + minute * 60 + second - (int64_t)offset_minutes * 60;
	if (seconds < 0 || (uint64_t)seconds >= INSTANT_SECONDS_MAX)
		return false;
	*ns = (uint64_t)seconds * INSTANT_SECOND + nanoseconds;
	return true;
}

static inline bool two_digits(const uint8_t *bytes, uint32_t *value)
{
	*value = (bytes[0] - '0') * 10u + (bytes[1] - '0');
	return number_is_digit(bytes[0]) && number_is_digit(bytes[1]);
}

uint32_t instant_fraction(const uint8_t *bytes, uint32_t length, uint32_t at, uint32_t *nanoseconds)
{
	uint32_t value = 0, digits = 0;

	for (; at < length && number_is_digit(bytes[at]); at++)
		if (digits < 9) {
			value = value * 10 + (bytes[at] - (uint32_t)'0');
			digits++;
		}
	for (; digits < 9; digits++)
		value *= 10;
	*nanoseconds = value;
	return at;
}

uint32_t instant_clock(const uint8_t *bytes, uint32_t length, uint32_t at, uint32_t clock[4])
{
	const uint8_t *text = bytes + at;

	if (length - at < 8 || !two_digits(text, &clock[0]) || text[2] != ':' || !two_digits(text + 3, &clock[1]) ||
	    text[5] != ':' || !two_digits(text + 6, &clock[2]))
		return 0;
	clock[3] = 0;
	at += 8;
	if (length - at >= 2 && bytes[at] == '.' && number_is_digit(bytes[at + 1]))
		at = instant_fraction(bytes, length, at + 1, &clock[3]);
	return at;
}

/* "2003-08-24T05:14:15.000003": returns where it ends, 0 when there is none. */
static inline uint32_t date_and_clock(const uint8_t *bytes, uint32_t length, uint32_t at, struct instant_date *date,
				      uint32_t clock[4])
{
	uint32_t century, year;

	if (length - at < 11 || !two_digits(bytes + at, &century) || !two_digits(bytes + at + 2, &year) ||
	    bytes[at + 4] != '-' || !two_digits(bytes + at + 5, &date->month) || bytes[at + 7] != '-' ||
	    !two_digits(bytes + at + 8, &date->day) || bytes[at + 10] != 'T')
		return 0;
	date->year = (int32_t)(century * 100 + year);
	return instant_clock(bytes, length, at + 11, clock);
}

uint32_t instant_rfc3339(const uint8_t *bytes, uint32_t length, uint32_t at, uint64_t *ns, bool *exists)
{
	uint32_t clock[4], hours = 0, minutes = 0;
	struct instant_date date;
	int32_t offset = 0;

	at = date_and_clock(bytes, length, at, &date, clock);
	if (at == 0 || at == length)
		return 0;
	if (bytes[at] == 'Z') {
		at++;
	} else {
		if ((bytes[at] != '+' && bytes[at] != '-') || length - at < 6 || !two_digits(bytes + at + 1, &hours) ||
		    bytes[at + 3] != ':' || !two_digits(bytes + at + 4, &minutes))
			return 0;
		offset = (int32_t)(hours * 60 + minutes) * (bytes[at] == '-' ? -1 : 1);
		at += 6;
	}
	*exists = hours < 24 && minutes < 60 && instant_make(date, clock[0], clock[1], clock[2], clock[3], offset, ns);
	return at;
}

uint32_t instant_without_zone(const uint8_t *bytes, uint32_t length, uint32_t at, uint64_t *ns, bool *exists)
{
	struct instant_date date;
	uint32_t clock[4];

	at = date_and_clock(bytes, length, at, &date, clock);
	*exists = at && instant_make(date, clock[0], clock[1], clock[2], clock[3], 0, ns);
	return at;
}
