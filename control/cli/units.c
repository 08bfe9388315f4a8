#include "control/cli/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SECOND_NS 1000000000ull
#define INSTANT_MAX_S 16725225600ull /* the year 2500 */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {
	{"", 1}, {"B", 1},
	{"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40}, {"PiB", 1ull << 50},
	{"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40}, {"P", 1ull << 50},
	{"KB", 1000ull}, {"MB", 1000000ull}, {"GB", 1000000000ull}, {"TB", 1000000000000ull}, {"PB", 1000000000000000ull},
};

static const struct unit time_units[] = {
	{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", SECOND_NS}, {"m", 60 * SECOND_NS},
	{"h", 3600 * SECOND_NS}, {"d", 86400 * SECOND_NS}, {"w", 604800 * SECOND_NS},
};

// One decimal number, fraction allowed, times `factor` later. Digits only: strtod would take "0x", "nan", "1e9" and a sign.
static int take_decimal(const char **text, long double *out)
{
	const char *p = *text;
	long double value = 0, place = 1;
	bool digits = false;

	for (; isdigit((unsigned char)*p); p++, digits = true)
		value = value * 10 + (*p - '0');
	if (*p == '.' && digits) {
		for (p++; isdigit((unsigned char)*p); p++)
			value += (*p - '0') * (place /= 10);
	}
	if (!digits || p[-1] == '.')
		return -EINVAL;
	*text = p;
	*out = value;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name, size_t length, bool caseless)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(units[i].name) != length)
			continue;
		if (caseless ? !strncasecmp(units[i].name, name, length) : !strncmp(units[i].name, name, length))
			return &units[i];
	}
	return NULL;
}

int units_parse_bytes(const char *text, uint64_t *bytes)
{
	const struct unit *unit;
	long double value;

	if (take_decimal(&text, &value))
		return -EINVAL;
	while (*text == ' ')
		text++;
	unit = find_unit(byte_units, sizeof(byte_units) / sizeof(*byte_units), text, strlen(text), true);
	if (!unit)
		return -EINVAL;
	value *= unit->factor;
	if (value >= 18446744073709551616.0L)
		return -ERANGE;
	*bytes = (uint64_t)value;
	return 0;
}

int units_parse_duration(const char *text, uint64_t *ns)
{
	long double total = 0, value;
	const char *start = text;

	do {
		const struct unit *unit;
		size_t length;

		if (take_decimal(&text, &value))
			return -EINVAL;
		length = strspn(text, "numshdw");
		if (!length && !*text && !strpbrk(start, "numshdw"))
			unit = &time_units[3];
		else
			unit = find_unit(time_units, sizeof(time_units) / sizeof(*time_units), text, length, false);
		if (!unit)
			return -EINVAL;
		text += length;
		total += value * unit->factor;
	} while (*text);
	if (total >= 18446744073709551616.0L)
		return -ERANGE;
	*ns = (uint64_t)total;
	return 0;
}

static bool take_digits(const char **text, int count, int *out)
{
	*out = 0;
	for (int i = 0; i < count; i++, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return false;
		*out = *out * 10 + (**text - '0');
	}
	return true;
}

