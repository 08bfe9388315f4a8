#include "dataplane/codec/path.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/codec/instant.h"
#include "dataplane/codec/number.h"
#include "dataplane/codec/utf8.h"
#include "dataplane/seam/key_text.h"

#define NOT_AN_INDEX UINT32_MAX
#define VALUE_TEXT_MAX                                                                                                 \
	64u /* the longest text of what is no text itself: an IPv6 address, and what address6_text() scribbles */

/* RFC 6901, 4: digits without leading zeros. */
static uint32_t index_of(const char *name, uint32_t length)
{
	uint64_t value;

	if (!number_unsigned((const uint8_t *)name, length, &value) || value >= NOT_AN_INDEX ||
	    (length > 1 && name[0] == '0'))
		return NOT_AN_INDEX;
	return (uint32_t)value;
}

/* One reference token, up to the next slash. Returns what stands behind it, NULL when it is none. */
static const char *parse_step(const char *text, struct field_path *path, uint32_t start)
{
	uint32_t length = 0;

	for (; *text && *text != '/'; text++) {
		char byte = *text;

		if (byte == '~') {
			text++;
			if (*text != '0' && *text != '1')
				return NULL;
			byte = *text == '0' ? '~' : '/';
		}
		path->names[start + length++] = byte;
	}
	path->step[path->steps].start = (uint16_t)start;
	path->step[path->steps].length = (uint16_t)length;
	path->step[path->steps++].index = index_of(path->names + start, length);
	return text;
}

int field_path_parse(const char *text, struct field_path *out)
{
	size_t length = text ? strnlen(text, FIELD_PATH_BYTES_MAX + 1) : 0;
	uint32_t start = 0;

	memset(out, 0, sizeof *out);
	if (length == 0 || length > FIELD_PATH_BYTES_MAX)
		return -EINVAL;
	if (text[0] != '/') {
		memcpy(out->names, text, length);
		out->step[0].length = (uint16_t)length;
		out->step[0].index = NOT_AN_INDEX;
		out->steps = 1;
		return 0;
	}
	while (*text == '/') {
		if (out->steps == FIELD_DEPTH_MAX + 1)
			return -EINVAL;
		text = parse_step(text + 1, out, start);
		if (!text)
			return -EINVAL;
		start += out->step[out->steps - 1].length;
	}
	return 0;
}

struct finder {                 /* a taker of fields that waits for one */
	struct field_sink sink; /* first */
	const struct field_path *path;
	uint32_t depth;   /* of what is open */
	uint32_t matched; /* so many of those from the outside are what the path's first steps name */
	uint32_t index;   /* of the next element of the innermost matched one, when that is an array */
	char *text;
	uint32_t room, length;
};

/* Standard base64 with padding (RFC 4648, 4), whole groups as far as room goes. */
static uint32_t base64(const uint8_t *bytes, uint32_t length, char *text, uint32_t room)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t count = 0;

	for (uint32_t i = 0; i < length; i += 3) {
		uint32_t left = length - i, group = (uint32_t)bytes[i] << 16;
		char quad[4];

		group |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		group |= left > 2 ? bytes[i + 2] : 0;
		quad[0] = digits[group >> 18];
		quad[1] = digits[group >> 12 & 63];
		quad[2] = left > 1 ? digits[group >> 6 & 63] : '=';
		quad[3] = left > 2 ? digits[group & 63] : '=';
		for (uint32_t q = 0; q < 4; q++) {
			if (count == room)
				return count;
			text[count++] = quad[q];
		}
	}
	return count;
}

/* The shortest decimal that is read back as the same number; none of what JSON has no number for. */
static uint32_t real_text(double value, char text[VALUE_TEXT_MAX])
{
	int length = 0;

	if (!isfinite(value))
		return 0;
	for (int precision = 15; precision <= 17; precision++) {
		length = snprintf(text, VALUE_TEXT_MAX, "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return (uint32_t)length;
}

static uint32_t unsigned_text(uint64_t value, char *text)
{
	char reversed[20];
	uint32_t length = 0, count;

	do {
		reversed[length++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (count = 0; length; count++)
		text[count] = reversed[--length];
	return count;
}

static uint32_t integer_text(int64_t value, char *text)
{
	if (value >= 0)
		return unsigned_text((uint64_t)value, text);
	text[0] = '-';
	return 1 + unsigned_text(0 - (uint64_t)value, text + 1);
}

static uint32_t mac_text(const uint8_t mac[6], char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (uint32_t i = 0; i < 6; i++) {
		text[3 * i] = digits[mac[i] >> 4];
		text[3 * i + 1] = digits[mac[i] & 15];
		text[3 * i + 2] = ':';
	}
	return 17;
}

/* The text of a value that is none by itself. */
static uint32_t made_text(const struct field *field, char text[VALUE_TEXT_MAX])
{
	switch (field->type) {
	case FIELD_INTEGER:
		return integer_text(field->value.i, text);
	case FIELD_UNSIGNED:
		return unsigned_text(field->value.u, text);
	case FIELD_REAL:
		return real_text(field->value.r, text);
	case FIELD_BOOL:
		memcpy(text, field->value.u ? "true" : "false", 5);
		return field->value.u ? 4 : 5;
	case FIELD_TIME:
		instant_text(field->value.u, text);
		return INSTANT_TEXT_BYTES;
	case FIELD_ADDRESS:
		return field->length == 4 ? address4_text(field->bytes, text) : address6_text(field->bytes, text);
	case FIELD_MAC:
		return mac_text(field->bytes, text);
	default:
		return 0;
	}
}

static void take_value(struct finder *f, const struct field *field)
{
	char made[VALUE_TEXT_MAX];

	if (field->type == FIELD_TEXT || field->type == FIELD_NUMBER) {
		f->length = utf8_cut(field->bytes, field->length, f->room);
		memcpy(f->text, field->bytes, f->length);
	} else if (field->type == FIELD_BYTES) {
		f->length = base64(field->bytes, field->length, f->text, f->room);
	} else {
		f->length = made_text(field, made);
		f->length = f->length < f->room ? f->length : f->room;
		memcpy(f->text, made, f->length);
	}
}

/* Whether a field of the innermost matched object, or element of the array, is what the next step names. */
static inline bool is_next(struct finder *f, const struct field *field)
{
	const struct field_path *path = f->path;
	uint32_t step = f->matched;

	if (!field->name)
		return f->index++ == path->step[step].index;
	return field->name_length == path->step[step].length &&
	       memcmp(field->name, path->names + path->step[step].start, field->name_length) == 0;
}

static bool finder_put(struct field_sink *sink, const struct field *field)
{
	struct finder *f = (struct finder *)sink;
	bool opens = field->type == FIELD_OBJECT || field->type == FIELD_ARRAY;

	if (field->type == FIELD_END) {
		f->depth--;
		/* Whoever comes back from a step that did not lead further has passed it: the first of a name counts.
		 */
		return f->matched <= f->depth;
	}
	if (f->depth == f->matched && is_next(f, field)) {
		if (f->matched + 1 == f->path->steps) {
			take_value(f, field);
			return false;
		}
		if (!opens)
			return false;
		f->matched++;
		f->index = 0;
	}
	f->depth += opens;
	return true;
}

uint32_t field_path_find(const struct field_path *path, const struct codec *codec, const struct codec_record *record,
			 char *text, uint32_t room)
{
	struct finder f = {.sink = {finder_put}, .path = path, .text = text, .room = room};

	if (!codec->decode || room == 0)
		return 0;
	codec->decode(record, &f.sink);
	return f.length;
}
