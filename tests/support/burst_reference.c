#include "tests/support/burst_reference.h"

#include <stdlib.h>
#include <string.h>

#include "dataplane/packet/answer.h"
#include "dataplane/packet/reassembly.h"
#include "dataplane/packet/tunnel.h"
#include "dataplane/seam/record.h"

static const struct map_stream *stream_of(const struct reference *r, const struct config_input *input)
{
	for (uint32_t i = 0; i < r->map->streams_count; i++)
		if (strcmp(r->map->streams[i].name, input->stream) == 0)
			return &r->map->streams[i];
	return NULL;
}

static uint32_t slot_of(const struct reference *r, const struct map_stream *stream, struct hash_key hash)
{
	for (uint32_t i = 0; i < stream->shards; i++) {
		const struct map_shard *shard = &r->map->shards[stream->first_shard + i];

		if (hash.upper < shard->last_hash[0] ||
		    (hash.upper == shard->last_hash[0] && hash.lower <= shard->last_hash[1]))
			return shard->slot;
	}
	abort();
}

static void append(struct reference *r, uint32_t slot, const struct record *header, const uint8_t *origin,
		   const uint8_t *key, const uint8_t *payload)
{
	struct reference_lane *lane = &r->lanes[slot];
	uint32_t bytes = record_bytes(header->origin, header->key_length, header->length);
	uint8_t *at;

	if (!lane->bytes)
		lane->bytes = malloc(REFERENCE_LANE_BYTES);
	if (!lane->bytes || lane->length + bytes > REFERENCE_LANE_BYTES)
		abort();
	at = lane->bytes + lane->length;
	memset(at, 0, bytes);
	memcpy(at, header, sizeof *header);
	at += sizeof *header;
	memcpy(at, origin, record_origin_bytes(header->origin));
	at += record_origin_bytes(header->origin);
	if (header->key_length)
		memcpy(at, key, header->key_length);
	memcpy(at + header->key_length, payload, header->length);
	lane->length += bytes;
	r->lanes_records[slot]++;
	r->lanes_bytes[slot] += header->length;
	r->counters[RECORD_APPENDED]++;
	r->counters[WORKER_APPENDED_BYTES] += header->length;
}

static void add_record(struct reference *r, const struct config_input *input, const struct datagram *d,
		       const uint8_t *payload, uint32_t length)
{
	const struct map_stream *stream = stream_of(r, input);
	uint64_t *row = r->inputs[input - r->config->inputs];
	uint8_t origin[sizeof(struct origin6)], digest[1][16];
	uint8_t family = datagram_copy_origin(d, origin) ? d->family : RECORD_ORIGIN_NONE;
	struct record header = {.length = length, .kind = RECORD_DATA, .origin = r->tap ? 0 : family,
				.arrival_ns = r->now_ns, .input = input_id(input->name), .vlan = d->vlan,
				.codec = input->codec};
	char scratch[KEY_SCRATCH];
	struct key_rule rule;
	struct key key;

	row[INPUT_RECORDS]++;
	row[INPUT_BYTES] += length;
	r->counters[WORKER_PARSED]++;
	r->counters[WORKER_PARSED_BYTES] += length;
	if (!stream) {
		r->counters[RECORD_NO_STREAM]++;
		row[INPUT_REFUSED]++;
		return;
	}
	key_rule_init(&rule, input);
	/* A source key asks for an address only, which a tap's frame may have without ports. */
	if (rule.kind == KEY_SOURCE && d->addresses)
		family = d->family;
	key_find(&rule, &r->random, payload, length, rule.kind == KEY_SOURCE ? d->addresses : origin, family, scratch, &key);
	header.key_kind = key.kind;
	header.key_length = key.stored;
	if (header.origin == RECORD_ORIGIN_NONE && key.kind == RECORD_KEY_SOURCE) {
		header.key_kind = RECORD_KEY_STORED;
		header.key_length = (uint16_t)key.text.length;
		key.bytes = key.text.bytes;
	} else if (header.origin == RECORD_ORIGIN_NONE && key.kind == RECORD_KEY_FLOW) {
		header.key_kind = RECORD_KEY_HASH;
	}
	if (key.text.length > 0) {
		md5_batch(&key.text, 1, digest);
		key.hash = stream->shards > 1 ? hash_key_of_digest(digest[0]) : (struct hash_key){0, 0};
	}
	header.hash = key.hash.upper;
	append(r, slot_of(r, stream, key.hash), &header, origin, key.bytes, payload);
}

