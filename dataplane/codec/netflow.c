#include "dataplane/codec/netflow.h"

#include <string.h>

#include "dataplane/codec/netflow_sets.h"

#define V5_HEADER 24u
#define V9_HEADER 20u
#define IPFIX_HEADER 16u
#define SETS_RESERVED 256u /* numbers below are no data sets */

/* A v9 or IPFIX datagram on its way. */
struct decoding {
	struct flow_message message;
	struct template_domain domain;
	struct flow_sets sets;
	enum codec_fault fault; /* the first */
	bool options, undecoded; /* there are */
};

static void blame(struct decoding *d, enum codec_fault fault)
{
	if (d->fault == CODEC_OK)
		d->fault = fault;
}

/* Shortens `sets` to those whose lengths are right. */
static enum codec_fault check_sets(struct flow_sets *sets)
{
	uint32_t at = sets->at, length;

	for (; at < sets->end; at += length) {
		if (sets->end - at < NETFLOW_SET_BYTES)
			break;
		length = wire_get16(sets->bytes + at + 2);
		if (length < NETFLOW_SET_BYTES || length > sets->end - at) {
			sets->end = at;
			return CODEC_LENGTH;
		}
	}
	if (at == sets->end)
		return CODEC_OK;
	sets->end = at;
	return CODEC_TRUNCATED;
}

/* Finds whose it is and where its sets are; CODEC_OK, or why there are none. */
static enum codec_fault open_message(struct decoding *d, const struct codec_record *record)
{
	const uint8_t *bytes = record->bytes;
	uint32_t length = record->length, header;

	d->message.version = wire_get16(bytes);
	header = d->message.version == 9 ? V9_HEADER : IPFIX_HEADER;
	if (length < header)
		return CODEC_TRUNCATED;
	d->domain.version = (uint8_t)d->message.version;
	if (record->source_bytes == 4 || record->source_bytes == 16) {
		d->domain.address_bytes = record->source_bytes;
		memcpy(d->domain.address, record->source, record->source_bytes);
	}
	d->domain.id = flow_get32(bytes + header - 4);
	d->message.export_ns = flow_get32(bytes + (header == V9_HEADER ? 8 : 4)) * 1000000000ull;
	if (header == V9_HEADER) {
		d->message.uptime_ms = flow_get32(bytes + 4);
	} else if (wire_get16(bytes + 2) < IPFIX_HEADER || wire_get16(bytes + 2) > length) {
		return CODEC_LENGTH;
	} else if (wire_get16(bytes + 2) < length) { /* bytes behind the message are none of it */
		length = wire_get16(bytes + 2);
		blame(d, CODEC_LENGTH);
	}
	d->sets = (struct flow_sets){bytes, header, length};
	d->message.records_left = length / NETFLOW_FLOW_BYTES;
	if (d->message.records_left > NETFLOW_FLOWS_MAX)
		d->message.records_left = NETFLOW_FLOWS_MAX;
	blame(d, check_sets(&d->sets));
	return CODEC_OK;
}

static void put_header(struct decoding *d, const uint8_t *bytes)
{
	struct flow_put *p = &d->message.put;
	bool v9 = d->message.version == 9;

	flow_put_unsigned(p, FLOW_NAME("version"), d->message.version);
	flow_put_unsigned(p, FLOW_NAME("sequence"), flow_get32(bytes + (v9 ? 12 : 8)));
	flow_put_time(p, FLOW_NAME("export_time"), d->message.export_ns);
	if (v9) {
		flow_put_unsigned(p, FLOW_NAME("uptime_ms"), d->message.uptime_ms);
		flow_put_unsigned(p, FLOW_NAME("count"), wire_get16(bytes + 2));
		flow_put_unsigned(p, FLOW_NAME("source_id"), d->domain.id);
	} else {
		flow_put_unsigned(p, FLOW_NAME("domain_id"), d->domain.id);
	}
}

