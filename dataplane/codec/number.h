// Numbers as text: JSON's grammar, and what other formats allow beside it brought into that.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline bool number_is_digit(uint8_t byte)
{
	return (uint8_t)(byte - '0') < 10;
}

// Where the digits from bytes[at] on end.
static inline uint32_t number_digits_end(const uint8_t *bytes, uint32_t length, uint32_t at)
{
	for (; length - at >= 8; at += 8) {
		uint64_t eight, other;

		memcpy(&eight, bytes + at, 8);
		eight ^= 0x3030303030303030u; /* a digit is now 0 to 9; what is more carries into the highest bit of its
						 byte */
		other = ((eight + 0x7676767676767676u) | eight) & 0x8080808080808080u;
		if (other)
			return at + (uint32_t)__builtin_ctzll(other) / 8;
	}
	while (at < length && number_is_digit(bytes[at]))
		at++;
	return at;
}

// The value of eight digits. (D. Lemire, "Quickly parsing eight digits", 2018.)
static inline uint64_t number_of_eight(const uint8_t *bytes)
{
	uint64_t eight;

	memcpy(&eight, bytes, 8);
	eight = (eight & 0x0f0f0f0f0f0f0f0fu) * 2561 >> 8;
	eight = (eight & 0x00ff00ff00ff00ffu) * 6553601 >> 16;
	return (eight & 0x0000ffff0000ffffu) * 42949672960001u >> 32;
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
	uint64_t value = 0, last;
	uint32_t at = 0, safe;

	if (length == 0 || number_digits_end(bytes, length, 0) != length)
		return false;
	for (; length - at > 20; at++)
		if (bytes[at] != '0')
			return false;
	safe = length - at < 20 ? length : length - 1; /* nineteen digits always fit */
	for (; safe - at >= 8; at += 8)
		value = value * 100000000 + number_of_eight(bytes + at);
	for (; at < safe; at++)
		value = value * 10 + (bytes[at] - (uint64_t)'0');
	if (safe < length) {
		last = bytes[safe] - (uint64_t)'0';
		if (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - last)
			return false;
		value = value * 10 + last;
	}
	*out = value;
	return true;
}

// Writes a number in decimal, without an end; returns its length, at most 10.
static inline uint32_t number_write(uint32_t value, char *out)
{
	char digits[10];
	uint32_t count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while (value /= 10);
	for (uint32_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}
