// The room of a template store: pieces taken and given back, and who has to go when there are none.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/codec/templates_private.h"

#define SHARE 4u /* of all pieces, one exporter may hold this part */

static uint32_t power_of_two(uint32_t least)
{
	uint32_t power = 1;

	while (power < least)
		power *= 2;
	return power;
}

int templates_create(size_t bytes, uint64_t seed, struct codec_templates **out)
{
	/* A bucket for every second piece at most, and for every fourth. */
	size_t count = bytes / (sizeof(union piece) + 6);
	struct codec_templates *t;
	uint32_t domains, entries;

	if (bytes < TEMPLATES_BYTES_MIN || count > UINT32_MAX / 2)
		return -EINVAL;
	domains = power_of_two((uint32_t)count / 8);
	entries = power_of_two((uint32_t)count / 4);
	t = calloc(1, sizeof *t + (domains + (size_t)entries) * sizeof(void *));
	if (!t)
		return -ENOMEM;
	t->pieces = aligned_alloc(64, count * sizeof *t->pieces);
	if (!t->pieces) {
		free(t);
		return -ENOMEM;
	}
	t->total = (uint32_t)count;
	t->seed = seed;
	t->domains = (struct templates_of **)(t + 1);
	t->domain_mask = domains - 1;
	t->entries = (struct template_entry **)(t->domains + domains);
	t->entry_mask = entries - 1;
	list_init(&t->used);
	list_init(&t->fresh);
	*out = t;
	return 0;
}

void templates_free(struct codec_templates *t)
{
	if (!t)
		return;
	free(t->pieces);
	free(t);
}

const struct templates_figures *templates_figures(const struct codec_templates *t)
{
	return &t->figures;
}

static void give_back(struct codec_templates *t, struct templates_of *domain, void *bytes)
{
	union piece *piece = bytes;

	domain->pieces--;
	piece->free_next = t->free;
	t->free = piece;
}

void templates_drop_version(struct codec_templates *t, struct templates_of *domain, struct template_version *version)
{
	const struct template_part *part = version->template.parts, *next_part;
	const struct template_names *names = version->template.names, *next_names;

	for (; part; part = next_part) {
		next_part = part->next;
		give_back(t, domain, (void *)(uintptr_t)part);
	}
	for (; names; names = next_names) {
		next_names = names->next;
		give_back(t, domain, (void *)(uintptr_t)names);
	}
	list_remove(&version->fresh);
	give_back(t, domain, version);
}

static uint64_t entry_hash(const struct codec_templates *t, const struct templates_of *domain, uint16_t id)
{
	const uint64_t key[2] = {domain->hash, id};

	return XXH3_64bits_withSeed(key, sizeof key, t->seed);
}

static void drop_entry(struct codec_templates *t, struct template_entry *entry)
{
	struct templates_of *domain = entry->domain;
	struct template_entry **link = &t->entries[entry_hash(t, domain, entry->id) & t->entry_mask];

	while (*link != entry)
		link = &(*link)->hash_next;
	*link = entry->hash_next;
	while (entry->newest) {
		struct template_version *version = entry->newest;

		entry->newest = version->older;
		templates_drop_version(t, domain, version);
		t->figures.definitions--;
	}
	list_remove(&entry->used);
	give_back(t, domain, entry);
	t->figures.templates--;
}

static void drop_domain(struct codec_templates *t, struct templates_of *domain)
{
	struct templates_of **link = &t->domains[domain->hash & t->domain_mask];

	while (*link != domain)
		link = &(*link)->hash_next;
	*link = domain->hash_next;
	while (domain->entries.next != &domain->entries)
		drop_entry(t, list_of(domain->entries.next, struct template_entry, used));
	list_remove(&domain->used);
	give_back(t, domain, domain);
	t->figures.domains--;
}

/* The least recently used template of a domain, but for one, goes. */
static bool make_room_inside(struct codec_templates *t, struct templates_of *domain, const struct template_entry *keep)
{
	struct list *last = domain->entries.previous;

	if (keep && last == &keep->used)
		last = last->previous;
	if (last == &domain->entries)
		return false;
	drop_entry(t, list_of(last, struct template_entry, used));
	t->figures.evicted_templates++;
	return true;
}

