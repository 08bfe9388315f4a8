#include "dataplane/codec/sflow.h"

#include <string.h>

#define SAMPLE_FLOW 1u
#define SAMPLE_COUNTERS 2u
#define SAMPLE_FLOW_EXPANDED 3u
#define SAMPLE_COUNTERS_EXPANDED 4u
#define SAMPLE_DISCARD 5u /* sflow.org, "sFlow Dropped Packet Notification Structures" */

/* What is put of a sample's fixed part, in order. */
enum part { NUMBER, SOURCE, INTERFACE, PART_END };

struct layout {
	const char *type;
	bool counters;
	struct {
		enum part part; /* SOURCE and INTERFACE are two numbers in an expanded sample, else packed into one */
		const char *name;
		uint8_t name_length;
	} parts[9];
};

#define N(text) (text), sizeof(text) - 1
static const struct layout layouts[] = {
	[SAMPLE_FLOW] = {"flow", false,
			 {{NUMBER, N("sequence")}, {SOURCE, N("source")}, {NUMBER, N("sampling_rate")},
			  {NUMBER, N("sample_pool")}, {NUMBER, N("drops")}, {INTERFACE, N("input")},
			  {INTERFACE, N("output")}, {PART_END, N("")}}},
	[SAMPLE_COUNTERS] = {"counters", true, {{NUMBER, N("sequence")}, {SOURCE, N("source")}, {PART_END, N("")}}},
	[SAMPLE_DISCARD] = {"discard", false,
			    {{NUMBER, N("sequence")}, {SOURCE, N("source")}, {NUMBER, N("drops")}, {NUMBER, N("input")},
			     {NUMBER, N("output")}, {NUMBER, N("reason")}, {PART_END, N("")}}},
};

struct decoding {
	struct flow_put put;
	enum codec_fault fault; /* the first */
};

static void blame(struct decoding *d, enum codec_fault fault)
{
	if (d->fault == CODEC_OK)
		d->fault = fault;
}

static bool get32(struct sflow_body *body, uint32_t *value)
{
	if (body->left < 4)
		return false;
	*value = flow_get32(body->at);
	body->at += 4;
	body->left -= 4;
	return true;
}

static void put_number(struct decoding *d, const char *name, uint32_t name_length, uint32_t value)
{
	flow_put_unsigned(&d->put, name, name_length, value);
}

static void put_unknown(struct decoding *d, uint32_t tag, struct sflow_body body)
{
	put_number(d, FLOW_NAME("enterprise"), tag >> 12);
	put_number(d, FLOW_NAME("format"), tag & 0xfff);
	flow_put_bytes(&d->put, FIELD_BYTES, FLOW_NAME("bytes"), body.at, body.left);
}

/* Takes a tag, a length and as many bytes: what samples and records are. False when they are not whole. */
static bool take_tagged(struct sflow_body *from, uint32_t *tag, struct sflow_body *body)
{
	uint32_t length, padding;

	if (!get32(from, tag) || !get32(from, &length) || length > from->left)
		return false;
	*body = (struct sflow_body){from->at, length};
	padding = -length & 3u; /* agents whose lengths are no multiple of 4 are said to fill up */
	length += padding < from->left - length ? padding : from->left - length;
	from->at += length;
	from->left -= length;
	return true;
}

static void put_records(struct decoding *d, bool counters, struct sflow_body *from)
{
	uint32_t count, tag;
	struct sflow_body body;

	if (!get32(from, &count)) {
		blame(d, CODEC_LENGTH);
		return;
	}
	flow_put_mark(&d->put, FIELD_ARRAY, FLOW_NAME("records"));
	for (; count && !d->put.ended; count--) {
		enum codec_fault fault = CODEC_NO_TEMPLATE;

		if (!take_tagged(from, &tag, &body)) {
			blame(d, CODEC_LENGTH);
			break;
		}
		flow_put_element(&d->put);
		if (tag >> 12 == 0)
			fault = sflow_put_record(&d->put, counters, tag, body);
		if (fault == CODEC_NO_TEMPLATE)
			put_unknown(d, tag, body);
		else if (fault != CODEC_OK)
			blame(d, fault);
		flow_put_end(&d->put);
	}
	flow_put_end(&d->put);
	if (count == 0 && from->left)
		blame(d, CODEC_LENGTH);
}

