#include "dataplane/codec/number.h"

/* [+-] digits [. digits] [exponent], digits on one side of the point at least. */
bool number_repair(const uint8_t *bytes, uint32_t length, uint8_t *scratch, struct number *out)
{
	bool sign = length && (bytes[0] == '-' || bytes[0] == '+');
	uint32_t start = sign, point = number_digits_end(bytes, length, start), whole = point - start, tail = point;
	uint8_t *to = scratch;

	if (point < length && bytes[point] == '.') {
		tail = number_digits_end(bytes, length, point + 1);
		if (tail == point + 1) /* nothing behind the point: goes */
			point = tail;
	}
	if (tail - start <= 1 && whole == 0)
		return false;
	/* What is left is an exponent: a fraction has been. */
	if (tail < length && (bytes[tail] == '.' || number_tail_end(bytes, length, tail) != length))
		return false;
	for (; whole > 1 && bytes[start] == '0'; whole--)
		start++;
	if (sign && bytes[0] == '-')
		*to++ = '-';
	if (whole == 0)
		*to++ = '0';
	else if (point == tail && tail > start + whole) { /* "5.": the digits without the point */
		memcpy(to, bytes + start, whole);
		to += whole;
		start = tail;
	}
	memcpy(to, bytes + start, length - start);
	to += length - start;
	*out = (struct number){scratch, (uint32_t)(to - scratch)};
	return true;
}