static bool take_character(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

// ".5" and the zone behind hours, minutes and seconds (RFC 3339 section 5.6).
static int take_zone(const char **text, uint64_t *fraction_ns, int *offset_s)
{
	int hours, minutes, sign;

	*fraction_ns = 0;
	*offset_s = 0;
	if (take_character(text, '.')) {
		uint64_t place = SECOND_NS / 10;

		if (!isdigit((unsigned char)**text))
			return -EINVAL;
		for (; isdigit((unsigned char)**text); (*text)++, place /= 10)
			*fraction_ns += (uint64_t)(**text - '0') * place;
	}
	if (!**text || take_character(text, 'Z') || take_character(text, 'z'))
		return 0;
	sign = **text == '-' ? -1 : **text == '+' ? 1 : 0;
	(*text)++;
	if (!sign || !take_digits(text, 2, &hours) || !take_character(text, ':') || !take_digits(text, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return -EINVAL;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return 0;
}

static int parse_calendar(const char *text, uint64_t *ns)
{
	struct tm tm = {0}, back;
	uint64_t fraction = 0;
	int offset = 0;
	time_t seconds;

	if (!take_digits(&text, 4, &tm.tm_year) || !take_character(&text, '-') || !take_digits(&text, 2, &tm.tm_mon) ||
	    !take_character(&text, '-') || !take_digits(&text, 2, &tm.tm_mday))
		return -EINVAL;
	if (*text) {
		if (!take_character(&text, 'T') && !take_character(&text, 't') && !take_character(&text, ' '))
			return -EINVAL;
		if (!take_digits(&text, 2, &tm.tm_hour) || !take_character(&text, ':') || !take_digits(&text, 2, &tm.tm_min))
			return -EINVAL;
		if (take_character(&text, ':') && !take_digits(&text, 2, &tm.tm_sec))
			return -EINVAL;
		if (take_zone(&text, &fraction, &offset) || *text)
			return -EINVAL;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	seconds = timegm(&tm);
	/* timegm() takes the 31st of February for a day in March; what does not come back as it went in is no date. */
	if (tm.tm_mon != back.tm_mon || tm.tm_mday != back.tm_mday || tm.tm_hour != back.tm_hour || tm.tm_min != back.tm_min)
		return -EINVAL;
	seconds -= offset;
	if (seconds < 0 || (uint64_t)seconds > INSTANT_MAX_S)
		return -ERANGE;
	*ns = (uint64_t)seconds * SECOND_NS + fraction;
	return 0;
}

int units_parse_instant(const char *text, uint64_t now_ns, uint64_t *ns)
{
	long double seconds;
	uint64_t ago;
	int error;

	if (*text == '-') {
		error = units_parse_duration(text + 1, &ago);
		if (!error && ago > now_ns)
			error = -ERANGE;
		if (!error)
			*ns = now_ns - ago;
		return error;
	}
	if (*text != '@' && strlen(text) >= 5 && text[4] == '-')
		return parse_calendar(text, ns);
	if (*text == '@')
		text++;
	if (take_decimal(&text, &seconds) || *text)
		return -EINVAL;
	if (seconds > INSTANT_MAX_S)
		return -ERANGE;
	*ns = (uint64_t)(seconds * SECOND_NS);
	return 0;
}

int units_parse_number(const char *text, uint64_t most, uint64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	return errno == ERANGE || *number > most ? -ERANGE : 0;
}

const char *units_count(char *text, uint64_t n)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, n), out = 0;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			text[out++] = ',';
		text[out++] = digits[i];
	}
	text[out] = '\0';
	return text;
}

const char *units_signed(char *text, int64_t n)
{
	if (n >= 0)
		return units_count(text, (uint64_t)n);
	text[0] = '-';
	units_count(text + 1, 0 - (uint64_t)n);
	return text;
}

static const char *scaled(char *text, double n, double step, const char *const *names)
{
	int decimals;

	while ((n >= 999.5 || n <= -999.5) && names[1]) {
		n /= step;
		names++;
	}
	decimals = n == (int)n && !names[0][0] ? 0 : n < 9.995 ? 2 : n < 99.95 ? 1 : 0;
	snprintf(text, UNITS_TEXT_MAX, "%.*f%s%s", decimals, n, names[0][0] ? " " : "", names[0]);
	return text;
}

const char *units_short(char *text, double n)
{
	static const char *const names[] = {"", "k", "M", "G", "T", "P", NULL};

	return scaled(text, n, 1000, names);
}

const char *units_bytes(char *text, double bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL};

	if (bytes < 999.5) {
		snprintf(text, UNITS_TEXT_MAX, "%.0f B", bytes);
		return text;
	}
	return scaled(text, bytes, 1024, names);
}

const char *units_duration(char *text, uint64_t ns)
{
	uint64_t s = ns / SECOND_NS;

	if (ns < 1000)
		snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 " ns", ns);
	else if (ns < 1000000)
		snprintf(text, UNITS_TEXT_MAX, "%.1f us", (double)ns / 1e3);
	else if (ns < SECOND_NS)
		snprintf(text, UNITS_TEXT_MAX, "%.1f ms", (double)ns / 1e6);
	else if (s < 60)
		snprintf(text, UNITS_TEXT_MAX, "%.1f s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "m %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "h %" PRIu64 "m", s / 3600, s % 3600 / 60);
	else
		snprintf(text, UNITS_TEXT_MAX, "%" PRIu64 "d %" PRIu64 "h", s / 86400, s % 86400 / 3600);
	return text;
}

const char *units_instant(char *text, uint64_t ns)
{
	time_t seconds = (time_t)(ns / SECOND_NS);
	struct tm tm;

	if (!ns || !gmtime_r(&seconds, &tm) || !strftime(text, UNITS_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, UNITS_TEXT_MAX, "-");
	return text;
}
