#include "config/tree.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"

struct level { /* an open mapping or list */
	struct node *node;
	struct node *key; /* of a mapping: the key that waits for its value */
	bool skip;        /* the key is there already: its value is dropped */
	char *anchor;
};

struct anchor {
	char *name;
	struct node *node;
	struct anchor *next;
};

struct builder {
	struct tree *tree;
	struct reports *reports;
	struct level levels[TREE_DEPTH_MAX];
	uint32_t depth;
	struct anchor *anchors; /* the newest first: a later anchor of one name hides the earlier */
	uint32_t aliases;
	bool done; /* the document has ended */
};

static uint32_t characters(const char *from, const char *to)
{
	uint32_t n = 0;

	for (; from < to; from++)
		n += ((unsigned char)*from & 0xc0) != 0x80;
	return n;
}

static void place_node(struct node *node, const struct source *source, const struct fy_mark *start,
		       const struct fy_mark *end, size_t before)
{
	size_t at = start->input_pos - (start->input_pos >= before ? before : 0), stop = end ? end->input_pos : at,
	       line;

	at = at <= source->length ? at : source->length;
	stop = stop <= source->length ? stop + before : source->length;
	for (line = at; line > 0 && source->text[line - 1] != '\n'; line--)
		;
	node->line = (uint32_t)start->line + 1;
	node->column = characters(source->text + line, source->text + at) + 1;
	if (line == 0 && strncmp(source->text, "\xef\xbb\xbf", 3) == 0 && node->column > 1)
		node->column--; /* a byte order mark takes no column */
	stop = stop <= source->length ? stop : source->length;
	for (line = at; line < stop && source->text[line] != '\n'; line++)
		;
	node->width = characters(source->text + at, source->text + line);
}

// A node of the tree, placed at the event; at the key before it, or the open container, when the event has no place.
static struct node *new_node(struct builder *b, struct fy_event *event, enum node_kind kind, const char *text,
			     size_t length)
{
	struct node *node = calloc(1, sizeof *node + length + 1);
	const struct fy_mark *start = fy_event_start_mark(event), *end = fy_event_end_mark(event);
	const struct level *level = b->depth ? &b->levels[b->depth - 1] : NULL;
	size_t before = event->type == FYET_ALIAS;

	if (!node)
		return NULL;
	node->next = b->tree->nodes;
	b->tree->nodes = node;
	node->kind = kind;
	node->source = &b->tree->source;
	node->text = (char *)(node + 1);
	node->length = length;
	if (length)
		memcpy(node->text, text, length);
	if (event->type == FYET_SCALAR && event->scalar.value) {
		enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);

		node->plain = style == FYSS_PLAIN;
		before = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED; /* libfyaml's marks are inside */
	} else {
		node->plain = event->type == FYET_SCALAR;
	}
	if (start) {
		place_node(node, node->source, start, end, before);
	} else if (level) {
		const struct node *near = level->key ? level->key : level->node;

		node->line = near->line;
		node->column = near->column;
		node->width = near->width;
	} else {
		node->line = node->column = 1;
	}
	return node;
}

