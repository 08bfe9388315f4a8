// The room of a template store: pieces taken and given back, and who has to go when there are none.
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "dataplane/codec/templates_private.h"

static uint32_t power_of_two(uint32_t least)
{
	uint32_t power = 1;

	while (power < least)
		power *= 2;
	return power;
}

int templates_create(size_t bytes, uint64_t seed, struct codec_templates **out)
{
	/* A bucket for every second piece at most, and twice one for every fourth. */
	size_t count = bytes / (sizeof(union piece) + 8);
	struct codec_templates *t;
	uint32_t domains, entries;

	if (bytes < TEMPLATES_BYTES_MIN || count > UINT32_MAX / 2)
		return -EINVAL;
	domains = power_of_two((uint32_t)count / 8);
	entries = power_of_two((uint32_t)count / 4);
	t = calloc(1, sizeof *t + (2 * (size_t)domains + entries) * sizeof(void *));
	if (!t)
		return -ENOMEM;
	t->pieces = aligned_alloc(64, count * sizeof *t->pieces);
	if (!t->pieces) {
		free(t);
		return -ENOMEM;
	}
	t->total = (uint32_t)count;
	t->seed = seed;
	t->exporters = (struct templates_exporter **)(t + 1);
	t->domains = (struct templates_of **)(t->exporters + domains);
	t->domain_mask = domains - 1;
	t->entries = (struct template_entry **)(t->domains + domains);
	t->entry_mask = entries - 1;
	list_init(&t->used);
	list_init(&t->large);
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

static void weigh(struct codec_templates *t, struct templates_exporter *exporter)
{
	bool large = exporter->pieces > t->total / TEMPLATES_LARGE, listed = exporter->large.next != &exporter->large;

	if (large && !listed)
		list_add_last(&t->large, &exporter->large);
	else if (!large && listed)
		list_remove(&exporter->large);
}

static void give_back(struct codec_templates *t, struct templates_exporter *exporter, void *bytes)
{
	union piece *piece = bytes;

	exporter->pieces--;
	weigh(t, exporter);
	piece->free_next = t->free;
	t->free = piece;
}

void templates_drop_version(struct codec_templates *t, struct templates_of *domain, struct template_version *version)
{
	const struct template_part *part = version->template.parts, *next_part;
	const struct template_names *names = version->template.names, *next_names;

	for (; part; part = next_part) {
		next_part = part->next;
		give_back(t, domain->exporter, (void *)(uintptr_t)part);
	}
	for (; names; names = next_names) {
		next_names = names->next;
		give_back(t, domain->exporter, (void *)(uintptr_t)names);
	}
	list_remove(&version->fresh);
	give_back(t, domain->exporter, version);
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
	give_back(t, domain->exporter, entry);
	t->figures.templates--;
}

static void drop_exporter(struct codec_templates *t, struct templates_exporter *exporter)
{
	struct templates_exporter **link = &t->exporters[exporter->hash & t->domain_mask];

	while (*link != exporter)
		link = &(*link)->hash_next;
	*link = exporter->hash_next;
	give_back(t, exporter, exporter); /* its last piece: it is not large */
}

static void drop_exporter_if_idle(struct codec_templates *t, struct templates_exporter *exporter)
{
	if (!exporter->held && exporter->domains.next == &exporter->domains)
		drop_exporter(t, exporter);
}

static void drop_domain(struct codec_templates *t, struct templates_of *domain)
{
	struct templates_of **link = &t->domains[domain->hash & t->domain_mask];
	struct templates_exporter *exporter = domain->exporter;

	while (*link != domain)
		link = &(*link)->hash_next;
	*link = domain->hash_next;
	while (domain->entries.next != &domain->entries)
		drop_entry(t, list_of(domain->entries.next, struct template_entry, used));
	list_remove(&domain->used);
	list_remove(&domain->siblings);
	give_back(t, exporter, domain);
	t->figures.domains--;
	drop_exporter_if_idle(t, exporter);
}

/* The least recently used template of an exporter, but for one, goes, and its domain with the last. Never the domain in hand,
 * which is the one used last. */
static bool make_room_inside(struct codec_templates *t, struct templates_exporter *exporter,
			     const struct templates_of *in_hand, const struct template_entry *keep)
{
	struct list *last = exporter->domains.previous;
	struct templates_of *domain = list_of(last, struct templates_of, siblings);

	if (last == &exporter->domains)
		return false;
	last = domain->entries.previous;
	if (keep && last == &keep->used)
		last = last->previous;
	if (last != &domain->entries) {
		drop_entry(t, list_of(last, struct template_entry, used));
		t->figures.evicted_templates++;
	} else if (domain == in_hand) {
		return false;
	}
	if (domain != in_hand && domain->entries.next == &domain->entries) {
		drop_domain(t, domain);
		t->figures.evicted_domains++;
	}
	return true;
}

/* The domain that was used least recently goes with all it has. */
static bool make_room_outside(struct codec_templates *t, const struct templates_of *in_hand)
{
	struct list *last = t->used.previous;

	if (in_hand && last == &in_hand->used)
		last = last->previous;
	if (last == &t->used)
		return false;
	drop_domain(t, list_of(last, struct templates_of, used));
	t->figures.evicted_domains++;
	return true;
}

/* Of those that hold much; NULL when nobody does. */
static struct templates_exporter *find_heaviest(const struct codec_templates *t)
{
	struct templates_exporter *heaviest = NULL;

	for (const struct list *node = t->large.next; node != &t->large; node = node->next) {
		struct templates_exporter *exporter = list_of(node, struct templates_exporter, large);

		if (!heaviest || exporter->pieces > heaviest->pieces)
			heaviest = exporter;
	}
	return heaviest;
}

static bool make_room(struct codec_templates *t, struct templates_exporter *exporter, const struct templates_of *in_hand,
		      const struct template_entry *keep)
{
	struct templates_exporter *heaviest = find_heaviest(t);

	return (heaviest && make_room_inside(t, heaviest, in_hand, keep)) || make_room_outside(t, in_hand) ||
	       (exporter && make_room_inside(t, exporter, in_hand, keep));
}

/* `exporter` NULL: for one to be. */
static union piece *take(struct codec_templates *t, struct templates_exporter *exporter,
			 const struct templates_of *in_hand, const struct template_entry *keep)
{
	union piece *piece;

	while (exporter && exporter->pieces >= t->total / TEMPLATES_SHARE)
		if (!make_room_inside(t, exporter, in_hand, keep))
			return NULL;
	while (!t->free && t->taken == t->total)
		if (!make_room(t, exporter, in_hand, keep))
			return NULL;
	piece = t->free;
	if (piece)
		t->free = piece->free_next;
	else
		piece = &t->pieces[t->taken++];
	memset(piece, 0, sizeof *piece);
	if (exporter) {
		exporter->pieces++;
		weigh(t, exporter);
	}
	return piece;
}

union piece *templates_take(struct codec_templates *t, struct templates_of *domain, const struct template_entry *keep)
{
	return take(t, domain->exporter, domain, keep);
}

/* The one of that address, made where there is none; NULL without room. */
static struct templates_exporter *make_exporter(struct codec_templates *t, const struct template_domain *key)
{
	uint64_t hash = XXH3_64bits_withSeed(key, offsetof(struct template_domain, version), t->seed);
	struct templates_exporter **bucket = &t->exporters[hash & t->domain_mask], *exporter = *bucket;
	union piece *piece;

	while (exporter && (exporter->hash != hash || exporter->address_bytes != key->address_bytes ||
			    memcmp(exporter->address, key->address, sizeof key->address) != 0))
		exporter = exporter->hash_next;
	if (exporter)
		return exporter;
	piece = take(t, NULL, NULL, NULL);
	if (!piece)
		return NULL;
	exporter = &piece->exporter;
	memcpy(exporter->address, key->address, sizeof key->address);
	exporter->address_bytes = key->address_bytes;
	exporter->pieces = 1;
	exporter->hash = hash;
	exporter->hash_next = *bucket;
	*bucket = exporter;
	list_init(&exporter->domains);
	list_init(&exporter->large);
	return exporter;
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
	list_remove(&domain->siblings);
	list_add_first(&domain->exporter->domains, &domain->siblings);
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
	struct templates_exporter *exporter;
	union piece *piece;

	if (domain) {
		use_domain(t, domain);
		return domain;
	}
	exporter = make_exporter(t, key);
	if (!exporter)
		return NULL;
	exporter->held = true;
	piece = take(t, exporter, NULL, NULL);
	exporter->held = false;
	if (!piece) {
		drop_exporter_if_idle(t, exporter);
		return NULL;
	}
	domain = &piece->domain;
	domain->key = *key;
	domain->exporter = exporter;
	domain->hash = hash;
	domain->hash_next = t->domains[hash & t->domain_mask];
	t->domains[hash & t->domain_mask] = domain;
	list_init(&domain->entries);
	list_add_first(&t->used, &domain->used);
	list_add_first(&exporter->domains, &domain->siblings);
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
