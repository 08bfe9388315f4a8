#include "control/delivery/format_kinds.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/delivery/format_text.h"
#include "control/store/store.h"
#include "dataplane/seam/key_text.h"

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
	format_text_member(w, "partition_key", (const uint8_t *)key, length, true);
}

static void put_tags(struct format *f, const struct record *r)
{
	uint32_t count = record_tags_count(r);
	char id[9];

	for (uint32_t i = 0; i < count; i++) {
		const char *name = format_input(f, record_tag(r, i), id);

		gather_text(&f->gather, i == 0 ? ",\"tags\":[\"" : "\",\"");
		format_text_escape(&f->gather, (const uint8_t *)name, strlen(name));
	}
	if (count > 0)
		gather_text(&f->gather, "\"]");
}

void format_jsonl_add(struct format *f, uint32_t shard, uint64_t sequence, const struct record *r)
{
	const struct codec *codec = codec_by_id(r->codec);
	char number[SEQUENCE_TEXT_MAX], arrival[FORMAT_TIME_MAX], text[160], id[9];
	struct gather *w = &f->gather;
	struct original original;
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
	format_text_escape(w, (const uint8_t *)input, strlen(input));
	gather_text(w, "\",\"codec\":\"");
	gather_text(w, codec != NULL ? codec->name : "unknown");
	gather_text(w, "\"");
	put_tags(f, r);
	gather_text(w, ",");
	original = format_original(r);
	if (codec != NULL && codec->decode != NULL)
		format_fields_add(f, codec, r);
	format_text_member(w, "data", original.bytes, original.length,
			   f->options.payload == PAYLOAD_TEXT && (original.codec == NULL || !original.codec->binary));
	gather_text(w, "}\n");
}
