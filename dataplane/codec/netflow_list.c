// Structured data of IPFIX: RFC 6313, 4.5 and 4.4. A list is looked through once before anything of it is put.
#include "dataplane/codec/netflow_elements.h"
#include "dataplane/codec/netflow_flow.h"

#define SEMANTIC_BYTES 1u
#define ENTERPRISE_BIT 0x8000u

static void open_list(struct flow_message *m, const char *name, uint32_t name_length, uint8_t semantic)
{
	static const char *const semantics[] = {"noneOf", "exactlyOneOf", "oneOrMoreOf", "allOf", "ordered"};
	const char *text = semantic < 5 ? semantics[semantic] : "undefined";

	flow_put_mark(&m->put, FIELD_OBJECT, name, name_length);
	if (semantic < 5 || semantic == 255)
		flow_put_bytes(&m->put, FIELD_TEXT, FLOW_NAME("semantic"), (const uint8_t *)text,
			       (uint32_t)__builtin_strlen(text));
	else
		flow_put_unsigned(&m->put, FLOW_NAME("semantic"), semantic);
}

/* The length of the value at *at, which is moved behind what says it; false when it is not whole. */
static bool value_length(const struct template_field *field, const uint8_t **at, uint32_t *left, uint32_t *length)
{
	if (field->length == TEMPLATE_VARIABLE)
		return flow_variable_length(at, left, length);
	*length = field->length;
	return *length > 0 && *length <= *left;
}

static bool values_fit(const struct template_field *field, const uint8_t *at, uint32_t left)
{
	for (uint32_t length; left > 0; at += length, left -= length)
		if (!value_length(field, &at, &left, &length))
			return false;
	return true;
}

static void put_values(struct flow_message *m, const struct template_field *field, const uint8_t *at, uint32_t left)
{
	for (uint32_t length; left > 0 && !m->put.ended; at += length, left -= length) {
		struct field out = {.name = NULL};

		value_length(field, &at, &left, &length);
		if (field->kind < ELEMENT_LIST || field->kind >= ELEMENT_PADDING ||
		    !flow_put_list(m, field->kind, NULL, 0, at, length))
			flow_put_value(&m->put, &out, field->kind, at, length);
	}
}

/* semantic, element, length of a value, enterprise if the element has one; values */
static bool put_basic_list(struct flow_message *m, const char *name, uint32_t name_length, const uint8_t *at,
			   uint32_t length)
{
	struct template_field field = {.occurrence = 1};
	uint32_t header = SEMANTIC_BYTES + 4, inner_length;
	char written[ELEMENT_NAME_MAX];
	const char *inner = written;

	if (length < header)
		return false;
	field.id = wire_get16(at + 1);
	field.length = wire_get16(at + 3);
	if (field.id & ENTERPRISE_BIT) {
		if (length < header + 4)
			return false;
		field.id &= ENTERPRISE_BIT - 1;
		field.enterprise = flow_get32(at + header);
		header += 4;
	}
	if (!values_fit(&field, at + header, length - header))
		return false;
	field.kind = element_kind((uint8_t)m->version, false, &field);
	if (element_is_plain((uint8_t)m->version, false, &field)) {
		inner = element_names[field.id].name;
		inner_length = element_names[field.id].length;
	} else {
		inner_length = element_name_write((uint8_t)m->version, false, &field, written);
	}
	open_list(m, name, name_length, at[0]);
	flow_put_mark(&m->put, FIELD_ARRAY, inner, inner_length);
	put_values(m, &field, at + header, length - header);
	flow_put_end(&m->put);
	flow_put_end(&m->put);
	return true;
}

/* How many records of a template `left` bytes are. False: they are not whole, or there is no such template. */
static bool count_records(const struct flow_message *m, uint16_t id, const uint8_t *at, uint32_t left,
			  const struct template **template, uint32_t *count)
{
	*template = m->of ? templates_lookup(m->templates, m->of, id, m->arrival_ns) : NULL;
	if (!*template)
		return false;
	for (uint32_t bytes; left > 0; at += bytes, left -= bytes, ++*count) {
		bytes = flow_bytes(*template, at, left);
		if (bytes == 0)
			return false;
	}
	return true;
}

static void put_records(struct flow_message *m, uint16_t id, const struct template *template, const uint8_t *at,
			uint32_t left)
{
	flow_put_unsigned(&m->put, FLOW_NAME("template_id"), id);
	flow_put_mark(&m->put, FIELD_ARRAY, FLOW_NAME("records"));
	for (uint32_t bytes; left > 0 && !m->put.ended; at += bytes, left -= bytes) {
		bytes = flow_bytes(template, at, left);
		flow_put_record(m, template, at);
	}
	flow_put_end(&m->put);
}

/* semantic, template; records */
static bool put_sub_list(struct flow_message *m, const char *name, uint32_t name_length, const uint8_t *at,
			 uint32_t length)
{
	const struct template *template;
	uint32_t header = SEMANTIC_BYTES + 2, count = 0;

	if (length < header || !count_records(m, wire_get16(at + 1), at + header, length - header, &template, &count) ||
	    count > m->records_left)
		return false;
	m->records_left -= count;
	open_list(m, name, name_length, at[0]);
	put_records(m, wire_get16(at + 1), template, at + header, length - header);
	flow_put_end(&m->put);
	return true;
}

#define PART_HEADER 4u /* of a subTemplateMultiList: template, bytes of this part */

static bool next_part(const uint8_t *at, uint32_t left, uint32_t *bytes)
{
	*bytes = left < PART_HEADER ? 0 : wire_get16(at + 2);
	return *bytes >= PART_HEADER && *bytes <= left;
}

/* semantic; parts */
static bool put_sub_lists(struct flow_message *m, const char *name, uint32_t name_length, const uint8_t *list,
			  uint32_t length)
{
	const uint8_t *at = list + SEMANTIC_BYTES, *end = list + length;
	const struct template *template;
	uint32_t bytes, count = 0;

	if (length < SEMANTIC_BYTES)
		return false;
	for (; at < end;
	     at += bytes, count++) /* each of the parts counts as a record, so that empty ones have an end, too */
		if (!next_part(at, (uint32_t)(end - at), &bytes) ||
		    !count_records(m, wire_get16(at), at + PART_HEADER, bytes - PART_HEADER, &template, &count))
			return false;
	if (count > m->records_left)
		return false;
	m->records_left -= count;
	open_list(m, name, name_length, list[0]);
	flow_put_mark(&m->put, FIELD_ARRAY, FLOW_NAME("lists"));
	for (at = list + SEMANTIC_BYTES; at < end && !m->put.ended; at += bytes) {
		next_part(at, (uint32_t)(end - at), &bytes);
		count_records(m, wire_get16(at), at, 0, &template, &count);
		flow_put_element(&m->put);
		put_records(m, wire_get16(at), template, at + PART_HEADER, bytes - PART_HEADER);
		flow_put_end(&m->put);
	}
	flow_put_end(&m->put);
	flow_put_end(&m->put);
	return true;
}

bool flow_put_list(struct flow_message *m, uint8_t kind, const char *name, uint32_t name_length, const uint8_t *at,
		   uint32_t length)
{
	bool whole;

	if (m->version != 10 || m->lists == FLOW_LISTS_MAX)
		return false;
	m->lists++;
	if (kind == ELEMENT_LIST)
		whole = put_basic_list(m, name, name_length, at, length);
	else if (kind == ELEMENT_SUB_LIST)
		whole = put_sub_list(m, name, name_length, at, length);
	else
		whole = put_sub_lists(m, name, name_length, at, length);
	m->lists--;
	return whole;
}
