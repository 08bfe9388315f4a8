// Streams as text, from penstockd's answers.
#pragma once

#include <jansson.h>

// The table of all of them. 0, or 1 when stdout could not take it.
int stream_print_list(const json_t *streams);

// One with its shards and cursors. 0, or 1 when stdout could not take it.
int stream_print(const json_t *stream);

// Its cursors as a table; nothing when there are none.
void stream_print_cursors(const json_t *cursors);
