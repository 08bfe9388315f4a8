// Numbers as people write and read them: sizes, durations, points in time.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_MAX 40

// "4096", "64KiB", "1.5GiB", "10GB" (powers of ten), "10G" (powers of two) into bytes. -EINVAL; -ERANGE past 64 bits.
int units_parse_bytes(const char *text, uint64_t *bytes);

// "90", "90s", "15m", "24h", "7d", "1w", "1h30m", "250ms" into nanoseconds; a bare number is seconds. -EINVAL; -ERANGE.
int units_parse_duration(const char *text, uint64_t *ns);

// A point in time into nanoseconds since 1970: RFC 3339 ("2026-01-02T03:04:05.5Z", with a space for the T; without a zone
// it is UTC), a day ("2026-01-02", its start in UTC), seconds since 1970 ("1767323045.25", "@1767323045"), or a duration
// before `now_ns` ("-10m"). -EINVAL; -ERANGE before 1970 or after 2500.
int units_parse_instant(const char *text, uint64_t now_ns, uint64_t *ns);

// A whole number without sign. -EINVAL; -ERANGE when above `most`.
int units_parse_number(const char *text, uint64_t most, uint64_t *number);

/* Each writes into `text` (UNITS_TEXT_MAX bytes) and returns it. */

const char *units_count(char *text, uint64_t n);           // "1,234,567"
const char *units_signed(char *text, int64_t n);           // "-1,234"
const char *units_short(char *text, double n);             // "1.23 M", four digits at most
const char *units_bytes(char *text, double bytes);         // "1.23 GiB"
const char *units_duration(char *text, uint64_t ns);       // "3d 4h", "2m 5s", "12.5 ms"
const char *units_instant(char *text, uint64_t ns);        // "2026-01-02T03:04:05Z"; "-" for 0