static bool same_text(const struct node *a, const struct node *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static int append(struct node *node, struct node *child)
{
	uint32_t used = node->kind == NODE_MAPPING ? 2 * node->count : node->count;

	if (used + 2 > node->room) {
		uint32_t room = node->room ? 2 * node->room : 8;
		struct node **children = realloc(node->children, room * sizeof(struct node *));

		if (!children)
			return -ENOMEM;
		node->children = children;
		node->room = room;
	}
	node->children[used] = child;
	return 0;
}

// Takes a key of the mapping on top, and finds whether it is there already.
static int take_key(struct builder *b, struct level *top, struct node *key)
{
	if (key->kind != NODE_SCALAR) {
		report_node(b->reports, SEVERITY_ERROR, key, "a key must be a word, not a mapping or list");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < top->node->count && !top->skip; i++) {
		const struct node *earlier = top->node->children[2 * i];

		if (!same_text(earlier, key))
			continue;
		report_node(b->reports, SEVERITY_ERROR, key, "duplicate key '%s': it is given at line %u already",
			    key->text, earlier->line);
		top->skip = true;
	}
	top->key = key;
	return 0;
}

// Puts a finished node where it belongs.
static int attach(struct builder *b, struct node *node)
{
	struct level *top = b->depth ? &b->levels[b->depth - 1] : NULL;
	int error;

	if (!top) {
		b->tree->root = node;
		return 0;
	}
	if (top->node->depth < node->depth)
		top->node->depth = node->depth;
	if (top->node->kind == NODE_MAPPING && !top->key)
		return take_key(b, top, node);
	if (top->node->count == TREE_ENTRIES_MAX) {
		report_node(b->reports, SEVERITY_ERROR, node, "more than %u entries", TREE_ENTRIES_MAX);
		return -EINVAL;
	}
	error = top->skip ? 0 : append(top->node, top->key ? top->key : node);
	if (error == 0 && !top->skip) {
		if (top->key)
			top->node->children[2 * top->node->count + 1] = node;
		top->node->count++;
	}
	top->key = NULL;
	top->skip = false;
	return error;
}

static int remember_anchor(struct builder *b, const char *name, size_t length, struct node *node)
{
	struct anchor *anchor = calloc(1, sizeof *anchor);

	if (!anchor || !(anchor->name = strndup(name, length))) {
		free(anchor);
		return -ENOMEM;
	}
	anchor->node = node;
	anchor->next = b->anchors;
	b->anchors = anchor;
	return 0;
}

static int refuse_tag(struct builder *b, const struct node *node, struct fy_token *tag)
{
	if (!tag)
		return 0;
	report_node(b->reports, SEVERITY_ERROR, node, "tags (!...) mean nothing here: remove it");
	return -EINVAL;
}

static int take_scalar(struct builder *b, struct fy_event *event)
{
	size_t length = 0, name_length;
	const char *text = event->scalar.value ? fy_token_get_text(event->scalar.value, &length) : "";
	struct node *node = text ? new_node(b, event, NODE_SCALAR, text, length) : NULL;
	int error;

	if (!node)
		return -ENOMEM;
	error = refuse_tag(b, node, event->scalar.tag);
	if (error == 0 && event->scalar.anchor) {
		const char *name = fy_token_get_text(event->scalar.anchor, &name_length);

		error = name ? remember_anchor(b, name, name_length, node) : -ENOMEM;
	}
	return error ? error : attach(b, node);
}

static int take_alias(struct builder *b, struct fy_event *event)
{
	size_t length;
	const char *name = fy_token_get_text(event->alias.anchor, &length);
	struct node *node = name ? new_node(b, event, NODE_SCALAR, name, length) : NULL;
	const struct anchor *anchor = b->anchors;

	if (!node)
		return -ENOMEM;
	while (anchor && strcmp(anchor->name, node->text) != 0)
		anchor = anchor->next;
	if (!anchor) {
		report_node(b->reports, SEVERITY_ERROR, node, "no anchor &%s stands in front of this", node->text);
		return -EINVAL;
	}
	if (++b->aliases > TREE_ALIASES_MAX || anchor->node->depth + 1 > TREE_ALIAS_DEPTH_MAX) {
		report_node(b->reports, SEVERITY_ERROR, node,
			    "too many aliases: at most %u in a file, nested at most %u deep", TREE_ALIASES_MAX,
			    TREE_ALIAS_DEPTH_MAX);
		return -EINVAL;
	}
	/* The same value in a place of its own. */
	node->kind = anchor->node->kind;
	node->plain = anchor->node->plain;
	node->text = anchor->node->text;
	node->length = anchor->node->length;
	node->children = anchor->node->children;
	node->count = anchor->node->count;
	node->depth = anchor->node->depth + 1;
	node->shared = true;
	return attach(b, node);
}

static int open_container(struct builder *b, struct fy_event *event)
{
	bool mapping = event->type == FYET_MAPPING_START;
	struct node *node = new_node(b, event, mapping ? NODE_MAPPING : NODE_LIST, "", 0);
	struct fy_token *anchor = mapping ? event->mapping_start.anchor : event->sequence_start.anchor;
	int error;

	if (!node)
		return -ENOMEM;
	node->width = 1;
	error = refuse_tag(b, node, mapping ? event->mapping_start.tag : event->sequence_start.tag);
	if (error)
		return error;
	if (b->depth == TREE_DEPTH_MAX) {
		report_node(b->reports, SEVERITY_ERROR, node, "nested more than %u deep", TREE_DEPTH_MAX);
		return -EINVAL;
	}
	b->levels[b->depth] = (struct level){.node = node};
	if (anchor) {
		size_t length;
		const char *name = fy_token_get_text(anchor, &length);

		b->levels[b->depth].anchor = name ? strndup(name, length) : NULL;
		if (!b->levels[b->depth].anchor)
			return -ENOMEM;
	}
	b->depth++;
	return 0;
}

// An anchor is known only once its node is whole: so no node can contain itself.
static int close_container(struct builder *b)
{
	struct level *top = &b->levels[--b->depth];
	int error = top->anchor ? remember_anchor(b, top->anchor, strlen(top->anchor), top->node) : 0;

	free(top->anchor);
	top->anchor = NULL;
	return error ? error : attach(b, top->node);
}

static int take_event(struct builder *b, struct fy_event *event)
{
	const struct fy_mark *mark;

	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (!b->done)
			return 0;
		mark = fy_event_start_mark(event);
		report_at(b->reports, SEVERITY_ERROR, &b->tree->source, mark ? (uint32_t)mark->line + 1 : 1, 1,
			  "a second document begins here: a configuration is one");
		return -EINVAL;
	case FYET_DOCUMENT_END:
		b->done = true;
		return 0;
	case FYET_SCALAR:
		return take_scalar(b, event);
	case FYET_ALIAS:
		return take_alias(b, event);
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
		return open_container(b, event);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return close_container(b);
	default:
		return 0;
	}
}

