// The table of knobs: what may stand in a configuration file. Loader, sample file and manual page all come from it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum knob_type {
	KNOB_SECTION,   /* a mapping of further knobs, "path.name" */
	KNOB_ITEMS,     /* a list of mappings of further knobs, "path[].name"; conf.d files add to it */
	KNOB_TEXT,      /* any text of at least `least` bytes without control characters, in a char array */
	KNOB_BYTES,     /* any text, control characters as well (a delimiter), in a char array */
	KNOB_BYTE,      /* one character below 128 */
	KNOB_NAME,      /* [a-zA-Z0-9_.-]+ in a char array */
	KNOB_PATH,      /* made absolute, in a char array */
	KNOB_BOOL,      /* true or false */
	KNOB_CHOICE,    /* one of `words`; a number (`least` and up), or the word itself in a char array */
	KNOB_NUMBER,    /* decimal, or one of `words` ("any=-1") */
	KNOB_SIZE,      /* bytes: 4194304, 4MiB, 5MB, or one of `words` */
	KNOB_POWER,     /* a size that is a power of two */
	KNOB_DURATION,  /* seconds: 300s, 5m, 24h, 7d */
	KNOB_MS,        /* milliseconds: 10, 10ms, 1s */
	KNOB_ADDRESS,   /* IPv4 or IPv6, or the word `any`, which sets the flag at `extra` */
	KNOB_ARGUMENTS, /* a list of texts, malloc'ed, NULL-terminated; how many: uint32_t at `extra` */
	KNOB_CHOICES,   /* a list of `words` in a uint32_t: bit 0 is the first's */
	KNOB_NUMBERS,   /* a list of numbers in a uint32_t array */
	KNOB_ADDRESSES, /* a list of addresses with prefix length; how many: uint32_t at `extra` */
};

enum knob_live {  /* when a changed value takes effect */
	KNOB_AS_ABOVE, /* as that of the section or list it stands in; at the top: at the next start */
	KNOB_LIVE,     /* at a reload */
	KNOB_NEVER,    /* never: what was made with it keeps it */
};

struct knob {
	const char *path;
	enum knob_type type;
	uint32_t offset;      /* in struct config, or in the item of the list it belongs to */
	uint32_t size;        /* of the member; of one item for KNOB_ITEMS */
	uint32_t extra;       /* offset of a second member, see the types; of the items' count for KNOB_ITEMS */
	const char *fallback; /* the default as a person would write it; "": none and may be left out; NULL: must be given */
	int64_t least, most;  /* of numbers, sizes (bytes), durations; `most` entries of a list */
	const char *words;    /* "telemetry|tap", "any=-1|untagged=0" */
	const char *brief;    /* KNOB_SECTION: the knob that one word in its place sets ("key: source") */
	enum knob_live live;  /* of KNOB_ITEMS: of adding and removing, and of what stands in an item */
	const char *stays;    /* KNOB_NEVER: what stays as it was; KNOB_ITEMS: what becomes of an item taken out of the file, when
				 it does not go with it */
	bool aside;           /* the sample file shows it as a comment: it would contradict what stands beside it */
	const char *example;  /* shown in the sample file instead of the default */
	const char *text;     /* one sentence */
};

extern const struct knob knobs[];
extern const uint32_t knobs_count;

#define KNOB_NONE UINT32_MAX

// When a change of knobs[index] takes effect: KNOB_LIVE, KNOB_NEVER, or KNOB_AS_ABOVE for the next start.
enum knob_live knob_live(uint32_t index);

// The index of the knob at `path`. Paths in the code that the table does not hold are a bug of ours.
uint32_t knob_find(const char *path);

// True when `child` stands directly in section or list `parent` (KNOB_NONE: the top), *name is then its last word.
bool knob_in(uint32_t parent, uint32_t child, const char **name);

// The knob called `name` in `parent`, or KNOB_NONE.
uint32_t knob_child(uint32_t parent, const char *name);

// The name in `parent` most like `name`, close enough to suggest, or NULL.
const char *knob_suggest(uint32_t parent, const char *name);

// What may stand there, for people: "a number from 1 to 64", "one of telemetry, tap".
void knob_expect(const struct knob *knob, char *text, size_t room);

// A size or duration in the largest unit that divides it: "64MiB", "24h".
void knob_format_bytes(uint64_t bytes, char *text, size_t room);
void knob_format_seconds(uint64_t seconds, char *text, size_t room);

// Calls for each word of "a=1|b=2" (or "a|b", numbered from `first`). True when `word` is one, with its value.
bool knob_word(const char *words, int64_t first, const char *word, int64_t *value);
