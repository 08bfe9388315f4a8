#include "dataplane/codec/templates.h"

#include <string.h>

#include "dataplane/codec/netflow_elements.h"
#include "dataplane/codec/templates_private.h"

/* Whether a version is what a definition says. */
static bool same(const struct template_version *version, const struct template_definition *definition)
{
	const struct template_part *part = version->template.parts;

	if (version->template.count != definition->count)
		return false;
	if (definition->count == 0)
		return true;
	if (version->template.scopes != definition->scopes || version->template.options != definition->options)
		return false;
	for (uint32_t i = 0; i < definition->count; part = part->next)
		for (uint32_t j = 0; j < TEMPLATE_PART_FIELDS && i < definition->count; i++, j++) {
			const struct template_field *a = &part->fields[j], *b = &definition->fields[i];

			if (a->id != b->id || a->length != b->length || a->enterprise != b->enterprise)
				return false;
		}
	return true;
}

#define SEEN_SLOTS 1024u /* twice TEMPLATE_FIELDS_MAX */

/* How often an element stands in a template: elements by hash, so that no template takes time squared. */
struct seen {
	uint64_t salt;
	uint16_t slots[SEEN_SLOTS];  /* 1 + index of the element's last field */
};

static uint8_t count_occurrence(struct seen *seen, const struct template_definition *d, uint32_t index, uint8_t *counts)
{
	const struct template_field *field = &d->fields[index];
	bool scope = index < d->scopes;
	uint64_t key = (uint64_t)field->enterprise << 16 | field->id, mixed = (key ^ seen->salt) * 0x9e3779b97f4a7c15ull;
	uint32_t slot = (uint32_t)(mixed >> 32) % SEEN_SLOTS;

	for (; seen->slots[slot]; slot = (slot + 1) % SEEN_SLOTS) {
		uint32_t other = seen->slots[slot] - 1u;
		const struct template_field *f = &d->fields[other];

		if (f->id != field->id || f->enterprise != field->enterprise || (other < d->scopes) != scope)
			continue;
		seen->slots[slot] = (uint16_t)(index + 1);
		return counts[index] = counts[other] == UINT8_MAX ? UINT8_MAX : (uint8_t)(counts[other] + 1);
	}
	seen->slots[slot] = (uint16_t)(index + 1);
	return counts[index] = 1;
}

static void describe(struct template *template, const struct template_field *field, bool scope)
{
	template->bytes_min += field->length == TEMPLATE_VARIABLE ? 1 : field->length;
	template->variable |= field->length == TEMPLATE_VARIABLE;
	if (scope || field->enterprise != 0)
		return;
	template->system_init |= field->id == ELEMENT_SYSTEM_INIT_ID;
	template->starts_absolute |= field->id == ELEMENT_START_SECONDS || field->id == ELEMENT_START_MILLISECONDS ||
				     field->id == ELEMENT_START_MICROSECONDS || field->id == ELEMENT_START_NANOSECONDS;
	template->ends_absolute |= field->id == ELEMENT_END_SECONDS || field->id == ELEMENT_END_MILLISECONDS ||
				   field->id == ELEMENT_END_MICROSECONDS || field->id == ELEMENT_END_NANOSECONDS;
}

/* A version that is being made. */
struct making {
	struct codec_templates *store;
	struct template_entry *entry;
	struct template_version *version;
	const struct template_definition *definition;
	const struct template_part **parts_end;
	const struct template_names **names_end;
	struct template_names *names; /* the last */
	uint32_t names_used;          /* bytes of that */
	struct seen seen;
	uint8_t counts[TEMPLATE_FIELDS_MAX];
};

/* Keeps a field's name, where it has one that has to be written. False without room. */
static bool keep_name(struct making *m, struct template_field *field, bool scope)
{
	uint8_t version = m->entry->domain->key.version;
	char name[ELEMENT_NAME_MAX];
	uint32_t length;

	if (element_is_plain(version, scope, field))
		return true;
	length = element_name_write(version, scope, field, name);
	if (!m->names || length + 1 > TEMPLATE_NAMES_BYTES - m->names_used) {
		struct template_names *names =
			(struct template_names *)templates_take(m->store, m->entry->domain, m->entry);

		if (!names)
			return false;
		*m->names_end = m->names = names;
		m->names_end = &names->next;
		m->names_used = 0;
	}
	m->names->bytes[m->names_used] = (uint8_t)length;
	memcpy(m->names->bytes + m->names_used + 1, name, length);
	m->names_used += length + 1;
	field->written = 1;
	return true;
}

static bool add_part(struct making *m, uint32_t from)
{
	const struct template_definition *d = m->definition;
	struct template_part *part = (struct template_part *)templates_take(m->store, m->entry->domain, m->entry);

	if (!part)
		return false;
	*m->parts_end = part;
	m->parts_end = &part->next;
	for (uint32_t i = from, j = 0; j < TEMPLATE_PART_FIELDS && i < d->count; i++, j++) {
		struct template_field *field = &part->fields[j];

		*field = d->fields[i];
		field->kind = element_kind(m->entry->domain->key.version, i < d->scopes, field);
		field->occurrence = count_occurrence(&m->seen, d, i, m->counts);
		field->written = 0;
		describe(&m->version->template, field, i < d->scopes);
		if (!keep_name(m, field, i < d->scopes))
			return false;
	}
	return true;
}

