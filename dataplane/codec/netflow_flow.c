#include "dataplane/codec/netflow_flow.h"

#include <string.h>

#include "dataplane/codec/netflow_elements.h"

#define NS_MAX (UINT64_MAX / 2)   /* year 2262 */
#define NTP_UNIX 2208988800ull    /* 1970 in seconds since 1900 */
#define NTP_ERA (1ull << 32)      /* seconds */

/* NetFlow v5's flow, by the elements that its fields became in v9. */
#define V5(id_, length_, kind_) {.id = (id_), .length = (length_), .kind = ELEMENT_##kind_, .occurrence = 1}
static const struct template_part v5_parts[2] = {
	{&v5_parts[1],
	 {V5(8, 4, ADDRESS4), V5(12, 4, ADDRESS4), V5(15, 4, ADDRESS4), V5(10, 2, UNSIGNED), V5(14, 2, UNSIGNED),
	  V5(2, 4, UNSIGNED), V5(1, 4, UNSIGNED), V5(22, 4, UPTIME_START), V5(21, 4, UPTIME_END), V5(7, 2, UNSIGNED)}},
	{NULL,
	 {V5(11, 2, UNSIGNED), V5(210, 1, PADDING), V5(6, 1, UNSIGNED), V5(4, 1, UNSIGNED), V5(5, 1, UNSIGNED),
	  V5(16, 2, UNSIGNED), V5(17, 2, UNSIGNED), V5(9, 1, UNSIGNED), V5(13, 1, UNSIGNED), V5(210, 2, PADDING)}},
};
#undef V5
const struct template netflow_v5_template = {.parts = v5_parts, .bytes_min = NETFLOW_V5_FLOW_BYTES, .count = 20};

enum { HAS_UPTIME_START = 1, HAS_UPTIME_END = 2, HAS_DELTA_START = 4, HAS_DELTA_END = 8, HAS_INIT = 16 };

struct times { /* a flow's relative times: put as absolute ones when all of it was seen */
	uint64_t init_ns;
	uint32_t start, end;
	uint32_t has;
};

uint32_t flow_bytes(const struct template *template, const uint8_t *at, uint32_t left)
{
	const struct template_part *part = template->parts;
	uint32_t all = left, length;

	if (left < template->bytes_min)
		return 0;
	if (!template->variable)
		return template->bytes_min;
	for (uint32_t i = 0; i < template->count; part = part->next)
		for (uint32_t j = 0; j < TEMPLATE_PART_FIELDS && i < template->count; i++, j++) {
			length = part->fields[j].length;
			if (length == TEMPLATE_VARIABLE) {
				if (!flow_variable_length(&at, &left, &length))
					return 0;
			} else if (length > left) {
				return 0;
			}
			at += length;
			left -= length;
		}
	return all - left;
}

/* Any big-endian number of 1 to 8 bytes. */
static uint64_t get_unsigned(const uint8_t *at, uint32_t length)
{
	uint64_t value = 0;

	switch (length) {
	case 1:
		return at[0];
	case 2:
		return wire_get16(at);
	case 4:
		return flow_get32(at);
	case 8:
		return flow_get64(at);
	}
	for (uint32_t i = 0; i < length; i++)
		value = value << 8 | at[i];
	return value;
}

/* RFC 7011 6.1.8: NTP, era 0 from 1968 on and era 1 after it (RFC 4330 3). False for a time before 1970. */
static bool ntp_ns(uint64_t ntp, uint64_t mask, uint64_t *ns)
{
	uint64_t seconds = ntp >> 32, fraction = ntp & mask & UINT32_MAX;

	if (seconds < NTP_ERA / 2)
		seconds += NTP_ERA;
	if (seconds < NTP_UNIX)
		return false;
	*ns = (seconds - NTP_UNIX) * 1000000000ull + (fraction * 1000000000ull >> 32);
	return true;
}

/* False where the bytes are no time of that kind. */
static bool get_time(uint8_t kind, const uint8_t *at, uint32_t length, uint64_t *ns)
{
	uint64_t value;

	if (kind == ELEMENT_SECONDS) {
		if (length != 4)
			return false;
		*ns = flow_get32(at) * 1000000000ull;
		return true;
	}
	if (length != 8)
		return false;
	value = flow_get64(at);
	if (kind == ELEMENT_MICROSECONDS)
		return ntp_ns(value, ~2047ull, ns);
	if (kind == ELEMENT_NANOSECONDS)
		return ntp_ns(value, ~0ull, ns);
	*ns = value * 1000000u;
	return value <= NS_MAX / 1000000u;
}

