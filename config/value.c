#include "config/value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/report.h"

struct value { /* one value on its way in */
	const struct knob *knob;
	const struct node *node;
	const char *directory;
	uint8_t *base;
	char hint[160]; /* why it cannot be, beyond what the table expects */
};

struct unit {
	const char *name;
	uint64_t size;
};

static const struct unit size_units[] = {
	{"", 1},
	{"B", 1},
	{"kB", 1000},
	{"KB", 1000},
	{"MB", 1000000},
	{"GB", 1000000000},
	{"TB", 1000000000000},
	{"KiB", 1ull << 10},
	{"MiB", 1ull << 20},
	{"GiB", 1ull << 30},
	{"TiB", 1ull << 40},
	{NULL, 0},
};

static const struct unit second_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit ms_units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

// "4MiB" with its units. 0; -EINVAL no such number; -ERANGE above INT64_MAX.
static int parse_quantity(const char *text, const struct unit *units, int64_t *out)
{
	uint64_t n = 0;
	bool over = false;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++)
		over |= __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n);
	if (at == text)
		return -EINVAL;
	for (; units->name && strcmp(units->name, at) != 0; units++)
		;
	if (!units->name)
		return -EINVAL;
	over |= __builtin_mul_overflow(n, units->size, &n) || n > INT64_MAX;
	*out = (int64_t)n;
	return over ? -ERANGE : 0;
}

static void *member(const struct value *v)
{
	return v->base + v->knob->offset;
}

static int store_integer(const struct value *v, int64_t n)
{
	switch (v->knob->size) {
	case 1:
		*(uint8_t *)member(v) = (uint8_t)n;
		return 0;
	case 4:
		*(uint32_t *)member(v) = (uint32_t)n; /* -1, too: the members that take it are signed */
		return 0;
	case 8:
		*(uint64_t *)member(v) = (uint64_t)n;
		return 0;
	default:
		fprintf(stderr, "config: %s has no integer member\n", v->knob->path);
		abort();
	}
}

static int take_number(struct value *v)
{
	const struct knob *k = v->knob;
	const struct unit *units = no_units;
	int64_t n;
	int error;

	if (knob_word(k->words, 0, v->node->text, &n))
		return store_integer(v, n);
	if (!v->node->plain) {
		snprintf(v->hint, sizeof v->hint, "remove the quotes");
		return -EINVAL;
	}
	if (k->type == KNOB_SIZE || k->type == KNOB_POWER)
		units = size_units;
	else if (k->type == KNOB_DURATION)
		units = second_units;
	else if (k->type == KNOB_MS)
		units = ms_units;
	error = parse_quantity(v->node->text, units, &n);
	if (error == -EINVAL && units == size_units)
		snprintf(v->hint, sizeof v->hint, "units are KiB, MiB, GiB, TiB and kB, MB, GB, TB");
	if (error == -EINVAL && units == second_units)
		snprintf(v->hint, sizeof v->hint, "units are s, m, h and d");
	if (error == 0 && (n < k->least || n > k->most))
		error = -ERANGE;
	if (error == 0 && k->type == KNOB_POWER && (n & (n - 1)) != 0)
		error = -ERANGE;
	return error ? error : store_integer(v, n);
}

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '-';
}

static int take_text(struct value *v)
{
	const struct knob *k = v->knob;
	const struct node *node = v->node;
	bool may_be_empty = k->type == KNOB_BYTES || (k->type == KNOB_TEXT && k->least == 0) || !node->source;

	if (node->length >= k->size) {
		snprintf(v->hint, sizeof v->hint, "it has %zu bytes", node->length);
		return -EINVAL;
	}
	if (node->length == 0 && !may_be_empty)
		return -EINVAL;
	if (node->length == 2 && k->type == KNOB_NAME && memcmp(node->text, "..", 2) == 0)
		return -EINVAL;
	if (node->length == 1 && k->type == KNOB_NAME && node->text[0] == '.')
		return -EINVAL;
	for (size_t i = 0; i < node->length; i++) {
		unsigned char c = (unsigned char)node->text[i];

		if (c == '\0' || (k->type == KNOB_TEXT && (c < ' ' || c == 127))) {
			snprintf(v->hint, sizeof v->hint, "it holds the control character 0x%02x", c);
			return -EINVAL;
		}
		if (k->type == KNOB_NAME && !name_character((char)c)) {
			if (c > ' ' && c < 127)
				snprintf(v->hint, sizeof v->hint, "'%c' cannot be in it", c);
			return -EINVAL;
		}
	}
	memset(member(v), 0, k->size);
	memcpy(member(v), node->text, node->length);
	return 0;
}

static int take_byte(struct value *v)
{
	const struct node *node = v->node;

	if (node->length != 1 || (unsigned char)node->text[0] > 127 || strchr("\r\n", node->text[0]))
		return -EINVAL;
	return store_integer(v, node->text[0]);
}

