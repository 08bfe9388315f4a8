// Numbers as text: JSON's grammar, and what other formats allow beside it brought into that.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool number_is_digit(uint8_t byte)
{
	return (uint8_t)(byte - '0') < 10;
}

static inline uint32_t number_digits_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	while (at < length && number_is_digit(bytes[at]))
		at++;
	return at;
}

// Behind an optional fraction and exponent at `at` (RFC 8259, 6); 0 when one begins and has no digits.
static inline uint32_t number_tail_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	if (at < length && bytes[at] == '.') {
		uint32_t digits = at + 1;

		at = number_digits_end(bytes, length, digits);
		if (at == digits)
			return 0;
	}
	if (at < length && (bytes[at] | 0x20) == 'e') {
		uint32_t digits = at + 1;

		if (digits < length && (bytes[digits] == '+' || bytes[digits] == '-'))
			digits++;
		at = number_digits_end(bytes, length, digits);
		if (at == digits)
			return 0;
	}
	return at;
}

// Behind the number by JSON's grammar that starts at `at` < length, or 0 when none does. Of "01" that is the 0.
static inline uint32_t number_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	uint32_t digits = at + (bytes[at] == '-'), end;

	if (digits == length || !number_is_digit(bytes[digits]))
		return 0;
	end = bytes[digits] == '0' ? digits + 1 : number_digits_end(bytes, length, digits);
	return number_tail_end(bytes, length, end);
}

struct number { /* by JSON's grammar; points into what was given or into `scratch` */
	const uint8_t *bytes;
	uint32_t length;
};

// What JSON's grammar does not have and senders write: "+1", "007", ".5", "5.".
bool number_repair(const uint8_t *bytes, uint32_t length, uint8_t *scratch, struct number *out);

// bytes[0..length), all of it, as a decimal number. False when it is none. `scratch` takes `length` + 2 bytes.
static inline bool number_take(const uint8_t *bytes, uint32_t length, uint8_t *scratch, struct number *out)
{
	if (length && number_end(bytes, length, 0) == length) {
		*out = (struct number){bytes, length};
		return true;
	}
	return number_repair(bytes, length, scratch, out);
}

// bytes[0..length), all of it, as decimal digits of a number up to 2^64 - 1. False when it is none.
static inline bool number_unsigned(const uint8_t *bytes, uint32_t length, uint64_t *out)
{
	uint64_t value = 0;

	if (length == 0 || number_digits_end(bytes, length, 0) != length)
		return false;
	for (uint32_t i = 0; i < length; i++) {
		uint64_t digit = bytes[i] - (uint64_t)'0';

		if (i >= 19 && (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit))
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}
