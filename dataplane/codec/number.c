#include "dataplane/codec/number.h"

/* [+-] digits [. digits] [exponent], digits on one side of the point at least. */
bool number_repair(const uint8_t *bytes, uint32_t length, uint8_t *scratch, struct number *out)
{
	uint32_t at = length && (bytes[0] == '-' || bytes[0] == '+'), end = number_digits_end(bytes, length, at), whole, fraction = 0;
	uint8_t *to = scratch;

	whole = end - at;
	while (whole > 1 && bytes[at] == '0') {
		at++;
		whole--;
	}
	if (length && bytes[0] == '-')
		*to++ = '-';
	if (whole == 0)
		*to++ = '0';
	memcpy(to, bytes + at, whole);
	to += whole;
	if (end < length && bytes[end] == '.') {
		uint32_t digits = end + 1;

		end = number_digits_end(bytes, length, digits);
		fraction = end - digits;
		if (fraction) {
			*to++ = '.';
			memcpy(to, bytes + digits, fraction);
			to += fraction;
		}
	}
	if ((whole == 0 && fraction == 0) || number_tail_end(bytes, length, end) != length)
		return false;
	/* number_tail_end() takes a fraction as well: the one behind a fraction is none. */
	if (end < length && bytes[end] == '.')
		return false;
	memcpy(to, bytes + end, length - end);
	to += length - end;
	*out = (struct number){scratch, (uint32_t)(to - scratch)};
	return true;
}
