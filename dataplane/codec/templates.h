// Templates of NetFlow v9 and IPFIX exporters, each with the times it was in force: what flows are decoded by.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A flow datagram is kept as it came and decoded when it is read, perhaps days later or on another machine, so the store
 * does not hold "the" template of an id but its history:
 *
 *   exporter, version, domain --> template id --> definitions, each in force from the time it was first seen
 *
 *   time      ......F......A---------A-----F---B----------F-->      F: flows of this id, A and B: definitions
 *   decoded by      A                      A              B
 *
 * Flows are decoded by the newest definition at or before their arrival; those that came before any was seen by the first
 * one after them. A withdrawal (RFC 7011 8.1) ends a definition: flows after it wait for the next one; those that come over
 * UDP are not for the store (8.4). Times are arrival times: of two definitions of one id that came with the same one, the
 * later holds.
 *
 * Everything lives in one block of memory taken when the store is made, in pieces of one size. One exporter, which is an
 * address, whatever domains it names, may hold a quarter of them, then its own least recently used template goes. When the
 * store is full, the exporter that holds most gives one, of those that hold more than a 64th; without such the domain
 * that was used least recently goes with all it has: a sender of many domains or templates costs itself, not the others.
 * A template keeps its TEMPLATES_HISTORY newest definitions. All of that is counted. Nothing here allocates or makes a system
 * call but create and free.
 *
 * One thread owns a store. Lookups change it too: they say what was used.
 */
struct codec_templates;

#define TEMPLATE_FIELDS_MAX 512u /* scope fields included */
#define TEMPLATE_VARIABLE 65535u /* length of a field that carries its own: RFC 7011 7 */
#define TEMPLATE_ID_MIN 256u      /* lower ones are no templates: the caller's to use */
#define TEMPLATES_HISTORY 16u
#define TEMPLATES_BYTES_MIN (64u << 10)

struct template_field {
	uint32_t enterprise; /* 0: IANA's registry; for v9's scope fields RFC 3954 6.1's */
	uint16_t id;
	uint16_t length;    /* of the value in bytes, never 0 */
	uint8_t kind;       /* enum element_kind, by (version, scope, enterprise, id); filled in by the store */
	uint8_t occurrence; /* 1 for the first of its (enterprise, id), 2 for the next...; filled in by the store */
	uint8_t written;    /* 1: its name stands in the template's `names`, 0: element_names[id]; filled in by the store */
};

struct template_domain { /* who sent it. All bytes count: start from {0} */
	uint8_t address[16];   /* exporter's address in front, rest 0 */
	uint8_t address_bytes; /* 0: unknown, 4 or 16 */
	uint8_t version;       /* 9 or 10 */
	uint8_t unused[2];
	uint32_t id; /* v9: source id; IPFIX: observation domain id */
};

struct template_definition { /* as learned */
	const struct template_field *fields; /* scope fields first; nothing behind `length` is looked at */
	uint16_t count;                      /* of them; 0: withdrawn */
	uint16_t scopes;                     /* how many of them are scope fields */
	bool options;                        /* from an options template */
};

#define TEMPLATE_PART_FIELDS 10u

struct template_part { /* fields as the store has them */
	const struct template_part *next;
	struct template_field fields[TEMPLATE_PART_FIELDS];
};

#define TEMPLATE_NAMES_BYTES 120u

struct template_names { /* names that were written, in the order of their fields: a byte of length, then the name */
	const struct template_names *next;
	uint8_t bytes[TEMPLATE_NAMES_BYTES]; /* length 0, or the end: on in the next */
};

struct template { /* a definition as the store has it. Read only; gone with the next call that may learn or forget */
	const struct template_part *parts;
	const struct template_names *names;
	uint32_t bytes_min; /* of a record: variable fields count the 1 byte of their length. At least `count` */
	uint16_t count, scopes;
	bool options, variable;
	bool starts_absolute, ends_absolute; /* has an absolute time of the flow's start, end */
	bool system_init;                    /* tells when the exporter started */
};

struct templates_figures {
	uint64_t domains, templates, definitions; /* there are */
	uint64_t learned;                         /* definitions that were new, withdrawals included */
	uint64_t refreshed;                       /* that were known */
	uint64_t evicted_domains, evicted_templates, evicted_definitions;
	uint64_t refused; /* no room even so */
};

// Makes a store of about `bytes` (at least TEMPLATES_BYTES_MIN, else -EINVAL). `seed` keys its hashes: anything that a
// sender cannot guess. -ENOMEM. The caller frees *out.
int templates_create(size_t bytes, uint64_t seed, struct codec_templates **out);
void templates_free(struct codec_templates *t); /* NULL is fine */

const struct templates_figures *templates_figures(const struct codec_templates *t);

// What a datagram that arrived at `arrival_ns` says about template `id` of `domain`. True when that was news. A definition
// with more than TEMPLATE_FIELDS_MAX fields, more scopes than fields or a field of length 0 is refused: false, not counted.
bool templates_learn(struct codec_templates *t, const struct template_domain *domain, uint16_t id, uint64_t arrival_ns,
		     const struct template_definition *definition);

// The domain's part of the store, for several lookups; NULL when nothing of it is known. Same life as a struct template.
struct templates_of *templates_find(struct codec_templates *t, const struct template_domain *domain);

// What flows of template `id` that arrived at `arrival_ns` are decoded by, NULL when nothing is known.
const struct template *templates_lookup(struct codec_templates *t, struct templates_of *domain, uint16_t id,
					uint64_t arrival_ns);

/*
 * One definition as bytes, for a database: all numbers big endian.
 *
 *   0       1        2        3        4         20      24    26       28       36       38
 *   +-------+--------+--------+--------+---------+-------+-----+--------+--------+--------+-------------------------+
 *   |format |version |address |options | address | domain| id  | scopes | from   | fields | fields: id, length,     |
 *   |  = 1  |        | bytes  | 0 or 1 |         |       |     |        | ns     |        | enterprise (2, 2, 4)... |
 *   +-------+--------+--------+--------+---------+-------+-----+--------+--------+--------+-------------------------+
 *
 * Fields 0 is a withdrawal. Kept for ever: a change takes a new format number, and reads the old ones too.
 */
#define TEMPLATE_SAVED_HEADER 38u
#define TEMPLATE_SAVED_MAX (TEMPLATE_SAVED_HEADER + 8u * TEMPLATE_FIELDS_MAX)

// Gives out every definition that is new, or known to be in force earlier, since it was last given out; imported ones are
// not new. put() returns false to end it: that one and the rest stay new. Returns how many were taken. Saving all of them
// and importing them in any order gives the same store, as long as it has room. put() must not use the store.
uint64_t templates_export(struct codec_templates *t, bool (*put)(void *arg, const uint8_t *saved, uint32_t length),
			  void *arg);

// Takes back what templates_export() gave out. -EINVAL for bytes that it never wrote.
int templates_import(struct codec_templates *t, const uint8_t *saved, uint32_t length);