/* Fewer bytes than a record are padding: 3 at most, or zeros (RFC 7011 3.3.1). */
static bool is_padding(const uint8_t *at, uint32_t left)
{
	for (uint32_t i = 0; left > 3 && i < left; i++)
		if (at[i] != 0)
			return false;
	return true;
}

/*
 * Zeros at the end that records of 1 to 3 bytes could be, too. v9 fills a set up to a multiple of 4 bytes whatever its records
 * take (RFC 3954 5.3), so there they are padding, as a last record of nothing but zeros is then. In IPFIX padding is shorter
 * than any record of the set (RFC 7011 3.3.1), so there they are records.
 */
static bool is_filling(const struct decoding *d, const struct flow_set *set, uint32_t at)
{
	if (d->domain.version != 9 || set->length % 4 != 0)
		return false;
	while (at < set->length && set->body[at] == 0)
		at++;
	return at == set->length;
}

static void put_records(struct decoding *d, const struct flow_set *set, const struct template *template)
{
	uint32_t at = 0, bytes;

	while (at < set->length && !d->message.put.ended) {
		if (set->length - at < 4 && is_filling(d, set, at))
			return;
		bytes = template->bytes_min;
		if (template->variable || bytes > set->length - at)
			bytes = flow_bytes(template, set->body + at, set->length - at);
		if (bytes == 0) {
			if (!is_padding(set->body + at, set->length - at))
				blame(d, CODEC_LENGTH);
			return;
		}
		if (d->message.records_left == 0) {
			blame(d, CODEC_TOO_MANY);
			return;
		}
		d->message.records_left--;
		flow_put_record(&d->message, template, set->body + at);
		at += bytes;
	}
}

/* The data sets whose template is (options) or is not an options template. */
static void put_data(struct decoding *d, const struct codec_record *record, bool options)
{
	struct flow_sets sets = d->sets;
	struct templates_of *known = record->templates ? templates_find(record->templates, &d->domain) : NULL;
	const struct template *template = NULL;
	uint32_t of = SETS_RESERVED - 1; /* whose template that is: mostly the next set's, too */
	struct flow_set set;

	d->message.templates = record->templates;
	d->message.of = known;
	d->message.arrival_ns = record->arrival_ns;
	flow_put_mark(&d->message.put, FIELD_ARRAY, options ? "options" : "flows", options ? 7 : 5);
	while (flow_sets_next(&sets, &set) && !d->message.put.ended) {
		if (set.id < SETS_RESERVED) {
			d->undecoded |= set.id > 3 || (d->domain.version == 9) != (set.id < 2);
			continue;
		}
		if (set.id != of && known)
			template = templates_lookup(record->templates, known, set.id, record->arrival_ns);
		of = set.id;
		if (!template) {
			d->undecoded = true;
			blame(d, CODEC_NO_TEMPLATE);
		} else if (template->options != options) {
			d->options = true;
		} else {
			put_records(d, &set, template);
		}
	}
	flow_put_end(&d->message.put);
}

/* What neither put_data() nor netflow_learn_sets() took. */
static void put_undecoded(struct decoding *d, const struct codec_record *record)
{
	struct flow_sets sets = d->sets;
	struct templates_of *known = record->templates ? templates_find(record->templates, &d->domain) : NULL;
	struct flow_put *p = &d->message.put;
	struct flow_set set;

	flow_put_mark(p, FIELD_ARRAY, FLOW_NAME("undecoded"));
	while (flow_sets_next(&sets, &set) && !p->ended) {
		bool data = set.id >= SETS_RESERVED;

		if (data ? known && templates_lookup(record->templates, known, set.id, record->arrival_ns) :
			   set.id <= 3 && (d->domain.version == 9) == (set.id < 2))
			continue;
		flow_put_element(p);
		if (data)
			flow_put_unsigned(p, FLOW_NAME("template_id"), set.id);
		else
			flow_put_unsigned(p, FLOW_NAME("set_id"), set.id);
		flow_put_bytes(p, FIELD_BYTES, FLOW_NAME("bytes"), set.body, set.length);
		flow_put_end(p);
	}
	flow_put_end(p);
}

