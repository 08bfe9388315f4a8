// The partition key of a record as text.
#pragma once

#include <stddef.h>

#include "dataplane/seam/record.h"

// Writes the key's text, terminated, to `text` of `room` bytes. Its length, or -errno.
int key_text(const struct record *r, char *text, size_t room);