/* One that is two numbers: apart in an expanded sample, in `low` and the bits above it otherwise. */
static bool get_pair(struct sflow_body *body, bool expanded, uint32_t low, uint32_t *high, uint32_t *value)
{
	uint32_t packed;

	if (expanded)
		return get32(body, high) && get32(body, value);
	if (!get32(body, &packed))
		return false;
	*high = packed >> low;
	*value = packed & ((1u << low) - 1);
	return true;
}

static bool put_fixed_part(struct decoding *d, const struct layout *layout, bool expanded, struct sflow_body *body)
{
	uint32_t high = 0, value = 0;

	flow_put_bytes(&d->put, FIELD_TEXT, FLOW_NAME("type"), (const uint8_t *)layout->type,
		       (uint32_t)strlen(layout->type));
	for (uint32_t i = 0; layout->parts[i].part != PART_END; i++) {
		const char *name = layout->parts[i].name;

		switch (layout->parts[i].part) {
		case SOURCE:
			if (!get_pair(body, expanded, 24, &high, &value))
				return false;
			put_number(d, FLOW_NAME("source_class"), high);
			put_number(d, FLOW_NAME("source_index"), value);
			break;
		case INTERFACE:
			if (!get_pair(body, expanded, 30, &high, &value))
				return false;
			if (name[0] == 'i')
				put_number(d, FLOW_NAME("input_format"), high);
			else
				put_number(d, FLOW_NAME("output_format"), high);
			put_number(d, name, layout->parts[i].name_length, value);
			break;
		default:
			if (!get32(body, &value))
				return false;
			put_number(d, name, layout->parts[i].name_length, value);
		}
	}
	return true;
}

static void put_sample(struct decoding *d, uint32_t tag, struct sflow_body body)
{
	bool expanded = tag == SAMPLE_FLOW_EXPANDED || tag == SAMPLE_COUNTERS_EXPANDED || tag == SAMPLE_DISCARD;
	const struct layout *layout;

	if (tag == 0 || tag > SAMPLE_DISCARD) { /* enterprises stand in the upper bits */
		put_unknown(d, tag, body);
		return;
	}
	layout = &layouts[tag == SAMPLE_FLOW_EXPANDED ? SAMPLE_FLOW : tag == SAMPLE_COUNTERS_EXPANDED ? SAMPLE_COUNTERS : tag];
	if (put_fixed_part(d, layout, expanded, &body))
		put_records(d, layout->counters, &body);
	else
		blame(d, CODEC_LENGTH);
}

static void put_samples(struct decoding *d, struct sflow_body *body)
{
	struct sflow_body sample;
	uint32_t count, tag;

	if (!get32(body, &count)) {
		blame(d, CODEC_TRUNCATED);
		return;
	}
	flow_put_mark(&d->put, FIELD_ARRAY, FLOW_NAME("samples"));
	for (; count && !d->put.ended; count--) {
		if (!take_tagged(body, &tag, &sample)) {
			blame(d, body->left ? CODEC_LENGTH : CODEC_TRUNCATED);
			break;
		}
		flow_put_element(&d->put);
		put_sample(d, tag, sample);
		flow_put_end(&d->put);
	}
	flow_put_end(&d->put);
	if (count == 0 && body->left)
		blame(d, CODEC_LENGTH);
}

enum codec_fault sflow_decode(const struct codec_record *record, struct field_sink *sink)
{
	struct decoding d = {.put.sink = sink};
	struct sflow_body body = {record->bytes, record->length};
	uint32_t version, type, address;

	if (record->length == 0)
		return CODEC_EMPTY;
	if (!get32(&body, &version))
		return CODEC_TRUNCATED;
	if (version != 5)
		return CODEC_VERSION;
	if (!get32(&body, &type))
		return CODEC_TRUNCATED;
	if (type != 1 && type != 2)
		return CODEC_SYNTAX;
	address = type == 1 ? 4 : 16;
	if (body.left < address + 12)
		return CODEC_TRUNCATED;
	put_number(&d, FLOW_NAME("version"), version);
	flow_put_bytes(&d.put, FIELD_ADDRESS, FLOW_NAME("agent"), body.at, address);
	body.at += address + 12;
	body.left -= address + 12;
	put_number(&d, FLOW_NAME("sub_agent"), flow_get32(body.at - 12));
	put_number(&d, FLOW_NAME("sequence"), flow_get32(body.at - 8));
	put_number(&d, FLOW_NAME("uptime_ms"), flow_get32(body.at - 4));
	put_samples(&d, &body);
	return d.put.ended ? CODEC_OK : d.fault;
}