static enum codec_fault decode_sets(const struct codec_record *record, struct field_sink *sink)
{
	struct decoding d = {.message.put.sink = sink};
	enum codec_fault fault = open_message(&d, record);

	if (fault != CODEC_OK)
		return fault;
	put_header(&d, record->bytes);
	blame(&d, netflow_learn_sets(record, &d.domain, d.sets, &d.message.put));
	if (d.domain.version == 10)
		d.message.init_ns = netflow_init_ns(record, &d.domain);
	put_data(&d, record, false);
	if (d.options)
		put_data(&d, record, true);
	if (d.undecoded)
		put_undecoded(&d, record);
	return d.message.put.ended ? CODEC_OK : d.fault;
}

static enum codec_fault decode_v5(const struct codec_record *record, struct field_sink *sink)
{
	struct flow_message m = {.put.sink = sink, .version = 5};
	const uint8_t *bytes = record->bytes;
	uint32_t count, at = V5_HEADER, sampling;

	if (record->length < V5_HEADER)
		return CODEC_TRUNCATED;
	count = wire_get16(bytes + 2);
	m.uptime_ms = flow_get32(bytes + 4);
	m.export_ns = flow_get32(bytes + 8) * 1000000000ull + flow_get32(bytes + 12);
	sampling = wire_get16(bytes + 22);
	flow_put_unsigned(&m.put, FLOW_NAME("version"), 5);
	flow_put_unsigned(&m.put, FLOW_NAME("sequence"), flow_get32(bytes + 16));
	flow_put_time(&m.put, FLOW_NAME("export_time"), m.export_ns);
	flow_put_unsigned(&m.put, FLOW_NAME("uptime_ms"), m.uptime_ms);
	flow_put_unsigned(&m.put, FLOW_NAME("count"), count);
	flow_put_unsigned(&m.put, FLOW_NAME("engine_type"), bytes[20]);
	flow_put_unsigned(&m.put, FLOW_NAME("engine_id"), bytes[21]);
	flow_put_unsigned(&m.put, FLOW_NAME("sampling_mode"), sampling >> 14);
	flow_put_unsigned(&m.put, FLOW_NAME("sampling_interval"), sampling & 0x3fff);
	flow_put_mark(&m.put, FIELD_ARRAY, FLOW_NAME("flows"));
	for (uint32_t i = 0; i < count && record->length - at >= NETFLOW_V5_FLOW_BYTES && !m.put.ended; i++) {
		flow_put_record(&m, &netflow_v5_template, bytes + at);
		at += NETFLOW_V5_FLOW_BYTES;
	}
	flow_put_end(&m.put);
	if (m.put.ended || record->length == V5_HEADER + count * NETFLOW_V5_FLOW_BYTES)
		return CODEC_OK;
	return record->length < V5_HEADER + count * NETFLOW_V5_FLOW_BYTES ? CODEC_TRUNCATED : CODEC_LENGTH;
}

enum codec_fault netflow_decode(const struct codec_record *record, struct field_sink *sink)
{
	if (record->length == 0)
		return CODEC_EMPTY;
	if (record->length < 2)
		return CODEC_TRUNCATED;
	switch (wire_get16(record->bytes)) {
	case 5:
		return decode_v5(record, sink);
	case 9:
	case 10:
		return decode_sets(record, sink);
	}
	return CODEC_VERSION;
}

enum codec_fault netflow_learn(const struct codec_record *record)
{
	struct decoding d = {0};
	enum codec_fault fault;

	if (record->length == 0)
		return CODEC_EMPTY;
	if (record->length < 2)
		return CODEC_TRUNCATED;
	switch (wire_get16(record->bytes)) {
	case 5:
		return CODEC_OK;
	case 9:
	case 10:
		break;
	default:
		return CODEC_VERSION;
	}
	fault = open_message(&d, record);
	if (fault != CODEC_OK)
		return fault;
	blame(&d, netflow_learn_sets(record, &d.domain, d.sets, NULL));
	return d.fault;
}