// DIRECTORY/TEXT, or TEXT when it is absolute, with ".", ".." and "//" resolved by name.
static int join_path(const char *directory, const char *text, char *out, size_t room)
{
	const char *parts[2] = {text[0] == '/' ? "" : directory, text};
	size_t used = 0;

	for (int i = 0; i < 2; i++) {
		for (const char *at = parts[i]; *at;) {
			size_t n = strcspn(at, "/");

			if (n == 2 && at[0] == '.' && at[1] == '.') {
				while (used > 0 && out[--used] != '/')
					;
			} else if (n > 0 && !(n == 1 && at[0] == '.')) {
				if (used + n + 2 > room)
					return -ENAMETOOLONG;
				out[used++] = '/';
				memcpy(out + used, at, n);
				used += n;
			}
			at += n;
			at += *at == '/';
		}
	}
	if (used == 0)
		out[used++] = '/';
	out[used] = '\0';
	return 0;
}

static int take_path(struct value *v)
{
	const struct knob *k = v->knob;
	const struct node *node = v->node;
	char path[PATH_MAX];
	int error;

	memset(member(v), 0, k->size);
	if (node->length == 0)
		return node->source ? -EINVAL : 0;
	for (size_t i = 0; i < node->length; i++) {
		unsigned char c = (unsigned char)node->text[i];

		if (c < ' ' || c == 127) {
			snprintf(v->hint, sizeof v->hint, "it holds the control character 0x%02x", c);
			return -EINVAL;
		}
	}
	error = join_path(v->directory, node->text, path, sizeof path);
	if (error || strlen(path) > (size_t)k->most) {
		snprintf(v->hint, sizeof v->hint, "with its directory %.60s it is longer", v->directory);
		return -EINVAL;
	}
	memcpy(member(v), path, strlen(path));
	return 0;
}

static int take_bool(struct value *v)
{
	bool yes = strcmp(v->node->text, "true") == 0;

	if (!v->node->plain) {
		snprintf(v->hint, sizeof v->hint, "remove the quotes");
		return -EINVAL;
	}
	if (!yes && strcmp(v->node->text, "false") != 0)
		return -EINVAL;
	*(bool *)member(v) = yes;
	return 0;
}

static int take_choice(struct value *v)
{
	const struct knob *k = v->knob;
	int64_t n;

	if (!knob_word(k->words, k->least, v->node->text, &n))
		return -EINVAL;
	if (k->size != 1 && k->size != 4) { /* the word itself */
		memset(member(v), 0, k->size);
		memcpy(member(v), v->node->text, v->node->length);
		return 0;
	}
	return store_integer(v, n);
}

int value_address(const char *text, struct config_address *out)
{
	size_t n = strcspn(text, "/");
	char host[INET6_ADDRSTRLEN];
	int64_t prefix;

	memset(out, 0, sizeof *out);
	if (n >= sizeof host)
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, out->bytes) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, host, out->bytes) == 1)
		out->family = 6;
	else
		return -EINVAL;
	prefix = out->family == 4 ? 32 : 128;
	if (text[n] == '/') {
		int64_t most = prefix;

		if (parse_quantity(text + n + 1, no_units, &prefix) != 0 || prefix < 1 || prefix > most)
			return -EINVAL;
	}
	out->prefix_length = (uint8_t)prefix;
	return 0;
}

void value_format_address(const struct config_address *address, char *text)
{
	inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, INET6_ADDRSTRLEN);
}

static int take_address(struct value *v)
{
	bool any = strcmp(v->node->text, "any") == 0;
	struct config_address address = {0};

	if (strchr(v->node->text, '/')) {
		snprintf(v->hint, sizeof v->hint, "one address has no prefix length");
		return -EINVAL;
	}
	if (!any && value_address(v->node->text, &address) != 0)
		return -EINVAL;
	*(bool *)(v->base + v->knob->extra) = any;
	*(struct config_address *)member(v) = address;
	return 0;
}

static int take_arguments(struct value *v)
{
	const struct node *node = v->node;
	char **list = calloc((size_t)node->count + 1, sizeof *list), ***out = member(v);
	uint32_t *count = (uint32_t *)(v->base + v->knob->extra);

	if (!list)
		return -ENOMEM;
	for (uint32_t i = 0; *out && i < *count; i++)
		free((*out)[i]);
	free(*out);
	*out = list;
	*count = 0;
	for (uint32_t i = 0; i < node->count; i++) {
		if (strlen(node->children[i]->text) != node->children[i]->length || node->children[i]->length == 0) {
			snprintf(v->hint, sizeof v->hint, "entry %u is empty or holds a zero byte", i + 1);
			return -EINVAL;
		}
		list[i] = strdup(node->children[i]->text);
		if (!list[i])
			return -ENOMEM;
		++*count;
	}
	return 0;
}

