// Template sets: RFC 3954 5.2 and 6.1, RFC 7011 3.4.
#include "dataplane/codec/netflow_elements.h"
#include "dataplane/codec/netflow_sets.h"

enum { V9_TEMPLATES = 0, V9_OPTIONS = 1, IPFIX_TEMPLATES = 2, IPFIX_OPTIONS = 3, SYSTEM_INIT = 4, DATA_MIN = TEMPLATE_ID_MIN };

struct learner {
	const struct codec_record *record;
	const struct template_domain *domain;
	struct flow_put *put;
	struct flow_sets sets;
	bool opened;                         /* the array of templates */
	enum codec_fault fault;              /* the first */
	struct template_field fields[TEMPLATE_FIELDS_MAX];
};

struct announcement { /* a template record's header */
	uint16_t id;
	uint32_t fields, scopes;
	bool options;
};

static void blame(struct learner *l, enum codec_fault fault)
{
	if (l->fault == CODEC_OK)
		l->fault = fault;
}

static void put_announcement(struct learner *l, const struct announcement *a)
{
	if (!l->put)
		return;
	if (!l->opened)
		flow_put_mark(l->put, FIELD_ARRAY, FLOW_NAME("templates"));
	l->opened = true;
	flow_put_element(l->put);
	flow_put_unsigned(l->put, FLOW_NAME("template_id"), a->id);
	flow_put_unsigned(l->put, FLOW_NAME("fields"), a->fields);
	if (a->options)
		flow_put_unsigned(l->put, FLOW_NAME("scopes"), a->scopes);
	flow_put_end(l->put);
}

static void learn(struct learner *l, const struct announcement *a, const struct template_definition *definition)
{
	put_announcement(l, a);
	if (l->record->templates)
		templates_learn(l->record->templates, l->domain, a->id, l->record->arrival_ns, definition);
}

/* The fields of a template record; returns their bytes, or 0 when they are not whole. */
static uint32_t learn_fields(struct learner *l, const struct announcement *a, const uint8_t *at, uint32_t left)
{
	bool ipfix = l->domain->version == 10;
	struct template_definition d = {.fields = l->fields, .options = a->options};
	uint32_t all = left;

	for (uint32_t i = 0; i < a->fields; i++) {
		struct template_field field = {0};
		uint32_t bytes;

		if (left < 4)
			return 0;
		field.id = wire_get16(at);
		field.length = wire_get16(at + 2);
		bytes = ipfix && (field.id & 0x8000) ? 8 : 4;
		if (left < bytes)
			return 0;
		if (bytes == 8) {
			field.id &= 0x7fff;
			field.enterprise = flow_get32(at + 4);
		}
		at += bytes;
		left -= bytes;
		if (field.length == 0) /* nothing of it will be in any record */
			continue;
		if (d.count < TEMPLATE_FIELDS_MAX)
			l->fields[d.count] = field;
		d.count++; /* below 2^16: a datagram has no more */
		d.scopes += i < a->scopes;
	}
	if (d.count > TEMPLATE_FIELDS_MAX)
		blame(l, CODEC_TOO_MANY);
	else if (d.count == 0)
		blame(l, CODEC_LENGTH);
	else
		learn(l, a, &d);
	return all - left;
}

/*
 * RFC 7011 8.4: over UDP withdrawals must not be sent, and must be ignored. Anybody could end all templates of an exporter
 * with 24 bytes under its address. They are put, as they came, and nothing is learned.
 */
static void pass_withdrawal(struct learner *l, const struct flow_set *set, const struct announcement *a)
{
	put_announcement(l, a);
	if (a->id < DATA_MIN && a->id != set->id)
		blame(l, CODEC_SYNTAX);
}

/* The header of the record at `at`; returns its bytes, or 0 when it is none. */
static uint32_t read_header(struct learner *l, const struct flow_set *set, const uint8_t *at, uint32_t left,
			    struct announcement *a)
{
	*a = (struct announcement){.id = wire_get16(at), .fields = wire_get16(at + 2)};
	a->options = set->id == V9_OPTIONS || set->id == IPFIX_OPTIONS;
	if (set->id == V9_OPTIONS) { /* bytes of scope fields, bytes of option fields */
		uint32_t scope_bytes = a->fields;

		if (left < 6) {
			blame(l, CODEC_TRUNCATED);
			return 0;
		}
		a->scopes = scope_bytes / 4;
		a->fields = a->scopes + wire_get16(at + 4) / 4u;
		if (scope_bytes % 4 || wire_get16(at + 4) % 4u) {
			blame(l, CODEC_LENGTH);
			return 0;
		}
		return 6;
	}
	if (set->id == IPFIX_OPTIONS && a->fields) {
		if (left < 6) {
			blame(l, CODEC_TRUNCATED);
			return 0;
		}
		a->scopes = wire_get16(at + 4);
		if (a->scopes == 0 || a->scopes > a->fields) { /* RFC 7011 3.4.2.2 */
			blame(l, CODEC_SYNTAX);
			return 0;
		}
		return 6;
	}
	return 4;
}

