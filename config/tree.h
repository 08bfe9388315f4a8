// A YAML file as a tree of nodes that know where they stand. Private to config/.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reports;

#define SOURCE_BYTES_MAX (1u << 20)
#define TREE_DEPTH_MAX 16u     /* mappings in lists in mappings: the table goes to 5 */
#define TREE_ENTRIES_MAX 1024u /* of one mapping or list */
#define TREE_ALIASES_MAX 256u
#define TREE_ALIAS_DEPTH_MAX 4u /* aliases inside what an alias names */

struct source {     /* one file as read */
	char *name; /* as errors show it */
	char *text;
	size_t length;
	uint32_t order; /* 0: the main file, then conf.d in the order of names */
};

enum node_kind { NODE_SCALAR, NODE_MAPPING, NODE_LIST };

struct node {
	enum node_kind kind;
	bool plain;            /* a scalar without quotes: only that can be a number, true or null */
	bool shared;           /* an alias: `children` belong to the node it names */
	uint32_t line, column; /* from 1; columns count characters */
	uint32_t width;        /* characters to underline */
	uint32_t depth;        /* of aliases below */
	const struct source *source;
	struct node **children; /* a list's entries; a mapping's key, value, key, value... */
	uint32_t count;         /* of entries, or of pairs */
	uint32_t room;
	size_t length;     /* of text, which may hold zero bytes */
	char *text;        /* zero-terminated */
	struct node *next; /* of all nodes of a tree, for freeing */
};

struct tree {
	struct source source;
	struct node *root; /* NULL: an empty file, or one that is no YAML */
	struct node *nodes;
};

// Reads `path`. 0; -EFBIG above SOURCE_BYTES_MAX; -errno. The source is zeroed by the caller and freed with its tree.
int source_read(struct source *source, const char *path, uint32_t order);

// 0, or -EINVAL after a report about the first byte that YAML does not let stand in a file.
int source_check(const struct source *source, struct reports *reports);

// The text from `line` and `column` (characters) on; the end of the text when there is no such place.
const char *source_at(const struct source *source, uint32_t line, uint32_t column);

// Parses the tree's source as one YAML 1.2 document with libfyaml. Duplicate keys, tags, aliases too deep and anything
// that is not UTF-8 are reported. 0, -EINVAL after a report, -ENOMEM. Mappings keep only the first of two equal keys.
int tree_parse(struct tree *tree, struct reports *reports);

void tree_free(struct tree *tree);

// True for a scalar that says nothing: `~`, `null` or nothing at all.
bool node_is_null(const struct node *node);
