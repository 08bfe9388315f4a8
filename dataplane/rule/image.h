// Compiled patterns as bytes: what the compiling process hands back, and what a file of the cache holds.
#pragma once

#include <hs/hs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_GROUPS_MAX (4u + 64u) /* the block's, the records' three, and one for each redact rule */
#define IMAGE_BYTES_MAX (64u << 20)

struct image_pattern {
	const char *text;
	uint32_t flags; /* HS_FLAG_* */
};

struct image_group { /* patterns that become one database; a match's id is the index here */
	struct image_pattern *patterns;
	uint32_t count;
};

struct image_key { /* of what an image was made: patterns, flags, this Hyperscan and this processor */
	uint64_t low, high;
};

/*
 * header | a size of 64 bits for each group | serialised databases, each begun at a multiple of 8
 *
 * Changing any of it raises IMAGE_FORMAT: an image of another format is one that is not there.
 */
#define IMAGE_MAGIC 0x454c555254535029ull
#define IMAGE_FORMAT 1u

struct image_header {
	uint64_t magic;
	uint32_t format, groups;
	uint64_t bytes; /* of the whole image */
	struct image_key key;
	struct image_key digest; /* XXH3 of all that follows the header */
};

_Static_assert(sizeof(struct image_header) == 56, "the layout is frozen by IMAGE_FORMAT");

// The key of `groups` as this program would compile them here. Depends on nothing else, not on their names or the day.
struct image_key image_key(const struct image_group *groups, uint32_t count);

// Writes compiled databases as an image to `file`. 0 or -errno; -EFBIG above IMAGE_BYTES_MAX.
int image_write(int file, const struct image_key *key, hs_database_t *const *databases, uint32_t count);

// Reads a whole file into *bytes (freed by the caller). 0; -EFBIG; -errno.
int image_read(int file, uint8_t **bytes, size_t *length);

// Makes databases of an image, `count` of them. -EBADMSG when it is damaged, cut, of another key or format, or not for
// this Hyperscan: none is made then. -ENOMEM. Databases are freed with hs_free_database().
int image_open(const uint8_t *bytes, size_t length, const struct image_key *key, hs_database_t **databases,
	       uint32_t count);
