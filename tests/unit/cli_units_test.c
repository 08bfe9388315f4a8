#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/cli/units.h"

#define S 1000000000ull
#define NOW (1767323045ull * S + 5)

struct row {
	const char *text;
	int error;
	uint64_t value;
};

static void sizes_are_read_in_powers_of_two_and_ten(void **state)
{
	static const struct row rows[] = {
		{"0", 0, 0}, {"4096", 0, 4096}, {"1B", 0, 1}, {"64KiB", 0, 65536}, {"64 KiB", 0, 65536}, {"1.5GiB", 0, 1610612736},
		{"10gib", 0, 10737418240}, {"10G", 0, 10737418240}, {"10GB", 0, 10000000000}, {"2T", 0, 2199023255552},
		{"0.5K", 0, 512}, {"16777215T", 0, 16777215ull << 40}, {"", -EINVAL, 0}, {"KiB", -EINVAL, 0}, {"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0}, {"1e9", -EINVAL, 0}, {"0x10", -EINVAL, 0}, {"10GiBs", -EINVAL, 0}, {"1.", -EINVAL, 0},
		{".5G", -EINVAL, 0}, {"nan", -EINVAL, 0}, {"16777216T", -ERANGE, 0}, {"99999999999999999999999", -ERANGE, 0},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		value = 0;
		if (units_parse_bytes(rows[i].text, &value) != rows[i].error || value != rows[i].value)
			fail_msg("\"%s\" gave %llu", rows[i].text, (unsigned long long)value);
	}
}

static void durations_add_up_and_bare_numbers_are_seconds(void **state)
{
	static const struct row rows[] = {
		{"90", 0, 90 * S}, {"90s", 0, 90 * S}, {"15m", 0, 900 * S}, {"24h", 0, 86400 * S}, {"7d", 0, 604800 * S},
		{"1w", 0, 604800 * S}, {"1h30m", 0, 5400 * S}, {"250ms", 0, S / 4}, {"1.5s", 0, S + S / 2}, {"10us", 0, 10000},
		{"5ns", 0, 5}, {"0.5", 0, S / 2}, {"1d12h30m5s", 0, 131405 * S}, {"", -EINVAL, 0}, {"h", -EINVAL, 0},
		{"1h30", -EINVAL, 0}, {"1x", -EINVAL, 0}, {"1 h", -EINVAL, 0}, {"-1h", -EINVAL, 0}, {"1H", -EINVAL, 0},
		{"30501w", -ERANGE, 0},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		value = 0;
		if (units_parse_duration(rows[i].text, &value) != rows[i].error || value != rows[i].value)
			fail_msg("\"%s\" gave %llu", rows[i].text, (unsigned long long)value);
	}
}

static void instants_are_dates_seconds_or_so_long_ago(void **state)
{
	static const struct row rows[] = {
		{"2026-01-02T03:04:05Z", 0, 1767323045 * S}, {"2026-01-02t03:04:05z", 0, 1767323045 * S},
		{"2026-01-02 03:04:05", 0, 1767323045 * S}, {"2026-01-02T03:04:05.5Z", 0, 1767323045 * S + S / 2},
		{"2026-01-02T03:04:05.123456789Z", 0, 1767323045 * S + 123456789}, {"2026-01-02T05:04:05+02:00", 0, 1767323045 * S},
		{"2026-01-01T21:34:05-05:30", 0, 1767323045 * S}, {"2026-01-02T03:04Z", 0, 1767323040 * S},
		{"2026-01-02", 0, 1767312000 * S}, {"2024-02-29", 0, 1709164800 * S}, {"1767323045", 0, 1767323045 * S},
		{"@1767323045", 0, 1767323045 * S}, {"1767323045.25", 0, 1767323045 * S + S / 4}, {"-10m", 0, NOW - 600 * S},
		{"-0", 0, NOW}, {"-1h30m", 0, NOW - 5400 * S}, {"2025-02-29", -EINVAL, 0}, {"2026-13-01", -EINVAL, 0},
		{"2026-01-32", -EINVAL, 0}, {"2026-01-02T", -EINVAL, 0}, {"2026-01-02T24:61:00Z", -EINVAL, 0}, {"2026-1-2", -EINVAL, 0},
		{"2026-01-02T03:04:05+2", -EINVAL, 0}, {"2026-01-02T03:04:05.Z", -EINVAL, 0}, {"2026-01-02x", -EINVAL, 0},
		{"2026-01-02T03:04:05Zx", -EINVAL, 0}, {"yesterday", -EINVAL, 0}, {"", -EINVAL, 0}, {"-", -EINVAL, 0}, {"@", -EINVAL, 0},
		{"-99999d", -ERANGE, 0}, {"1969-12-31", -ERANGE, 0}, {"2600-01-01", -ERANGE, 0}, {"99999999999", -ERANGE, 0},
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		value = 0;
		if (units_parse_instant(rows[i].text, NOW, &value) != rows[i].error || value != rows[i].value)
			fail_msg("\"%s\" gave %llu", rows[i].text, (unsigned long long)value);
	}
}

static void whole_numbers_have_no_sign_and_a_limit(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(units_parse_number("256", 256, &value), 0);
	assert_int_equal(value, 256);
	assert_int_equal(units_parse_number("257", 256, &value), -ERANGE);
	assert_int_equal(units_parse_number("99999999999999999999", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(units_parse_number("-1", 256, &value), -EINVAL);
	assert_int_equal(units_parse_number("1a", 256, &value), -EINVAL);
	assert_int_equal(units_parse_number("", 256, &value), -EINVAL);
	assert_int_equal(units_parse_number(" 1", 256, &value), -EINVAL);
}

static void numbers_are_written_for_people(void **state)
{
	char text[UNITS_TEXT_MAX];

	(void)state;
	assert_string_equal(units_count(text, 0), "0");
	assert_string_equal(units_count(text, 999), "999");
	assert_string_equal(units_count(text, 1000), "1,000");
	assert_string_equal(units_count(text, UINT64_MAX), "18,446,744,073,709,551,615");
	assert_string_equal(units_signed(text, -1234), "-1,234");
	assert_string_equal(units_signed(text, INT64_MIN), "-9,223,372,036,854,775,808");
	assert_string_equal(units_short(text, 0), "0");
	assert_string_equal(units_short(text, 42), "42");
	assert_string_equal(units_short(text, 999.7), "1.00 k");
	assert_string_equal(units_short(text, 1234567), "1.23 M");
	assert_string_equal(units_short(text, 99960), "100 k");
	assert_string_equal(units_short(text, 1e18), "1000 P");
	assert_string_equal(units_bytes(text, 0), "0 B");
	assert_string_equal(units_bytes(text, 1536), "1.50 KiB");
	assert_string_equal(units_bytes(text, 10737418240.0), "10.0 GiB");
	assert_string_equal(units_duration(text, 12500000), "12.5 ms");
	assert_string_equal(units_duration(text, 125 * S), "2m 5s");
	assert_string_equal(units_duration(text, 273600 * S), "3d 4h");
	assert_string_equal(units_instant(text, 1767323045 * S), "2026-01-02T03:04:05Z");
	assert_string_equal(units_instant(text, 0), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_in_powers_of_two_and_ten),
		cmocka_unit_test(durations_add_up_and_bare_numbers_are_seconds),
		cmocka_unit_test(instants_are_dates_seconds_or_so_long_ago),
		cmocka_unit_test(whole_numbers_have_no_sign_and_a_limit),
		cmocka_unit_test(numbers_are_written_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
