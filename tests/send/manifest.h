// What was sent, written down by the sender and read by the verifier: one series as "name value" lines.
#pragma once

#include <stdio.h>

#include "tests/send/record.h"

// Writes the series to PATH (temporary name, then rename, so that a reader sees all of it or nothing). 0 or -errno.
int manifest_write(const char *path, const struct send_series *series);

// Reads a manifest. 0; -EINVAL a line or value that makes no sense; -errno.
int manifest_read(const char *path, struct send_series *series);
