#include "control/delivery/format_kinds.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/store/store.h"
#include "dataplane/seam/key_text.h"

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

static bool utf8_valid(const uint8_t *s, size_t length)
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

static void put_escaped(struct gather *w, const uint8_t *s, size_t length)
{
	size_t plain = 0;

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

static void put_base64(struct gather *w, const uint8_t *s, size_t length)
{
	uint8_t text[BASE64_STEP / 3 * 4 + 1];

	for (size_t i = 0; i < length; i += BASE64_STEP) {
		size_t n = length - i < BASE64_STEP ? length - i : BASE64_STEP;

		gather_put(w, text, (size_t)EVP_EncodeBlock(text, s + i, (int)n));
	}
}

// "name":"…" or "name_base64":"…"
static void put_bytes(struct gather *w, const char *name, const uint8_t *s, size_t length, bool text)
{
	text = text && utf8_valid(s, length);
	gather_put(w, "\"", 1);
	gather_text(w, name);
	gather_text(w, text ? "\":\"" : "_base64\":\"");
	if (text)
		put_escaped(w, s, length);
	else
		put_base64(w, s, length);
	gather_put(w, "\"", 1);
}

static void put_source(struct gather *w, const struct record *r)
{
	char text[INET6_ADDRSTRLEN], line[INET6_ADDRSTRLEN + 48];
	const uint8_t *origin = record_origin(r);
	bool four = r->origin == RECORD_ORIGIN_IPV4;
	const uint8_t *port =
		origin + (four ? offsetof(struct origin4, source_port) : offsetof(struct origin6, source_port));

	if (r->origin == RECORD_ORIGIN_NONE)
		return;
	inet_ntop(four ? AF_INET : AF_INET6, origin, text, sizeof text);
	snprintf(line, sizeof line, ",\"source\":\"%s\",\"source_port\":%u", text, (unsigned)port[0] << 8 | port[1]);
	gather_text(w, line);
}

static void put_gap(struct gather *w, const char *sequence, const char *arrival, const struct record *r)
{
	struct gap gap = format_gap(r);
	char text[320], first[FORMAT_TIME_MAX], last[FORMAT_TIME_MAX], count[24] = "null";

	if (gap.count != GAP_COUNT_UNKNOWN)
		snprintf(count, sizeof count, "%" PRIu64, gap.count);
	format_time(first, gap.first_ns);
	format_time(last, gap.last_ns);
	snprintf(text, sizeof text,
		 "{\"gap\":{\"sequence\":\"%s\",\"arrival\":\"%s\",\"reason\":\"%s\",\"scope\":\"%s\"", sequence,
		 arrival, format_gap_reason(gap.reason), gap.scope == GAP_SCOPE_PORT ? "port" : "shard");
	gather_text(w, text);
	snprintf(text, sizeof text, ",\"count\":%s,\"bytes\":%" PRIu64 ",\"first\":\"%s\",\"last\":\"%s\"", count,
		 gap.bytes, first, last);
	gather_text(w, text);
	if (gap.worker != UINT16_MAX) {
		snprintf(text, sizeof text, ",\"worker\":%u", gap.worker);
		gather_text(w, text);
	}
	gather_text(w, "}}\n");
}

static void put_key(struct gather *w, const struct record *r)
{
	char key[KEY_TEXT_MAX];
	uint32_t length = key_text(r, key);

	if (length == 0)
		return;
	gather_put(w, ",", 1);
	put_bytes(w, "partition_key", (const uint8_t *)key, length, true);
}

void format_jsonl_add(struct format *f, uint32_t shard, uint64_t sequence, const struct record *r)
{
	static const char *const codecs[] = {
		[CODEC_DATAGRAM] = "datagram", [CODEC_LINES] = "lines", [CODEC_FRAME] = "frame"};
	char number[SEQUENCE_TEXT_MAX], arrival[FORMAT_TIME_MAX], text[160], id[9];
	struct gather *w = &f->gather;
	const char *input;

	sequence_format(number, shard, sequence);
	format_time(arrival, r->arrival_ns);
	if (r->kind == RECORD_GAP) {
		put_gap(w, number, arrival, r);
		return;
	}
	snprintf(text, sizeof text, "{\"sequence\":\"%s\",\"arrival\":\"%s\"", number, arrival);
	gather_text(w, text);
	put_key(w, r);
	put_source(w, r);
	if (r->vlan != RECORD_VLAN_NONE) {
		snprintf(text, sizeof text, ",\"vlan\":%u", r->vlan & 0xfffu);
		gather_text(w, text);
	}
	input = format_input(f, r->input, id);
	gather_text(w, ",\"input\":\"");
	put_escaped(w, (const uint8_t *)input, strlen(input));
	gather_text(w, "\",\"codec\":\"");
	if (r->codec >= CODEC_DATAGRAM && r->codec <= CODEC_FRAME)
		gather_text(w, codecs[r->codec]);
	else
		gather_text(w, "unknown");
	gather_text(w, "\",");
	put_bytes(w, "data", record_payload(r), r->length, f->options.payload == PAYLOAD_TEXT);
	gather_text(w, "}\n");
}
