// Definitions as bytes, for a database.
#include <errno.h>
#include <string.h>

#include "dataplane/codec/templates_private.h"

static void put_number(uint8_t *out, uint64_t value, uint32_t bytes)
{
	for (uint32_t i = bytes; i-- > 0; value >>= 8)
		out[i] = (uint8_t)value;
}

static uint64_t get_number(const uint8_t *in, uint32_t bytes)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return value;
}

static uint32_t save(const struct template_version *version, uint8_t *out)
{
	const struct template_domain *key = &version->entry->domain->key;
	const struct template *template = &version->template;
	const struct template_part *part = template->parts;
	uint8_t *at = out + TEMPLATE_SAVED_HEADER;

	out[0] = 1;
	out[1] = key->version;
	out[2] = key->address_bytes;
	out[3] = template->options;
	memcpy(out + 4, key->address, 16);
	put_number(out + 20, key->id, 4);
	put_number(out + 24, version->entry->id, 2);
	put_number(out + 26, template->scopes, 2);
	put_number(out + 28, version->from_ns, 8);
	put_number(out + 36, template->count, 2);
	for (uint32_t i = 0; i < template->count; part = part->next)
		for (uint32_t j = 0; j < TEMPLATE_PART_FIELDS && i < template->count; i++, j++, at += 8) {
			put_number(at, part->fields[j].id, 2);
			put_number(at + 2, part->fields[j].length, 2);
			put_number(at + 4, part->fields[j].enterprise, 4);
		}
	return (uint32_t)(at - out);
}

uint64_t templates_export(struct codec_templates *t, bool (*put)(void *arg, const uint8_t *saved, uint32_t length), void *arg)
{
	uint8_t saved[TEMPLATE_SAVED_MAX];
	uint64_t count = 0;

	for (; t->fresh.next != &t->fresh; count++) {
		struct template_version *version = list_of(t->fresh.next, struct template_version, fresh);

		if (!put(arg, saved, save(version, saved)))
			break;
		list_remove(&version->fresh);
	}
	return count;
}

int templates_import(struct codec_templates *t, const uint8_t *saved, uint32_t length)
{
	struct template_field fields[TEMPLATE_FIELDS_MAX];
	struct template_definition definition = {.fields = fields};
	struct template_domain key = {0};

	if (length < TEMPLATE_SAVED_HEADER || saved[0] != 1)
		return -EINVAL;
	key.version = saved[1];
	key.address_bytes = saved[2];
	memcpy(key.address, saved + 4, 16);
	key.id = (uint32_t)get_number(saved + 20, 4);
	definition.options = saved[3] == 1;
	definition.scopes = (uint16_t)get_number(saved + 26, 2);
	definition.count = (uint16_t)get_number(saved + 36, 2);
	if ((key.version != 9 && key.version != 10) || saved[3] > 1 || definition.count > TEMPLATE_FIELDS_MAX ||
	    (key.address_bytes != 0 && key.address_bytes != 4 && key.address_bytes != 16) ||
	    length != TEMPLATE_SAVED_HEADER + 8u * definition.count)
		return -EINVAL;
	for (uint32_t i = 0; i < definition.count; i++) {
		const uint8_t *at = saved + TEMPLATE_SAVED_HEADER + (size_t)8 * i;

		fields[i] = (struct template_field){.id = (uint16_t)get_number(at, 2),
						    .length = (uint16_t)get_number(at + 2, 2),
						    .enterprise = (uint32_t)get_number(at + 4, 4)};
	}
	if (!templates_well_formed(&definition))
		return -EINVAL;
	templates_take_in(t, &key, (uint16_t)get_number(saved + 24, 2), get_number(saved + 28, 8), &definition, false);
	return 0;
}