static bool get_real(const uint8_t *at, uint32_t length, double *real)
{
	uint64_t raw = length == 8 ? flow_get64(at) : 0;
	uint32_t raw32 = length == 4 ? flow_get32(at) : 0;
	float single;

	if (length == 8) {
		memcpy(real, &raw, 8);
		return true;
	}
	memcpy(&single, &raw32, 4);
	*real = (double)single;
	return length == 4;
}

static void put_label(struct flow_put *p, const struct field *name, const uint8_t *at)
{
	uint32_t entry = (uint32_t)get_unsigned(at, 3);

	flow_put_mark(p, FIELD_OBJECT, name->name, name->name_length);
	flow_put_unsigned(p, FLOW_NAME("label"), entry >> 4);
	flow_put_unsigned(p, FLOW_NAME("exp"), entry >> 1 & 7);
	flow_put_unsigned(p, FLOW_NAME("bottom"), entry & 1);
	flow_put_end(p);
}

static void set_type(struct field *field, enum field_type type, bool fits)
{
	field->type = fits ? type : FIELD_BYTES;
}

/* Puts a value by its kind under the name that is set; one whose length its kind does not have as a number where it can be
 * one, else as bytes. Inlined: a call for each field costs a quarter of a flow's time. */
static inline __attribute__((always_inline)) void put_value(struct flow_put *p, struct field *out, uint8_t kind,
							    const uint8_t *at, uint32_t length)
{
	bool number = length > 0 && length <= 8;

	out->bytes = at;
	out->length = length;
	switch (kind) {
	case ELEMENT_ADDRESS4:
		set_type(out, FIELD_ADDRESS, length == 4);
		break;
	case ELEMENT_ADDRESS6:
		set_type(out, FIELD_ADDRESS, length == 16);
		break;
	case ELEMENT_MAC:
		set_type(out, FIELD_MAC, length == 6);
		break;
	case ELEMENT_TEXT:
		out->type = FIELD_TEXT;
		while (out->length && at[out->length - 1] == 0) /* v9 fills the field's length up */
			out->length--;
		break;
	case ELEMENT_BYTES:
	case ELEMENT_LIST: /* that flow_put_list() does not take */
	case ELEMENT_SUB_LIST:
	case ELEMENT_SUB_LISTS:
		out->type = FIELD_BYTES;
		break;
	case ELEMENT_MPLS_LABEL:
		if (length == 3) {
			put_label(p, out, at);
			return;
		}
		out->type = FIELD_BYTES;
		break;
	case ELEMENT_SIGNED:
		set_type(out, FIELD_INTEGER, number);
		if (number)
			out->value.i = (int64_t)(get_unsigned(at, length) << (64 - 8 * length)) >> (64 - 8 * length);
		break;
	case ELEMENT_REAL:
		set_type(out, FIELD_REAL, get_real(at, length, &out->value.r));
		break;
	case ELEMENT_BOOL:
		set_type(out, FIELD_BOOL, length == 1 && (at[0] == 1 || at[0] == 2));
		out->value.u = length == 1 && at[0] == 1;
		break;
	case ELEMENT_SECONDS:
	case ELEMENT_MILLISECONDS:
	case ELEMENT_MICROSECONDS:
	case ELEMENT_NANOSECONDS:
	case ELEMENT_SYSTEM_INIT:
		out->type = FIELD_TIME;
		if (get_time(kind, at, length, &out->value.u))
			break;
		/* fall through */
	default:
		set_type(out, FIELD_UNSIGNED, number);
		if (number)
			out->value.u = get_unsigned(at, length);
		break;
	}
	flow_put(p, out);
}

void flow_put_value(struct flow_put *p, struct field *out, uint8_t kind, const uint8_t *at, uint32_t length)
{
	put_value(p, out, length == 0 && kind != ELEMENT_TEXT ? ELEMENT_BYTES : kind, at, length);
}

static void note_time(struct times *times, uint8_t kind, const uint8_t *at, uint32_t length)
{
	if (kind == ELEMENT_SYSTEM_INIT) {
		times->has |= get_time(kind, at, length, &times->init_ns) ? HAS_INIT : 0;
		return;
	}
	if (length > 4)
		return;
	if (kind == ELEMENT_UPTIME_START || kind == ELEMENT_DELTA_START) {
		times->start = (uint32_t)get_unsigned(at, length);
		times->has |= kind == ELEMENT_UPTIME_START ? HAS_UPTIME_START : HAS_DELTA_START;
	} else {
		times->end = (uint32_t)get_unsigned(at, length);
		times->has |= kind == ELEMENT_UPTIME_END ? HAS_UPTIME_END : HAS_DELTA_END;
	}
}