// Where a source's last word ends: what libfyaml misses at the end of a file it misses behind its last line.
static void find_end(const struct source *source, uint32_t *line, uint32_t *column)
{
	size_t end = source->length, start;
	uint32_t last = 1;

	while (end > 0 && strchr(" \t\r\n", source->text[end - 1]))
		end--;
	for (start = end; start > 0 && source->text[start - 1] != '\n'; start--)
		;
	for (size_t i = 0; i < start; i++)
		last += source->text[i] == '\n';
	if (*line <= last)
		return;
	*line = last;
	*column = characters(source->text + start, source->text + end) + 1;
}

// What libfyaml says is wrong: the first is the cause, the others follow from it.
static int report_syntax(struct builder *b, struct fy_diag *diag)
{
	void *iterator = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
	uint32_t line = error && error->line > 0 ? (uint32_t)error->line : 1;
	uint32_t column = error && error->column > 0 ? (uint32_t)error->column : 1;

	find_end(&b->tree->source, &line, &column);
	report_at(b->reports, SEVERITY_ERROR, &b->tree->source, line, column, "%s",
		  error && error->msg ? error->msg : "this is no YAML");
	return -EINVAL;
}

static int build(struct builder *b, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	int error = 0;

	if (fy_parser_set_string(parser, b->tree->source.text, b->tree->source.length) != 0)
		return -ENOMEM;
	while (error == 0 && (event = fy_parser_parse(parser))) {
		error = take_event(b, event);
		fy_parser_event_free(parser, event);
	}
	if (error == 0 && (fy_parser_get_stream_error(parser) || b->depth))
		error = report_syntax(b, diag);
	return error;
}

int tree_parse(struct tree *tree, struct reports *reports)
{
	struct builder b = {.tree = tree, .reports = reports};
	struct fy_parse_cfg options = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
						FYPCF_JSON_NONE};
	struct fy_diag_cfg silent;
	struct fy_parser *parser;
	int error = source_check(&tree->source, reports);

	if (error || tree->source.length == 0)
		return error;
	fy_diag_cfg_default(&silent);
	silent.fp = NULL;
	options.diag = fy_diag_create(&silent);
	if (!options.diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(options.diag, true);
	parser = fy_parser_create(&options);
	error = parser ? build(&b, parser, options.diag) : -ENOMEM;
	if (parser)
		fy_parser_destroy(parser);
	fy_diag_destroy(options.diag);
	for (uint32_t i = 0; i < TREE_DEPTH_MAX; i++)
		free(b.levels[i].anchor);
	while (b.anchors) {
		struct anchor *next = b.anchors->next;

		free(b.anchors->name);
		free(b.anchors);
		b.anchors = next;
	}
	if (error)
		tree->root = NULL;
	return error;
}

void tree_free(struct tree *tree)
{
	while (tree->nodes) {
		struct node *next = tree->nodes->next;

		if (!tree->nodes->shared)
			free(tree->nodes->children);
		free(tree->nodes);
		tree->nodes = next;
	}
	free(tree->source.name);
	free(tree->source.text);
	*tree = (struct tree){0};
}

bool node_is_null(const struct node *node)
{
	return node->kind == NODE_SCALAR && node->plain &&
	       (node->length == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}