static uint32_t add_lines(struct reference *r, const struct config_input *input, const struct datagram *d,
			  const uint8_t *bytes, uint32_t length)
{
	uint32_t records = 0;

	for (uint32_t start = 0; start < length;) {
		const uint8_t *newline = memchr(bytes + start, '\n', length - start);
		uint32_t end = newline ? (uint32_t)(newline - bytes) : length;
		uint32_t strip = end > start && bytes[end - 1] == '\r';

		if (end - strip > start) {
			add_record(r, input, d, bytes + start, end - strip - start);
			records++;
		}
		start = end + 1;
	}
	return records;
}

/* Fragments, until no more come out of what was put together. */
static enum counter_frame reassemble(struct reference *r, const uint8_t **bytes, struct datagram *d)
{
	uint64_t counts[REASSEMBLY_COUNTS];
	enum counter_frame fate;
	uint32_t length;

	do {
		fate = reassembly_add(r->reassembly, *bytes, d, r->now_ns, bytes, &length);
		if (fate == FRAME_ACCEPTED)
			fate = tunnel_packet(*bytes, length, &r->host, d);
	} while (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT);
	if (reassembly_take_counts(r->reassembly, counts))
		for (uint32_t i = 0; i < REASSEMBLY_COUNTS; i++)
			r->counters[COUNTER_FRAGMENT_BASE + i] += counts[i];
	return fate;
}

void reference_frame(struct reference *r, const uint8_t *frame, uint32_t length, uint32_t verified)
{
	enum counter_frame fate;
	const uint8_t *bytes_at = frame;
	struct datagram d;
	uint32_t index, records = 1;

	if (r->tap)
		verified = DECODE_IP_CHECKSUM_GOOD | DECODE_L4_CHECKSUM_GOOD;
	r->counters[WORKER_POLLED]++;
	r->counters[WORKER_POLLED_BYTES] += length;
	fate = decode_frame(frame, length, &r->host, verified, &d);
	fate = tunnel_enter(frame, length, &r->host, fate, &d);
	if (r->reassembly && (fate == FRAME_IPV4_FRAGMENT || fate == FRAME_IPV6_FRAGMENT))
		fate = reassemble(r, &bytes_at, &d);
	if (r->tap)
		fate = length > 0 ? FRAME_ACCEPTED : FRAME_RUNT;
	if (fate == FRAME_ANSWERED) { /* these workers cannot send */
		uint8_t reply[2048];

		fate = answer_frame(&r->host, frame, length, reply, sizeof reply, &fate) ? FRAME_ANSWER_FAILED : fate;
	}
	index = fate == FRAME_ACCEPTED ? match_find(&r->match, &d) : INPUT_NONE;
	if (fate == FRAME_ACCEPTED && index == INPUT_NONE)
		fate = FRAME_NO_INPUT;
	if (fate == FRAME_ACCEPTED) {
		const struct config_input *input = &r->config->inputs[index];
		const uint8_t *payload = r->tap ? frame : bytes_at + d.payload;
		uint32_t bytes = r->tap ? length : d.length;

		r->inputs[index][INPUT_FRAMES]++;
		if (input->codec == CODEC_LINES)
			records = add_lines(r, input, &d, payload, bytes);
		else if (bytes > 0)
			add_record(r, input, &d, payload, bytes);
		else
			records = 0;
		if (records == 0)
			fate = FRAME_EMPTY;
	}
	r->counters[fate]++;
}

void reference_clear(struct reference *r)
{
	for (uint32_t i = 0; i < REFERENCE_SLOTS; i++)
		r->lanes[i].length = 0;
}

void reference_free(struct reference *r)
{
	for (uint32_t i = 0; i < REFERENCE_SLOTS; i++) {
		free(r->lanes[i].bytes);
		r->lanes[i] = (struct reference_lane){NULL, 0};
	}
}
