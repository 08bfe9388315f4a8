#include "control/delivery/format_text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/codec/utf8.h"

#define BASE64_STEP 12288u /* of payload at a time: a multiple of 3, so that the pieces join */

bool format_text_valid(const uint8_t *s, size_t length)
{
	return utf8_valid(s, (uint32_t)length);
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
		uint32_t n = utf8_character(s + i, (uint32_t)(length - i));

		if (n > 0 && s[i] != '\0') {
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
