// Patterns that a scan of several records at once could get wrong, and pieces of text that meet them.
#pragma once

#include <stdbool.h>

struct rule_pattern {
	const char *text;
	bool caseless, dotall, multiline, utf8;
};

static const struct rule_pattern rule_patterns[] = {
	/* literals and what stays in a line */
	{"error", 0, 0, 0, 0},
	{"error", 1, 0, 0, 0},
	{"a", 0, 0, 0, 0},
	{"\\.", 0, 0, 0, 0},
	{"err.r", 0, 0, 0, 0},
	{"user=\\w+ ", 0, 0, 0, 0},
	{"[0-9]{3,}", 0, 0, 0, 0},
	{"[a-c]x|yy", 0, 0, 0, 0},
	{"foo.*bar", 0, 0, 0, 0},
	{"(?:foo|bar)+\\d", 0, 0, 0, 0},
	{"[^\\n]z", 0, 0, 0, 0},
	{"[^\\s]z", 0, 0, 0, 0},
	{"[]a]q", 0, 0, 0, 0},
	{"\\x41b", 0, 0, 0, 0},
	{"[\\x20-\\x2f]b", 0, 0, 0, 0},
	{"\\t\\S", 0, 0, 0, 0},
	{"o\\r", 0, 0, 0, 0},
	{"a\\+b\\[", 0, 0, 0, 0},
	/* ends of records */
	{"^error", 0, 0, 0, 0},
	{"^<\\d+>", 0, 0, 0, 0},
	{"^.{3}$", 0, 0, 0, 0},
	{"bar$", 0, 0, 0, 0},
	{"^foo$", 0, 0, 0, 0},
	{"^foo|bar$", 0, 0, 0, 0},
	{"^foo", 0, 0, 1, 0},
	{"bar$", 0, 0, 1, 0},
	{"^foo$", 0, 1, 1, 0},
	{"\\Afoo", 0, 0, 0, 0},
	{"\\Afoo", 0, 0, 1, 0},
	{"bar\\z", 0, 0, 0, 0},
	{"bar\\Z", 0, 0, 0, 0},
	{"bar\\Z", 0, 0, 1, 0},
	{"(?m)^bar", 0, 0, 0, 0},
	{"(?-m)^foo", 0, 0, 1, 0},
	{"(?-m:bar$)", 0, 0, 1, 0},
	{"^\\s*[a-z]", 0, 0, 0, 0},
	{"x?y$|a$", 0, 0, 0, 0},
	{"^^foo", 0, 0, 0, 0},
	{"a\\^|\\$b|[$^]q", 0, 0, 0, 0},
	/* words */
	{"\\bfoo\\b", 0, 0, 0, 0},
	{"\\Bar", 0, 0, 0, 0},
	{"ba\\B", 0, 0, 0, 0},
	{"\\b\\d", 0, 0, 0, 0},
	{"\\bx", 0, 0, 1, 0},
	{"o\\b", 0, 0, 0, 0},
	/* what may run on into the next record */
	{"\\s", 0, 0, 0, 0},
	{"foo\\s*bar", 0, 0, 0, 0},
	{"[^a]b", 0, 0, 0, 0},
	{"\"[^\"]*\"", 0, 0, 0, 0},
	{"\\Wb", 0, 0, 0, 0},
	{"\\Df", 0, 0, 0, 0},
	{"\\n", 0, 0, 0, 0},
	{"\\nfoo", 0, 0, 0, 0},
	{"foo\\n", 0, 0, 0, 0},
	{"a\\nb", 0, 0, 0, 0},
	{"\\r\\n", 0, 0, 0, 0},
	{"foo.bar", 0, 1, 0, 0},
	{"foo.*bar", 0, 1, 0, 0},
	{"(?s)o.b", 0, 0, 0, 0},
	{"foo[\\s\\S]{0,5}bar", 0, 0, 0, 0},
	{"[\\x00-\\x1f]", 0, 0, 0, 0},
	{"\\x0a", 0, 0, 0, 0},
	{"\\012b", 0, 0, 0, 0},
	{"[[:space:]]b", 0, 0, 0, 0},
	{"[[:^alpha:]]f", 0, 0, 0, 0},
	{"[^[:alpha:]]f", 0, 0, 0, 0},
	{"\\v", 0, 0, 0, 0},
	{"\\Vz", 0, 0, 0, 0},
	{"\\Hb", 0, 0, 0, 0},
	{"[^\\S]f", 0, 0, 0, 0},
	{"\\Qa\\nb\\E", 0, 0, 0, 0},
	{"\\Q.\\E$", 0, 0, 0, 0},
	{"(?i)ERR(?-i)or", 0, 0, 0, 0},
	{"(?x) f o o  b", 0, 0, 0, 0},
	{"foo(?#not $ this)bar", 0, 0, 0, 0},
	{"(?<host>web-\\d)\\s", 0, 0, 0, 0},
	{"[\\n-z]q", 0, 0, 0, 0},
	{"[ -~]{4}\\W", 0, 0, 0, 0},
	/* characters */
	{"\xc3\xa4", 0, 0, 0, 0},
	{"\xc3\xa4", 1, 0, 0, 1},
	{"^.$", 0, 0, 0, 1},
	{"k.se", 0, 0, 0, 1},
	{"[\xc3\xa4\xc3\xb6]f", 0, 0, 0, 1},
	{"\\bf", 0, 0, 0, 1},
	{"bar$", 0, 0, 0, 1},
	{"[^x]$", 0, 0, 0, 1},
};

#define RULE_PATTERNS (sizeof rule_patterns / sizeof rule_patterns[0])

static const char *const rule_pieces[] = {
	"foo", "bar", "error", "ERROR", "a", "b", "x", "y", "z", "q", "f", " ", " ", "\n", "\r", "\r\n", "\t", "\"", "<14>", "123",
	"7", "user=root ", "web-1", ".", "$", "\xc3\xa4", "k\xc3\xa4se", "\xc3", "\xff", "\v", "Ab", "a+b[", "err", "or", "-",
};

#define RULE_PIECES (sizeof rule_pieces / sizeof rule_pieces[0])
