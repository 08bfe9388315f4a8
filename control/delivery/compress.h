// Compression of an object on its way to a sink: none, gzip (isa-l), zstd (level 1).
#pragma once

#include "config/config.h"
#include "control/delivery/sink.h"

/*
 * The same bytes in give the same bytes out, however they were cut into writes: input is gathered into blocks of one
 * size first, gzip carries no time and no name, and nothing depends on clocks or threads. (Another version of the
 * library may compress differently; what comes out of decompression never differs.)
 */

struct compress; /* opaque: one object after another, not shared between threads; under 3 MiB */

// 0; -ENOMEM; -EINVAL.
int compress_open(enum config_compression kind, struct compress **out);
void compress_close(struct compress *c);

// Begins an object going to `sink`; *front is what the object's bytes are written to. Both stay until compress_end().
int compress_begin(struct compress *c, const struct sink *sink, struct sink *front);

// Writes what is left and the trailer. 0 or the first -errno of the sink.
int compress_end(struct compress *c);

// "", ".gz" or ".zst".
const char *compress_extension(enum config_compression kind);