/* Less than a record's header at the end is padding. */
static void learn_set(struct learner *l, const struct flow_set *set)
{
	uint32_t at = 0, bytes;

	while (set->length - at >= 4) {
		struct announcement a;

		bytes = read_header(l, set, set->body + at, set->length - at, &a);
		if (bytes == 0)
			return;
		at += bytes;
		if (a.fields == 0 && l->domain->version == 10) {
			pass_withdrawal(l, set, &a);
			continue;
		}
		if (a.id < DATA_MIN || a.fields == 0) {
			blame(l, CODEC_SYNTAX);
			return;
		}
		bytes = learn_fields(l, &a, set->body + at, set->length - at);
		if (bytes == 0) {
			blame(l, CODEC_TRUNCATED);
			return;
		}
		at += bytes;
	}
}

/*
 * IPFIX flows may tell their times as uptimes, and options when those count from (systemInitTimeMilliseconds). That is kept
 * with the templates, since it too holds from when it was told, is told later than some flows and outlives a restart: as a
 * definition of an id that no template has, of two fields whose enterprise numbers are the upper and lower half.
 */
static void learn_system_init(const struct codec_record *record, const struct template_domain *domain, uint64_t init_ms)
{
	const struct template_field fields[2] = {
		{.enterprise = (uint32_t)(init_ms >> 32), .id = ELEMENT_SYSTEM_INIT_ID, .length = 4},
		{.enterprise = (uint32_t)init_ms, .id = ELEMENT_SYSTEM_INIT_ID, .length = 4}};
	const struct template_definition definition = {.fields = fields, .count = 2};

	templates_learn(record->templates, domain, SYSTEM_INIT, record->arrival_ns, &definition);
}

uint64_t netflow_init_ns(const struct codec_record *record, const struct template_domain *domain)
{
	struct templates_of *known = record->templates ? templates_find(record->templates, domain) : NULL;
	const struct template *told = known ? templates_lookup(record->templates, known, SYSTEM_INIT, record->arrival_ns) : NULL;

	if (!told)
		return 0;
	return ((uint64_t)told->parts->fields[0].enterprise << 32 | told->parts->fields[1].enterprise) * 1000000u;
}

/* Once a datagram is enough: it has one exporter. */
static void learn_options(const struct codec_record *record, const struct template_domain *domain, struct flow_sets sets)
{
	struct templates_of *known = templates_find(record->templates, domain);
	struct flow_set set;

	while (known && flow_sets_next(&sets, &set)) {
		const struct template *template =
			set.id < DATA_MIN ? NULL : templates_lookup(record->templates, known, set.id, record->arrival_ns);
		uint64_t init_ms;

		if (!template || !template->options || !template->system_init ||
		    flow_bytes(template, set.body, set.length) == 0)
			continue;
		init_ms = flow_system_init(template, set.body);
		if (init_ms)
			learn_system_init(record, domain, init_ms);
		return;
	}
}

enum codec_fault netflow_learn_sets(const struct codec_record *record, const struct template_domain *domain,
				    struct flow_sets sets, struct flow_put *put)
{
	uint32_t first = domain->version == 9 ? V9_TEMPLATES : IPFIX_TEMPLATES;
	struct learner l;
	struct flow_set set;

	l.record = record;
	l.domain = domain;
	l.put = put;
	l.opened = false;
	l.fault = CODEC_OK;
	l.sets = sets;
	while (flow_sets_next(&sets, &set) && !(put && put->ended))
		if (set.id == first || set.id == first + 1)
			learn_set(&l, &set);
	if (l.opened)
		flow_put_end(put);
	if (record->templates && domain->version == 10)
		learn_options(record, domain, l.sets);
	return l.fault;
}