static int take_numbers(struct value *v, struct reports *reports)
{
	const struct knob *k = v->knob;
	const struct node *node = v->node;
	int error = 0;

	if (node->count == 0)
		return -ERANGE;
	memset(member(v), 0, k->size);
	for (uint32_t i = 0; i < node->count; i++) {
		struct node *child = node->children[i];
		struct knob one = {.path = k->path,
				   .type = KNOB_NUMBER,
				   .offset = k->offset + i * (uint32_t)sizeof(uint32_t),
				   .size = sizeof(uint32_t),
				   .least = k->least,
				   .most = k->most};

		if (value_store(&one, child, v->directory, v->base, reports) != 0)
			error = -ECANCELED;
	}
	return error;
}

static int take_choices(struct value *v)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < v->node->count; i++) {
		const struct node *child = v->node->children[i];
		int64_t bit;

		if (child->length != strlen(child->text) || !knob_word(v->knob->words, 0, child->text, &bit)) {
			snprintf(v->hint, sizeof v->hint, "entry %u is '%.40s'", i + 1, child->text);
			return -EINVAL;
		}
		mask |= 1u << bit;
	}
	return store_integer(v, mask);
}

static int take_addresses(struct value *v, struct reports *reports)
{
	struct config_address *out = member(v);
	uint32_t *count = (uint32_t *)(v->base + v->knob->extra);
	int error = 0;

	memset(out, 0, v->knob->size);
	*count = 0;
	for (uint32_t i = 0; i < v->node->count; i++) {
		const struct node *child = v->node->children[i];

		if (child->length != strlen(child->text) || value_address(child->text, &out[*count]) != 0 ||
		    !strchr(child->text, '/')) {
			report_node(reports, SEVERITY_ERROR, child,
				    "expected an address with its prefix length, such as 198.18.0.2/24 or "
				    "2001:db8::2/64, got '%s'",
				    child->text);
			error = -ECANCELED;
		} else {
			++*count;
		}
	}
	return error;
}

// A list of scalars, no longer than its member.
static int check_list(struct value *v)
{
	uint32_t most = v->knob->type == KNOB_NUMBERS   ? v->knob->size / (uint32_t)sizeof(uint32_t)
			: v->knob->type == KNOB_CHOICES ? 32
							: (uint32_t)v->knob->most;

	if (v->node->kind != NODE_LIST) {
		snprintf(v->hint, sizeof v->hint, "put it in brackets: [ ]");
		return -EINVAL;
	}
	if (v->node->count > most) {
		snprintf(v->hint, sizeof v->hint, "it has %u entries", v->node->count);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < v->node->count; i++) {
		if (v->node->children[i]->kind != NODE_SCALAR) {
			snprintf(v->hint, sizeof v->hint, "entry %u is a list or mapping", i + 1);
			return -EINVAL;
		}
	}
	return 0;
}

static int take(struct value *v, struct reports *reports)
{
	bool list = v->knob->type == KNOB_ARGUMENTS || v->knob->type == KNOB_NUMBERS || v->knob->type == KNOB_CHOICES ||
		    v->knob->type == KNOB_ADDRESSES;
	int error = 0;

	if (list)
		error = check_list(v);
	else if (v->node->kind != NODE_SCALAR || (v->node->source && node_is_null(v->node)))
		error = -EINVAL;
	else if (v->knob->type != KNOB_TEXT && v->knob->type != KNOB_BYTES && v->knob->type != KNOB_NAME &&
		 v->knob->type != KNOB_PATH && strlen(v->node->text) != v->node->length)
		error = -EINVAL;
	if (error)
		return error;
	switch (v->knob->type) {
	case KNOB_TEXT:
	case KNOB_BYTES:
	case KNOB_NAME:
		return take_text(v);
	case KNOB_BYTE:
		return take_byte(v);
	case KNOB_PATH:
		return take_path(v);
	case KNOB_BOOL:
		return take_bool(v);
	case KNOB_CHOICE:
		return take_choice(v);
	case KNOB_ADDRESS:
		return take_address(v);
	case KNOB_ARGUMENTS:
		return take_arguments(v);
	case KNOB_NUMBERS:
		return take_numbers(v, reports);
	case KNOB_CHOICES:
		return take_choices(v);
	case KNOB_ADDRESSES:
		return take_addresses(v, reports);
	default:
		return take_number(v);
	}
}

int value_store(const struct knob *knob, const struct node *node, const char *directory, void *base,
		struct reports *reports)
{
	struct value v = {.knob = knob, .node = node, .directory = directory, .base = base};
	char expected[256], got[64];
	int error = take(&v, reports);

	if (error == 0 || error == -ENOMEM)
		return error;
	if (error == -ECANCELED) /* reported already, entry by entry */
		return -EINVAL;
	knob_expect(knob, expected, sizeof expected);
	if (node->kind != NODE_SCALAR)
		snprintf(got, sizeof got, node->kind == NODE_LIST ? "a list" : "a mapping");
	else if (node_is_null(node))
		snprintf(got, sizeof got, "nothing");
	else
		snprintf(got, sizeof got, node->length > 50 ? "'%.50s...'" : "'%.50s'", node->text);
	report_node(reports, SEVERITY_ERROR, node, "expected %s, got %s%s%s", expected, got, v.hint[0] ? ": " : "",
		    v.hint);
	return -EINVAL;
}