static bool make_room_outside(struct codec_templates *t, const struct templates_of *domain)
{
	struct list *last = t->used.previous;

	if (domain && last == &domain->used)
		last = last->previous;
	if (last == &t->used)
		return false;
	drop_domain(t, list_of(last, struct templates_of, used));
	t->figures.evicted_domains++;
	return true;
}

union piece *templates_take(struct codec_templates *t, struct templates_of *domain, const struct template_entry *keep)
{
	union piece *piece;

	while (domain && domain->pieces >= t->total / SHARE)
		if (!make_room_inside(t, domain, keep))
			return NULL;
	while (!t->free && t->taken == t->total)
		if (!make_room_outside(t, domain) && (!domain || !make_room_inside(t, domain, keep)))
			return NULL;
	piece = t->free;
	if (piece)
		t->free = piece->free_next;
	else
		piece = &t->pieces[t->taken++];
	memset(piece, 0, sizeof *piece);
	if (domain)
		domain->pieces++;
	return piece;
}

static uint64_t domain_hash(const struct codec_templates *t, const struct template_domain *key)
{
	return XXH3_64bits_withSeed(key, sizeof *key, t->seed);
}

static struct templates_of *find_domain(const struct codec_templates *t, const struct template_domain *key, uint64_t hash)
{
	struct templates_of *domain = t->domains[hash & t->domain_mask];

	while (domain && (domain->hash != hash || memcmp(&domain->key, key, sizeof *key) != 0))
		domain = domain->hash_next;
	return domain;
}

static void use_domain(struct codec_templates *t, struct templates_of *domain)
{
	if (t->used.next == &domain->used)
		return;
	list_remove(&domain->used);
	list_add_first(&t->used, &domain->used);
}

struct templates_of *templates_find(struct codec_templates *t, const struct template_domain *key)
{
	struct templates_of *domain = find_domain(t, key, domain_hash(t, key));

	if (domain)
		use_domain(t, domain);
	return domain;
}

struct templates_of *templates_domain_make(struct codec_templates *t, const struct template_domain *key)
{
	uint64_t hash = domain_hash(t, key);
	struct templates_of *domain = find_domain(t, key, hash);
	union piece *piece;

	if (domain) {
		use_domain(t, domain);
		return domain;
	}
	piece = templates_take(t, NULL, NULL);
	if (!piece)
		return NULL;
	domain = &piece->domain;
	domain->key = *key;
	domain->pieces = 1;
	domain->hash = hash;
	domain->hash_next = t->domains[hash & t->domain_mask];
	t->domains[hash & t->domain_mask] = domain;
	list_init(&domain->entries);
	list_add_first(&t->used, &domain->used);
	t->figures.domains++;
	return domain;
}

struct template_entry *templates_entry_find(struct codec_templates *t, struct templates_of *domain, uint16_t id)
{
	struct template_entry *entry = t->entries[entry_hash(t, domain, id) & t->entry_mask];

	while (entry && (entry->domain != domain || entry->id != id))
		entry = entry->hash_next;
	if (entry && domain->entries.next != &entry->used) {
		list_remove(&entry->used);
		list_add_first(&domain->entries, &entry->used);
	}
	return entry;
}

struct template_entry *templates_entry_make(struct codec_templates *t, struct templates_of *domain, uint16_t id)
{
	struct template_entry *entry = templates_entry_find(t, domain, id), **bucket;
	union piece *piece;

	if (entry)
		return entry;
	piece = templates_take(t, domain, NULL);
	if (!piece)
		return NULL;
	entry = &piece->entry;
	entry->domain = domain;
	entry->id = id;
	bucket = &t->entries[entry_hash(t, domain, id) & t->entry_mask];
	entry->hash_next = *bucket;
	*bucket = entry;
	list_add_first(&domain->entries, &entry->used);
	t->figures.templates++;
	return entry;
}
