#include "control/delivery/format_text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define BASE64_STEP 12288u /* of payload at a time: a multiple of 3, so that the pieces join */

// How long the UTF-8 character at `s` is, 0 when it is none (RFC 3629: no overlong forms, no surrogates).
static size_t utf8_character(const uint8_t *s, size_t left)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		return left >= 2 && (s[1] & 0xc0) == 0x80 ? 2 : 0;
	if (s[0] >= 0xe0 && s[0] <= 0xef) {
		if (left < 3 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80)
			return 0;
		return (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ? 0 : 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		if (left < 4 || (s[1] & 0xc0) != 0x80 || (s[2] & 0xc0) != 0x80 || (s[3] & 0xc0) != 0x80)
			return 0;
		return (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f) ? 0 : 4;
	}
	return 0;
}

bool format_text_valid(const uint8_t *s, size_t length)
{
	for (size_t i = 0; i < length;) {
		size_t n;
		uint64_t word;

		/* Eight ASCII bytes at a time: most telemetry is nothing else. */
		if (length - i >= 8) {
			memcpy(&word, s + i, 8);
			if ((word & 0x8080808080808080u) == 0) {
				i += 8;
				continue;
			}
		}
		n = utf8_character(s + i, length - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

void format_text_escape(struct gather *w, const uint8_t *s, size_t length)
{
	size_t plain = 0;

	if (length == 0) /* `s` may be NULL then */
		return;
	for (size_t i = 0; i < length; i++) {
		char escape[8];
		const char *text = escape;

		if (s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
			continue;
		switch (s[i]) {
		case '"':
			text = "\\\"";
			break;
		case '\\':
			text = "\\\\";
			break;
		case '\n':
			text = "\\n";
			break;
		case '\r':
			text = "\\r";
			break;
		case '\t':
			text = "\\t";
			break;
		default:
			snprintf(escape, sizeof escape, "\\u%04x", s[i]);
		}
		gather_put(w, s + plain, i - plain);
		gather_text(w, text);
		plain = i + 1;
	}
	gather_put(w, s + plain, length - plain);
}

void format_text_repair(struct gather *w, const uint8_t *s, size_t length)
{
	size_t good = 0;

	if (length == 0)
		return;
	for (size_t i = 0; i < length;) {
		size_t n = utf8_character(s + i, length - i);

		if (n > 0) {
			i += n;
			continue;
		}
		format_text_escape(w, s + good, i - good);
		gather_text(w, "\xef\xbf\xbd");
		good = ++i;
	}
	format_text_escape(w, s + good, length - good);
}

void format_text_base64(struct gather *w, const uint8_t *s, size_t length)
{
	uint8_t text[BASE64_STEP / 3 * 4 + 1];

	for (size_t i = 0; i < length; i += BASE64_STEP) {
		size_t n = length - i < BASE64_STEP ? length - i : BASE64_STEP;

		gather_put(w, text, (size_t)EVP_EncodeBlock(text, s + i, (int)n));
	}
}

void format_text_member(struct gather *w, const char *name, const uint8_t *s, size_t length, bool text)
{
	text = text && format_text_valid(s, length);
	gather_put(w, "\"", 1);
	gather_text(w, name);
	gather_text(w, text ? "\":\"" : "_base64\":\"");
	if (text)
		format_text_escape(w, s, length);
	else
		format_text_base64(w, s, length);
	gather_put(w, "\"", 1);
}