/* Absolute time of `uptime`. v5 and v9 say what it was at the export, within 24 days; IPFIX when it was 0. */
static bool uptime_ns(const struct flow_message *m, const struct times *times, uint32_t uptime, uint64_t *ns)
{
	int64_t before = (int32_t)(m->uptime_ms - uptime) * 1000000ll;

	if (m->version == 10) {
		*ns = (times->has & HAS_INIT ? times->init_ns : m->init_ns) + uptime * 1000000ull;
		return (times->has & HAS_INIT) || m->init_ns;
	}
	*ns = m->export_ns - (uint64_t)before;
	return before < 0 || (uint64_t)before <= m->export_ns;
}

/* What the flow has as relative times only. */
static void put_times(struct flow_message *m, const struct template *template, const struct times *times)
{
	uint64_t ns;

	if (!template->starts_absolute) {
		if ((times->has & HAS_UPTIME_START) && uptime_ns(m, times, times->start, &ns))
			flow_put_time(&m->put, FLOW_NAME("flowStartMilliseconds"), ns);
		else if ((times->has & HAS_DELTA_START) && times->start * 1000ull <= m->export_ns)
			flow_put_time(&m->put, FLOW_NAME("flowStartMicroseconds"), m->export_ns - times->start * 1000ull);
	}
	if (!template->ends_absolute) {
		if ((times->has & HAS_UPTIME_END) && uptime_ns(m, times, times->end, &ns))
			flow_put_time(&m->put, FLOW_NAME("flowEndMilliseconds"), ns);
		else if ((times->has & HAS_DELTA_END) && times->end * 1000ull <= m->export_ns)
			flow_put_time(&m->put, FLOW_NAME("flowEndMicroseconds"), m->export_ns - times->end * 1000ull);
	}
}

struct written_names { /* those of a template that were written, as its fields come by */
	const struct template_names *at;
	uint32_t used;
};

static const char *next_name(struct written_names *names, uint32_t *length)
{
	if (names->used == TEMPLATE_NAMES_BYTES || names->at->bytes[names->used] == 0) {
		names->at = names->at->next;
		names->used = 0;
	}
	*length = names->at->bytes[names->used];
	names->used += 1 + *length;
	return (const char *)names->at->bytes + names->used - *length;
}

static inline void put_field(struct flow_message *m, const struct template_field *field, struct written_names *names,
			     struct times *times, const uint8_t *at, uint32_t length)
{
	struct field out;

	if (__builtin_expect(field->written, 0)) {
		out.name = next_name(names, &out.name_length);
	} else {
		out.name = element_names[field->id].name;
		out.name_length = element_names[field->id].length;
	}
	if (field->kind >= ELEMENT_LIST) {
		if (field->kind == ELEMENT_PADDING)
			return;
		if (field->kind < ELEMENT_PADDING && flow_put_list(m, field->kind, out.name, out.name_length, at, length))
			return;
		if (field->kind > ELEMENT_PADDING)
			note_time(times, field->kind, at, length);
	}
	put_value(&m->put, &out, length == 0 && field->kind != ELEMENT_TEXT ? ELEMENT_BYTES : field->kind, at, length);
}

void flow_put_record(struct flow_message *m, const struct template *template, const uint8_t *at)
{
	const struct template_part *part = template->parts;
	uint32_t left = UINT32_MAX, length; /* flow_bytes() saw that it is all there */
	struct written_names names = {template->names, 0};
	struct times times = {0};

	flow_put_element(&m->put);
	if (template->scopes)
		flow_put_mark(&m->put, FIELD_OBJECT, FLOW_NAME("scope"));
	for (uint32_t i = 0; i < template->count && !m->put.ended; part = part->next)
		for (uint32_t j = 0; j < TEMPLATE_PART_FIELDS && i < template->count; i++, j++) {
			const struct template_field *field = &part->fields[j];

			length = field->length;
			if (__builtin_expect(length == TEMPLATE_VARIABLE, 0))
				flow_variable_length(&at, &left, &length);
			put_field(m, field, &names, &times, at, length);
			at += length;
			if (__builtin_expect(i + 1 == template->scopes, 0))
				flow_put_end(&m->put);
		}
	if (times.has)
		put_times(m, template, &times);
	flow_put_end(&m->put);
}

uint64_t flow_system_init(const struct template *template, const uint8_t *at)
{
	const struct template_part *part = template->parts;
	uint32_t left = UINT32_MAX, length;
	uint64_t ns;

	for (uint32_t i = 0; i < template->count; part = part->next)
		for (uint32_t j = 0; j < TEMPLATE_PART_FIELDS && i < template->count; i++, j++) {
			length = part->fields[j].length;
			if (length == TEMPLATE_VARIABLE)
				flow_variable_length(&at, &left, &length);
			if (part->fields[j].kind == ELEMENT_SYSTEM_INIT)
				return get_time(ELEMENT_SYSTEM_INIT, at, length, &ns) ? ns / 1000000u : 0;
			at += length;
		}
	return 0;
}
