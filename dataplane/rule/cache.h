// Compiled patterns on disk, by what they were made of.
#pragma once

#include <hs/hs.h>
#include <stdint.h>

#include "dataplane/rule/image.h"

// Each entry is a file of its own, DIRECTORY/<key in hex>.rules, put in place by a rename: whole or not there.

// Opens the entry of `key`: `count` databases. 0; -ENOENT when there is none, also when it is damaged (it is then
// removed, so that it is made anew) or may have been written by somebody else; -errno.
int cache_open(const char *directory, const struct image_key *key, hs_database_t **databases, uint32_t count);

// Puts an image there; makes the directory when its parent is there. 0 or -errno: then there is no such entry, and no
// harm done.
int cache_put(const char *directory, const struct image_key *key, const uint8_t *image, size_t length);
