// What a template store is made of: pieces of one size in one block. For templates*.c alone.
#pragma once

#include "dataplane/codec/templates.h"

struct list { /* a ring; its head is one too */
	struct list *next, *previous;
};

struct templates_exporter { /* an address: whatever domains it names share its part of the store */
	uint8_t address[16];
	uint8_t address_bytes;
	bool held;       /* somebody has it in hand: it stays, also without a domain */
	uint32_t pieces; /* all that it holds, itself included */
	uint64_t hash;
	struct templates_exporter *hash_next;
	struct list domains; /* most recently used first */
	struct list large;   /* in the store's `large`, or a ring of its own */
};

struct templates_of { /* a domain */
	struct template_domain key;
	struct templates_exporter *exporter;
	uint64_t hash;
	struct templates_of *hash_next;
	struct list used;          /* in the store's `used` */
	struct list siblings;      /* in its exporter's `domains` */
	struct list entries;       /* of its templates, most recently used first */
};

struct template_entry { /* a template id */
	struct templates_of *domain;
	struct template_entry *hash_next;
	struct list used; /* in its domain's `entries` */
	struct template_version *newest;
	uint16_t id, versions;
};

struct template_version { /* a definition in force, or a withdrawal: count 0 */
	struct template template;
	struct template_version *older;
	struct template_entry *entry;
	struct list fresh; /* in the store's `fresh` as long as nobody saved it; else a ring of its own */
	uint64_t from_ns;  /* first seen */
};

union piece {
	union piece *free_next;
	struct templates_exporter exporter;
	struct templates_of domain;
	struct template_entry entry;
	struct template_version version;
	struct template_part part;
	struct template_names names;
};

_Static_assert(sizeof(union piece) == 128, "two cache lines: a budget is counted in these");

#define TEMPLATES_SHARE 4u  /* of all pieces, one exporter may hold this part */
#define TEMPLATES_LARGE 64u /* who holds more than this part gives way before anybody is forgotten who was not used lately */

struct codec_templates {
	struct templates_figures figures;
	uint64_t seed;
	union piece *pieces, *free;
	uint32_t total, taken; /* pieces; those from `taken` on were never used */
	uint32_t domain_mask, entry_mask;
	struct templates_exporter **exporters; /* by hash, as many as domains */
	struct templates_of **domains;         /* by hash */
	struct template_entry **entries;       /* by hash */
	struct list used;                      /* domains, most recently used first */
	struct list large;                     /* exporters with more than TEMPLATES_LARGE: fewer than that many */
	struct list fresh;                     /* versions to be saved, oldest first */
};

#define list_of(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->previous = head;
}

static inline void list_remove(struct list *node)
{
	node->next->previous = node->previous;
	node->previous->next = node->next;
	list_init(node);
}

static inline void list_add_first(struct list *head, struct list *node)
{
	node->next = head->next;
	node->previous = head;
	head->next->previous = node;
	head->next = node;
}

static inline void list_add_last(struct list *head, struct list *node)
{
	list_add_first(head->previous, node);
}

// A piece for `domain`, making room by forgetting others, never `keep` or anything that `domain` needs for it: NULL when
// there is none even so.
union piece *templates_take(struct codec_templates *t, struct templates_of *domain, const struct template_entry *keep);

// Gives a definition's pieces back. It is no longer in its entry's list.
void templates_drop_version(struct codec_templates *t, struct templates_of *domain, struct template_version *version);

// The domain and its template, made where there is none; NULL without room.
struct templates_of *templates_domain_make(struct codec_templates *t, const struct template_domain *key);
struct template_entry *templates_entry_make(struct codec_templates *t, struct templates_of *domain, uint16_t id);
struct template_entry *templates_entry_find(struct codec_templates *t, struct templates_of *domain, uint16_t id);

// Learns; `news`: to be saved. True when something changed.
bool templates_take_in(struct codec_templates *t, const struct template_domain *key, uint16_t id, uint64_t arrival_ns,
		       const struct template_definition *definition, bool news);
bool templates_well_formed(const struct template_definition *definition);