/* A version with the definition's fields, in no list yet. NULL without room. */
static struct template_version *make_version(struct codec_templates *t, struct template_entry *entry,
					     const struct template_definition *d)
{
	struct template_version *version = (struct template_version *)templates_take(t, entry->domain, entry);
	struct making m = {.store = t, .entry = entry, .version = version, .definition = d, .seen.salt = t->seed};

	if (!version)
		return NULL;
	version->entry = entry;
	list_init(&version->fresh);
	version->template.count = d->count;
	version->template.scopes = d->scopes;
	version->template.options = d->options;
	m.parts_end = &version->template.parts;
	m.names_end = &version->template.names;
	for (uint32_t i = 0; i < d->count; i += TEMPLATE_PART_FIELDS)
		if (!add_part(&m, i)) {
			templates_drop_version(t, entry->domain, version);
			return NULL;
		}
	return version;
}

static void mark_fresh(struct codec_templates *t, struct template_version *version, bool news)
{
	list_remove(&version->fresh);
	if (news)
		list_add_last(&t->fresh, &version->fresh);
}

static void drop_oldest(struct codec_templates *t, struct template_entry *entry)
{
	struct template_version **link = &entry->newest, *oldest;

	while ((*link)->older)
		link = &(*link)->older;
	oldest = *link;
	*link = NULL;
	templates_drop_version(t, entry->domain, oldest);
	entry->versions--;
	t->figures.definitions--;
	t->figures.evicted_definitions++;
}

/* Puts a new version behind `newer` (NULL: it is the newest). */
static bool insert(struct codec_templates *t, struct template_entry *entry, struct template_version *newer,
		   uint64_t from_ns, const struct template_definition *definition, bool news)
{
	struct template_version *version;

	if (entry->versions == TEMPLATES_HISTORY && newer && !newer->older) { /* it would be the one to go */
		t->figures.refused++;
		return false;
	}
	version = make_version(t, entry, definition);
	if (!version) {
		t->figures.refused++;
		return false;
	}
	version->from_ns = from_ns;
	version->older = newer ? newer->older : entry->newest;
	*(newer ? &newer->older : &entry->newest) = version;
	t->figures.definitions++;
	t->figures.learned++;
	mark_fresh(t, version, news);
	if (++entry->versions > TEMPLATES_HISTORY)
		drop_oldest(t, entry);
	return true;
}

static bool learn_entry(struct codec_templates *t, struct template_entry *entry, uint64_t from_ns,
			const struct template_definition *definition, bool news)
{
	struct template_version *newer = NULL, *version = entry->newest;

	for (; version && version->from_ns > from_ns; version = version->older)
		newer = version;
	/* Several of one time: a datagram that is read again says all of them again. */
	for (struct template_version *v = version; v; v = v->older) {
		if (v != version && v->from_ns != from_ns)
			break;
		if (same(v, definition)) {
			t->figures.refreshed++;
			return false;
		}
	}
	if (newer && same(newer, definition)) { /* in force earlier than was known */
		newer->from_ns = from_ns;
		t->figures.refreshed++;
		mark_fresh(t, newer, news);
		return true;
	}
	return insert(t, entry, newer, from_ns, definition, news);
}

bool templates_well_formed(const struct template_definition *definition)
{
	if (definition->count > TEMPLATE_FIELDS_MAX || definition->scopes > definition->count)
		return false;
	for (uint32_t i = 0; i < definition->count; i++)
		if (definition->fields[i].length == 0)
			return false;
	return true;
}

bool templates_take_in(struct codec_templates *t, const struct template_domain *key, uint16_t id, uint64_t arrival_ns,
		       const struct template_definition *definition, bool news)
{
	struct templates_of *domain;
	struct template_entry *entry;

	if (!templates_well_formed(definition))
		return false;
	domain = definition->count ? templates_domain_make(t, key) : templates_find(t, key);
	entry = !domain ? NULL :
		definition->count ? templates_entry_make(t, domain, id) : templates_entry_find(t, domain, id);
	if (!entry) {
		t->figures.refused += definition->count > 0;
		return false; /* what is not known needs no withdrawal */
	}
	return learn_entry(t, entry, arrival_ns, definition, news);
}

bool templates_learn(struct codec_templates *t, const struct template_domain *domain, uint16_t id, uint64_t arrival_ns,
		     const struct template_definition *definition)
{
	return templates_take_in(t, domain, id, arrival_ns, definition, true);
}

const struct template *templates_lookup(struct codec_templates *t, struct templates_of *domain, uint16_t id,
					uint64_t arrival_ns)
{
	struct template_entry *entry = templates_entry_find(t, domain, id);
	const struct template_version *version = NULL, *next = NULL;

	if (!entry)
		return NULL;
	for (version = entry->newest; version && version->from_ns > arrival_ns; version = version->older)
		if (version->template.count)
			next = version;
	if (version && version->template.count)
		return &version->template;
	return next ? &next->template : NULL;
}
